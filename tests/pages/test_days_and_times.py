"""Days and times in addresses and on pages: read in UTC and so named, never guessed, and no page breaks on odd ones."""
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.dashboard.forms import DayField, UtcTimeField, WallTimeField
from gs2admin.dashboard.templatetags import gs
from gs2admin.db import clock
from jobqueue.models import GivenUp
from stages.models import Rollout, RolloutCanary
from tests.pages.test_moves import at

DAYS = ["01/02/2027", "2027-02-29", "27-01-01", "2027-01-01T00:00", "10000-01-01", "0000-01-01", "-1", "now", "2027-13-01", "2027-W01-1"]
TIMES = ["01/02/2027 10:00", "2027-02-29T10:00", "2027-01-01T24:00", "2027-01-01T10:00:60", "10000-01-01T00:00", "now", "0001-01-01T00:00+09:00",
         "9999-12-31T23:59-12:00", "2027-01-01T10:00+25:00"]
ENDS = ["0001-01-01", "1970-01-01", "9999-12-31"]


@pytest.mark.parametrize("text", [*TIMES, *DAYS[:3]])
def test_a_time_that_is_none_is_refused(text):
    for kind in (UtcTimeField, WallTimeField):
        with pytest.raises(Exception, match="Enter a valid|Write the time without"):
            kind().clean(text)


def test_a_time_with_an_offset_is_that_instant_or_refused_never_taken_for_another():
    instant = datetime(2026, 10, 31, 15, tzinfo=UTC)
    for text in ("2026-11-01T00:00+09:00", "2026-10-31T15:00", "2026-10-31T15:00:00Z", " 2026-10-31T15:00 "):
        assert UtcTimeField().clean(text) == instant, text
    assert WallTimeField().clean("2026-10-31T15:00") == datetime(2026, 10, 31, 15)
    for text in ("2026-11-01T00:00+09:00", "2026-10-31T15:00Z"):
        with pytest.raises(Exception, match="without an offset"):
            WallTimeField().clean(text)
    assert [kind().clean("") for kind in (DayField, UtcTimeField, WallTimeField)] == [None] * 3


@pytest.mark.django_db
def test_odd_days_and_times_in_addresses_are_refused_or_ignored_on_every_list(world, owner, sign_in):
    client = sign_in(owner)
    jobs = world.jobs.rewards.name
    places = {
        at("rollouts", world): [*DAYS, *ENDS], at("rollout-export", world, kind="csv"): [*DAYS, *ENDS],
        reverse("activity", kwargs={"project": world.project.name}): [*DAYS, *ENDS],
        reverse("activity-export", kwargs={"project": world.project.name}): [*DAYS, *ENDS],
        at("queues-given-up", world, namespace=jobs): [*TIMES, *(f"{day}T00:00" for day in ENDS)],
    }
    for url, texts in places.items():
        for index, text in enumerate(texts):
            answer = client.get(url, {("since", "until")[index % 2]: text})
            refused = text in (*DAYS, *TIMES)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert answer.status_code in ((200, 400) if refused else (200,)), (url, text)
            assert (answer.status_code == 400 or b"Enter a valid" in body) is refused, (url, text)
    cursor = at("queues-namespace", world, namespace=jobs)
    for text in ("2026-W48-1", "2026-11-30T10:00:00+23:59", "20261130T100000", "2026-11-30 10:00:00.5+00", "2026-11-30", "2026-13-01 10:00:00",
                 "2026-11-30 ::::::::", "0000-00-00 00:00:00", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999", "٢026-11-30 10:00:00"):
        assert client.get(cursor, {"after": f"{text}~1"}).status_code == 200, text


@pytest.mark.django_db
def test_a_day_is_all_of_it_in_utc_a_time_is_the_instant_that_is_meant_and_both_say_so(world, owner, sign_in):
    client = sign_in(owner)
    first, last = datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 3, 28, 23, 59, 59, 999999, tzinfo=UTC)
    line = Activity.objects.filter(project=world.project, action="stage.create").latest("id")
    for moment, found in ((first - timedelta(microseconds=1), False), (first, True), (last, True), (last + timedelta(microseconds=1), False)):
        Rollout.objects.filter(pk=world.done.pk).update(created_at=moment)
        Activity.objects.filter(pk=line.pk).update(at=moment)
        html = client.get(at("rollouts", world), {"since": "2027-03-28", "until": "2027-03-28"}).content.decode()
        assert (at("rollout", world, number=world.done.number) in html) is found, moment
        url = reverse("activity-export", kwargs={"project": world.project.name})
        rows = b"".join(client.get(url, {"since": "2027-03-28", "until": "2027-03-28"}).streaming_content)
        assert (moment.isoformat().encode() in rows) is found, moment
    assert html.count("day (UTC)") == 2


    given_up_jobs_are_found_by_the_instant_that_is_meant(world, client)
    canaries_end_on_a_day_and_at_a_time_of_one_zone(world, client)


def given_up_jobs_are_found_by_the_instant_that_is_meant(world, client):
    url = at("queues-given-up", world, namespace=world.jobs.rewards.name)
    GivenUp.objects.filter(namespace=world.jobs.rewards).update(at=datetime(2026, 10, 31, 15, 30, tzinfo=UTC))
    shown = lambda **words: '<th scope="row"' in client.get(url, words).content.decode()  # noqa: E731
    assert shown() and shown(since="2026-11-01T00:00+09:00") and not shown(since="2026-11-01T00:00")
    assert shown(until="2026-11-01T01:00+09:00") and not shown(until="2026-10-31T23:59+09:00")
    backwards = client.get(url, {"since": "2026-11-02T00:00", "until": "2026-11-01T00:00"})
    assert backwards.status_code == 400 and "before the first time" in backwards.content.decode()


def canaries_end_on_a_day_and_at_a_time_of_one_zone(world, client):
    RolloutCanary.objects.filter(pk=world.holding.pk).update(
        weight_until=datetime(2027, 3, 27, 23, 30, tzinfo=UTC), hold_until=datetime(2027, 3, 28, 23, 30, tzinfo=UTC))
    html = re.sub(r"\s+", " ", client.get(at("rollout", world, number=world.holding.number)).content.decode())
    for sentence, day in (("This weight ends at", 27), ("it is withdrawn at", 28)):
        assert re.search(rf'{sentence} <time data-full datetime="2027-03-{day}T23:30:00\+00:00" title="2027-03-{day} 23:30:00 UTC">'
                         rf"{day} Mar 2027 23:30 UTC</time>", html)


@pytest.mark.django_db
def test_a_time_to_come_names_its_zone_before_any_script_runs():
    later = clock.now() + timedelta(days=40)
    assert f">{later.day} {later:%b %Y %H:%M} UTC</time>" in gs.when(later) and gs.full_time(None) == "–"
