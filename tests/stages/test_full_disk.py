"""The disk of the database fills under a rollout: SQLite's own refusal, at every write that needs room."""
from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created

from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout
from stages.rollouts.services import promote_stage
from stages.worker import context
from tests.stages.test_executor import kind, stage  # noqa: F401  fixtures

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not settings.ON_SQLITE, reason="nothing else can be made full from inside"),
]
LINES = [f"line {number} {'x' * 3000}" for number in range(200)]


class Disk:
    """full: this connection, and each that is made, may not let the file grow. refused: how often a write was tried again."""

    def __init__(self) -> None:
        self.full, self.refused, self.heals_after = False, 0, 0
        self.sleep, self.thread = context.time.sleep, threading.get_ident()

    def fill(self, heals_after: int) -> None:
        self.full, self.heals_after = True, heals_after
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # no free page is left in the file
        self.apply()

    def apply(self, **_: object) -> None:
        if self.full:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA max_page_count = 1")  # as many as there are

    def pause(self, seconds: float) -> None:
        if threading.get_ident() != self.thread:  # one that an earlier test left sleeping
            self.sleep(seconds)
            return
        self.refused += 1
        if self.refused == self.heals_after:
            self.heal()

    def heal(self) -> None:
        self.full = False
        connection.close()


@pytest.fixture
def disk(monkeypatch) -> Iterator[Disk]:
    found = Disk()
    connection_created.connect(found.apply)
    monkeypatch.setattr(context.time, "sleep", found.pause)
    yield found
    connection_created.disconnect(found.apply)
    connection.close()


def lines_of(rollout: Rollout) -> Counter[str]:
    text = "\n".join(rollout.outputs.filter(stream="stdout").values_list("text", flat=True))
    return Counter(re.findall(r"line \d+ ", text))


def test_a_rollout_goes_on_when_there_is_room_again(stage, kind, run, disk):  # noqa: F811
    def act(ctx):
        disk.fill(heals_after=4)
        for line in LINES:
            ctx.emit(line)

    kind.acts["auth", "deploy"] = act
    ended = run(promote_stage(actor=SYSTEM, stage=stage))
    assert disk.refused == 4 and ended.state == "succeeded"
    assert set(lines_of(ended).values()) == {1} and len(lines_of(ended)) == len(LINES)


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_disk_that_stays_full_ends_a_step_as_a_lost_worker_does(stage, kind, run, disk, monkeypatch, caplog, repeatable):  # noqa: F811
    """The lease runs out meanwhile. What was written before is there, and the next worker goes on or says why it may not."""
    kind.may_repeat = repeatable
    monkeypatch.setattr(settings, "LEASE_S", 0.4)
    tries = []

    def act(ctx):
        if not tries:
            disk.fill(heals_after=0)
        tries.append(1)
        for line in LINES:
            ctx.emit(line)

    kind.acts["auth", "deploy"] = act
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    with pytest.raises(OperationalError, match="full"):
        run(rollout)
    disk.heal()
    rollout.refresh_from_db()
    assert rollout.state == "running" and not lines_of(rollout)
    assert [record.levelname for record in caplog.records if record.name.startswith("stages.worker")] == ["WARNING"]
    monkeypatch.setattr(settings, "LEASE_S", 20)
    Rollout.objects.update(lease_until=None)
    ended = run(rollout)
    assert ended.state == ("succeeded" if repeatable else "errored")
    assert set(lines_of(ended).values()) == ({1} if repeatable else set())
    assert repeatable or "interrupted when its worker stopped" in ended.outputs.last().text
