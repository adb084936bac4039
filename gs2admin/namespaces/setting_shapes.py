"""The settings that namespaces of several services have: how clients write them, and what they get back.

Stored as they were sent (only the set members, in the contract's spelling) and given back with the defaults filled in.
"""
from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, create_model

from gs2admin.identity.models import Project
from gs2admin.wire.shapes import Boolean, Result, Shape, Text, field

GRN = 1024


def _none_if_empty(value: Any) -> Any:
    """TypeScript writes an unset setting as an object of nulls; that is the same as none."""
    if isinstance(value, dict) and all(item is None or item == "" for item in value.values()):
        return None
    return value


class Setting(Shape):
    """An object among a namespace's fields."""

    def stored(self) -> dict[str, Any]:
        """What was set, in camelCase."""
        return self.model_dump(by_alias=True, exclude_none=True)


def _texts(word: str, **lengths: int) -> dict[str, Any]:
    return {name: (Text | None, field(f"{word}.{_camel(name)}", None, max_length=n)) for name, n in lengths.items()}


def _flags(word: str, *names: str) -> dict[str, Any]:
    return {name: (Boolean | None, field(f"{word}.{_camel(name)}", None)) for name in names}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def transaction_setting(service: str) -> type[Setting]:
    """TransactionSetting with the members that only some SDKs know (contract: job_queue, Models)."""
    word = f"{service}.transactionSetting"
    flags = _flags(
        word, "enable_auto_run", "enable_atomic_commit", "transaction_use_distributor",
        "commit_script_result_in_use_distributor", "acquire_action_use_job_queue", "enable_sequential_execution",
    )  # fmt: skip
    texts = _texts(word, distributor_namespace_id=GRN, key_id=GRN, queue_namespace_id=GRN)
    return create_model(f"{service[:1].upper()}{service[1:]}TransactionSetting", __base__=Setting, **flags, **texts)


def transaction_setting_v2(service: str) -> type[Setting]:
    """TransactionSettingV2, which only the Python SDK knows."""
    word = f"{service}.transactionSettingV2"
    members = _texts(word, distributor_namespace_id=GRN) | _flags(word, "enable_parallel_execution")
    return create_model(f"{service[:1].upper()}{service[1:]}TransactionSettingV2", __base__=Setting, **members)


def log_setting(service: str) -> type[Setting]:
    """LogSetting."""
    members = {"logging_namespace_id": (Text, field(f"{service}.logSetting.loggingNamespaceId", max_length=GRN))}
    return create_model(f"{service[:1].upper()}{service[1:]}LogSetting", __base__=Setting, **members)


def notification_setting(service: str) -> type[Setting]:
    """NotificationSetting with the messages that only the Python SDK knows."""
    word = f"{service}.notificationSetting"
    message = create_model(
        f"{service[:1].upper()}{service[1:]}MobileMessage",
        __base__=Setting,
        **_texts(f"{service}.mobileNotificationMessage", locale=64, title=1024, message=1024),
    )
    members = _texts(word, gateway_namespace_id=GRN, sound=1024) | _flags(word, "enable_transfer_mobile_notification")
    members["mobile_notification_messages"] = (
        list[message] | None,
        field(f"{word}.mobileNotificationMessages", None, max_length=100),
    )
    members["enable"] = (Literal["Enabled", "Disabled"] | None, field(f"{word}.enable", None))
    return create_model(f"{service[:1].upper()}{service[1:]}NotificationSetting", __base__=Setting, **members)


def with_transaction_defaults(stored: dict[str, Any] | None, project: Project) -> dict[str, Any] | None:
    """A stored TransactionSetting as clients see it."""
    if stored is None:
        return None
    flags = (
        "enableAutoRun", "enableAtomicCommit", "transactionUseDistributor", "commitScriptResultInUseDistributor",
        "acquireActionUseJobQueue",
    )  # fmt: skip
    grn = f"grn:gs2:{project.region}:{project.owner_id}"
    defaults = dict.fromkeys(flags, False) | {
        "distributorNamespaceId": f"{grn}:distributor:default",
        "queueNamespaceId": f"{grn}:queue:default",
    }
    return defaults | stored


def with_notification_defaults(stored: dict[str, Any] | None, project: Project) -> dict[str, Any] | None:
    """A stored NotificationSetting as clients see it."""
    if stored is None:
        return None
    return {
        "gatewayNamespaceId": f"grn:gs2:{project.region}:{project.owner_id}:gateway:default",
        "enableTransferMobileNotification": False,
        "enable": "Enabled",
    } | stored


class TransactionSettingModel(Result):
    """How transactions of this namespace are carried out; kept for the clients' sake."""

    enable_auto_run: bool
    enable_atomic_commit: bool
    transaction_use_distributor: bool
    commit_script_result_in_use_distributor: bool
    acquire_action_use_job_queue: bool
    enable_sequential_execution: bool | None = None
    distributor_namespace_id: str
    key_id: str | None = None
    queue_namespace_id: str


class TransactionSettingV2Model(Result):
    """The Python SDK's second form."""

    distributor_namespace_id: str | None = None
    enable_parallel_execution: bool | None = None


class LogSettingModel(Result):
    """Where GS2-Log would write."""

    logging_namespace_id: str


class MobileMessageModel(Result):
    """A text for a phone."""

    locale: str | None = None
    title: str | None = None
    message: str | None = None


class NotificationSettingModel(Result):
    """Through which gateway who gets a message."""

    gateway_namespace_id: str
    enable_transfer_mobile_notification: bool
    sound: str | None = None
    mobile_notification_messages: list[MobileMessageModel] | None = None
    enable: Literal["Enabled", "Disabled"]


def setting_field(word: str, shape: type[Setting]) -> tuple[Any, Any]:
    """A request field that holds a setting; an object without set members counts as absent."""
    return (Annotated[shape | None, BeforeValidator(_none_if_empty)], field(word, None))
