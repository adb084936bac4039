"""Every row of the contract's error table of GS2-JobQueue, in its words."""

from __future__ import annotations

import json
import threading

import pytest

from tests.wire.players import Players
from tests.wire.test_refusals import problems

NOBODY = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def players(server) -> Players:
    return Players(server)


@pytest.fixture(scope="module")
def at(players) -> str:
    """The path of a namespace."""
    return f"/job-queue/{players.namespace()}"


def refused(
    server,
    verb: str,
    path: str,
    status: int,
    word: str,
    *,
    component: str | None = None,
    code: str | None = None,
    **more,
):
    response = server.call(verb, path, **more)
    assert response.status_code == status, response.text
    first = problems(response)[0]
    assert first["message"] == word
    assert first["component"] == (component or word.split(".")[1])
    assert first["code"] == (code or word)


USER = "/user/user-0001/job"
UNKNOWN = [
    ("GET", "/job-queue/nowhere/status"), ("GET", "/job-queue/nowhere"),
    ("PUT", "/job-queue/nowhere"), ("DELETE", "/job-queue/nowhere"),
    ("GET", "/job-queue/nowhere" + USER), ("POST", "/job-queue/nowhere" + USER), ("POST", "/job-queue/nowhere" + USER + "/run"),
    ("GET", f"/job-queue/nowhere{USER}/{NOBODY}"), ("DELETE", f"/job-queue/nowhere{USER}/{NOBODY}"),
    ("GET", f"/job-queue/nowhere{USER}/{NOBODY}/result"), ("GET", "/job-queue/nowhere/user/u/dead"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "path"), UNKNOWN)
def test_an_unknown_namespace(server, verb, path):
    body = {"json": {}} if verb in {"POST", "PUT"} else {}
    refused(server, verb, path, 404, "jobQueue.namespace.namespace.error.notFound", **body)


def test_an_unknown_job(server, at):
    for name in (NOBODY, "job-0001", NOBODY.replace("-", "")):
        for verb, path in (
            ("GET", f"{at}{USER}/{name}"),
            ("DELETE", f"{at}{USER}/{name}"),
            ("GET", f"{at}{USER}/{name}/result"),
        ):
            refused(server, verb, path, 404, "jobQueue.job.job.error.notFound")
    refused(server, "GET", f"{at}/user/u/dead/{NOBODY}", 404, "jobQueue.deadLetterJob.deadLetterJob.error.notFound")


def test_a_player_s_id_of_our_own_kind_is_refused(server, at):
    """Rows of an import that is under way are kept under such ids."""
    body = {"jobs": [{"scriptId": "s"}]}
    refused(server, "POST", f"{at}/user/%7Fimport:00/job", 400, "jobQueue.job.userId.error.invalid", json=body)


def test_no_result_yet(server, at, players):
    job = players.push(at.rpartition("/")[2], ("s", {})).items[0]
    refused(server, "GET", f"{at}{USER}/{job.name}/result", 404, "jobQueue.jobResult.jobResult.error.notFound")


def test_two_runs_for_one_user_at_once(server, players):
    namespace = players.namespace()
    slow = players.script("local t = os.clock() while os.clock() - t < 3 do end result = {}")
    players.push(namespace, (slow, {}), (slow, {}))
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(server.call("POST", f"/job-queue/{namespace}{USER}/run")))
        for _ in range(2)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert problems(loser)[0]["code"] == "jobQueue.execution.conflict"


def push(*entries):
    return {"json": {"jobs": list(entries)}}


def test_bad_entries(server, at):
    good = {"scriptId": "s"}
    for more, word in (
        (push(*[good] * 11), "jobQueue.job.jobs.error.tooMany"),
        (push({"args": "{}"}), "jobQueue.jobEntry.scriptId.error.require"),
        (push(good | {"scriptId": "x" * 1025}), "jobQueue.jobEntry.scriptId.error.tooLong"),
        (push(good | {"args": '"' + "x" * 131_071 + '"'}), "jobQueue.jobEntry.args.error.tooLong"),
        (push(good | {"args": "{nope"}), "jobQueue.jobEntry.args.error.invalid"),
        (push(good | {"args": "NaN"}), "jobQueue.jobEntry.args.error.invalid"),
        (push(good | {"args": {}}), "jobQueue.jobEntry.args.error.invalid"),
        (push(good | {"args": 5}), "jobQueue.jobEntry.args.error.invalid"),
        (push(good, good | {"maxTryCount": 101}), "jobQueue.jobEntry.maxTryCount.error.invalid"),
        (push(good | {"maxTryCount": -1}), "jobQueue.jobEntry.maxTryCount.error.invalid"),
        (push(good | {"maxTryCount": "many"}), "jobQueue.jobEntry.maxTryCount.error.invalid"),
        ({"json": {"jobs": {"scriptId": "s"}}}, "jobQueue.job.jobs.error.invalid"),
        ({"json": {"jobs": "s"}}, "jobQueue.job.jobs.error.invalid"),
    ):
        refused(server, "POST", f"{at}/user/nobody/job", 400, word, **more)
    assert server.call("GET", f"{at}/user/nobody/job").json()["items"] == []


def test_too_long_and_out_of_range(server, at):
    long = "x" * 129
    for verb, path, word, more in (
        ("GET", f"{at}/user/{long}/job", "jobQueue.job.userId.error.tooLong", {}),
        ("GET", f"{at}{USER}/{'x' * 37}", "jobQueue.job.name.error.tooLong", {}),
        ("GET", f"/job-queue/{long}", "jobQueue.namespace.name.error.tooLong", {}),
        ("POST", "/job-queue/", "jobQueue.namespace.name.error.tooLong", {"json": {"name": long}}),
        ("POST", "/job-queue/", "jobQueue.namespace.name.error.require", {"json": {"name": None}}),
        (
            "POST",
            "/job-queue/",
            "jobQueue.namespace.description.error.tooLong",
            {"json": {"name": "n", "description": "x" * 1025}},
        ),
        ("GET", f"/job-queue/?namePrefix={'x' * 65}", "jobQueue.namespace.namePrefix.error.tooLong", {}),
        ("GET", "/job-queue/?limit=0", "jobQueue.namespace.limit.error.invalid", {}),
        ("GET", "/job-queue/?limit=1001", "jobQueue.namespace.limit.error.invalid", {}),
        ("GET", "/job-queue/?pageToken=bnVsbA", "jobQueue.namespace.pageToken.error.invalid", {}),
        ("GET", f"{at}{USER}?limit=1001", "jobQueue.job.limit.error.invalid", {}),
        ("GET", f"{at}{USER}?pageToken=abc", "jobQueue.job.pageToken.error.invalid", {}),
        ("GET", f"{at}{USER}/{NOBODY}/result?tryNumber=10001", "jobQueue.jobResult.tryNumber.error.invalid", {}),
        ("GET", f"{at}{USER}/{NOBODY}/result?tryNumber=-1", "jobQueue.jobResult.tryNumber.error.invalid", {}),
    ):
        refused(server, verb, path, 400, word, **more)


def test_bad_settings(server, at):
    for setting, word in (
        ({"pushNotification": {"enable": "Perhaps"}}, "jobQueue.notificationSetting.enable.error.invalid"),
        (
            {"runNotification": {"gatewayNamespaceId": "x" * 1025}},
            "jobQueue.notificationSetting.gatewayNamespaceId.error.tooLong",
        ),
        ({"runNotification": {"sound": "x" * 1025}}, "jobQueue.notificationSetting.sound.error.tooLong"),
        (
            {"transactionSetting": {"distributorNamespaceId": "x" * 1025}},
            "jobQueue.transactionSetting.distributorNamespaceId.error.tooLong",
        ),
        (
            {"transactionSetting": {"queueNamespaceId": "x" * 1025}},
            "jobQueue.transactionSetting.queueNamespaceId.error.tooLong",
        ),
        ({"logSetting": {"loggingNamespaceId": "x" * 1025}}, "jobQueue.logSetting.loggingNamespaceId.error.tooLong"),
        ({"logSetting": {"other": "x"}}, "jobQueue.logSetting.loggingNamespaceId.error.require"),
        ({"enableAutoRun": "perhaps"}, "jobQueue.namespace.enableAutoRun.error.invalid"),
        ({"transactionSetting": "all"}, "jobQueue.namespace.transactionSetting.error.invalid"),
    ):
        refused(server, "PUT", at, 400, word, json=setting)


@pytest.mark.parametrize("name", ["null", "me", "system", "stamp", "a/b", "a b", "ü", "../x", "a\n"])
def test_names_that_nothing_may_have(server, name):
    refused(server, "POST", "/job-queue/", 400, "jobQueue.namespace.name.error.invalid", json={"name": name})


def test_a_taken_name(server, at):
    body = {"name": at.rpartition("/")[2]}
    refused(server, "POST", "/job-queue/", 409, "jobQueue.namespace.name.error.duplicate", json=body)


def test_the_user_me_is_nobody(server, at):
    for verb, path in (("GET", "/user/me/job"), ("POST", "/user/me/job"), ("GET", "/user/me/dead")):
        body = {"json": {}} if verb == "POST" else {}
        refused(server, verb, at + path, 400, "jobQueue.job.userId.error.invalid", **body)


def test_a_missing_right(server, at):
    for verb, path in (
        ("POST", f"{at}{USER}"),
        ("POST", f"{at}{USER}/run"),
        ("PUT", at),
        ("DELETE", at),
        ("POST", "/job-queue/"),
    ):
        response = server.call(verb, path, who="viewer", **({"json": {"name": "n"}} if verb != "DELETE" else {}))
        assert response.status_code == 401 and json.loads(response.json()["message"])[0]["component"] == "permission"
    assert server.call("GET", f"{at}{USER}", who="viewer").status_code == 200


def test_a_namespace_deleted_while_its_job_runs(server, players):
    namespace = players.namespace()
    slow = players.script("local t = os.clock() while os.clock() - t < 3 do end result = {}")
    (job,) = players.push(namespace, (slow, {})).items
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.call("POST", f"/job-queue/{namespace}{USER}/run")))
    thread.start()
    while not server.sql(f"SELECT 1 FROM jobqueue_job j JOIN jobqueue_queue q ON q.id = j.queue_id JOIN jobqueue_namespace n"
                         f" ON n.id = q.namespace_id WHERE n.name = '{namespace}' AND j.state = 'running'"):
        assert thread.is_alive()
    assert server.call("DELETE", f"/job-queue/{namespace}").status_code == 200
    thread.join()
    assert answers[0].status_code == 404 and problems(answers[0])[0]["component"] == "namespace"
    assert server.call("POST", f"/job-queue/{namespace}{USER}", json={}).status_code == 404
