"""The Lua examples of GS2's documents for freeze and job queues, in their own shape, one after the other as they make sense.

Each is run twice by debugInvoke, in its plain form and in its _async form; only the names of things are ours.
"""

from __future__ import annotations

import json

import httpx
import pytest
from gs2 import script

from tests.wire.players import Players

PLAIN = """client = gs2('{service}')

api_result = client.{method}({{
{fields}}})

if(api_result.isError) then
    -- When error occurs
    fail(api_result['statusCode'], api_result['errorMessage'])
end

result = api_result.result
{rest}"""
ASYNC = """client = gs2('{service}')

api_result_handler = client.{method}_async({{
{fields}}})

api_result = api_result_handler()  -- Call the handler to get the result

if(api_result.isError) then
    -- When error occurs
    fail(api_result['statusCode'], api_result['errorMessage'])
end

result = api_result.result
{rest}"""
# method -> (fields, what the example does with the result). <…> stands for a name of ours.
_NS, _USER, _OFFSET = 'namespaceName="<ns>",', 'userId="<user>",', "timeOffsetToken=nil,"
_LOG = 'logSetting={\nloggingNamespaceId="grn:gs2:ap-northeast-1:YourOwnerId:log:namespace-0001",\n},'
_UNSET = "transactionSetting=nil,\nenableAutoRun=nil,\npushNotification=nil,\nrunNotification=nil,"
_PAGE = ("items = result.items;", "nextPageToken = result.nextPageToken;")
_RAN = ("item = result.item;", "result = result.result;", "isLastJob = result.isLastJob;")
_JOBS = (
    'jobs={\n{\nscriptId="script-0001",\nargs="{\\"hoge\\": \\"fuga\\"}",\n},\n'
    '{\nscriptId="script-0001",\nargs="{\\"piyo\\": \\"piyopiyo\\"}",\n}\n},'
)
_ITEM, _ITEMS, _TOKEN, _JOB = ("item = result.item;",), ("items = result.items;",), 'accessToken="<token>",', 'jobName="<job>",'
QUEUES = {
    "describe_namespaces": (("namePrefix=nil,", "pageToken=nil,", "limit=nil,"), _PAGE),
    "create_namespace": (('name="<ns>",', "description=nil,", _UNSET, _LOG), _ITEM),
    "get_namespace_status": ((_NS,), ("status = result.status;",)),
    "get_namespace": ((_NS,), _ITEM),
    "update_namespace": ((_NS, 'description="description1",', _UNSET, _LOG), _ITEM),
    "delete_namespace": ((_NS,), _ITEM),
    "get_service_version": ((), _ITEM),
    "dump_user_data_by_user_id": ((_USER, _OFFSET), ()),
    "check_dump_user_data_by_user_id": ((_USER, _OFFSET), ("url = result.url;",)),
    "clean_user_data_by_user_id": ((_USER, _OFFSET), ()),
    "check_clean_user_data_by_user_id": ((_USER, _OFFSET), ()),
    "prepare_import_user_data_by_user_id": (
        (_USER, _OFFSET), ("uploadToken = result.uploadToken;", "uploadUrl = result.uploadUrl;"),
    ),
    "import_user_data_by_user_id": ((_USER, 'uploadToken="<upload>",', _OFFSET), ()),
    "check_import_user_data_by_user_id": ((_USER, 'uploadToken="<upload>",', _OFFSET), ("url = result.url;",)),
    "describe_jobs_by_user_id": ((_NS, _USER, "pageToken=nil,", "limit=nil,", _OFFSET), _PAGE),
    "get_job_by_user_id": ((_NS, _USER, _JOB, _OFFSET), _ITEM),
    "push_by_user_id": ((_NS, _USER, _JOBS, _OFFSET), (*_ITEMS, "autoRun = result.autoRun;")),
    "run": ((_NS, _TOKEN), _RAN),
    "run_by_user_id": ((_NS, _USER, _OFFSET), _RAN),
    "delete_job": ((_NS, _TOKEN, _JOB), _ITEM),
    "delete_job_by_user_id": ((_NS, _USER, _JOB, _OFFSET), _ITEM),
    "get_job_result": ((_NS, _TOKEN, _JOB, "tryNumber=nil,"), _ITEM),
    "get_job_result_by_user_id": ((_NS, _USER, _JOB, "tryNumber=nil,", _OFFSET), _ITEM),
}  # fmt: skip
_STAGE = 'stageName="<stage>",'
STAGES = {
    "describe_stages": ((), _ITEMS),
    "get_stage": ((_STAGE,), (*_ITEM, "source = result.source;", "current = result.current;")),
    "promote_stage": ((_STAGE,), _ITEM),
    "rollback_stage": ((_STAGE,), _ITEM),
    "describe_outputs": ((_STAGE, "pageToken=nil,", "limit=nil,"), _PAGE),
    "get_output": ((_STAGE, 'outputName="<output>",'), _ITEM),
}
WORLD = """
import json
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services import create_credential, create_project
from stages.services import create_stage, register_version
from jobqueue.services.namespaces import create_script_namespace
from jobqueue.services.scripts import create_script
project = create_project(actor=SYSTEM, name="lua", owner_id="lua-owner")
row, secret = create_credential(actor=SYSTEM, project=project, name="game")
space = create_script_namespace(actor=SYSTEM, project=project, name="default")
create_script(actor=SYSTEM, namespace=space, name="script-0001", source="result = {got = args}")
for name in ("stage-plain", "stage-async"):
    create_stage(actor=SYSTEM, project=project, name=name)
register_version(actor=SYSTEM, project=project, microservice="battle", version="1.0")
print(json.dumps({"clientId": row.client_id, "clientSecret": secret}))
"""
VERSION = """
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Project
from stages.services import register_version
register_version(actor=SYSTEM, project=Project.objects.get(name="lua"), microservice="battle", version={version!r})
"""
WORK = "from jobqueue.models import UserDataRun\nfrom jobqueue.userdata.tasks import perform\n" + (
    "for pk in list(UserDataRun.objects.filter(state='waiting').values_list('pk', flat=True)): perform(pk)"
)


@pytest.fixture(scope="module")
def players(server) -> Players:
    """A project of its own, so that nothing here is met by other tests."""
    server.credentials["lua"] = json.loads(server.python(WORLD).splitlines()[-1])
    return Players(server, "lua")


@pytest.fixture(params=["plain", "async"])
def sample(request, players):
    """sample(method, name=value, …) runs an example and returns its result; sample.ran has the methods."""

    def run(method: str, **names: str) -> dict:
        service, found = ("freeze", STAGES[method]) if method in STAGES else ("job_queue", QUEUES[method])
        fields, rest = ("".join(f"{line}\n" for line in lines) for lines in found)
        source = (PLAIN if request.param == "plain" else ASYNC).format(service=service, method=method, fields=fields, rest=rest)
        for name, value in names.items():
            source = source.replace(f"<{name}>", value)
        assert "<" not in source
        done = players.scripts.debug_invoke(script.DebugInvokeRequest().with_script(source).with_args("{}").with_user_id("u"))
        assert done.code == 200, (method, done.result, source)
        run.ran.add(method)
        return json.loads(done.result)

    run.ran, run.form = set(), request.param
    return run


def test_the_examples_of_job_queues(sample, players, server):
    names = {"ns": f"namespace-{sample.form}", "user": f"user-{sample.form}"}
    names["token"] = players.token(names["user"])
    assert sample("create_namespace", **names)["item"]["name"] == names["ns"]
    assert names["ns"] in [item["name"] for item in sample("describe_namespaces")["items"]]
    assert sample("get_namespace_status", **names) == {"status": "ACTIVE"}
    assert sample("get_namespace", **names)["item"]["logSetting"]["loggingNamespaceId"].endswith("namespace-0001")
    assert sample("update_namespace", **names)["item"]["description"] == "description1"
    assert sample("get_service_version")["item"]
    pushed = sample("push_by_user_id", **names)
    assert [item["args"] for item in pushed["items"]] == ['{"hoge": "fuga"}', '{"piyo": "piyopiyo"}']
    assert pushed["autoRun"] is False
    first, second = (item["name"] for item in sample("describe_jobs_by_user_id", **names)["items"])
    assert sample("get_job_by_user_id", job=first, **names)["item"]["name"] == first
    assert sample("run", **names)["statusCode"] == 200
    assert sample("run_by_user_id", **names)["statusCode"] == 200
    assert sample("get_job_result", job=first, **names)["item"]["tryNumber"] == 0
    assert json.loads(sample("get_job_result_by_user_id", job=second, **names)["item"]["result"]) == {"got": {"piyo": "piyopiyo"}}
    third, fourth = (item["name"] for item in sample("push_by_user_id", **names)["items"])
    assert sample("delete_job", job=third, **names)["item"]["name"] == third
    assert sample("delete_job_by_user_id", job=fourth, **names)["item"]["name"] == fourth

    assert sample("dump_user_data_by_user_id", **names) == {}
    server.python(WORK)
    # A script that runs as a job has no request whose host it could name: links begin at the root of ours.
    data = httpx.get(server.url + sample("check_dump_user_data_by_user_id", **names)["url"]).content
    assert sample("clean_user_data_by_user_id", **names) == {}
    server.python(WORK)
    assert sample("check_clean_user_data_by_user_id", **names) == {}
    prepared = sample("prepare_import_user_data_by_user_id", **names)
    assert httpx.put(server.url + prepared["uploadUrl"], content=data).status_code == 200
    assert sample("import_user_data_by_user_id", upload=prepared["uploadToken"], **names) == {}
    server.python(WORK)
    assert sample("check_import_user_data_by_user_id", upload=prepared["uploadToken"], **names)["url"]
    assert sample("delete_namespace", **names)["item"]["name"] == names["ns"]
    assert sample.ran == set(QUEUES)


def test_the_examples_of_stages(sample, server):
    stage = f"stage-{sample.form}"
    assert stage in [item["name"] for item in sample("describe_stages")["items"]]
    for version in (f"1.1-{sample.form}", f"1.2-{sample.form}"):
        server.python(VERSION.format(version=version))
        assert sample("promote_stage", stage=stage)["item"]["status"] == "Updating"
        server.finish_rollouts()
        assert [item["version"] for item in sample("get_stage", stage=stage)["current"]] == [version]
    assert sample("rollback_stage", stage=stage)["item"]["status"] == "Updating"
    output = sample("describe_outputs", stage=stage)["items"][0]
    assert sample("get_output", stage=stage, output=output["name"])["item"] == output
    assert sample.ran == set(STAGES)
