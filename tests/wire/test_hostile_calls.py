"""Every door × every verb × odd addresses, headers and bodies, by the right caller, by others and by nobody: no fault of ours, and
never an answer in another form than the door's. `python -m bench fuzz` does it over HTTP and longer, and with calls made of the document.
"""
from __future__ import annotations

import logging
import re
from collections import Counter

import pytest
from django.test import Client

from bench.fuzzing import routes
from bench.fuzzing.judge import Answer, door_of, faults, is_no_route, read_as
from bench.fuzzing.wire import Call
from bench.fuzzing.world import RIGHT, World, known, samples
from gs2admin import logs
from gs2admin.wire.openapi import document

pytestmark = pytest.mark.django_db
SEED = 20261130
OPERATIONS = {(verb.upper(), path): operation for path, verbs in document()["paths"].items() for verb, operation in verbs.items()}


def ask(call: Call, client: Client) -> Answer:
    """The answer of this process, as gunicorn would hand the request over."""
    meta = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items() if name != "Content-Type"}
    meta |= {"RAW_URI": call.path, "REMOTE_ADDR": "192.0.2.7"}
    found = client.generic(call.verb, call.path, call.body, call.headers.get("Content-Type", ""), **meta)
    body = b"".join(found.streaming_content) if found.streaming else found.content
    return Answer(found.status_code, {name.lower(): value for name, value in found.headers.items()}, body)


def client() -> Client:
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


def wrong_ones(calls, seen: Counter) -> list[str]:
    """What is wrong with the answers; seen: counts their statuses."""
    wrong = []
    for door, call in calls:
        answer = ask(call, client())
        seen[answer.status] += 1
        form = read_as(door, call.headers.get("Host", ""))
        wrong += [f"[{call.who}] {call.verb} {call.path[:150]} {call.headers} {call.body[:80]!r}: {answer.status} {text}"
                  for text in faults(form, call.verb, answer)]
    return wrong


def compare(full: World, names: dict[str, str]) -> None:
    """Every route of programs is in the document; each operation of it, called with names of things, meets a method."""
    assert {(route.verb, route.path.replace("{+", "{")) for route in routes.of_programs()} == set(OPERATIONS)
    made, missing = samples(full), []
    for (verb, path), operation in OPERATIONS.items():
        fields = names | made.get(operation["operationId"], {})
        at = re.sub(r"{(\w+)}", lambda piece, fields=fields: str(fields.get(piece[1], "x")).replace("/", "%2F"), path)
        door = door_of(path)
        headers = full.authorization(RIGHT, door, verb, at) | {"X-GS2-DRY-RUN": "true", "Content-Type": "application/json"}
        if is_no_route(door, ask(Call(verb, at, headers, b"{}", RIGHT), client())):
            missing.append((verb, path))
    assert missing == []
    for path in ("/freeze/a/b/c/d", "/api/v1/nothing", "/sourcedeploy/api/v1/nothing", "/v2/meshes/a/b/c", "/user-data/x", "/p/isles/no/such"):
        headers = full.authorization(RIGHT, door_of(path), "GET", path)
        assert is_no_route(door_of(path), ask(Call("GET", path, headers, b"", RIGHT), client())), path


def test_every_door_of_programs_refuses_in_its_own_form_and_is_in_the_document(full):
    names, seen = known(full), Counter()
    compare(full, names)
    wrong = wrong_ones(((route.door, call) for route in routes.of_programs()
                        for call in routes.calls(route, full, names, 9, SEED, {})), seen)
    assert wrong == [], "\n".join(wrong[:20])
    assert sum(seen.values()) > 1_000 and {200, 400, 401, 404, 405} <= set(seen), seen


def test_every_page_answers_with_a_page(full):
    someone = Client()
    someone.force_login(full.person)
    someone.get("/account/password")
    cookies = {"person": "; ".join(f"{name}={one.value}" for name, one in someone.cookies.items())}
    names, seen = known(full), Counter()
    # The administration has its own in tests/pages/test_admin_odd.py.
    pages = [route for route in routes.of_pages() if not route.path.startswith(("/admin/", *(f"/{word}" for word in routes.LAST)))]
    wrong = wrong_ones(((route.door, call) for route in pages
                        for call in routes.calls(route, full, names, 3, SEED, cookies)), seen)
    assert wrong == [], "\n".join(wrong[:20])
    assert sum(seen.values()) > 350 and {200, 302, 403, 404, 405} <= set(seen), seen


# ── What the fuzzing found, each with its kind ─────────────────────────────────────────────────────────────

AT_EACH_DOOR = ["/freeze/", "/job-queue/", "/lock/x", "/api/v1/stages", "/sourcedeploy/api/v1/project", "/v2/meshes/isles/releases"]


@pytest.mark.parametrize("header", [{"Forwarded": "for=x"}, {"Forwarded": "for=192.0.2.1;for=192.0.2.2"}, {"X-Forwarded-For": "nobody"},
                                    {"Forwarded": "for=192.0.2.1", "X-Forwarded-For": "192.0.2.2"}])
def test_who_cannot_be_told_is_refused_in_the_form_of_the_door(header, settings):
    for path in AT_EACH_DOOR:
        call = Call("GET", path, header, b"", "")
        meta = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()}
        found = Client().get(path, REMOTE_ADDR="127.0.0.1", RAW_URI=path, **meta)
        answer = Answer(found.status_code, {name.lower(): value for name, value in found.headers.items()}, found.content)
        assert (answer.status, faults(door_of(path), "GET", answer)) == (400, []), path


LINKS = ["/user-data/file/x", "/user-data/log/x", "/user-data/upload/x", "/user-data/x", "/user-data/", "/p/isles/freezes.ics?key=x"]


@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", LINKS)
def test_links_answer_programs_with_text(db, settings, verb, path):
    settings.ALLOWED_HOSTS = ["testserver"]
    for headers in ({}, {"Host": "evil.example"}, {"HX-Request": "true"}, {"Accept": "text/html"}):
        answer = ask(Call(verb, path, headers, b"", ""), client())
        assert answer.status in (400, 404, 405) and faults("link", verb, answer) == [], (headers, answer)
        assert answer.headers["content-type"].startswith("text/plain"), headers
        if answer.status == 405 and verb != "HEAD":
            assert answer.body.decode().strip() == f"This address takes {answer.headers['allow']} only."


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_the_document_refuses_as_our_json_api_does(db, settings, verb):
    settings.ALLOWED_HOSTS = ["testserver"]
    for headers in ({}, {"Host": "evil.example"}):
        answer = ask(Call(verb, "/openapi.json", headers, b"", ""), client())
        assert answer.status in (400, 405) and faults("api", verb, answer) == [], answer


def test_what_a_stranger_sends_wrongly_sets_no_alarm_off(db, caplog, settings):
    """Django logs it as an error with a traceback."""
    settings.ALLOWED_HOSTS = ["testserver"]
    kept = logs.FromOutside()
    caplog.set_level(logging.DEBUG)
    ask(Call("GET", "/login", {"Host": "evil.example"}, b"", ""), client())
    form = "&".join(f"a{n}=1" for n in range(2_000)).encode()
    ask(Call("POST", "/login", {"Content-Type": "application/x-www-form-urlencoded"}, form, ""), Client())
    lines = [record for record in caplog.records if record.name.startswith("django.security.")]
    assert {record.name for record in lines} >= {"django.security.DisallowedHost", "django.security.TooManyFieldsSent"}
    assert all(kept.filter(record) for record in lines)
    assert {(record.levelname, record.exc_info) for record in lines} == {("WARNING", None)}
    assert logs.config()["handlers"]["stdout"]["filters"] == ["from outside"]
    other = logging.LogRecord("gs2admin.x", logging.ERROR, "x", 1, "ours", None, None)
    assert kept.filter(other) and other.levelname == "ERROR"
