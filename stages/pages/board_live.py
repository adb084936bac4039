"""The live answer of the board: whether it is still as a page shows it, by the project's revision, and its fragment if not."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.urls import reverse

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.dashboard.live import topics
from gs2admin.dashboard.live.topics import NOTHING_NEW, Answer, Making, Topic
from gs2admin.dashboard.live.view import view_of
from gs2admin.dashboard.unseen_html import mark_html
from gs2admin.db.raw import among, raw_cursor
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.wire.direct import direct
from stages.models import Ledger
from stages.pages.board_html import ENTRIES, boards, rights_of

KNOWN, ANSWERS_BYTES = 1_000, 3_000_000


class Facts(NamedTuple):
    """revision: the project's, 0 before its first change."""

    project_id: int
    revision: int


class BoardTopic(Topic):
    """A subject is the project's name."""

    path = "/p/{project}/live"
    absent = "There is no such project, or you are not a member of it."

    def __init__(self) -> None:
        self._found: Cache[str, int] = Cache(ttl_s=FOR_EVER, entries=KNOWN, max_bytes=400_000)
        # Key: (project, rights). With the cursor that they are for.
        self._answers: Cache[tuple, tuple[str, Answer]] = Cache(
            ttl_s=FOR_EVER, entries=ENTRIES, max_bytes=ANSWERS_BYTES, size=lambda made: len(made[1].body)
        )

    def subject(self, pieces: Mapping[str, str]) -> str:
        return pieces["project"]

    def page(self, subject: str) -> str:
        return reverse("board", kwargs={"project": subject})

    def cursor(self, given: Mapping[str, str]) -> str:
        return given.get("after", "")

    def find(self, subject: str) -> bool:
        pk = Project.objects.filter(name=subject).values_list("pk", flat=True).first()
        if pk is None:
            return False
        self._found.put(subject, pk)
        return True

    def look(self, subjects: Iterable[str]) -> dict[str, Facts]:
        names = {pk: name for name in subjects if (pk := self._found.get(name)) is not None}
        found: dict[str, Facts] = {}
        if names:
            where, value = among("p.id", list(names))
            with raw_cursor() as cursor:
                for pk, name, revision in cursor.execute(_LOOK + where, [value]).fetchall():
                    if name == names[pk]:  # else it was renamed
                        found[name] = Facts(pk, revision or 0)
        for name in names.values():
            if name not in found:
                self._found.pop(name)
        return found

    def answer(self, subject: str, facts: Facts, actor: Actor, cursor: str) -> Answer | Making:
        rights = rights_of(actor, facts)
        now = boards.seen(facts.project_id, facts.revision)
        if now is not None and now == cursor:
            return NOTHING_NEW
        made = self._answers.get((facts.project_id, rights))
        if now is not None and made is not None and made[0] == now:
            return made[1]
        return Making((facts, rights), lambda: self._make(subject, rights))

    def _make(self, name: str, rights: tuple[str, ...]) -> None:
        project = Project.objects.filter(name=name).first()
        if project is not None:
            cursor, html = boards.look(project, rights)
            self._answers.put((project.pk, rights), (cursor, Answer(200, mark_html(html.encode()))))

    def clear(self) -> None:
        """Forget everything (tests)."""
        self._found.clear()
        self._answers.clear()


_LOOK = """
SELECT p.id, p.name, l.revision FROM {project} p LEFT JOIN {ledger} l ON l.project_id = p.id WHERE """.format(
    **{model.__name__.lower(): model._meta.db_table for model in (Project, Ledger)})

watched_boards = BoardTopic()
topics.register(watched_boards)
board_live = direct(watched_boards.path)(view_of(watched_boards))
