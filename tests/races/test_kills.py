"""A small version of bench/faults.py: parts of the worker are killed, and no rollout is lost, stuck or done twice."""
from __future__ import annotations

import pytest

from bench.faults import Plan, play
from bench.world import World

pytestmark = pytest.mark.processes


def test_rollouts_survive_kills_of_random_parts_and_of_the_supervisor(serve, project, record_property):
    server = serve(GS2ADMIN_LEASE_S="3", GS2ADMIN_SWEEP_S="1")
    # The supervisor's turn comes early: on a quick machine all is over before a third kill.
    plan = Plan(rollouts=8, stages=8, services=2, every_s=1.2, kills=4, supervisor_at=(1,), start_within_s=20)
    outcome = play(server, World(project, "", ""), plan)
    record_property("settled_s", outcome.settled_s)
    assert outcome.violations == []
    assert [kill.part for kill in outcome.kills].count("supervisor") == 1
    assert sum(len(kill.held) for kill in outcome.kills), "nothing was at work when it was killed"
