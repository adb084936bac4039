"""The delivery metrics of a stage: pure over runs, and read from real rollouts."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gs2admin.identity.actors import SYSTEM
from stages.models import Version
from stages.pages.delivery_metrics import WEEKS, Run, read, week_of, weeks
from stages.rollouts.services import rollback_stage

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)  # a Thursday
H = timedelta(hours=1)


def run(kind="promote", state="succeeded", ago=H, **more) -> Run:
    return Run(kind, state, NOW - ago, **more)


def last(runs, registered=None):
    return weeks(runs, registered or {}, NOW)[-1]


def test_twelve_weeks_that_begin_on_monday():
    found = weeks([], {}, NOW)
    assert len(found) == WEEKS and found[-1].start == datetime(2026, 11, 23, tzinfo=UTC)
    assert week_of(datetime(2026, 11, 29, 23, 59, tzinfo=UTC)) == found[-1].start
    assert (found[0].failure_rate, found[0].lead_s, found[0].restore_s) == (None, None, None)


def test_frequency_counts_successes_that_changed_something():
    runs = [run(), run(changed=False), run("rollback"), run(state="failed"), run("deploy"), run(ago=timedelta(days=7))]
    found = weeks(runs, {}, NOW)
    assert found[-1].deployments == 2 and found[-2].deployments == 1


@pytest.mark.parametrize("one, bad", [
    (run(), False), (run(state="failed"), True), (run(state="errored"), True), (run(state="canceled"), False),
    (run(state="canceled", consistent=False), True), (run(undone_at=NOW), True), (run(state="canary_rejected"), False),
])
def test_what_counts_as_a_failed_change(one, bad):
    week = last([one])
    assert (week.changes, week.failures) == (1, int(bad)) and week.failure_rate == float(bad)


def test_rollbacks_are_no_changes():
    week = last([run("rollback"), run("rollback", state="failed")])
    assert (week.changes, week.failures) == (0, 0)


def test_lead_time_is_from_registering_to_the_first_success_here():
    registered = {("auth", "1"): NOW - 10 * H, ("auth", "2"): NOW - 6 * H, ("chat", "1"): NOW - 3 * H}
    runs = [
        run(state="failed", ago=5 * H, fresh=[("auth", "1")]),
        run(ago=4 * H, fresh=[("auth", "1")]),
        run(ago=2 * H, fresh=[("auth", "2"), ("chat", "1"), ("old", "1")]),
        run("rollback", ago=H, fresh=[("auth", "1")]),
        run(ago=H, fresh=[("auth", "2")]),
    ]
    week = last(runs, registered)
    assert sorted(week.lead) == [3600.0, 4 * 3600.0, 6 * 3600.0] and week.lead_s == 4 * 3600


def test_time_to_restore():
    week = last([run(state="failed", ago=5 * H), run(state="failed", ago=4 * H), run(ago=2 * H), run(ago=H)])
    assert week.restore == [3 * 3600.0], "from the first failure to the next success"
    week = last([run(ago=3 * H, undone_at=NOW - H), run("rollback", ago=H)])
    assert week.restore == [2 * 3600.0], "a bad success was bad from its end until the rollback was done"


@pytest.mark.django_db
def test_read_from_rollouts(dev, register, promote, run, django_assert_max_num_queries):
    for version in ("1", "2"):
        register(auth=version)
        promote(dev)
    run(rollback_stage(actor=SYSTEM, stage=dev))
    Version.objects.update(registered_at=datetime(2020, 1, 1, tzinfo=UTC))
    with django_assert_max_num_queries(5):
        week = read(dev)[-1]
    assert (week.deployments, week.changes, week.failures) == (2, 2, 1)
    assert len(week.lead) == 2 and min(week.lead) > 5 * 365 * 86400 and len(week.restore) == 1
