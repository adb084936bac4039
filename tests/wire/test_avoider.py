"""The duplication avoider: one effect and one answer, also when the same request arrives fifty times at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.wire.players import Players
from tests.wire.test_refusals import problems

CROWD = 50
USER = "/user/user-0001/job"
COUNT = """
local answer = gs2('job_queue').push_by_user_id({namespaceName = args.to, userId = 'counter', jobs = {{scriptId = 's'}}})
if answer.isError then fail(answer.statusCode, answer.errorMessage) end
local t = os.clock() while os.clock() - t < 0.3 do end
result = {pushed = 1}
"""


@pytest.fixture(scope="module")
def players(server) -> Players:
    return Players(server)


def all_at_once(server, verb: str, path: str, avoider: str, **more) -> list[httpx.Response]:
    """The same request from as many connections at the same moment."""
    headers = server.headers() | {"X-GS2-DUPLICATION-AVOIDER": avoider} | more.pop("headers", {})
    with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False,
                      limits=httpx.Limits(max_connections=CROWD)) as client, ThreadPoolExecutor(CROWD) as crowd:  # fmt: skip
        return list(crowd.map(lambda _: client.request(verb, path, **more), range(CROWD)))


def one_answer(responses: list[httpx.Response]) -> dict:
    assert {response.status_code for response in responses} == {200}, {response.text[:300] for response in responses}
    assert len({response.text for response in responses}) == 1
    return responses[0].json()


def test_fifty_equal_pushes_push_once(server, players):
    namespace = players.namespace()
    body = {"jobs": [{"scriptId": "s", "args": '{"n":1}'}]}
    answer = one_answer(all_at_once(server, "POST", f"/job-queue/{namespace}{USER}", "a-1", json=body))
    assert [job.name for job in players.waiting(namespace)] == [job["name"] for job in answer["items"]]


def test_fifty_equal_runs_run_once(server, players):
    namespace, counted = players.namespace(), players.namespace()
    script = players.script(COUNT)
    jobs = players.push(namespace, *[(script, {"to": counted})] * 3).items
    answer = one_answer(all_at_once(server, "POST", f"/job-queue/{namespace}{USER}/run", "a-2", json={}))
    assert answer["item"]["name"] == jobs[0].name and answer["result"]["statusCode"] == 200
    assert len(players.waiting(namespace)) == 2 and len(players.waiting(counted, "counter")) == 1


def test_fifty_equal_runs_by_the_player_run_once(server, players):
    namespace, counted = players.namespace(), players.namespace()
    players.push(namespace, *[(players.script(COUNT), {"to": counted})] * 2)
    headers = {"X-GS2-ACCESS-TOKEN": players.token()}
    one_answer(all_at_once(server, "POST", f"/job-queue/{namespace}/user/me/job/run", "a-3", json={}, headers=headers))
    assert len(players.waiting(namespace)) == 1 and len(players.waiting(counted, "counter")) == 1


def test_fifty_equal_invocations_run_once(server, players):
    counted = players.namespace()
    body = {"scriptId": players.script(COUNT), "args": json.dumps({"to": counted})}
    assert one_answer(all_at_once(server, "POST", "/script/invoke", "a-4", json=body))["code"] == 200
    assert len(players.waiting(counted, "counter")) == 1


def test_fifty_equal_deletes_all_give_the_job_back(server, players):
    namespace = players.namespace()
    (job,) = players.push(namespace, ("s", {})).items
    answer = one_answer(all_at_once(server, "DELETE", f"/job-queue/{namespace}{USER}/{job.name}", "a-5"))
    assert answer["item"]["name"] == job.name and players.waiting(namespace) == []


def test_another_request_with_the_same_avoider_is_refused(server, players):
    namespace = players.namespace()
    headers = {"X-GS2-DUPLICATION-AVOIDER": "b-1"}
    path = f"/job-queue/{namespace}{USER}"
    first = server.call("POST", path, json={"jobs": [{"scriptId": "s"}]}, headers=headers)
    other = server.call("POST", path, json={"jobs": [{"scriptId": "t"}]}, headers=headers)
    assert first.status_code == 200 and other.status_code == 409
    assert problems(other)[0]["message"] == "jobQueue.job.duplicationAvoider.error.duplicate"
    # Written another way, it is the same request.
    same = server.call(
        "POST", path, json={"contextStack": None, "jobs": [{"args": None, "scriptId": "s"}]}, headers=headers
    )
    assert same.text == first.text and len(players.waiting(namespace)) == 1
    server.call("POST", f"{path}/run", headers=headers)
    server.call("POST", f"{path}/run", headers=headers)
    assert players.waiting(namespace)[0].current_retry_count == 1


def test_users_methods_and_projects_do_not_share_avoiders(server, players):
    namespace = players.namespace()
    for user in ("user-0001", "user-0002"):
        assert len(players.push(namespace, ("s", {}), user=user, avoider="c-1").items) == 1
    assert players.run(namespace, avoider="c-1").item
    assert len(players.waiting(namespace, "user-0002")) == 1


def test_a_refusal_is_not_remembered(server, players):
    namespace, headers = players.name("later"), {"X-GS2-DUPLICATION-AVOIDER": "d-1"}
    path, body = f"/job-queue/{namespace}{USER}", {"jobs": [{"scriptId": "s"}]}
    assert server.call("POST", path, json=body, headers=headers).status_code == 404
    assert server.call("POST", "/job-queue/", json={"name": namespace}).status_code == 200
    assert server.call("POST", path, json=body, headers=headers).status_code == 200
    assert server.call("POST", f"/job-queue/{namespace}/user/u/job/run", headers=headers).status_code == 200


def test_a_dry_run_leaves_the_avoider_free(server, players):
    namespace = players.namespace()
    headers = {"X-GS2-DUPLICATION-AVOIDER": "e-1", "X-GS2-DRY-RUN": "true"}
    path, body = f"/job-queue/{namespace}{USER}", {"jobs": [{"scriptId": "s"}]}
    assert server.call("POST", path, json=body, headers=headers).status_code == 200
    assert players.waiting(namespace) == []
    assert len(players.push(namespace, ("s", {}), avoider="e-1").items) == 1


def test_a_call_that_broke_off_is_not_repeated_by_itself(server, players):
    namespace = players.namespace()
    players.push(namespace, ("nowhere", {}))
    players.run(namespace, avoider="f-1")
    broken = "from gs2admin.wire.models import DuplicateRecord\nfrom django.db.models.functions import Now\n"
    server.python(
        broken
        + "DuplicateRecord.objects.filter(method='job-queue.job.runByUserId').update(answer=None, lease_until=Now())"
    )
    again = server.call("POST", f"/job-queue/{namespace}{USER}/run", headers={"X-GS2-DUPLICATION-AVOIDER": "f-1"})
    assert again.status_code == 409 and problems(again)[0]["message"].endswith(".duplicationAvoider.error.lost")
    assert players.waiting(namespace)[0].current_retry_count == 1


def test_after_an_hour_it_is_forgotten(server, players):
    namespace = players.namespace()
    first = players.push(namespace, ("s", {}), avoider="g-1").items[0].name
    old = "from gs2admin.wire.models import DuplicateRecord\nfrom datetime import timedelta\nfrom django.db.models import F\n"
    server.python(old + "DuplicateRecord.objects.update(created_at=F('created_at') - timedelta(hours=1, seconds=5))")
    assert players.push(namespace, ("s", {}), avoider="g-1").items[0].name != first
    cleaned = old + (
        "DuplicateRecord.objects.update(created_at=F('created_at') - timedelta(hours=1))\n"
        "from gs2admin.wire.idempotency import forget_old_calls\nprint(forget_old_calls(), DuplicateRecord.objects.count())"
    )
    removed, left = server.python(cleaned).split()
    assert int(removed) > 0 and left == "0"
