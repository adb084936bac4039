"""A worker that starts a command has two processes with its name for a moment; the second one's end is nobody's death."""
from __future__ import annotations

import subprocess

import pytest

from gs2admin.processes import cluster
from gs2admin.processes.proc import Look, Process

SENTINEL, WORKER, COMMAND = 11, 12, 13


@pytest.fixture
def a_cluster(monkeypatch, children):
    """A cluster whose parts are what `parts` says."""

    start = subprocess.Popen

    def sleeper(*_, **__):
        children.append(start(["/bin/sleep", "60"]))
        return children[-1]

    monkeypatch.setattr(cluster.subprocess, "Popen", sleeper)
    made = cluster.Cluster(manage_py="", queue="", workers=1, variables={})
    yield made
    made.lifeline.cut()


def test_a_command_that_is_just_being_started_is_no_worker(a_cluster, monkeypatch):
    def look(pid: int, name: str, parent: int) -> Look:
        return Look(Process(pid, 1), name, "S", parent, a_cluster.main.pid)

    family = [look(SENTINEL, "qc-sentinel", a_cluster.main.pid), look(WORKER, "qc-busy", SENTINEL)]
    seen = [*family, look(COMMAND, "qc-busy", WORKER)]
    monkeypatch.setattr(a_cluster, "members", lambda: seen)
    assert a_cluster.refresh() == []
    seen.pop()  # executed: another name, another session
    assert a_cluster.refresh() == []
    assert a_cluster.facts().lost == ()
    seen.remove(family[1])
    assert [part.pid for part in a_cluster.refresh()] == [WORKER]
    assert a_cluster.facts().lost == (f"worker {WORKER}",)
