"""Where a job stands after an attempt, at each bound."""
from __future__ import annotations

import pytest

from jobqueue.states import DEFAULT_TRIES, LIVE, QUEUED, JobState, Next, UserDataState, after_attempt

DONE, GIVEN_UP = Next(JobState.DONE, 0.0), Next(JobState.GIVEN_UP, 0.0)


@pytest.mark.parametrize(("status", "tries", "most", "may_retry", "expected"), [
    (200, 1, 3, True, DONE), (299, 3, 3, False, DONE),
    (199, 1, 3, True, Next(JobState.WAITING, 1.0)), (300, 1, 3, True, Next(JobState.WAITING, 1.0)),
    (500, 2, 3, True, Next(JobState.WAITING, 2.0)), (500, 3, 3, True, GIVEN_UP), (500, 4, 3, True, GIVEN_UP),
    (500, 1, 3, False, GIVEN_UP), (0, 1, 1, True, GIVEN_UP),
])  # fmt: skip
def test_an_attempt_ends_in_one_of_three_ways(status, tries, most, may_retry, expected):
    assert after_attempt(status_code=status, tries=tries, max_tries=most, may_retry=may_retry, chance=1) == expected


@pytest.mark.parametrize(("tries", "chance", "wait_s"), [
    (1, 0, 0.75), (1, 0.5, 0.875), (1, 1, 1.0), (2, 0, 1.5), (6, 1, 32.0), (7, 1, 60.0), (7, 0, 45.0), (90, 1, 60.0),
])  # fmt: skip
def test_the_back_off_doubles_up_to_a_minute_less_a_quarter_by_chance(tries, chance, wait_s):
    assert after_attempt(status_code=500, tries=tries, max_tries=99, may_retry=True, chance=chance).wait_s == wait_s


def test_left_to_chance_the_back_off_stays_within_its_quarter_and_differs():
    waits = {after_attempt(status_code=500, tries=1, max_tries=2, may_retry=True).wait_s for _ in range(200)}
    assert all(0.75 <= wait <= 1 for wait in waits) and len(waits) > 100


def test_what_is_open():
    assert {JobState.WAITING, JobState.RUNNING} == QUEUED
    assert {UserDataState.WAITING, UserDataState.RUNNING} == LIVE
    assert DEFAULT_TRIES == 3
    assert Next(JobState.DONE).wait_s == 0
