"""CORS: chosen origins may call the GS2 services and our JSON API from a browser; nobody may call anything else, and not by cookie."""
from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.conf import settings as configured
from django.test import Client

from gs2admin.env import Env
from gs2admin.identity.tokens import issue_project_token
from gs2admin.settings import BASE_DIR

GAME = "https://game.example"
ASKS = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "authorization,content-type,x-gs2-client-id"}
DOORS = ["/freeze/", "/freeze/dev/promote", "/job-queue/ns/user/u/job", "/identifier/projectToken/login", "/api/v1/stages", "/lock/none/at/all"]
REFUSED = ["/inventory/ns", "//freeze/x", "/Freeze/x", "/API/v1/stages"]
ELSEWHERE = ["/login", "/", "/admin/", "/projects/", "/docs", "/openapi.json", "/nowhere", "/user-data/file/x", "/static/x.css",
             "/p/default/rollouts/1/live", "/sourcedeploy/api/v1/project", "/v2/meshes/x/releases", "/SourceDeploy/x", "/healthz"]  # fmt: skip


@pytest.fixture
def on(settings):
    """As with GS2ADMIN_CORS_ORIGINS."""
    settings.CORS_ALLOWED_ORIGINS = [GAME, "http://localhost:3000"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:2], "gs2admin.wire.cors.ProgramsCorsMiddleware", *settings.MIDDLEWARE[2:]]
    return Client(raise_request_exception=False)


def told(answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith("access-control")}


@pytest.mark.django_db
def test_a_chosen_origin_calls_what_programs_call(on, project, credential):
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue_project_token(credential[0])}"}
    for path in (*DOORS, *REFUSED):
        for origin in (GAME, "http://localhost:3000"):
            asked = on.options(path, RAW_URI=path, HTTP_ORIGIN=origin, **ASKS)
            assert (asked.status_code, asked.content, asked.cookies) == (200, b"", {}), path
            allowed = told(asked)
            assert allowed["access-control-allow-origin"] == origin and allowed["access-control-max-age"] == "3600"
            assert allowed["access-control-allow-methods"] == "GET, POST, PUT, DELETE"
            assert "access-control-allow-credentials" not in allowed
            assert {"authorization", "content-type", "x-gs2-client-id", "x-gs2-access-token"} <= set(allowed["access-control-allow-headers"].split(", "))
            answer = on.get(path, RAW_URI=path, HTTP_ORIGIN=origin, **token)
            assert told(answer)["access-control-allow-origin"] == origin and "retry-after" in told(answer)["access-control-expose-headers"]
            assert answer.headers["Vary"].lower() == "origin" and not answer.cookies
            stranger = on.get(path, RAW_URI=path, HTTP_ORIGIN=origin)  # a refusal can be read too
            assert stranger.status_code >= 400 and told(stranger)["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", [
    "https://evil.example", "https://game.example.evil.example", "http://game.example", "https://game.example:8443", "null", "*",
    "https://GAME.example", "https://game.example/", "https://x.game.example", "", "file://", "https://game.example, https://evil.example",
])  # fmt: skip
def test_no_other_origin_does_and_its_preflight_is_refused_in_the_services_form(on, db, origin):
    for path in (*DOORS, *REFUSED):
        asked = on.options(path, RAW_URI=path, HTTP_ORIGIN=origin, **ASKS)
        assert asked.status_code == 404 and not told(asked) and asked.headers["Content-Type"] == "application/json"
        assert not told(on.get(path, RAW_URI=path, HTTP_ORIGIN=origin))


def test_no_page_and_no_other_protocol_is_open(on, db):
    for path in ELSEWHERE:
        for answer in (on.get(path, RAW_URI=path, HTTP_ORIGIN=GAME), on.options(path, RAW_URI=path, HTTP_ORIGIN=GAME, HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET")):
            assert not told(answer), path


def test_a_cookie_shows_nobody_at_these_doors(on, client, owner):
    """A session of a person, sent along by a browser that was asked to, is not looked at."""
    client.force_login(owner)
    on.cookies = client.cookies
    for path in ("/freeze/", "/api/v1/stages"):
        answer = on.get(path, RAW_URI=path, HTTP_ORIGIN=GAME)
        assert answer.status_code == 401 and not answer.cookies


def test_an_options_that_is_no_preflight_is_refused_as_ever(on, db):
    answer = on.options("/freeze/", HTTP_ORIGIN=GAME)
    assert answer.status_code == 404 and json.loads(answer.content)["message"]


def test_it_is_not_there_unless_an_origin_is_named(db):
    assert not [name for name in configured.MIDDLEWARE if "cors" in name.lower()]
    answer = Client().options("/freeze/", HTTP_ORIGIN=GAME, **ASKS)
    assert answer.status_code == 404 and not told(answer)


def test_the_setting_puts_it_in_front_of_all_that_answers(tmp_path):
    code = "from gs2admin import settings as s; print(s.MIDDLEWARE[2], s.CORS_ALLOWED_ORIGINS, s.CORS_ALLOW_CREDENTIALS)"
    env = {"GS2ADMIN_DATA_DIR": str(tmp_path), "GS2ADMIN_CORS_ORIGINS": f"{GAME}, http://[::1]:8080"}
    done = subprocess.run([sys.executable, "-c", code], cwd=BASE_DIR, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["gs2admin.wire.cors.ProgramsCorsMiddleware", f"['{GAME}',", "'http://[::1]:8080']", "False"]


@pytest.mark.parametrize("value, right", [
    (GAME, True), ("http://localhost:3000", True), ("http://127.0.0.1", True), ("http://[::1]:1", True), ("", True),
    ("https://a.example, http://b.example:81", True),
    ("*", False), ("null", False), ("game.example", False), ("https://game.example/", False), ("https://Game.example", False),
    ("https://*.example", False), ("https://game.example:443", False), ("http://game.example:80", False), ("ftp://game.example", False),
    ("https://u@game.example", False), ("https://game.example:", False), ("https://game.example:099", False), ("https://", False),
    ("https://a.example;https://b.example", False), (",".join(f"https://g{n}.example" for n in range(101)), False),
])  # fmt: skip
def test_an_origin_is_written_as_a_browser_writes_it(value, right):
    env = Env({"GS2ADMIN_CORS_ORIGINS": value})
    found = env.origins("GS2ADMIN_CORS_ORIGINS")
    assert found == [word.strip() for word in value.split(",") if word.strip()]
    assert (not env.mistakes) == right, env.mistakes
    assert right or all(mistake.startswith("GS2ADMIN_CORS_ORIGINS ") for mistake in env.mistakes)
