"""A small version of bench/frozen_calls.py: real processes that are stopped in the middle of a call, and go on too late."""
from __future__ import annotations

import pytest

from bench.frozen.cases import Place
from bench.frozen.play import Worker, play

pytestmark = pytest.mark.processes
# A call, a built-in script, a script in a script and the run of another queue; before it, all written, and promised.
PLAYED = (
    ("job_queue.push_by_user_id", "called"), ("built-in lock.lock_by_user_id", "written"), ("script.invoke_script", "written"),
    ("freeze.promote_stage", "asked"), ("job_queue.run_by_user_id", "written"),
)  # fmt: skip


def test_a_worker_that_goes_on_after_a_take_over_changes_nothing(environ, project):
    place = Place(project)
    with Worker(environ) as worker:
        for number, (name, point) in enumerate(PLAYED):
            found = play(worker, place, name, number, point)
            assert found.stale == [], found
