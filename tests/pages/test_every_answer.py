"""What holds for every address: HEAD, no-store, marks for what cannot be seen, and what strangers get."""
from __future__ import annotations

import re
from contextlib import suppress

import pytest
from django.apps import apps
from django.db import DatabaseError, models, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test import Client
from django.urls import reverse

from gs2admin.api import views as api_views
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Project
from gs2admin.identity.services.credentials import create_credential
from gs2admin.unseen import shown
from jobqueue.services.scripts import update_script
from tests.pages.routes import ROUTES
from tests.pages.test_routes import address

pytestmark = pytest.mark.django_db
PUBLIC = ("/healthz", "/readyz", "/login", "/nothing/here")
MORE = ("/openapi.json", "/docs", "/admin/", "/admin/login/", "/admin/identity/user/")
# New at each answer, or with each second.
VARIES = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"|\d+ s ago|just now|>\d+ s<|data-after="\d+"')


@pytest.fixture
def owners(owner):
    client = Client()
    client.force_login(owner)
    return client


def of(answer) -> tuple[int, dict[str, str]]:
    """Status and headers that do not change with time."""
    headers = {name: value for name, value in answer.headers.items() if name not in MOVING}
    return answer.status_code, headers


# They differ from one moment to the next.
MOVING = ("X-Request-ID", "Content-Length", "Last-Modified", "Expires")


def test_head_is_a_get_without_its_body(world, owners, forget):
    owner_is_super = ["/", *(address(name, world) for name in sorted(ROUTES)), *PUBLIC, *MORE, "/api/v1/stages", "/freeze/", "/x"]
    wrong = []
    for path in owner_is_super:
        forget()
        got = owners.get(path)
        body = b"".join(got.streaming_content) if got.streaming else got.content
        forget()
        head = owners.head(path)
        if (of(head), b"") != (of(got), b"".join(head.streaming_content) if head.streaming else head.content):
            wrong.append((path, of(got), of(head)))
        if not got.streaming and got.status_code != 204:
            assert got.headers["Content-Length"] == str(len(body)), path
            assert "Content-Length" in head.headers, path
    assert wrong == []


def test_programs_may_ask_with_head_too(world, project):
    row, secret = create_credential(actor=SYSTEM, project=project, name="game")
    for path in ("/api/v1/stages", "/api/v1/rollouts?stage=dev", "/freeze/", "/freeze/dev", "/freeze/nothing", "/lock/"):
        token = Client().post("/identifier/projectToken/login", {"client_id": row.client_id, "client_secret": secret},
                              content_type="application/json").json()["access_token"]
        with_token = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
        got, head = Client().get(path, **with_token), Client().head(path, **with_token)
        assert of(head) == of(got) and got.content and head.content == b"", path
        assert head.headers["Content-Length"] == str(len(got.content))
        assert got.headers["Cache-Control"] == "no-store"


def test_no_answer_may_be_kept(world, owners, viewer):
    nobody, strange = Client(), Client()
    for path in [*(address(name, world) for name in sorted(ROUTES)), *PUBLIC, *MORE]:
        for client in (owners, nobody, strange):
            assert "no-store" in client.get(path).headers["Cache-Control"], path


# ── What strangers get ──────────────────────────────────────────────────────────────────────────────────────


def whole(answer) -> tuple:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
    return answer.status_code, sorted(headers.items()), sorted(answer.cookies), body


@pytest.mark.parametrize("who", ["stranger", "anonymous"])
def test_what_exists_and_what_does_not_look_the_same_to_strangers(world, who, stranger, forget):
    """The same requests, first while the project is there, then when it is not."""
    def ask() -> dict[tuple, tuple]:
        forget()
        client = Client()
        if who == "stranger":
            client.force_login(stranger)
        found = {}
        for name in sorted(ROUTES):
            if not ROUTES[name].of_project:
                continue
            for verb in ("get", "post", "head", "put"):
                for headers in ({}, {"HX-Request": "true", "HX-Current-URL": "http://testserver/p/isles/"}):
                    found[name, verb, bool(headers)] = whole(getattr(client, verb)(addresses[name], headers=headers))
        for path in (f"{reverse('freeze-feed', kwargs={'project': 'isles'})}?key={key}" for key in ("x", "1.2.x", ".", f"{world.project.pk}.{stranger.pk}.x")):
            found[path] = whole(client.get(path))
        return found

    addresses = {name: address(name, world) for name in ROUTES}
    there = ask()
    Project.objects.filter(pk=world.project.pk).update(name="elsewhere")
    gone = ask()
    assert [key for key in there if there[key] != gone[key]] == []


def test_a_key_of_a_calendar_is_worth_nothing_after_its_owner_left(world, viewer, forget):
    from stages.gates.calendar import key_for

    url = f"{reverse('freeze-feed', kwargs={'project': 'isles'})}?key={key_for(world.project, str(viewer.pk))}"
    assert Client().get(url).status_code == 200
    viewer.memberships.all().delete()
    left = whole(Client().get(url))
    Project.objects.filter(pk=world.project.pk).update(name="elsewhere")
    assert whole(Client().get(url)) == left and left[0] == 404


# ── Characters that cannot be seen ──────────────────────────────────────────────────────────────────────────

BAD = "\u202ea\x1b[1m\u200b\U000e0041\x9b"
# What addresses and our own code need.
FIXED = re.compile(
    r"(^|_)(name|user_id|player|kind|state|status|type|digest|hash|protocol|key|uid|phase|leg|strategy|action|door|token|secret|session|"
    r"cause|origin|stream|colour|region|owner_id|client_id|password|url|file|said|zone|role|event|path|queue|func|app_label|model|codename)$"
)
FIELDS = re.compile(r"<textarea\b.*?</textarea>|<script\b.*?</script>|\s(?:value|href|action|hx-get|hx-post|datetime|id|for|name)=\"[^\"]*\"", re.S)


def poison() -> list[str]:
    """Append what cannot be seen to every text that is stored; returns the names of the columns."""
    done = []
    for model in apps.get_models():
        if model._meta.app_label not in ("identity", "audit", "stages", "jobqueue", "locks"):
            continue
        for field in model._meta.concrete_fields:
            texts = isinstance(field, models.TextField) or (isinstance(field, models.CharField) and (field.max_length or 0) >= 60)
            named = FIXED.search(field.name) and field.name not in ("requested_by", "actor_name", "object_name")
            if not texts or named or field.choices or field.primary_key:
                continue
            with suppress(DatabaseError), transaction.atomic():
                rows = model.objects.exclude(**{field.name: None})
                if rows.update(**{field.name: Concat(F(field.name), Value(BAD), output_field=models.TextField())}):
                    done.append(f"{model._meta.label}.{field.name}")
    return done


def test_nothing_that_is_stored_is_shown_without_marks(world, owners, forget):
    columns = poison()
    assert len(columns) >= 20, columns
    forget()
    marked, wrong = set(), {}
    for name in sorted(ROUTES):
        answer = owners.get(address(name, world))
        if answer.streaming or not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        page = answer.content.decode()
        rest = FIELDS.sub("", page)
        if shown(rest) != rest:
            wrong[name] = [rest[max(0, at - 80) : at + 20] for at, char in enumerate(rest) if shown(char) != char][:1]
        if "gs-unseen" in page or "[U+202E]" in page:
            marked.add(name)
    assert wrong == {}
    assert {"rollout", "rollouts", "activity", "queues-job", "stage", "board", "rollout-live", "versions"} <= marked, sorted(marked)
    assert len(marked) >= 15, sorted(marked)


def test_the_source_of_a_script_has_marks_and_its_field_and_file_have_the_text(world, owners, owner, viewer):
    source = f"-- {BAD}\nreturn 1\n"
    script = world.jobs.script
    update_script(actor=SYSTEM, script=script, source=source)
    at = {"project": world.project.name, "namespace": world.jobs.namespace.name, "script": script.name}
    page = owners.get(reverse("scripts-script", kwargs=at)).content.decode()
    area = re.search(r"<textarea[^>]*>\r?\n?(.*?)</textarea>", page, re.S)[1]
    assert area.replace("\r\n", "\n").rstrip("\n") == source.rstrip("\n")
    assert "1: -- <span class=\"gs-unseen\"" in page
    file = owners.get(reverse("scripts-text", kwargs=at))
    assert file.content.decode() == source and "attachment" in file.headers["Content-Disposition"]
    reader = Client()
    reader.force_login(viewer)
    for page in (reader.get(reverse("scripts-script", kwargs=at)), owners.get(reverse("scripts-versions", kwargs=at))):
        text = FIELDS.sub("", page.content.decode())
        assert shown(text) == text and "gs-unseen" in text


def test_a_value_that_is_sent_back_is_what_was_sent(world, owners):
    """A form that is refused shows what was typed; sent again, it is the same text."""
    typed = f"{BAD}name"
    page = owners.post(reverse("stage-new", kwargs={"project": "isles"}), {"name": typed}).content.decode()
    assert re.search(r'name="name"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="name"', page)
    assert f'value="{typed}"' in page and "gs-unseen-note" in page


# ── Who may read what this server speaks ────────────────────────────────────────────────────────────────────


def test_the_api_documents_are_for_people_and_programs(world, project, owners, monkeypatch):
    monkeypatch.setattr(api_views, "_text", lambda: b"{}")
    row, secret = create_credential(actor=SYSTEM, project=project, name="game")
    assert owners.get("/openapi.json").status_code == owners.get("/docs").status_code == 200
    assert Client().get("/docs").headers["Location"] == "/login?next=/docs"
    import base64

    def basic(word: str) -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{row.client_id}:{word}".encode()).decode()}

    assert Client().get("/openapi.json", **basic(secret)).status_code == 200
    for headers in ({}, basic("wrong"), {"HTTP_AUTHORIZATION": "Bearer x"}, {"HTTP_AUTHORIZATION": "Basic \xff"}):
        answer = Client().get("/openapi.json", **headers)
        assert answer.status_code == 401 and "Sign in" in answer.json()["error"]["message"], headers
