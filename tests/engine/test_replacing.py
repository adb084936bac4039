"""How soon a cluster is started again: at once after one that worked, ever later after one that cannot start."""
from __future__ import annotations

import time
import uuid
from types import SimpleNamespace

import pytest

from gs2admin.processes.faults import Facts
from gs2admin.processes.supervisor import Supervisor


class Broken:
    """A cluster that has just lost a worker, some time after it was whole."""

    def __init__(self, whole_s: float) -> None:
        self.whole_s = whole_s
        self.id, self.child = uuid.uuid4(), SimpleNamespace(pid=0)
        self.lanes = {"q": SimpleNamespace(fair_since=time.monotonic())}
        self.draining_since = None

    def refresh(self, *, look: bool = True) -> list:
        return []

    def facts(self) -> list[Facts]:
        now = time.monotonic()
        return [Facts(now=now, started=now, fair_since=now, complete=True, workers=1, lost=("worker 1",))]

    def whole_for(self) -> float:
        return self.whole_s

    def drain(self) -> None:
        self.draining_since = time.monotonic()

    def kill(self) -> bool:
        return True


@pytest.mark.parametrize(("whole_s", "started"), [(1.5, 21), (0.0, 2)])
def test_what_worked_is_replaced_at_once_again_and_again(whole_s, started):
    made = []

    def start() -> Broken:
        made.append(Broken(whole_s))
        return made[-1]

    heartbeat = SimpleNamespace(watch=lambda cluster: None, drains=lambda cluster: None)
    supervisor = Supervisor(start, heartbeat, late_s=20, drain_s=300)
    began = time.monotonic()
    for _ in range(21):
        supervisor._serve(supervisor.slot)
    assert time.monotonic() - began < 0.5, "too slow to tell a wait from none"
    assert len(made) == started
