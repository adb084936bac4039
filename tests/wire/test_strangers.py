"""What a stranger gets, byte for byte: the same for what exists in another project and for what does not exist, at every door."""
from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from bench.fuzzing.judge import door_of
from bench.fuzzing.world import World, known, samples
from gs2admin.db import clock
from gs2admin.identity.models import Project
from gs2admin.wire.openapi import document
from jobqueue.models import UserDataRun
from jobqueue.userdata import files
from stages.api.sourcedeploy.signature import sign
from stages.gates.calendar import key_for

pytestmark = pytest.mark.django_db
OPERATIONS = [(verb.upper(), path, operation["operationId"]) for path, verbs in document()["paths"].items() for verb, operation in verbs.items()]
# Of successes alone: what is new in every answer. A refusal has nothing of the kind.
NEW = re.compile(
    r'"(?:accessToken|access_token|token|uploadToken|uploadUrl|expire|expires_in|createdAt|updatedAt|registeredAt|id|name|revision|seed|'
    r'executeTime|startedAt|number|historyId|ttlAt|jobId|namespaceId|scriptId|mutexId|timestamp)":("[^"]*"|\d+)|\d{13}'
)
# Fields of good calls whose values name something; others are what a call says.
NAMING = {
    "namespaceName", "stageName", "jobName", "deadLetterJobName", "scriptName", "scriptId", "userId", "propertyId", "uploadToken",
    "outputName", "keyId", "name", "client_id", "namespace", "mesh_id", "release_id", "number", "historyId", "stageId", "projectId",
    "scenarioId", "microservice", "project", "key", "token", "transactionId",
}  # fmt: skip


def absent(value: Any) -> Any:
    """As long, of nothing that there is."""
    if isinstance(value, int):
        return int("9" * len(str(value)))
    if not isinstance(value, str) or not value:
        return value
    if value.isdecimal():
        return "9" * len(value)
    last = value[-1]
    return value[:-1] + (("0" if last != "0" else "1") if last in "0123456789abcdef" and len(value) > 30 else "z" if last != "z" else "y")


def of(answer: HttpResponse) -> tuple[int, list, list, str]:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = sorted((name, value) for name, value in answer.headers.items() if name != "X-Request-ID")
    return answer.status_code, headers, sorted(answer.cookies), body.decode("utf-8", "replace")


def asked(verb: str, path: str, fields: dict[str, Any], headers: dict[str, str]) -> tuple[int, list, list, str]:
    """The answer to a call; nothing of it stays. headers: as META has them."""
    rest = dict(fields)
    at = re.sub(r"{(\w+)}", lambda piece: str(rest.pop(piece[1], "7")).replace("/", "%2F"), path)
    body = b""
    if verb in ("POST", "PUT", "PATCH"):
        body = json.dumps(rest).encode()
    elif rest:
        at += "?" + "&".join(f"{name}={value}" for name, value in rest.items())
    with transaction.atomic():
        found = of(Client(raise_request_exception=False).generic(verb, at, body, "application/json", RAW_URI=at, **headers))
        transaction.set_rollback(True)
    status, kept, cookies, text = found
    # What was asked for may be repeated; as long in both.
    for value in sorted({str(each) for each in fields.values()}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "*" * len(value), text)
    if status < 300:
        text, kept = NEW.sub("", text), [(name, value) for name, value in kept if name not in ("Content-Length", "ETag")]
    return status, kept, cookies, text


def headers_of(who: str, full: World, door: str) -> dict[str, str]:
    if who == "nobody":
        return {}
    token = full.token("other project")
    if door == "asm":
        return {"HTTP_X_AUTH_TOKEN": token}
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def test_what_exists_and_what_does_not_are_told_alike(full):
    """To a program of another project, to nobody, and to whoever has a wrong secret or signature."""
    compare(full, "a program of another project")
    compare(full, "nobody")
    compare_wrong_signatures(full)


def compare(full: World, who: str) -> None:
    names, good = known(full), samples(full)
    here = {"job-queue": "queue-0001", "script": "script-ns", "lock": "lock-0001"}
    good["identifier.projectToken.login"] = {"client_id": full.admin.client_id, "client_secret": "x" * 43}
    for service, name in here.items():
        good[f"{service}.namespace.createNamespace"] = {"name": name}
    good["api.version.registerVersion"] = {"microservice": "auth", "version": "3.2.0"}
    good["sourcedeploy.stageCreate"] |= {"projectId": names["projectId"]}
    different, statuses = [], set()
    for verb, path, operation in OPERATIONS:
        if operation.startswith("plain."):
            continue  # who has a link is no stranger; below are links that are none
        mine = {name: names[name] for name in re.findall(r"{(\w+)}", path) if name in names} | good.get(operation, {})
        if "namespaceName" in mine and operation.split(".")[0] in here:
            mine["namespaceName"] = here[operation.split(".")[0]]
        other = {name: absent(value) if name in NAMING else value for name, value in mine.items()}
        headers = headers_of(who, full, door_of(path))
        for fields in ({}, {"extra": 1}):
            first, second = (asked(verb, path, each | fields, headers) for each in (mine, other))
            statuses.add(first[0])
            if first != second:
                different.append((operation, first, second))
    assert different == [], "\n".join(f"{name}\n  {first}\n  {second}" for name, first, second in different[:8])
    assert statuses >= ({200, 400, 404} if who != "nobody" else {401})


def compare_wrong_signatures(full: World) -> None:
    """SourceDeploy's signature, Basic at our own API and at the document, each of a live, a revoked and no credential."""
    def told(client_id: str) -> list:
        stamp = str(int(time.time() * 1000))
        uri = "/sourcedeploy/api/v1/project"
        signed = {"HTTP_X_NCP_IAM_ACCESS_KEY": client_id, "HTTP_X_NCP_APIGW_TIMESTAMP": stamp,
                  "HTTP_X_NCP_APIGW_SIGNATURE_V2": sign("wrong", "GET", uri, stamp, client_id)}
        basic = {"HTTP_AUTHORIZATION": f"Basic {b64encode(f'{client_id}:wrong'.encode()).decode()}"}
        return [asked("GET", uri, {}, signed), asked("GET", "/api/v1/stages", {}, basic), asked("GET", "/openapi.json", {}, basic)]

    live, revoked, none = full.admin.client_id, full.others["revoked"].client_id, absent(full.admin.client_id)
    assert told(live) == told(none) == told(revoked)
    assert {answer[0] for answer in told(none)} == {401}


LINKS = [("GET", "user-data-file"), ("GET", "user-data-log"), ("PUT", "user-data-upload"), ("POST", "user-data-upload"), ("POST", "user-data-form")]


@pytest.mark.parametrize("verb, route", LINKS)
def test_a_link_that_is_not_good_says_nothing_of_its_run(db, project, monkeypatch, verb, route, tmp_path, settings):
    """Garbage, a link that was cut, one for something else, one whose time is over, and one of a run that is gone: one answer."""
    settings.STORAGES = settings.STORAGES | {"user_data": {
        "BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}}
    run = UserDataRun.objects.create(project=project, user_id="u-1", kind="import", state="prepared")
    gone = UserDataRun.objects.create(project=project, user_id="u-2", kind="import", state="prepared")
    what = files.Link(route.rpartition("-")[2])
    wrong = next(one for one in files.Link if one != what)

    def token(row: UserDataRun, for_what: files.Link) -> str:
        return files.link(row, for_what).rpartition("/")[2]

    def ask(text: str) -> tuple:
        found = Client(raise_request_exception=False).generic(verb, reverse(route, kwargs={"token": text}), b"zip", "application/zip")
        return of(found)

    good = token(run, what)
    of_one_that_is_gone = token(gone, what)
    gone.delete()
    with monkeypatch.context() as patch:
        now = clock.seconds()
        patch.setattr(clock, "seconds", lambda: now - settings.USER_DATA_LINK_S - 5)
        over = token(run, what)
    answers = {name: ask(text) for name, text in {
        "garbage": "x", "cut": good[:-1], "bent": good[:-1] + ("A" if good[-1] != "A" else "B"), "for something else": token(run, wrong),
        "over": over, "of a run that is gone": of_one_that_is_gone, "of another signature": good.rpartition(":")[0] + ":" + "A" * 43,
    }.items()}
    assert len({json.dumps(answer) for answer in answers.values()}) == 1, answers
    assert answers["garbage"][0] == 404
    assert ask(good)[0] != 404 or what == files.Link.FILE, "a good one is"


def test_a_key_of_a_calendar_opens_nothing_else(db, project, other_project, owner, stranger):
    """The key of another project, of somebody who is no member, a bent one and none at all, for a calendar that exists or does not."""
    keys = {"x", ".", key_for(other_project, str(stranger.pk)), key_for(project, str(stranger.pk)), key_for(project, "999999"),
            key_for(project, str(owner.pk))[:-1]}

    def ask(name: str, key: str) -> tuple:
        return of(Client().get(reverse("freeze-feed", kwargs={"project": name}), {"key": key}))

    answers = {json.dumps(ask(name, key)) for name in ("isles", "islez") for key in keys}
    assert len(answers) == 1 and json.loads(answers.pop())[0] == 404
    assert ask("isles", key_for(project, str(owner.pk)))[0] == 200
    Project.objects.filter(pk=project.pk).update(name="elsewhere")
    assert ask("isles", key_for(project, str(owner.pk)))[0] == 404
