"""Every GS2-Script example of the published documents runs as it stands: stored, invoked over the wire, judged by its effect."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from tests.wire.lua_samples import SAMPLES
from tests.wire.lua_world import WORLD, Sample
from tests.wire.players import Players


@pytest.fixture(scope="module")
def players(server) -> Players:
    """A project of its own, so that nothing here is met by other tests."""
    server.credentials["lua"] = json.loads(server.python(WORLD).splitlines()[-1])
    found = Players(server, "lua")
    yield found
    found.session.disconnect()


CASES: dict[tuple[str, str], Callable[[Sample], None]] = {}


def example(*services: str):
    """The function tells what the example of its name does; of each of these services."""

    def register(case: Callable[[Sample], None]) -> Callable[[Sample], None]:
        CASES.update({(service, case.__name__): case for service in services})
        return case

    return register


@pytest.mark.parametrize("form", ["plain", "async"])
@pytest.mark.parametrize(("service", "method"), [(service, method) for service in SAMPLES for method in SAMPLES[service]])
def test_the_example_does_what_it_says(players, service, method, form):
    CASES[service, method](Sample(players, service, method, form))


@example("job_queue", "lock")
def describe_namespaces(it):
    it.ns = "a" + it.ns  # among the first thirty
    assert it.make().namespace() in it()["items"]


@example("job_queue", "lock")
def create_namespace(it):
    assert it.namespace() is None
    made = it()["item"]
    assert it.namespace() == made and made["name"] == it.ns
    assert made["logSetting"]["loggingNamespaceId"].startswith("grn:gs2:ap-northeast-1:YourOwnerId:log:namespace")


@example("job_queue", "lock")
def get_namespace_status(it):
    assert it.make()() == {"status": "ACTIVE"}


@example("job_queue", "lock")
def get_namespace(it):
    assert it.make()()["item"] == it.namespace()


@example("job_queue", "lock")
def update_namespace(it):
    before = it.make().namespace()
    after = it()["item"]
    assert it.namespace() == after and after["description"] == "description1" and "description" not in before
    assert after["logSetting"]["loggingNamespaceId"] and "logSetting" not in before


@example("job_queue", "lock")
def delete_namespace(it):
    before = it.make().namespace()
    assert it()["item"]["namespaceId"] == before["namespaceId"]
    assert it.namespace() is None


@example("job_queue")
def get_service_version(it):
    assert it() == it.ask("GET", "system/version")


@example("job_queue")
def dump_user_data_by_user_id(it):
    assert it() == {} and it.runs(it.user) == [("dump", "waiting")]


@example("job_queue")
def check_dump_user_data_by_user_id(it):
    assert it.get(it(user=f"start_dump-{it.form}")["url"]).content.startswith(b"PK")


@example("job_queue")
def clean_user_data_by_user_id(it):
    it.push()
    assert it() == {} and it.runs(it.user) == [("clean", "waiting")]
    it.work()
    assert it.waiting() == []


@example("job_queue")
def check_clean_user_data_by_user_id(it):
    assert it(user=f"start_clean-{it.form}") == {}


@example("job_queue")
def prepare_import_user_data_by_user_id(it):
    prepared = it()
    assert prepared["uploadToken"] and it.runs(it.user) == [("import", "prepared")]
    assert httpx.put(it.players.server.url + prepared["uploadUrl"], content=b"what is sent").status_code == 200
    assert it.runs(it.user) == [("import", "uploaded")]


def _uploaded(it: Sample) -> str:
    """Upload the dump of a player with two jobs, who has none since; returns the token of the import."""
    names = it.push()
    it.ask("POST", "system/dump/user/{user}")
    it.work()
    file = httpx.get(it.ask("GET", "system/dump/user/{user}")["url"]).content
    for name in names:
        it.ask("DELETE", f"{{ns}}/user/{{user}}/job/{name}")
    prepared = it.ask("POST", "system/import/user/{user}/prepare")
    assert httpx.put(prepared["uploadUrl"], content=file).status_code == 200
    return prepared["uploadToken"]


@example("job_queue")
def import_user_data_by_user_id(it):
    token = _uploaded(it)
    assert it.waiting() == [] and it(upload=token) == {}
    it.work()
    assert len(it.waiting()) == 2


@example("job_queue")
def check_import_user_data_by_user_id(it):
    token = _uploaded(it)
    it.ask("POST", "system/import/user/{user}", uploadToken=token)
    it.work()
    assert "Begun by" in it.get(it(upload=token)["url"]).text


@example("job_queue")
def describe_jobs_by_user_id(it):
    names = it.push()
    found = it()
    assert [item["name"] for item in found["items"]] == names and not found.get("nextPageToken")


@example("job_queue")
def get_job_by_user_id(it):
    _, second = it.push()
    assert it(job=second)["item"]["name"] == second


@example("job_queue")
def push_by_user_id(it):
    pushed = it.make()()
    assert [item["args"] for item in pushed["items"]] == ['{"hoge": "fuga"}', '{"piyo": "piyopiyo"}']
    assert it.waiting() == [item["name"] for item in pushed["items"]] and pushed["autoRun"] is False


@example("job_queue")
def run(it):
    first, second = it.push()
    ran = it()
    assert ran["statusCode"] == 200 and json.loads(ran["result"]) == {"got": {"n": 1}}
    assert it.waiting() == [second] and it.ask("GET", f"{{ns}}/user/{{user}}/job/{first}/result")["item"]["tryNumber"] == 0


CASES["job_queue", "run_by_user_id"] = run


@example("job_queue")
def delete_job(it):
    first, second = it.push()
    assert it(job=first)["item"]["name"] == first and it.waiting() == [second]


CASES["job_queue", "delete_job_by_user_id"] = delete_job


@example("job_queue")
def get_job_result(it):
    first, _ = it.push()
    it.ask("POST", "{ns}/user/{user}/job/run")
    item = it(job=first)["item"]
    assert item["tryNumber"] == 0 and item["statusCode"] == 200 and json.loads(item["result"]) == {"got": {"n": 1}}


CASES["job_queue", "get_job_result_by_user_id"] = get_job_result


@example("freeze")
def describe_stages(it):
    assert it() == it.ask("GET", "")


@example("freeze")
def get_stage(it):
    found = it()
    assert found["item"]["name"] == f"old-{it.form}" and [row["name"] for row in found["source"]] == ["battle"]
    assert found == it.stage(f"old-{it.form}")


@example("freeze")
def describe_outputs(it):
    found = it()
    assert len(found["items"]) >= 5 and found == it.ask("GET", f"old-{it.form}/progress/output")


@example("freeze")
def get_output(it):
    output = it.ask("GET", f"old-{it.form}/progress/output")["items"][1]
    assert it(output=output["name"])["item"] == output


@example("freeze")
def promote_stage(it):
    name = f"fresh-{it.form}"
    assert it.stage(name)["current"] == []
    planned = it.stage(name)["source"]
    assert it(stage=name)["item"]["status"] == "Updating" == it.stage(name)["item"]["status"]
    it.players.server.finish_rollouts()
    assert it.stage(name)["current"] == planned != []


@example("freeze")
def rollback_stage(it):
    name = f"old-{it.form}"
    assert [row["version"] for row in it.stage(name)["current"]] == ["1.1"]
    assert it()["item"]["status"] == "Updating"
    it.players.server.finish_rollouts()
    assert [row["version"] for row in it.stage(name)["current"]] == ["1.0"]


@example("lock")
def lock(it):
    assert it.make().mutex() is None
    held = it()["item"]
    assert it.mutex() == held and (held["userId"], held["transactionId"]) == (it.user, "transaction-0001")
    ttl_s = 10 if it.method == "lock_by_user_id" else 100_000
    assert held["ttlAt"] - held["createdAt"] == ttl_s * 1000


CASES["lock", "lock_by_user_id"] = lock


@example("lock")
def unlock(it):
    held = it.lock()
    assert it()["item"] == held and it.mutex() is None


CASES["lock", "unlock_by_user_id"] = unlock


@example("lock")
def get_mutex(it):
    assert it.lock() == it()["item"]


CASES["lock", "get_mutex_by_user_id"] = get_mutex


@example("lock")
def delete_mutex_by_user_id(it):
    it.lock()
    held = it.lock()  # twice: no unlock would free it
    assert it()["item"] == held and it.mutex() is None
