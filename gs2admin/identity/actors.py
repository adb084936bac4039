"""Who does something. Every service takes an actor; every audit line names one."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gs2admin.identity.models import Credential, User


@dataclass(frozen=True)
class Actor:
    """A person, a credential, a script or the system, with its role in each project and the entry point it came by.

    kind: person, credential, script or system. id: the row's number as text, empty for the system.
    roles: project number to role. door: browser, gs2, api, admin, cli, script or task.
    """

    kind: str
    id: str
    name: str
    roles: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    superuser: bool = False
    door: str = "task"
    ip: str = ""
    request_id: str = ""

    def by(self, door: str) -> Actor:
        """The same actor at another entry point."""
        return replace(self, door=door)


def person(user: User, *, door: str, ip: str = "", request_id: str = "") -> Actor:
    """A signed-in person, with the roles of this moment (one query)."""
    roles = dict(user.memberships.values_list("project_id", "role")) if user.is_active else {}
    return Actor(
        "person",
        str(user.pk),
        user.get_username(),
        MappingProxyType(roles),
        user.is_superuser and user.is_active,
        door,
        ip,
        request_id,
    )


def from_credential(credential: Credential, *, door: str, ip: str = "", request_id: str = "") -> Actor:
    """A program, in the one project that its credential belongs to."""
    roles = {} if credential.revoked_at else {credential.project_id: credential.role}
    return Actor(
        "credential", str(credential.pk), credential.name, MappingProxyType(roles), False, door, ip, request_id
    )


def system(door: str = "task") -> Actor:
    """The server itself, or an administrator with a shell on it."""
    return Actor("system", "", "system", superuser=True, door=door)


SYSTEM = system()
