"""Notes of people about a rollout or a player: added, and removed by who wrote them or by an admin; never changed."""
from __future__ import annotations

from django.db import transaction

from gs2admin.audit.models import Note
from gs2admin.audit.services import record
from gs2admin.errors import Invalid, NotFound, Quota
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can, require

PLAYER, ROLLOUT = "player", "rollout"
LONGEST, MOST = 2_000, 200


def notes_about(project_id: int, about: str, about_id: str) -> list[Note]:
    """All notes about one thing, the oldest first."""
    return list(Note.objects.filter(project_id=project_id, about=about, about_id=about_id)[:MOST])


def add_note(*, actor: Actor, project: Project, about: str, about_id: str, text: str) -> Note:
    """Write a note. about: PLAYER or ROLLOUT, about_id: the player's id or the rollout's number; the caller knows that it exists.

    Raises NotFound, Denied, Invalid (empty, too long), Quota (MOST stand there already).
    """
    require(actor, "note.write", project)
    text = text.strip().replace("\x00", "")
    if not text or len(text) > LONGEST or not about_id:
        raise Invalid(f"A note has 1 to {LONGEST:,} characters.", component="note", message="note.text.error.invalid",
                      extra={"field": "text"})
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # so that no two of them pass the limit
        if Note.objects.filter(project=project, about=about, about_id=about_id).count() >= MOST:
            raise Quota(f"There are {MOST} notes here already; remove one first.", component="note", message="note.error.tooMany")
        note = Note.objects.create(
            project=project, about=about, about_id=about_id, text=text, by_kind=actor.kind, by_id=actor.id, by_name=actor.name,
        )
        record(actor=actor, action="note.add", obj=note, after=_kept(note))
    return note


def may_remove(actor: Actor, note: Note) -> bool:
    """Whether this person wrote it, or administers the project."""
    mine = (note.by_kind, note.by_id) == (actor.kind, actor.id) and can(actor, "note.write", note)
    return mine or can(actor, "note.remove", note)


def remove_note(*, actor: Actor, note: Note) -> None:
    """Take a note away. Raises NotFound (also when it is gone), Denied."""
    require(actor, "project.view", note)
    if not may_remove(actor, note):
        require(actor, "note.remove", note)
    with transaction.atomic():
        if not Note.objects.filter(pk=note.pk).delete()[0]:
            raise NotFound("This note is gone already.", component="note")
        record(actor=actor, action="note.remove", obj=note, before={**_kept(note), "by": note.by_name})


def forget_player(project_id: int, user_id: str) -> None:
    """Take away what was written about a player who is erased; in the caller's transaction."""
    Note.objects.filter(project_id=project_id, about=PLAYER, about_id=user_id).delete()


def _kept(note: Note) -> dict[str, str]:
    """What the activity log keeps: of a player nothing that outlives the player."""
    return {"text": note.text} if note.about == ROLLOUT else {}
