"""Voters and requesters: the role they have at this moment, and which of them count as one and the same."""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Credential, Membership, Project, Role, User

# (kind, id) of an actor, such as ("person", "12")
Key = tuple[str, str]


def identity_of(kind: str, row_id: str, name: str) -> str:
    """The identity that a voter counts for. A credential counts for the person who made it, so that nobody votes twice."""
    if kind == "credential":
        maker = Credential.objects.filter(pk=row_id).values_list("created_by", flat=True).first()
        if maker and User.objects.filter(username=maker).exists():
            return f"person:{maker}"
        return f"credential:{row_id}"
    return f"{kind}:{name}"


def identity_of_actor(actor: Actor) -> str:
    """The identity that an actor counts for."""
    return identity_of(actor.kind, actor.id, actor.name)


def roles_of(project_id: int, who: Iterable[Key], *, lock: bool) -> Mapping[Key, str | None]:
    """The role that each (kind, id) has in the project now; None for those who have none any more.

    lock: lock the rows until the end of the transaction, so that no role is lost between this read and a start. The
    project's row is locked first, as identity.services does when members change.
    """
    wanted = set(who)
    people = sorted(int(key[1]) for key in wanted if key[0] == "person" and key[1].isdigit())
    programs = sorted(int(key[1]) for key in wanted if key[0] == "credential" and key[1].isdigit())
    found: dict[Key, str | None] = dict.fromkeys(wanted)
    if lock:
        Project.objects.select_for_update(no_key=True).get(pk=project_id)
    if people:
        users = User.objects.filter(pk__in=people, is_active=True).order_by("pk")
        members = Membership.objects.filter(project_id=project_id, user_id__in=people).order_by("pk")
        if lock:
            users, members = users.select_for_update(no_key=True), members.select_for_update(no_key=True)
        roles = {member.user_id: member.role for member in members}
        for user in users:
            found["person", str(user.pk)] = Role.ADMIN if user.is_superuser else roles.get(user.pk)
    if programs:
        rows = Credential.objects.filter(project_id=project_id, pk__in=programs, revoked_at=None).order_by("pk")
        if lock:
            rows = rows.select_for_update(no_key=True)
        for row in rows:
            found["credential", str(row.pk)] = row.role
    return found
