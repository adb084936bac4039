"""Activity: who did what to what, why and from where; filtered by the address, exported without formulas."""
from __future__ import annotations

import ast
import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.audit.pages.export import cell
from gs2admin.audit.pages.words import ACTIONS
from gs2admin.audit.services import record
from gs2admin.identity.actors import SYSTEM, person
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.projects import update_project
from gs2admin.unseen import shown
from stages.setup.stages import create_stage, update_stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(project):
    return reverse("activity", kwargs={"project": project.name})


@pytest.fixture
def export(project):
    return reverse("activity-export", kwargs={"project": project.name})


@pytest.fixture
def vera(client, viewer):
    client.force_login(viewer)
    return client


@pytest.fixture
def write(project):
    def act(**more):
        with transaction.atomic():
            return record(**{"actor": SYSTEM, "action": "project.update", "obj": project, **more})

    return act


def log_of(html: str) -> str:
    return html.split('<ol class="gs-log">')[1].split("</ol>")[0] if '<ol class="gs-log">' in html else ""


def rows_of(answer) -> list[dict]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_every_action_that_the_code_records_has_a_word():
    found = set()
    for path in [*Path(settings.BASE_DIR / "gs2admin").rglob("*.py"), *Path(settings.BASE_DIR / "stages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record":
                found |= {k.value.value for k in node.keywords if k.arg == "action" and isinstance(k.value, ast.Constant)}
    assert len(found) > 10 and found <= set(ACTIONS)


def test_a_line_tells_who_what_before_after_why_and_from_where(vera, url, project, owner):
    actor = person(owner, door="browser", ip="192.0.2.7", request_id="req-12345678")
    stage = create_stage(actor=actor, project=project, name="stg")
    update_stage(actor=actor, stage=stage, sort_number=7, reason="tidy up")
    html = log_of(vera.get(url).content.decode()).split("<li")[1]
    for words in ("olga", "changed the stage", ">stg<", "sort number: 0 → 7", "tidy up", "Browser · 192.0.2.7", "req-12345678"):
        assert words in html, words


def test_an_empty_log_says_what_will_be_here(vera, url):
    assert "Nothing has happened yet" in vera.get(url).content.decode()


def test_filters_narrow_by_person_action_type_object_and_door(vera, url, project, owner, write):
    create_credential(actor=person(owner, door="browser"), project=project, name="pipeline")
    create_stage(actor=SYSTEM.by("gs2"), project=project, name="stg")
    write(reason="plain")
    cases = {"actor=olga": "pipeline", "action=stage.create": "made the stage", "type=credential": "pipeline",
             "object=pipe": "pipeline", "door=gs2": "made the stage"}
    for query, words in cases.items():
        html = log_of(vera.get(f"{url}?{query}").content.decode())
        assert words in html and html.count("<li") == 1, query
    nothing = vera.get(f"{url}?actor=olg").content.decode()
    assert "Nothing fits these filters" in nothing


def test_days_are_included_on_both_sides(vera, url, write):
    row = write(reason="on the day")
    Activity.objects.filter(pk=row.pk).update(at=datetime(2026, 3, 5, 23, 59, 59, 999999, tzinfo=UTC))
    hit, before, after = "since=2026-03-05&until=2026-03-05", "until=2026-03-04", "since=2026-03-06"
    assert "on the day" in vera.get(f"{url}?{hit}").content.decode()
    assert "on the day" not in vera.get(f"{url}?{before}").content.decode() + vera.get(f"{url}?{after}").content.decode()
    assert vera.get(f"{url}?until=9999-12-31&since=0001-01-01").status_code == 200


@pytest.mark.parametrize(
    "query", ["since=yesterday", "action=drop.table", "door=%00", "since=2026-03-06&until=2026-03-05", "actor=%00"]
)
def test_filters_that_cannot_be_read_are_marked_and_show_nothing(vera, url, export, write, query):
    write(reason="not to be seen")
    page = vera.get(f"{url}?{query}")
    assert page.status_code == 400 and "not to be seen" not in page.content.decode() and 'role="alert"' in page.content.decode()
    assert vera.get(f"{export}?{query}").status_code == 400


def test_the_log_goes_on_by_key_and_keeps_its_filters(vera, url, write, project):
    for n in range(60):
        write(reason=f"why-{n:02}")
    first = vera.get(f"{url}?action=project.update").content.decode()
    assert "why-59" in first and "why-09" not in first
    older = re.search(r'href="(\?[^"]*before=\d+)"', first)[1].replace("&amp;", "&")
    assert "action=project.update" in older
    write(reason="a newer one")
    second = log_of(vera.get(url + older).content.decode())
    assert "why-09" in second and "why-10" not in second and "a newer one" not in second


def test_other_projects_lines_are_neither_shown_nor_exported(vera, url, export, other_project):
    update_project(actor=SYSTEM, project=other_project, name="elsewhere", owner_id="o", region="r")
    assert "elsewhere" not in vera.get(url).content.decode()
    assert rows_of(vera.get(export)) == []


def test_markup_in_every_free_text_is_shown_as_text(vera, url, project, write):
    bad = "<img src=x onerror=alert(1)>"
    actor = person(vera_user(vera), door="browser", ip=bad, request_id=bad)
    row = write(actor=actor, reason=bad, before={bad: bad, "list": [bad]}, after={bad: "x", "list": [bad, bad]})
    Activity.objects.filter(pk=row.pk).update(actor_name=bad, object_name=bad, action=bad, door=bad[:16], object_type=bad[:32])
    html = vera.get(url).content.decode()
    assert "<img" not in html and html.count("&lt;img src=x onerror") >= 8


def vera_user(client):
    from gs2admin.identity.models import User

    return User.objects.get(pk=client.session["_auth_user_id"])


def test_the_export_holds_every_line_that_fits_in_order_and_with_exact_numbers(vera, export, write, project):
    for n in range(1203):
        Activity(project=project, actor_kind="system", actor_name="system", action="project.update",
                 object_type="project", object_id=str(n), object_name="isles", door="task").save()
    write(reason="last", after={"item": 9007199254740993})
    answer = vera.get(f"{export}?action=project.update")
    assert answer.headers["Content-Type"].startswith("text/csv") and "attachment" in answer.headers["Content-Disposition"]
    rows = rows_of(answer)
    assert len(rows) == 1204 and rows[0]["reason"] == "last" and "9007199254740993" in rows[0]["after"]
    ids = [int(row["id"]) for row in rows]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids)


@pytest.mark.parametrize("text", [
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1+1", "\xa0=1", "＝1", "\u200b=1",
])
def test_no_cell_of_the_export_is_a_formula(vera, export, write, text):
    row = write(reason=text)
    Activity.objects.filter(pk=row.pk).update(actor_name=text, object_name=text)
    found = rows_of(vera.get(export))[0]
    for name in ("reason", "actor_name", "object_name"):
        assert found[name] == "'" + shown(text), name
    assert cell("a-b") == "a-b" and cell(None) == "" and cell("a=b") == "a=b"


def test_quotes_commas_and_lines_stay_in_their_cell(vera, export, write):
    write(reason='say "hi", then\nleave')
    rows = rows_of(vera.get(export))
    assert len(rows) == 1 and rows[0]["reason"] == 'say "hi", then\nleave'


def test_one_line_shows_how_many_and_no_arrow_from_nothing(vera, url, write):
    write(before={"set": 2, "kept": "x"}, after={"set": 3, "kept": "x", "retry_of": 11, "digest": "ab" * 32, "changes": ["auth 1 -> 2", "chat 1 -> 2"]})
    write(before={"rollbacks_too": True}, after={"rollbacks_too": False})
    said = re.sub(r"<[^>]+>", "", log_of(vera.get(url).content.decode()))
    assert "· set: 2 → 3, retry of: 11, changes: 2" in said, said
    assert "· rollbacks too: yes → no" in said
