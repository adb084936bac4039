"""When something breaks behind the door: the client gets the error shape and not a word of what broke."""
from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError

from gs2admin.identity import tokens
from gs2admin.identity.models import Credential
from gs2admin.wire import rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def bearer(credential):
    return {"HTTP_AUTHORIZATION": f"Bearer {tokens.issue_project_token(credential[0])}"}


def breaking(monkeypatch, problem: Exception) -> None:
    def dispatch(*_):
        raise problem

    monkeypatch.setattr(rest, "dispatch", dispatch)


@pytest.mark.parametrize("path", ["/freeze/", "/freeze/dev", "/auth/system/version"])
@pytest.mark.parametrize(
    ("problem", "status"),
    [(OperationalError("FATAL: password hunter2"), 503), (InterfaceError("hunter2"), 503), (KeyError("hunter2"), 500),
     (RecursionError("hunter2"), 500)],
)  # fmt: skip
def test_a_fault_is_a_status_and_the_error_shape_without_details(client, bearer, monkeypatch, path, problem, status):
    breaking(monkeypatch, problem)
    answer = client.get(path, **bearer)
    assert answer.status_code == status and answer["Content-Type"] == "application/json"
    (element,) = json.loads(json.loads(answer.content)["message"])
    assert set(element) == {"component", "message", "code"}
    assert b"hunter2" not in answer.content and b"Traceback" not in answer.content


def test_a_fault_in_our_own_api_is_a_sentence(client, bearer, monkeypatch):
    breaking(monkeypatch, KeyError("hunter2"))
    answer = client.get("/api/v1/stages", **bearer)
    assert answer.status_code == 500 and "hunter2" not in answer.content.decode()
    assert set(answer.json()["error"]) == {"code", "message"}


def test_createcredential_ends_with_one_json_object_that_signs_in(client, project):
    out = io.StringIO()
    call_command("createcredential", "isles", "game", stdout=out)
    made = json.loads(out.getvalue().strip().splitlines()[-1])
    assert set(made) == {"clientId", "clientSecret"}
    row = Credential.objects.get(client_id=made["clientId"])
    assert (row.name, row.role, row.project) == ("game", "service", project)
    body = {"client_id": made["clientId"], "client_secret": made["clientSecret"]}
    answer = client.post("/identifier/projectToken/login", body, content_type="application/json")
    assert answer.status_code == 200 and answer.json()["token_type"] == "Bearer"


@pytest.mark.parametrize(("words", "said"), [(["nowhere", "game"], "Projects: isles"), (["isles", "a b"], "letters, digits")])
def test_createcredential_refuses_in_a_sentence(project, words, said):
    with pytest.raises(CommandError, match=said):
        call_command("createcredential", *words, stdout=io.StringIO(), stderr=io.StringIO())
    assert not Credential.objects.exists()


def test_no_body_is_larger_than_the_setting_says(client, settings):
    """Whatever a method itself would take: an administrator's word is the last."""
    settings.GS2_MAX_BODY = 1024
    for size, message in ((900, "identifier.identifier.clientSecret.error.invalid"), (5000, "identifier.request.body.error.tooLong")):
        body = json.dumps({"client_id": "x", "client_secret": "y", "more": "z" * size})
        answer = client.post("/identifier/projectToken/login", body, content_type="application/json")
        (element,) = json.loads(json.loads(answer.content)["message"])
        assert (answer.status_code, element["message"]) == (401 if size == 900 else 400, message)
