"""Who approves and who asked: what role they have at this moment, and who counts as one and the same."""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Credential, Membership, Project, Role, User
from stages.approval.decision import Ballot
from stages.models.governance import Vote

Key = tuple[str, str]


def identity_of(kind: str, row_id: str, name: str) -> str:
    """Whom a voter counts for. A credential counts for whoever made it: nobody approves alone with a second name."""
    if kind == "credential":
        maker = Credential.objects.filter(pk=row_id).values_list("created_by", flat=True).first()
        if maker and User.objects.filter(username=maker).exists():
            return f"person:{maker}"
        return f"credential:{row_id}"
    return f"{kind}:{name}"


def identity_of_actor(actor: Actor) -> str:
    """The same for an actor."""
    return identity_of(actor.kind, actor.id, actor.name)


def roles_of(project_id: int, who: Iterable[Key], *, lock: bool) -> Mapping[Key, str | None]:
    """The role that each (kind, id) has in the project now; None for those who have none any more.

    lock: hold these facts until the end of the transaction, so that no role can be lost between the look and the
    start. Members change under their project's lock (identity.services), so that one comes first.
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


def ballots(votes: Iterable[Vote], roles: Mapping[Key, str | None]) -> list[Ballot]:
    """The votes as they count now."""
    return [Ballot(vote.identity, vote.name, roles.get((vote.kind, vote.voter_id))) for vote in votes]
