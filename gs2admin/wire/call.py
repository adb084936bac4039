"""What an entry point reads of a call, and what a handler may rely on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gs2admin.identity import tokens
from gs2admin.identity.actors import Actor

if TYPE_CHECKING:
    from gs2admin.identity.models import Credential, Project


def no_seal(answer: dict[str, Any]) -> None:
    """Does nothing: this call has no duplication avoider."""


@dataclass(frozen=True)
class CallContext:
    """What an entry point read beside the fields, before anything of it is checked. Missing texts are empty.

    door: gs2, api or script. reached_by: returns base_url; few calls ask for it.
    """

    door: str
    ip: str = ""
    request_id: str = ""
    project_token: str = ""
    basic: tuple[str, str] | None = None
    access_token: str = ""
    time_offset_token: str = ""
    duplication_avoider: str = ""
    dry_run: bool = False
    reached_by: Callable[[], str] = str

    @property
    def base_url(self) -> str:
        """How the caller reaches us, such as https://host, for links in answers; empty where that is not known."""
        return self.reached_by()


@dataclass(frozen=True)
class Call:
    """What a handler may rely on.

    actor, project, credential: None only for methods without authentication. user_id: the player of the access
    token. time_offset_s: from the access token or the time-offset token. offset: the latter as it was sent.
    seal: a handler whose effect is not one transaction calls it with its answer inside the transaction that ends the
    effect, so that a repeat with the same duplication avoider finds the answer exactly when the effect is there.
    """

    context: CallContext
    actor: Actor | None = None
    project: Project | None = None
    credential: Credential | None = None
    user_id: str | None = None
    time_offset_s: int = 0
    offset: tokens.Offset | None = None
    duplication_avoider: str = ""
    seal: Callable[[dict[str, Any]], None] = no_seal
