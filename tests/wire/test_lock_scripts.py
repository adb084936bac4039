"""gs2('lock') in scripts of the documented shape, and the built-in scripts, inside the running server."""
from __future__ import annotations

import json

import pytest
from gs2 import core, job_queue, script

from jobqueue.execution.calls import methods
from tests.wire.lockers import Lockers
from tests.wire.players import Players

PLAIN = """client = gs2('lock')
api_result = client.{method}({fields})
if(api_result.isError) then
    fail(api_result['statusCode'], api_result['errorMessage'])
end
result = api_result.result"""
ASYNC = """client = gs2('lock')
api_result_handler = client.{method}_async({fields})
api_result = api_result_handler()
if ( api_result.isError ) then
    fail ( api_result [ 'statusCode' ], api_result [ 'message' ])
end
result = api_result.result"""


@pytest.fixture(scope="module")
def lockers(server):
    found = Lockers(server)
    yield found
    found.close()


def lua(value) -> str:
    """A value as Lua writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {lua(item)}" for key, item in value.items()) + "}"
    return "nil" if value is None else json.dumps(value)


def run(lockers, shape: str, method: str, **fields):
    """The answer of a script that calls one method; raises what `fail` says."""
    request = script.DebugInvokeRequest().with_script(shape.format(method=method, fields=lua(fields)))
    answer = script.Gs2ScriptRestClient(lockers.session).debug_invoke(request.with_user_id("user-0001").with_args("{}"))
    return answer.code, json.loads(answer.result or "null")


@pytest.mark.parametrize("shape", [PLAIN, ASYNC], ids=["plain", "async"])
def test_every_method_runs_as_documented(lockers, shape):
    name, user, token = lockers.name(), "user-0009", lockers.token("user-0009")
    called = set()

    def call(method, **fields):
        called.add(method)
        code, result = run(lockers, shape, method, **fields)
        assert code == 200, result
        return result

    namespace = {"namespaceName": name}
    made = call("create_namespace", name=name, description=None, logSetting={"loggingNamespaceId": "grn:l"})["item"]
    assert made["name"] == name and made["logSetting"]["loggingNamespaceId"] == "grn:l"
    assert name in [item["name"] for item in call("describe_namespaces", pageToken=None, limit=1000)["items"]]
    assert call("get_namespace_status", **namespace)["status"] == "ACTIVE"
    assert call("get_namespace", **namespace)["item"] == made
    assert call("update_namespace", **namespace, description="description1", logSetting=None)["item"]["description"]
    assert call("get_service_version")["item"]
    mine = namespace | {"propertyId": "property-0001", "accessToken": token}
    his = namespace | {"propertyId": "property-0001", "userId": user, "timeOffsetToken": None}
    by = {"transactionId": "transaction1"}
    first = call("lock", **mine, **by, ttl=100)["item"]
    second = call("lock_by_user_id", **his, **by, ttl=100)["item"]
    assert first["revision"] == second["revision"] and second["userId"] == user
    assert call("get_mutex", **mine)["item"] == call("get_mutex_by_user_id", **his)["item"] == second
    assert len(call("describe_mutexes", **namespace, accessToken=token)["items"]) == 1
    assert len(call("describe_mutexes_by_user_id", **namespace, userId=user)["items"]) == 1
    assert call("unlock", **mine, **by)["item"] == call("unlock_by_user_id", **his, **by)["item"] == second
    call("lock_by_user_id", **his, **by, ttl=100)
    assert call("delete_mutex_by_user_id", **his)["item"]["transactionId"] == "transaction1"
    assert call("delete_namespace", **namespace)["item"]["name"] == name
    assert called == set(methods()["lock"])


def test_a_refusal_reaches_the_script(lockers):
    lockers.lock("s-1", "holder")
    fields = {"namespaceName": lockers.namespace, "userId": "user-0001", "propertyId": "s-1", "transactionId": "t", "ttl": 5}
    code, result = run(lockers, PLAIN, "lock_by_user_id", **fields)
    assert code == 409 and result[0]["code"] == "lock.mutex.locked"
    code, result = run(lockers, ASYNC, "unlock_by_user_id", **fields)
    assert code == 409 and result[0]["message"] == "lock.mutex.transactionId.error.notMatch"


def test_built_in_scripts_lock_and_unlock_as_jobs(lockers, server):
    players = Players(server)
    try:
        queue = players.namespace()
        fields = {"namespaceName": lockers.namespace, "userId": "user-0001", "propertyId": "s-2", "transactionId": "job"}
        front = "grn:gs2:ap-northeast-1:system:script:x:script:execute_lock_"
        players.push(queue, (front + "lock_by_user_id", fields | {"ttl": 60}), (front + "lock_by_user_id", fields | {"ttl": 0}, 1),
                     (front + "unlock_by_user_id", fields))  # fmt: skip
        assert players.run(queue).result.status_code == 200
        assert lockers.get("s-2").transaction_id == "job"
        bad = players.run(queue).result
        assert bad.status_code == 400 and json.loads(bad.result)[0]["message"] == "lock.mutex.ttl.error.invalid"
        done = players.jobs.run_by_user_id(
            job_queue.RunByUserIdRequest().with_namespace_name(queue).with_user_id("user-0001")
        ).result
        assert done.status_code == 200 and json.loads(done.result)["item"]["propertyId"] == "s-2"
        with pytest.raises(core.NotFoundException):
            lockers.get("s-2")
    finally:
        players.session.disconnect()
