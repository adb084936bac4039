"""The list's filters, exports, two rollouts side by side, the delivery metrics of a stage."""
from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout
from stages.pages import rollout_export
from stages.rollouts.services import promote_stage
from stages.states import LIVE
from tests.pages.test_moves import at

pytestmark = pytest.mark.django_db


def shown(html: str) -> set[int]:
    return {int(number) for number in re.findall(r'<th scope="row"><a href="/p/isles/rollouts/(\d+)">', html)}


def expected(**filters) -> set[int]:
    return set(Rollout.objects.filter(project__name="isles", **filters).values_list("number", flat=True))


def test_each_filter_alone_and_together(world, viewer, sign_in):
    client = sign_in(viewer)
    today = timezone.now().date()
    Rollout.objects.filter(pk=world.done.pk).update(created_at=timezone.now() - timedelta(days=3))
    cases = {
        "": expected(), "?stage=stg": expected(stage=world.stg), "?state=failed": {world.failed.number},
        "?state=awaiting": {world.waiting.number}, "?state=live": expected(state__in=sorted(LIVE)), "?by=system": expected(),
        "?by=nobody": set(), "?service=chat": expected(steps__microservice="chat"), "?service=nothing": set(),
        f"?until={today - timedelta(days=1)}": {world.done.number},
        f"?since={today}": expected() - {world.done.number},
        "?until=9999-12-31&since=0001-01-01": expected(),
        "?stage=live&state=failed&service=auth": {world.failed.number}, "?stage=stg&state=failed": set(),
    }
    for query, numbers in cases.items():
        assert shown(client.get(at("rollouts", world) + query).content.decode()) == numbers, query


def test_filters_that_cannot_be_read_are_marked(world, viewer, sign_in):
    for query, said in (("?since=tomorrow", "Enter a valid date"), ("?stage=nowhere", "Select a valid choice"),
                        ("?since=2026-02-02&until=2026-02-01", "The last day comes before the first.")):
        answer = sign_in(viewer).get(at("rollouts", world) + query)
        assert answer.status_code == 400 and said in answer.content.decode() and "These filters cannot be read" in answer.content.decode()
        assert sign_in(viewer).get(reverse("rollout-export", kwargs={"project": "isles", "kind": "csv"}) + query).status_code == 400


def export(client, kind: str, query: str = "") -> str:
    answer = client.get(reverse("rollout-export", kwargs={"project": "isles", "kind": kind}) + query)
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].endswith(f'isles-rollouts.{kind}"')
    return b"".join(answer.streaming_content).decode()


def test_exports_hold_what_the_list_shows(world, viewer, sign_in):
    client = sign_in(viewer)
    rows = list(csv.DictReader(io.StringIO(export(client, "csv", "?stage=stg").lstrip("\ufeff"))))
    assert {int(row["number"]) for row in rows} == expected(stage=world.stg)
    found = json.loads(export(client, "json"))
    assert [row["number"] for row in found] == sorted(expected(), reverse=True)
    one = next(row for row in found if row["number"] == world.done.number)
    assert one["reason"] == "Season <7>" and one["versions"] == world.done.to_set.versions and one["seconds"] >= 0
    assert json.loads(export(client, "json", "?by=nobody")) == []
    assert client.get(reverse("rollout-export", kwargs={"project": "isles", "kind": "exe"})).status_code == 404


def test_no_cell_is_a_formula_and_no_export_is_endless(world, viewer, sign_in, monkeypatch):
    Rollout.objects.filter(pk=world.done.pk).update(reason='=HYPERLINK("http://x","y")', requested_by="+1")
    rows = list(csv.DictReader(io.StringIO(export(sign_in(viewer), "csv").lstrip("\ufeff"))))
    one = next(row for row in rows if int(row["number"]) == world.done.number)
    assert one["reason"].startswith("'=") and one["requested_by"] == "'+1"
    monkeypatch.setattr(rollout_export, "PIECE", 2)
    assert len(json.loads(export(sign_in(viewer), "json"))) == len(expected()), "read in pieces, none is left out"
    monkeypatch.setattr(rollout_export, "MOST", 3)
    assert len(json.loads(export(sign_in(viewer), "json"))) == 3


def test_two_rollouts_beside_each_other(world, viewer, sign_in):
    client = sign_in(viewer)
    url = at("rollout-compare", world)
    assert "Choose two rollouts" in client.get(url).content.decode()
    html = client.get(f"{url}?a={world.done.number}").content.decode()
    first = Rollout.objects.filter(stage=world.stg).order_by("id").first()
    assert f"Rollout {first.number} and rollout {world.done.number}" in html
    assert "1.0.0" in html and "1.1.0" in html and "Season &lt;7&gt;" in html and "Time per microservice" in html
    same = client.get(f"{url}?a={world.done.number}&b={world.failed.number}").content.decode()
    assert "The same versions" in same and "the command ended with code 3" in same
    missing = client.get(f"{url}?a={world.done.number}&b=999").content.decode()
    assert "There is no rollout 999 in isles." in missing
    assert client.get(f"{url}?a=x&b=-1").status_code == 200


def test_the_delivery_metrics_of_a_stage(world, viewer, sign_in, run):
    html = sign_in(viewer).get(at("stage-delivery-metrics", world, stage="live")).content.decode()
    assert html.count("<svg class=\"gs-bars") == 4 and "2 changes in twelve weeks, 1 of them failed." in html
    assert "50%" in html and html.count("As a table") == 4
    run(promote_stage(actor=SYSTEM, stage=world.live))
    assert "33%" in sign_in(viewer).get(at("stage-delivery-metrics", world, stage="live")).content.decode()
    empty = sign_in(viewer).get(at("stage-delivery-metrics", world, stage="canary")).content.decode()
    assert "Nothing to measure yet" in empty
