"""The form of a freeze window: what it tells, what it decides, what it keeps, and what it refuses."""
from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

import pytest

from bench.windows import fields as form_fields
from gs2admin.identity.actors import SYSTEM
from stages.gates.services import WindowPlan, save_window
from stages.models.governance import FreezeWindow
from stages.setup.stages import create_stage, delete_stage
from tests.pages.test_moves import at
from tests.pages.test_window_hours import once, unescaped, weekly
from tests.stages.window_oracle import DAY

pytestmark = pytest.mark.django_db
COLUMNS = ("weekly", "time_zone", "starts_at", "ends_at", "from_day", "from_time", "to_day", "to_time", "stage_id", "holds_rollbacks")


@pytest.mark.parametrize(("sent", "span", "said"), [
    (once("Europe/Paris", "2027-03-28T02:30", "2027-03-28T03:15"), ("2027-03-28 00:30", "2027-03-28 01:15"), ["does not exist"]),
    (once("Europe/Paris", "2027-03-28T02:30", "2027-03-28T02:45"), ("2027-03-28 00:30", "2027-03-28 01:45"), ["does not exist"] * 2),
    (once("Europe/Paris", "2027-10-31T02:30", "2027-10-31T02:30"), ("2027-10-31 00:30", "2027-10-31 01:30"), ["comes twice"] * 2),
    (once("Europe/Paris", "2027-10-31T01:30", "2027-10-31T03:30"), ("2027-10-30 23:30", "2027-10-31 02:30"), []),
    (once("Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-03T03:00"), ("2027-10-02 15:15", "2027-10-02 16:00"), ["does not exist"]),
    (once("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00"), ("2011-12-29 19:00", "2011-12-30 20:00"), ["does not exist"] * 2),
    (once("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-05T00:00"), ("2018-11-04 02:00", "2018-11-05 02:00"), ["does not exist"]),
    (once("Asia/Kathmandu", "1986-01-01T00:10", "1986-01-01T01:00"), ("1985-12-31 18:25", "1985-12-31 19:15"), ["does not exist"]),
], ids=lambda value: value["time_zone"] + value["starts"] if isinstance(value, dict) else "")
def test_a_person_is_told_and_the_longer_freeze_is_stored(sent, span, said, here, owner, client):
    client.force_login(owner)
    html = unescaped(client.post(at("freeze-new", here), sent, follow=True))
    row = FreezeWindow.objects.get()
    assert [f"{each:%Y-%m-%d %H:%M}" for each in (row.starts_at, row.ends_at)] == list(span)
    assert re.findall("does not exist|comes twice", html) == said


def test_a_weekly_window_in_such_an_hour_is_told_when_it_is_saved_and_in_the_list(here, owner, client, set_clock):
    set_clock(datetime(2027, 1, 1, tzinfo=UTC))
    client.force_login(owner)
    html = unescaped(client.post(at("freeze-new", here), weekly("Europe/Paris", 6 * DAY + 150, 6 * DAY + 195), follow=True))
    assert html.count("Sun 28 Mar 2027 02:30 does not exist in Europe/Paris") == 2 and html.count("Sun 31 Oct 2027 02:30 comes twice") == 1
    assert "it begins at Sun 28 Mar 2027 01:30 (00:30 UTC)" in html


def test_what_nobody_touched_stays_to_the_microsecond(here, project, owner, client):
    client.force_login(owner)
    stage = create_stage(actor=SYSTEM, project=project, name="dev")
    odd = {"seconds": 1, "microseconds": 7}
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    plans = [
        *(WindowPlan(f"twice {hours}", stage, time_zone="Europe/Paris", starts_at=first + timedelta(hours=hours),
                     ends_at=first + timedelta(hours=hours, minutes=10)) for hours in (0, 1)),
        WindowPlan("ends at the first", time_zone="Europe/Paris", starts_at=first - timedelta(hours=9), ends_at=first),
        WindowPlan("odd", time_zone="Asia/Kathmandu", starts_at=first + timedelta(**odd), ends_at=first + timedelta(days=1, **odd)),
        WindowPlan("after the gap", time_zone="America/New_York", starts_at=datetime(2027, 3, 14, 6, 30, tzinfo=UTC),
                   ends_at=datetime(2027, 3, 14, 7, tzinfo=UTC)),
        WindowPlan("weekly", time_zone="Europe/Paris", weekly=True, from_day=6, from_time=time(2, 30, 15, 9), to_day=0, to_time=time(0, 0, 30)),
        WindowPlan("rollbacks", holds_rollbacks=True, starts_at=datetime(1971, 1, 1, tzinfo=UTC), ends_at=datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ]
    for plan in plans:
        row = save_window(actor=SYSTEM, project=project, plan=plan)
        url = at("freeze-edit", here, pk=row.pk)
        sent = form_fields(client.get(url).content.decode())
        assert client.post(url, sent).status_code == 302, plan.name
        same = FreezeWindow.objects.get(pk=row.pk)
        assert {name: getattr(same, name) for name in COLUMNS} == {name: getattr(row, name) for name in COLUMNS}, plan.name
        assert (same.revision, same.updated_at) == (0, row.updated_at), "nothing has changed"
        assert client.post(url, sent | {"name": f"{plan.name} anew"}).status_code == 302
        same = FreezeWindow.objects.get(pk=row.pk)
        assert [getattr(same, name) for name in COLUMNS] == [getattr(row, name) for name in COLUMNS] and same.revision == 1, plan.name


def test_another_zone_moves_what_is_shown_and_one_touched_time_moves_alone(here, project, owner, client):
    client.force_login(owner)
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    plan = WindowPlan("x", time_zone="Europe/Paris", starts_at=first, ends_at=first + timedelta(minutes=30, seconds=5))
    row = save_window(actor=SYSTEM, project=project, plan=plan)
    url = at("freeze-edit", here, pk=row.pk)
    sent = form_fields(client.get(url).content.decode())
    assert (sent["starts"], sent["ends"]) == ("2027-10-31T02:30", "2027-10-31T02:00"), "02:00 is the second one here"
    client.post(url, sent | {"starts": "2027-10-31T02:15"})
    row.refresh_from_db()
    assert (row.starts_at, row.ends_at) == (datetime(2027, 10, 31, 0, 15, tzinfo=UTC), plan.ends_at)
    client.post(url, form_fields(client.get(url).content.decode()) | {"time_zone": "Asia/Tokyo", "ends": "2027-10-31T03:00"})
    row.refresh_from_db()
    assert (row.starts_at, row.ends_at) == (datetime(2027, 10, 30, 17, 15, tzinfo=UTC), datetime(2027, 10, 30, 18, tzinfo=UTC))


def test_a_window_of_a_deleted_stage_or_an_unknown_zone_is_not_moved_by_a_form_that_cannot_show_it(here, project, owner, client):
    client.force_login(owner)
    stage = create_stage(actor=SYSTEM, project=project, name="dev")
    times = {"starts_at": datetime(2027, 1, 1, tzinfo=UTC), "ends_at": datetime(2027, 1, 2, tzinfo=UTC)}
    gone = save_window(actor=SYSTEM, project=project, plan=WindowPlan("gone", stage, **times))
    delete_stage(actor=SYSTEM, stage=stage)
    create_stage(actor=SYSTEM, project=project, name="dev")
    lost = save_window(actor=SYSTEM, project=project, plan=WindowPlan("lost", **times))
    FreezeWindow.objects.filter(pk=lost.pk).update(time_zone="Mars/Olympus")
    for row, said in ((gone, "There is no stage dev."), (lost, "is no time zone that this server knows")):
        url = at("freeze-edit", here, pk=row.pk)
        answer = client.post(url, form_fields(client.get(url).content.decode()) | {"name": "other"})
        assert answer.status_code == 400 and said in unescaped(answer)
        assert FreezeWindow.objects.get(pk=row.pk).name == row.name
        assert client.post(url, form_fields(client.get(url).content.decode()) | {"stage": "dev", "time_zone": "UTC"}).status_code == 302


ODD = [
    *({"starts": text, "ends": "2027-01-02T00:00"} for text in (
        "0001-01-01T00:00", "1969-12-31T23:59", "1970-12-31T23:59", "9999-12-31T23:59", "10000-01-01T00:00", "2027-02-29T00:00", "2027-01-01",
        "2027-01-01T24:00", "2027-01-01T00:60", "٢٠٢٧-01-01T00:00", "2027-01-01T00:00+02:00", "2027-01-01T00:00Z", "now", "\x00", "-1", "")),
    *({"ends": text, "starts": "2027-01-01T00:00"} for text in ("0001-01-01T00:00", "9998-12-31T23:59", "9999-12-31T23:59:59", "2027-01-01T00:00")),
    *({"weekly": "1", "from_day": day, "from_time": "10:00", "to_day": "2", "to_time": "11:00"} for day in ("", "7", "-1", "x", "1e3", "²")),
    *({"weekly": "1", "from_day": "1", "from_time": text, "to_day": "2", "to_time": "11:00"} for text in ("", "24:00", "10", "10:00:60", "x", "\x00")),
    {"weekly": "1", "starts": "x"}, {"weekly": "1"}, {"weekly": "2", "starts": "2027-01-01T00:00", "ends": "2027-01-02T00:00"}, {}, {"starts": "2027-01-01T00:00"},
]


def test_whatever_is_sent_is_saved_or_refused_in_a_sentence(here, owner, client):
    client.force_login(owner)
    ends = [each for each in ODD if "0001" in str(each) or "999" in str(each)]
    cases = [*(("Europe/Paris", each) for each in ODD), *((zone, each) for zone in ("Pacific/Kiritimati", "Etc/GMT+12") for each in ends)]
    fine = {"starts": "2027-01-01T00:00", "ends": "2027-01-02T00:00"}
    cases += [(zone, fine) for zone in ("Europe", "right/UTC", "", "Mars/Olympus", "x" * 300, "\x00", "europe/paris")]
    for zone, each in cases:
        answer = client.post(at("freeze-new", here), {"name": "x", "time_zone": zone, **each})
        assert answer.status_code in (302, 400), (zone, each, answer.status_code)
        assert answer.status_code == 302 or 'class="gs-error"' in answer.content.decode(), (zone, each)
    rows = list(FreezeWindow.objects.all())
    assert rows and not any(row.weekly for row in rows), "each weekly one lacks something"
    assert {row.time_zone for row in rows} <= {"Europe/Paris", "Pacific/Kiritimati", "Etc/GMT+12"}
    assert all(client.get(at("freeze-edit", here, pk=row.pk)).status_code == 200 for row in rows)
