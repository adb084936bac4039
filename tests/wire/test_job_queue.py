"""GS2-JobQueue by the official Python client, unmodified, against the running server."""

from __future__ import annotations

import json

import pytest
from gs2 import core, job_queue

from gs2admin import __version__
from tests.wire.players import Players

GRN = "grn:gs2:ap-northeast-1:isles-owner:queue"
ECHO = "result = {got = args.n, by = userId}"
FAIL = "fail(503, 'not now')"


@pytest.fixture(scope="module")
def players(server) -> Players:
    return Players(server)


def test_a_namespace_keeps_every_setting_exactly(players):
    transaction = (
        job_queue.TransactionSetting().with_enable_auto_run(True).with_enable_atomic_commit(True)
        .with_transaction_use_distributor(True).with_commit_script_result_in_use_distributor(True)
        .with_acquire_action_use_job_queue(True).with_enable_sequential_execution(True)
        .with_distributor_namespace_id("grn:gs2:r:o:distributor:d").with_key_id("grn:gs2:r:o:key:k:key:k")
        .with_queue_namespace_id("grn:gs2:r:o:queue:q")
    )  # fmt: skip
    second = (
        job_queue.TransactionSettingV2().with_distributor_namespace_id("grn:x").with_enable_parallel_execution(True)
    )
    message = job_queue.MobileNotificationMessage().with_locale("ja").with_title("題").with_message("文")
    push = (
        job_queue.NotificationSetting().with_gateway_namespace_id("grn:gs2:r:o:gateway:g").with_enable("Disabled")
        .with_enable_transfer_mobile_notification(True).with_sound("bell").with_mobile_notification_messages([message])
    )  # fmt: skip
    run = job_queue.NotificationSetting().with_gateway_namespace_id("grn:gs2:r:o:gateway:h").with_enable("Enabled")
    run.with_enable_transfer_mobile_notification(False)
    log = job_queue.LogSetting().with_logging_namespace_id("grn:gs2:r:o:log:l")
    name = players.namespace(
        description="for players", transaction_setting=transaction, transaction_setting_v2=second, enable_auto_run=True,
        push_notification=push, run_notification=run, log_setting=log,
    )  # fmt: skip
    get = job_queue.GetNamespaceRequest().with_namespace_name(name)
    item = players.jobs.get_namespace(get).item
    assert item.namespace_id == f"{GRN}:{name}" and item.enable_auto_run is True and item.description == "for players"
    assert item.transaction_setting.to_dict() == transaction.to_dict()
    assert item.transaction_setting_v2.to_dict() == second.to_dict()
    assert item.push_notification.to_dict() == push.to_dict() and item.run_notification.to_dict() == run.to_dict()
    assert item.log_setting.to_dict() == log.to_dict()

    # An update that names nothing, and one full of nothing, change nothing.
    update = job_queue.UpdateNamespaceRequest().with_namespace_name(name)
    assert players.jobs.update_namespace(update).item.to_dict() == item.to_dict()
    nothing = dict.fromkeys(("description", "transactionSetting", "enableAutoRun", "logSetting")) | {
        "pushNotification": {"gatewayNamespaceId": None, "enable": None}, "runNotification": {}, "description": "",
    }  # fmt: skip
    again = players.server.call("PUT", f"/job-queue/{name}", json=nothing).json()["item"]
    assert again["pushNotification"]["sound"] == "bell" and again["revision"] == item.revision
    # What is named changes, and only that.
    changed = players.jobs.update_namespace(update.with_enable_auto_run(False).with_description("new")).item
    assert (changed.enable_auto_run, changed.description) == (False, "new") and changed.revision > item.revision
    assert changed.transaction_setting.to_dict() == transaction.to_dict()
    assert changed.updated_at >= changed.created_at > 1_700_000_000_000


def test_defaults_are_the_contracts(players):
    name = players.namespace(
        transaction_setting=job_queue.TransactionSetting().with_enable_auto_run(True),
        run_notification=job_queue.NotificationSetting().with_sound("x"),
    )
    item = players.jobs.get_namespace(job_queue.GetNamespaceRequest().with_namespace_name(name)).item
    assert item.enable_auto_run is False and item.push_notification is None and item.log_setting is None
    front = "grn:gs2:ap-northeast-1:isles-owner"
    assert item.transaction_setting.distributor_namespace_id == f"{front}:distributor:default"
    assert item.transaction_setting.queue_namespace_id == f"{front}:queue:default"
    assert item.transaction_setting.enable_atomic_commit is False
    assert item.run_notification.gateway_namespace_id == f"{front}:gateway:default"
    assert (item.run_notification.enable, item.run_notification.enable_transfer_mobile_notification) == (
        "Enabled",
        False,
    )


def test_namespaces_are_listed_by_prefix_and_page_and_deleted(players):
    names = sorted(players.namespace() for _ in range(3))
    request = job_queue.DescribeNamespacesRequest().with_name_prefix("queue-").with_limit(2)
    seen, token = [], None
    while True:
        page = players.jobs.describe_namespaces(request.with_page_token(token))
        seen += [item.name for item in page.items]
        token = page.next_page_token
        assert token != "null" and len(page.items) <= 2
        if token is None:
            break
    assert set(names) <= set(seen) and len(seen) == len(set(seen)) and all(name.startswith("queue-") for name in seen)
    status = job_queue.GetNamespaceStatusRequest().with_namespace_name(names[0])
    assert players.jobs.get_namespace_status(status).status == "ACTIVE"
    players.push(names[0], ("s", {}))
    gone = players.jobs.delete_namespace(job_queue.DeleteNamespaceRequest().with_namespace_name(names[0]))
    assert gone.item.name == names[0]
    with pytest.raises(core.NotFoundException) as missing:
        players.jobs.get_namespace_status(status)
    assert missing.value.errors[0].component == "namespace"
    assert missing.value.errors[0].message == "jobQueue.namespace.namespace.error.notFound"


def test_service_version(players):
    assert players.jobs.get_service_version(job_queue.GetServiceVersionRequest()).item == __version__


def test_push_list_get_and_delete(players):
    namespace = players.namespace()
    pushed = players.push(namespace, *[("script-0001", {"n": n}) for n in range(10)])
    assert pushed.auto_run is False and [json.loads(job.args)["n"] for job in pushed.items] == list(range(10))
    first = pushed.items[0]
    assert first.job_id == f"{GRN}:{namespace}:user:user-0001:job:{first.name}"
    assert (first.script_id, first.max_try_count, first.current_retry_count) == ("script-0001", 3, 0)
    request = (
        job_queue.DescribeJobsByUserIdRequest().with_namespace_name(namespace).with_user_id("user-0001").with_limit(4)
    )
    seen, token = [], None
    while True:
        page = players.jobs.describe_jobs_by_user_id(request.with_page_token(token))
        seen += page.items
        token = page.next_page_token
        if token is None:
            break
    assert [job.to_dict() for job in seen] == [job.to_dict() for job in pushed.items]
    get = (
        job_queue.GetJobByUserIdRequest()
        .with_namespace_name(namespace)
        .with_user_id("user-0001")
        .with_job_name(first.name)
    )
    assert players.jobs.get_job_by_user_id(get).item.to_dict() == first.to_dict()
    delete = job_queue.DeleteJobByUserIdRequest().with_namespace_name(namespace).with_user_id("user-0001")
    assert players.jobs.delete_job_by_user_id(delete.with_job_name(first.name)).item.name == first.name
    mine = job_queue.DeleteJobRequest().with_namespace_name(namespace).with_access_token(players.token())
    assert players.jobs.delete_job(mine.with_job_name(seen[1].name)).item.name == seen[1].name
    assert [job.name for job in players.waiting(namespace)] == [job.name for job in seen[2:]]
    for call in (lambda: players.jobs.get_job_by_user_id(get), lambda: players.jobs.delete_job(mine)):
        with pytest.raises(core.NotFoundException) as missing:
            call()
        assert missing.value.errors[0].component == "job"


def test_pages_stay_stable_while_jobs_come_and_go(players):
    namespace = players.namespace()
    pushed = players.push(namespace, *[("s", {"n": n}) for n in range(6)]).items
    request = (
        job_queue.DescribeJobsByUserIdRequest().with_namespace_name(namespace).with_user_id("user-0001").with_limit(3)
    )
    first = players.jobs.describe_jobs_by_user_id(request)
    delete = job_queue.DeleteJobByUserIdRequest().with_namespace_name(namespace).with_user_id("user-0001")
    for job in pushed[1:4]:
        players.jobs.delete_job_by_user_id(delete.with_job_name(job.name))
    rest = players.jobs.describe_jobs_by_user_id(request.with_page_token(first.next_page_token))
    assert [job.name for job in rest.items] == [job.name for job in pushed[4:]] and rest.next_page_token is None


def test_run_by_hand_in_order_with_results_and_retries(players):
    namespace = players.namespace()
    good, bad = players.script(ECHO), players.script(FAIL)
    jobs = players.push(namespace, (good, {"n": 9007199254740993}), (bad, {}, 2), (good, {"n": 2})).items
    ran = players.run(namespace)
    assert ran.item.name == jobs[0].name and ran.item.current_retry_count == 0 and ran.is_last_job is False
    assert (ran.result.try_number, ran.result.status_code) == (1, 200)
    assert json.loads(ran.result.result) == {"got": 9007199254740993, "by": "user-0001"}
    failed = players.run(namespace)
    assert (failed.item.name, failed.item.current_retry_count, failed.result.status_code) == (jobs[1].name, 1, 503)
    assert {"component", "message", "code"} == set(json.loads(failed.result.result)[0])
    assert players.waiting(namespace)[0].current_retry_count == 1
    given_up = players.run(namespace)
    assert (given_up.item.name, given_up.result.try_number, given_up.is_last_job) == (jobs[1].name, 2, False)
    request = job_queue.RunRequest().with_namespace_name(namespace).with_access_token(players.token())
    last = players.jobs.run(request)
    assert last.item.name == jobs[2].name and last.is_last_job is True
    empty = players.jobs.run(request)
    assert (empty.item, empty.result, empty.is_last_job) == (None, None, True)

    get = job_queue.GetJobResultByUserIdRequest().with_namespace_name(namespace).with_user_id("user-0001")
    for number, expected in ((None, 1), (0, 0), (1, 1)):
        item = players.jobs.get_job_result_by_user_id(get.with_job_name(jobs[1].name).with_try_number(number)).item
        assert (item.try_number, item.status_code) == (expected, 503)
        assert item.job_result_id == f"{jobs[1].job_id}:jobResult:{expected}" and item.job_id == jobs[1].job_id
        assert (item.script_id, item.args) == (bad, "{}")
    mine = job_queue.GetJobResultRequest().with_namespace_name(namespace).with_access_token(players.token())
    assert json.loads(players.jobs.get_job_result(mine.with_job_name(jobs[2].name)).item.result)["got"] == 2

    dead = players.server.call("GET", f"/job-queue/{namespace}/user/user-0001/dead").json()
    (letter,) = dead["items"]
    assert letter["deadLetterJobId"] == f"{GRN}:{namespace}:user:user-0001:dead:{jobs[1].name}"
    assert [body["tryNumber"] for body in letter["result"]] == [1, 2] and dead["nextPageToken"] is None
    path = f"/job-queue/{namespace}/user/user-0001/dead/{jobs[1].name}"
    assert players.server.call("GET", path).json()["item"] == letter
    assert players.server.call("DELETE", path).json()["item"] == letter
    assert players.server.call("GET", path).status_code == 404


def test_before_an_attempt_there_is_no_result(players):
    namespace = players.namespace()
    (job,) = players.push(namespace, ("s", {})).items
    get = (
        job_queue.GetJobResultByUserIdRequest()
        .with_namespace_name(namespace)
        .with_user_id("user-0001")
        .with_job_name(job.name)
    )
    for number in (None, 0, 5):
        with pytest.raises(core.NotFoundException) as missing:
            players.jobs.get_job_result_by_user_id(get.with_try_number(number))
        assert missing.value.errors[0].component == "jobResult"
        assert missing.value.errors[0].message == "jobQueue.jobResult.jobResult.error.notFound"


def test_an_auto_run_namespace_says_so_and_is_not_run_by_hand(players):
    namespace = players.namespace(enable_auto_run=True)
    pushed = players.push(namespace, ("s", {}))
    assert pushed.auto_run is True
    ran = players.run(namespace)
    assert (ran.item, ran.result, ran.is_last_job) == (None, None, True)


def test_an_unknown_script_is_accepted_and_fails_at_run(players):
    namespace = players.namespace()
    players.push(namespace, ("nowhere", {}))
    result = players.run(namespace).result
    assert result.status_code == 404 and json.loads(result.result)[0]["component"] == "script"


def test_built_in_scripts_run_api_methods(players):
    namespace = players.namespace()
    inner = {"namespaceName": namespace, "userId": "user-0002", "jobs": [{"scriptId": "s", "args": "{}"}]}
    players.push(namespace, ("grn:gs2:ap-northeast-1:system:script:x:script:execute_job_queue_push_by_user_id", inner))
    result = players.run(namespace).result
    assert result.status_code == 200 and json.loads(result.result)["autoRun"] is False
    assert len(players.waiting(namespace, "user-0002")) == 1


def test_an_access_token_reaches_only_its_own_queue(players):
    namespace = players.namespace()
    players.push(namespace, (players.script(ECHO), {"n": 1}), user="user-0001")
    ran = players.jobs.run(
        job_queue.RunRequest().with_namespace_name(namespace).with_access_token(players.token("user-0002"))
    )
    assert ran.item is None and len(players.waiting(namespace)) == 1
    with pytest.raises(core.UnauthorizedException):
        players.jobs.run(job_queue.RunRequest().with_namespace_name(namespace).with_access_token("nobody"))
    with pytest.raises(core.UnauthorizedException):
        players.jobs.run(job_queue.RunRequest().with_namespace_name(namespace))


def test_args_are_kept_to_the_last_byte(players):
    namespace = players.namespace()
    args = '{"a" :  1.10, "a":18446744073709551616, "é": "\\u00e9", "pad": "' + "x" * 131_000
    args += "x" * (131_072 - len(args) - 2) + '"}'
    entries = [job_queue.JobEntry().with_script_id("s").with_args(args) for _ in range(10)]
    request = (
        job_queue.PushByUserIdRequest().with_namespace_name(namespace).with_user_id("user-0001").with_jobs(entries)
    )
    assert {job.args for job in players.jobs.push_by_user_id(request).items} == {args}
    assert {job.args for job in players.waiting(namespace)} == {args}


def test_go_sends_null_jobs_and_structs_of_nulls(players):
    namespace = players.namespace()
    path = f"/job-queue/{namespace}/user/user-0001/job"
    for jobs in (None, [], ""):
        assert players.server.call("POST", path, json={"jobs": jobs}).json() == {"items": [], "autoRun": False}
    entry = {"scriptId": "s", "args": None, "maxTryCount": None}
    (job,) = players.server.call("POST", path, json={"jobs": [entry]}).json()["items"]
    assert (job["args"], job["maxTryCount"]) == ("{}", 3)
    (job,) = players.server.call("POST", path, json={"jobs": [{"scriptId": "s", "maxTryCount": "0"}]}).json()["items"]
    assert job["maxTryCount"] == 3


def test_user_ids_of_all_kinds_have_queues_of_their_own(players):
    namespace = players.namespace()
    for user in ("null-ish", "user:1", "user+1", "プレイヤー", "a b", "100%", "x" * 128):
        (job,) = players.push(namespace, ("s", {}), user=user).items
        assert job.user_id == user and job.job_id.endswith(f":user:{user}:job:{job.name}")
        assert [found.name for found in players.waiting(namespace, user)] == [job.name]
