"""Requests and results of GS2-Script's methods (contract: support_services, script)."""
from __future__ import annotations

from typing import Any

from gs2admin.wire.shapes import Boolean, Integer, Result, Shape, Text, field

WORD = "script.script"
MAX_TEXT = 5_242_880
SEED_MAX = 4_294_967_294


class InNamespaceRequest(Shape):
    """Names a namespace."""

    namespace_name: Text = field("script.namespace.name", max_length=128, description="The namespace.")


class ScriptsRequest(InNamespaceRequest):
    """Fields of describeScripts."""

    name_prefix: Text | None = field(f"{WORD}.namePrefix", None, max_length=64)
    page_token: Text | None = field(f"{WORD}.pageToken", None, max_length=1024)
    limit: Integer = field(f"{WORD}.limit", 30, ge=1, le=1000)


class ScriptRequest(InNamespaceRequest):
    """Names a script."""

    script_name: Text = field(f"{WORD}.name", max_length=128)


class CreateScriptRequest(InNamespaceRequest):
    """Fields of createScript."""

    name: Text = field(f"{WORD}.name", max_length=128, description="Letters, digits, hyphen, underscore, dot.")
    description: Text | None = field(f"{WORD}.description", None, max_length=1024)
    script: Text = field(f"{WORD}.script", max_length=MAX_TEXT, description="Lua.")
    disable_string_number_to_number: Boolean = field(f"{WORD}.disableStringNumberToNumber", False)


class UpdateScriptRequest(ScriptRequest):
    """Fields of updateScript; what is not given stays."""

    description: Text | None = field(f"{WORD}.description", None, max_length=1024)
    script: Text | None = field(f"{WORD}.script", None, max_length=MAX_TEXT, description="Lua.")
    disable_string_number_to_number: Boolean | None = field(f"{WORD}.disableStringNumberToNumber", None)


class RandomUsed(Shape):
    """How many numbers were drawn."""

    category: Integer | None = field("script.randomUsed.category", None, ge=0, le=SEED_MAX)
    used: Integer | None = field("script.randomUsed.used", None, ge=0, le=SEED_MAX)


class RandomStatus(Shape):
    """Where the random numbers begin."""

    seed: Integer | None = field("script.randomStatus.seed", None, ge=0, le=SEED_MAX)
    used: list[RandomUsed] | None = field("script.randomStatus.used", None, max_length=1000)


class RunRequest(Shape):
    """What both ways of running take."""

    user_id: Text | None = field("script.script.userId", None, max_length=128)
    args: Text = field("script.script.args", "{}", max_length=MAX_TEXT, description="JSON text.")
    random_status: RandomStatus | None = field("script.script.randomStatus", None)


class InvokeRequest(RunRequest):
    """Fields of invokeScript."""

    script_id: Text = field("script.script.scriptId", max_length=1024, description="GRN, or a name in `default`.")


class DebugRequest(RunRequest):
    """Fields of debugInvoke."""

    script: Text = field("script.script.script", max_length=MAX_TEXT, description="Lua.")
    disable_string_number_to_number: Boolean = field("script.script.disableStringNumberToNumber", False)


class ScriptModel(Result):
    """A script."""

    script_id: str
    name: str
    description: str | None = None
    script: str
    disable_string_number_to_number: bool
    created_at: int
    updated_at: int
    revision: int


class ScriptResult(Result):
    """One script."""

    item: ScriptModel


class ScriptsResult(Result):
    """A page, by name."""

    items: list[ScriptModel]
    next_page_token: str | None = None


class ActionModel(Result):
    """A transaction action that the script asked for."""

    action: str
    request: str


class TransactionModel(Result):
    """What the script asked for; this server carries no transactions out."""

    transaction_id: str
    verify_actions: list[ActionModel] = []
    consume_actions: list[ActionModel] = []
    acquire_actions: list[ActionModel] = []


class RandomUsedModel(Result):
    """How many numbers were drawn."""

    category: int
    used: int


class RandomStatusModel(Result):
    """Replays the run's random numbers."""

    seed: int
    used: list[RandomUsedModel]


class InvokeResult(Result):
    """code: 2xx is success. executeTime: milliseconds. charged: seconds begun. output: printed lines."""

    code: int
    result: str
    transaction: TransactionModel | None = None
    random_status: RandomStatusModel | None = None
    atomic_commit: bool
    transaction_result: dict[str, Any] | None = None
    execute_time: int
    charged: int
    output: list[str]
