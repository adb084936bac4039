"""Calls that are answered in front of Django's middleware are answered and logged as behind it, byte for byte."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError, close_old_connections, transaction
from django.test import RequestFactory

from bench.fuzzing.world import RIGHT, World, known, samples
from gs2admin.identity import tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential
from gs2admin.identity.services.credentials import revoke_credential
from gs2admin.wire import front
from gs2admin.wire.front import Front, _call_in
from gs2admin.wire.table import API, Auth, Method, table
from tests.wire import jobs_world
from tests.wire.test_strangers import NEW

pytestmark = pytest.mark.django_db
ID = {"HTTP_X_REQUEST_ID": "the-same-for-both"}
REVOKED = "identifier.projectToken.projectToken.revoked"


@pytest.fixture
def pages(monkeypatch):
    """Django's application; the test's connection, which is in a transaction, stays open for both."""
    monkeypatch.setattr(front, "_tend", lambda database: None)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def environ_of(verb: str, target: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    path, _, query = target.partition("?")
    made = RequestFactory().generic(verb, path, body, "application/json", QUERY_STRING=query, RAW_URI=target, **ID, **headers).environ
    made["CONTENT_LENGTH"] = str(len(body))
    return made


def asked(application, environ: dict[str, Any]) -> tuple[str, list, bytes]:
    """Status, headers as they are sent, body; nothing of it stays."""
    said: list = []
    with transaction.atomic():
        parts = application(environ, lambda status, headers, exc_info=None: said.extend([status, headers]))
        body = b"".join(parts)
        transaction.set_rollback(True)
    return said[0], said[1], body


def plain(answer: tuple[str, list, bytes]) -> tuple[str, list, str]:
    """Without what is new in every success."""
    status, headers, body = answer
    text = body.decode("utf-8", "replace")
    if status[0] == "2":
        text, headers = NEW.sub("", text), [one for one in headers if one[0] not in ("Content-Length", "ETag")]
    return status, headers, text


def calls(full: World) -> dict[str, tuple[Method, str, bytes]]:
    """{method: itself, target, body} of a good call of each."""
    names, good = known(full), samples(full)
    found = {}
    for method in table().methods:
        fields = {name: names[name] for name in re.findall(r"{\+?(\w+)}", method.path) if name in names} | good.get(method.name, {})
        if "namespaceName" in fields and method.name not in good:
            fields["namespaceName"] = {"script": "script-ns", "lock": "lock-0001"}.get(method.service, "queue-0001")
        prefix = "/api" if method.service == API else f"/{method.service}"
        target = prefix + re.sub(r"{\+?(\w+)}", lambda piece: str(fields.pop(piece[1], "x")), method.path)  # noqa: B023
        body = b""
        if method.verb in ("POST", "PUT"):
            body = json.dumps(fields).encode()
        elif fields:
            target += "?" + "&".join(f"{name}={value}" for name, value in fields.items())
        found[method.name] = method, target, body
    return found


def bearer(token: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}", "HTTP_X_GS2_ACCESS_TOKEN": jobs_world.ACCESS_TOKEN}


def lines(caplog) -> list[tuple]:
    kept = [
        (record.name, record.levelname, record.getMessage(), getattr(record, "ip", None), getattr(record, "path", None),
         getattr(record, "status_code", None))
        for record in caplog.records if record.name in ("gs2admin.access", "django.request")
    ]  # fmt: skip
    caplog.clear()
    return kept


def both(pages, caplog, verb: str, target: str, body: bytes = b"", **headers: str) -> list[tuple]:
    """What each way answers and logs."""
    found = []
    for application in (Front(pages), pages):
        answer = plain(asked(application, environ_of(verb, target, body, **headers)))
        found.append((answer, lines(caplog)))
    return found


def test_every_method_is_answered_and_logged_alike_by_both_ways(full, pages, caplog):
    caplog.set_level(logging.DEBUG)
    callers = {"right": bearer(full.token(RIGHT)), "nobody": {}, "other": bearer(full.token("other project"))}
    different, statuses = [], set()
    for name, (method, target, body) in calls(full).items():
        for who, headers in callers.items():
            first, second = both(pages, caplog, method.verb, target, body, **headers)
            statuses.add((who, first[0][0][:3]))
            assert first[1], name
            if first != second:
                different.append((name, who, first, second))
    assert different == [], "\n".join(map(str, different[:5]))
    assert statuses >= {("right", "200"), ("nobody", "401"), ("other", "404")}


ODD = [
    ("GET", "/lock/nothing/here", {}), ("PATCH", "/lock/locks", {}), ("OPTIONS", "/lock/locks", {}), ("HEAD", "/lock/system/version", {}),
    ("POST", "/freeze/", {}), ("GET", "/api/v1/stages", {"HTTP_AUTHORIZATION": "Basic ..."}), ("GET", "/api/v1/none", {}),
    ("GET", "/healthz", {"HTTP_HOST": "lock.eu.gen2.gs2io.com"}), ("GET", "/locks", {"HTTP_HOST": "lock.eu.gen2.gs2io.com"}),
    ("GET", "/static/x", {"HTTP_HOST": "lock.eu.gen2.gs2io.com"}), ("GET", "/lock/%ff", {}), ("GET", "/lock//x", {}),
    ("GET", "/freeze/?limit=1&limit=2", {}), ("GET", "/lock/system/version", {"HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}),
    ("GET", "/lock/system/version", {"HTTP_X_FORWARDED_FOR": "1.1.1.1", "HTTP_FORWARDED": "for=2.2.2.2"}),
    ("GET", "/lock/system/version", {"REMOTE_ADDR": "::ffff:192.0.2.7"}), ("GET", "/lock/system/version", {"REMOTE_ADDR": ""}),
    ("GET", "/lock/system/version", {"HTTP_ORIGIN": "https://game.example"}),
    ("GET", "/lock/system/version", {"SCRIPT_NAME": "/below"}), ("GET", "/job_queue/x", {}),
    ("GET", "/sourcedeploy/api/v1/project", {}), ("GET", "http://x/lock/system/version", {}),
]  # fmt: skip


@pytest.mark.parametrize("origins", [[], ["https://game.example"]])
def test_odd_requests_are_answered_and_logged_alike_by_both_ways(full, caplog, settings, origins, pages):
    settings.CORS_ALLOWED_ORIGINS = origins
    if origins:
        after = settings.MIDDLEWARE.index("gs2admin.caller.CallerMiddleware")
        settings.MIDDLEWARE = [*settings.MIDDLEWARE[:after], "gs2admin.wire.cors.ProgramsCorsMiddleware", *settings.MIDDLEWARE[after:]]
    pages = get_wsgi_application()
    caplog.set_level(logging.DEBUG)
    right = bearer(full.token(RIGHT))
    for verb, target, headers in ODD:
        for mine in (right, {}):
            first, second = both(pages, caplog, verb, target, **mine | headers)
            assert first == second, (verb, target, headers)


def test_a_fault_and_an_outage_are_answered_and_logged_alike(full, pages, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    for problem in (RuntimeError("broken"), OperationalError("away")):
        def fail(*_: Any, problem: Exception = problem) -> None:
            raise problem

        monkeypatch.setattr(tokens, "credential_of", fail)
        first, second = both(pages, caplog, "GET", "/freeze/", **bearer("x"))
        assert first == second
        assert first[0][0] in ("500 Internal Server Error", "503 Service Unavailable")
        assert any(line[0] == "django.request" and line[1] == "ERROR" for line in first[1])


def test_plain_calls_take_the_short_way():
    """So that the tests above compare two ways."""
    short = {
        (verb, target): _call_in(environ_of(verb, target, **headers)) is not None
        for verb, target, headers in [*ODD, ("GET", "/freeze/dev", {}), ("DELETE", "/lock/locks", {})]
    }
    assert short["GET", "/freeze/dev"] and short["DELETE", "/lock/locks"] and short["GET", "/lock/nothing/here"]
    assert not short["HEAD", "/lock/system/version"] and not short["GET", "/healthz"]


def told(full: World, pages, headers: dict[str, str]) -> dict[str, tuple]:
    """What each method that asks for a token says."""
    return {
        name: asked(Front(pages), environ_of(method.verb, target, body, **headers))
        for name, (method, target, body) in calls(full).items() if method.auth is not Auth.NONE
    }  # fmt: skip


def test_every_method_is_closed_to_a_credential_that_was_revoked_and_to_one_that_went_with_its_project(full, pages):
    headers, found = bearer(full.token(RIGHT)), calls(full)
    sample = found["freeze.stage.describeStages"][1]
    for end in (lambda: revoke_credential(actor=SYSTEM, credential=full.admin), lambda: full.admin.delete()):
        assert asked(Front(pages), environ_of("GET", sample, **headers))[0] == "200 OK"
        with transaction.atomic():
            end()
            tokens.forget_all()  # what half a second does
            answers = told(full, pages, headers)
            transaction.set_rollback(True)
        tokens.forget_all()
        full.admin = Credential.objects.get(client_id=full.admin.client_id)
        assert {name for name, answer in answers.items() if answer[0] != "401 Unauthorized"} == set()
        assert len({answer[2] for name, answer in answers.items() if not name.startswith("api.")}) == 1
        assert len({answer[2] for name, answer in answers.items() if name.startswith("api.")}) == 1
        assert all(REVOKED.encode() in answer[2] for answer in answers.values())
