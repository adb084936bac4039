"""GS2-Script by the official Python client against the running server, and what scripts leave in the activity log."""

from __future__ import annotations

import json

import pytest
from gs2 import core, job_queue, script

from gs2admin import __version__
from tests.wire.players import Players
from tests.wire.test_refusals import problems

GRN = "grn:gs2:ap-northeast-1:isles-owner:script"


@pytest.fixture(scope="module")
def players(server) -> Players:
    return Players(server)


@pytest.fixture(scope="module")
def namespace(players) -> str:
    request = script.CreateNamespaceRequest().with_name(players.name("scripts")).with_description("d")
    return players.scripts.create_namespace(request).item.name


def create(players, namespace: str, source: str, name: str | None = None):
    request = script.CreateScriptRequest().with_namespace_name(namespace).with_name(name or players.name("s"))
    return players.scripts.create_script(request.with_script(source).with_description("what it does")).item


def invoke(players, script_id: str, args=None, user: str | None = "user-0001"):
    request = script.InvokeScriptRequest().with_script_id(script_id).with_user_id(user)
    return players.scripts.invoke_script(request.with_args(json.dumps(args) if args is not None else None))


def debug(players, source: str, args=None, **more):
    request = (
        script.DebugInvokeRequest().with_script(source).with_user_id("user-0001").with_args(json.dumps(args or {}))
    )
    for key, value in more.items():
        getattr(request, f"with_{key}")(value)
    return players.scripts.debug_invoke(request)


def test_the_seven_namespace_methods(players):
    client, name = players.scripts, players.name("scripts")
    setting = (
        script.TransactionSetting().with_enable_auto_run(True).with_queue_namespace_id("grn:q").with_key_id("grn:k")
    )
    made = client.create_namespace(
        script.CreateNamespaceRequest().with_name(name).with_transaction_setting(setting)
    ).item
    assert made.namespace_id == f"{GRN}:{name}" and made.transaction_setting.queue_namespace_id == "grn:q"
    assert client.get_namespace(script.GetNamespaceRequest().with_namespace_name(name)).item.to_dict() == made.to_dict()
    assert client.get_namespace_status(script.GetNamespaceStatusRequest().with_namespace_name(name)).status == "ACTIVE"
    update = script.UpdateNamespaceRequest().with_namespace_name(name)
    assert client.update_namespace(update).item.to_dict() == made.to_dict()
    assert client.update_namespace(update.with_description("new")).item.description == "new"
    listed = client.describe_namespaces(script.DescribeNamespacesRequest().with_name_prefix(name)).items
    assert [item.name for item in listed] == [name]
    with pytest.raises(core.ConflictException) as taken:
        client.create_namespace(script.CreateNamespaceRequest().with_name(name))
    assert taken.value.errors[0].message == "script.namespace.name.error.duplicate"
    create(players, name, "result = {}")
    client.delete_namespace(script.DeleteNamespaceRequest().with_namespace_name(name))
    with pytest.raises(core.NotFoundException) as gone:
        client.get_namespace(script.GetNamespaceRequest().with_namespace_name(name))
    assert gone.value.errors[0].message == "script.namespace.namespace.error.notFound"
    assert client.get_service_version(script.GetServiceVersionRequest()).item == __version__


def test_scripts_are_stored_listed_changed_and_deleted(players, namespace):
    made = create(players, namespace, "result = {n = 1}")
    assert made.script_id == f"{GRN}:{namespace}:script:{made.name}" and made.disable_string_number_to_number is False
    get = script.GetScriptRequest().with_namespace_name(namespace).with_script_name(made.name)
    assert players.scripts.get_script(get).item.to_dict() == made.to_dict()
    assert json.loads(invoke(players, made.script_id).result) == {"n": 1}
    update = script.UpdateScriptRequest().with_namespace_name(namespace).with_script_name(made.name)
    assert players.scripts.update_script(update).item.to_dict() == made.to_dict()
    changed = players.scripts.update_script(update.with_script("result = {n = 2}")).item
    assert changed.revision == made.revision + 1 and changed.description == "what it does"
    assert json.loads(invoke(players, made.script_id).result) in ({"n": 1}, {"n": 2}), (
        "the other process may lag half a second"
    )
    versions = players.server.python(
        "from jobqueue.models import ScriptVersion\n"
        f"print([v.source for v in ScriptVersion.objects.filter(script__name={made.name!r}).order_by('revision')])"
    )
    assert versions.strip() == "['result = {n = 1}', 'result = {n = 2}']"
    for _ in range(3):
        create(players, namespace, "result = {}")
    seen, token = [], None
    while True:
        request = script.DescribeScriptsRequest().with_namespace_name(namespace).with_limit(2).with_page_token(token)
        page = players.scripts.describe_scripts(request)
        seen += [item.name for item in page.items]
        token = page.next_page_token
        if token is None:
            break
    assert made.name in seen and seen == sorted(set(seen)) and len(seen) >= 4
    delete = script.DeleteScriptRequest().with_namespace_name(namespace).with_script_name(made.name)
    assert players.scripts.delete_script(delete).item.name == made.name
    with pytest.raises(core.NotFoundException) as gone:
        players.scripts.get_script(get)
    assert gone.value.errors[0].component == "script"


def test_five_megabytes_that_do_not_parse_are_stored_and_refused_at_run(players, namespace):
    source = "-- \n" * 1_310_715 + "result = = 1\n"
    source += " " * (5_242_880 - len(source))
    made = create(players, namespace, source)
    get = script.GetScriptRequest().with_namespace_name(namespace).with_script_name(made.name)
    assert players.scripts.get_script(get).item.script == source
    ran = invoke(players, made.script_id)
    assert ran.code == 400 and "1310716" in ran.result
    too_long = players.server.call("POST", f"/script/{namespace}/script", json={"name": "x", "script": source + "x"})
    assert too_long.status_code == 400 and problems(too_long)[0]["message"] == "script.script.script.error.tooLong"


def test_an_invocation_tells_everything(players):
    ran = debug(players, "print('a', 1) print(userId) result = {sum = args.a + args.b}", {"a": 2**53 + 1, "b": 1})
    assert (ran.code, json.loads(ran.result), ran.output) == (200, {"sum": 2**53 + 2}, ["a\t1", "user-0001"])
    assert ran.atomic_commit is False and ran.transaction is None and ran.execute_time >= 0 and ran.charged >= 0
    failed = debug(players, "fail(418, 'teapot')")
    assert failed.code == 418 and json.loads(failed.result)[0]["message"] == "teapot"
    random = "local t = {} for i = 1, 5 do t[i] = math.random(1000000) end result = {t = t}"
    first = debug(players, random, random_status=script.RandomStatus().with_seed(42))
    again = debug(players, random, random_status=script.RandomStatus().with_seed(42))
    assert first.result == again.result and first.random_status.seed == 42 and first.random_status.used[0].used >= 5


def test_an_unknown_script_is_not_found(players):
    for name in (
        "nowhere",
        f"{GRN}:default:script:nowhere",
        "grn:gs2:eu-west-1:other-owner:script:default:script:script-0001",
    ):
        with pytest.raises(core.NotFoundException) as missing:
            invoke(players, name)
        assert missing.value.errors[0].component == "script"


def test_what_is_not_offered_is_in_no_table(players, namespace):
    """A key of GS2-Key, which is not served here, says how a script is read from GitHub: so that is not served either."""
    for verb, path in (
        ("POST", f"/script/{namespace}/script/from_git_hub"),
        ("PUT", f"/script/{namespace}/script/x/from_git_hub"),
    ):
        answer = players.server.call(verb, path, json={"name": "x", "checkoutSetting": {}})
        assert answer.status_code == 404 and problems(answer)[0]["message"] == "script.request.method.error.notFound"
    setting = script.GitHubCheckoutSetting().with_api_key_id("k").with_repository_name("a/b").with_source_path("x.lua")
    request = script.CreateScriptFromGitHubRequest().with_namespace_name(namespace).with_name("x").with_checkout_setting(setting)
    with pytest.raises(core.NotFoundException):
        players.scripts.create_script_from_git_hub(request)
    called = {"script": "r = gs2('script').create_script_from_git_hub({}) result = {r.isError, r.statusCode}"}
    assert players.server.call("POST", "/script/debug/invoke", json=called).json()["result"] == "[true,404]"


def test_scripts_that_start_scripts_end_somewhere(players, namespace):
    name = players.name("again")
    source = (
        f"local a = gs2('script').invoke_script({{scriptId = '{GRN}:{namespace}:script:{name}', userId = userId}})\n"
    )
    source += "result = {status = a.statusCode, inner = a.result}"
    create(players, namespace, source, name)
    ran = invoke(players, f"{GRN}:{namespace}:script:{name}")
    assert ran.code == 200 and "script.execution.nested" in ran.result and ran.result.count("inner") <= 6


def activity(server, action: str) -> list:
    return json.loads(server.python(
        "import json\nfrom gs2admin.audit.models import Activity\n"
        f"rows = Activity.objects.filter(action={action!r}).order_by('id')\n"
        "print(json.dumps([[r.actor_kind, r.actor_name, r.door, r.after] for r in rows]))"
    ))  # fmt: skip


def test_what_scripts_write_is_logged_as_theirs_and_what_clients_push_is_not(players, namespace, server):
    queue = players.namespace()
    players.push(queue, ("s", {}))
    pushing = (
        "local a = gs2('job_queue').push_by_user_id("
        "{namespaceName = args.to, userId = 'u', jobs = {{scriptId = 'x'}, {scriptId = 'y'}}})"
    )
    made = create(
        players, namespace, pushing + "\nif a.isError then fail(a.statusCode, a.errorMessage) end result = a.result"
    )
    before = len(activity(server, "job.push"))
    ran = invoke(players, made.script_id, {"to": queue})
    assert ran.code == 200, ran.result
    assert debug(players, pushing, {"to": queue}).code == 200
    lines = activity(server, "job.push")[before:]
    assert [line[:3] for line in lines] == [
        ["script", f"{namespace}/{made.name}", "script"], ["script", "try-out by game", "script"],
    ]  # fmt: skip
    assert lines[0][3]["user"] == "u" and lines[0][3]["scripts"] == ["x", "y"] and len(lines[0][3]["jobs"]) == 2


def test_user_ids_of_digits_pass_through_scripts(players):
    queue = players.namespace()
    source = (
        "local a = gs2('job_queue').push_by_user_id("
        "{namespaceName = args.to, userId = args.user, jobs = {{scriptId = 's'}}})\n"
    )
    ran = debug(
        players, source + "if a.isError then fail(a.statusCode, a.errorMessage) end", {"to": queue, "user": "123456789"}
    )
    assert ran.code == 200, ran.result
    assert len(players.waiting(queue, "123456789")) == 1


def test_scripts_reach_only_their_own_project_and_carry_tokens_and_avoiders(players):
    queue = players.namespace()
    players.push(queue, *[("nowhere", {}, 9)] * 3)
    source = (
        "local c = gs2('job_queue')\n"
        "local a = c.run({namespaceName = args.to, accessToken = args.token, duplicationAvoider = 'x-1'})\n"
        "local b = c.run({namespaceName = args.to, accessToken = args.token, duplicationAvoider = 'x-1'})\n"
        "local n = c.run({namespaceName = args.to, accessToken = 'nobody'})\n"
        "result = {same = a.result.item.name == b.result.item.name, status = a.statusCode, nobody = n.statusCode}"
    )
    ran = debug(players, source, {"to": queue, "token": players.token()})
    assert json.loads(ran.result) == {"same": True, "status": 200, "nobody": 401}
    assert players.waiting(queue)[0].current_retry_count == 1
    foreign = players.server.call(
        "POST", "/script/debug/invoke", who="theirs",
        json={"script": f"local a = gs2('job_queue').get_namespace({{namespaceName = '{queue}'}}) result = {{s = a.statusCode}}"},
    ).json()  # fmt: skip
    assert json.loads(foreign["result"]) == {"s": 404}


def test_a_time_offset_token_is_for_its_user(players):
    from gs2 import auth

    request = auth.IssueTimeOffsetTokenByUserIdRequest().with_user_id("user-0001").with_time_offset(60)
    token = auth.Gs2AuthRestClient(players.session).issue_time_offset_token_by_user_id(request).token
    queue = players.namespace()
    jobs = job_queue.DescribeJobsByUserIdRequest().with_namespace_name(queue).with_time_offset_token(token)
    assert players.jobs.describe_jobs_by_user_id(jobs.with_user_id("user-0001")).items == []
    with pytest.raises(core.UnauthorizedException):
        players.jobs.describe_jobs_by_user_id(jobs.with_user_id("user-0002"))
