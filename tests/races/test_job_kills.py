"""A small version of bench/jobs_faults.py: workers are killed and frozen, and no job is lost, done twice or out of order."""
from __future__ import annotations

import pytest

from bench.jobs_faults import Plan, play, prepare
from bench.killing import FROZEN
from bench.world import World
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential

pytestmark = pytest.mark.processes


def test_jobs_survive_workers_that_are_killed_and_workers_that_come_back(serve, project, record_property):
    row, secret = create_credential(actor=SYSTEM, project=project, name="game")
    here = World(project, row.client_id, secret)
    prepare(here)
    server = serve(GS2ADMIN_JOB_LEASE_S="2", GS2ADMIN_SWEEP_S="1", WEB_WORKERS="1", WORKERS="1", JOB_WORKERS="2")
    plan = Plan(
        jobs=40, players=8, work_s=0.2, every_s=1.2, kills=3, least_kills=3, supervisor_at=(2,), freeze_s=3.0,
        parts=("qc-busy", FROZEN), within_s=120,
    )  # fmt: skip
    outcome = play(server, here, plan)
    record_property("settled_s", outcome.settled_s)
    record_property("took_s", outcome.took_s)
    assert outcome.verdict.violations == []
    assert sum(outcome.verdict.states.values()) == plan.jobs
    assert {"qc-busy", FROZEN, "supervisor"} <= {kill.part for kill in outcome.kills}
