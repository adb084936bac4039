"""Stamp sheets: what is signed is done once, and nothing else is."""

from __future__ import annotations

import json
import time

import pytest

from gs2admin.identity.services.stamp_keys import signature
from tests.wire.jobs_world import STAMP_KEY, STAMP_SECRET, sheet
from tests.wire.players import Players

PUSH, DELETE, INVOKE = "Gs2JobQueue:PushByUserId", "Gs2JobQueue:DeleteJobByUserId", "Gs2Script:InvokeScript"


@pytest.fixture(scope="module")
def players(server):
    return Players(server)


def order(namespace: str, user: str = "user-0001") -> dict:
    return {"namespaceName": namespace, "userId": user, "jobs": [{"scriptId": "script-0001", "args": '{"n": "ü"}'}]}


def hand_in(server, text: str, path: str = "job-queue/stamp/job", field: str = "stampSheet", who: str = "viewer", **more):
    return server.call("POST", f"/{path}", who=who, json={field: text, "keyId": STAMP_KEY} | more)


def test_a_sheet_pushes_once_however_often_it_is_handed_in(server, players):
    namespace = players.namespace()
    signed = sheet(PUSH, order(namespace))
    answers = [hand_in(server, signed, who=who) for who in ("viewer", "viewer", "ours")]
    assert [answer.status_code for answer in answers] == [200, 200, 200], answers[0].text
    assert answers[0].json() == answers[1].json() == answers[2].json() and answers[0].json()["autoRun"] is False
    (job,) = players.waiting(namespace)
    assert (job.name, job.args) == (answers[0].json()["items"][0]["name"], '{"n": "ü"}')
    assert hand_in(server, sheet(PUSH, order(namespace))).status_code == 200
    assert len(players.waiting(namespace)) == 2, "another transaction is another effect"


def test_the_official_client_hands_sheets_in(server, players):
    from gs2 import job_queue, script

    namespace = players.namespace()
    pushed = players.jobs.push_by_stamp_sheet(
        job_queue.PushByStampSheetRequest().with_stamp_sheet(sheet(PUSH, order(namespace))).with_key_id(STAMP_KEY)
    )
    task = sheet(DELETE, {"namespaceName": namespace, "userId": "user-0001", "jobName": pushed.items[0].name})
    deleted = players.jobs.delete_by_stamp_task(
        job_queue.DeleteByStampTaskRequest().with_stamp_task(task).with_key_id(STAMP_KEY).with_context_stack("{}")
    )
    assert deleted.item.name == pushed.items[0].name and deleted.new_context_stack == "{}"
    assert players.waiting(namespace) == []
    invoked = players.scripts.invoke_by_stamp_sheet(
        script.InvokeByStampSheetRequest()
        .with_stamp_sheet(sheet(INVOKE, {"scriptId": "script-0001", "userId": "u", "args": "{}"}))
        .with_key_id(STAMP_KEY)
    )
    assert invoked.code == 200 and json.loads(invoked.result)["by"] == "u"


def changed(text: str) -> str:
    outer = json.loads(text)
    return json.dumps(outer | {"body": outer["body"].replace("user-0001", "user-0002")})


def signed_with_args(args: object) -> str:
    """A signed sheet whose args are no text and no object."""
    body = json.dumps(json.loads(json.loads(sheet(PUSH, {}))["body"]) | {"args": args})
    return json.dumps({"body": body, "signature": signature(STAMP_SECRET, body)})


SOON = int((time.time() + 60) * 1000)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (changed(sheet(PUSH, order("queue-0001"))), "signature"),
        (sheet(PUSH, order("queue-0001"), secret="another secret"), "signature"),
        (json.dumps({"body": "{}", "signature": "ü"}), "signature"),
        (json.dumps({"body": "{}"}), "stampSheet"),
        ("[]", "stampSheet"),
        ("{", "stampSheet"),
        ("[" * 100_000, "stampSheet"),
        (sheet(INVOKE, order("queue-0001")), "action"),
        (sheet(PUSH, order("queue-0001"), tasks=["{}"]), "tasks"),
        (sheet(PUSH, order("queue-0001"), verifyTasks=["{}"]), "tasks"),
        (sheet(PUSH, order("queue-0001"), transactionId=""), "transactionId"),
        (sheet(PUSH, order("queue-0001"), transactionId="x" * 129), "transactionId"),
        (sheet(PUSH, order("queue-0001"), expiresAt=None), "expiresAt"),
        (sheet(PUSH, order("queue-0001"), expiresAt=SOON - 120_000), "expiresAt"),
        (sheet(PUSH, order("queue-0001"), expiresAt=SOON + 7_200_000), "expiresAt"),
        (sheet(PUSH, order("queue-0001"), expiresAt=10**400), "expiresAt"),
        (signed_with_args(5), "stampSheet"),
        (signed_with_args([order("queue-0001")]), "stampSheet"),
    ],
)
def test_what_is_not_in_order_is_refused(server, text, word):
    answer = hand_in(server, text, who="ours")
    assert answer.status_code == 400, answer.text
    assert json.loads(answer.json()["message"])[0]["message"] == f"jobQueue.stampSheet.{word}.error.invalid"


def test_other_keys_and_other_projects(server, players):
    signed = sheet(PUSH, order(players.namespace()))
    for who, key in (
        ("ours", STAMP_KEY.replace("sheets", "nothing")), ("ours", STAMP_KEY.replace("isles", "other")), ("ours", "x"),
        ("theirs", STAMP_KEY), ("theirs", STAMP_KEY.replace("isles", "other")),
    ):  # fmt: skip
        answer = hand_in(server, signed, who=who, keyId=key)
        assert answer.status_code == 400 and "signature.error.invalid" in answer.text
    assert hand_in(server, signed).status_code == 200


def test_what_the_sheet_asks_for_is_checked_like_any_request(server):
    assert hand_in(server, sheet(PUSH, order("nowhere"))).status_code == 404
    assert "jobQueue.job.userId.error.require" in hand_in(server, sheet(PUSH, {"namespaceName": "queue-0001"})).text
    too_many = order("queue-0001") | {"jobs": [{"scriptId": "s"}] * 11}
    assert "tooMany" in hand_in(server, sheet(PUSH, too_many)).text


def test_a_key_is_made_told_once_and_revoked(server, players):
    def manage(*words: str) -> str:
        return server.python(f"from django.core.management import call_command\ncall_command(*{words!r})")

    made = json.loads(manage("createstampkey", "isles", "default/rewards").splitlines()[-1])
    assert made["keyId"] == STAMP_KEY.replace("sheets", "rewards")
    kept = server.python(
        "from gs2admin.identity.models import StampKey\nprint(StampKey.objects.get(name='rewards').sealed_secret)"
    )
    assert made["secret"] not in kept
    namespace = players.namespace()
    signed = [sheet(PUSH, order(namespace), secret=made["secret"]) for _ in range(2)]
    assert hand_in(server, signed[0], keyId=made["keyId"]).status_code == 200
    manage("revokestampkey", "isles", "default/rewards")
    assert "signature.error.invalid" in hand_in(server, signed[1], keyId=made["keyId"]).text
    said = server.python(
        "from gs2admin.audit.models import Activity\n"
        "print(*Activity.objects.filter(action__startswith='stamp_key').values_list('action', flat=True))"
    )
    assert sorted(said.split()) == ["stamp_key.create", "stamp_key.revoke"]
