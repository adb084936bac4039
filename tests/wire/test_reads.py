"""Reads of GS2 and of our own JSON API: one statement each, of the caller's project alone, by indexes, and small whatever rows hold."""
from __future__ import annotations

import re
from contextlib import contextmanager

import pytest
from django.db import connection, connections
from django.db.models.functions import Now

from bench.world import register
from gs2admin.db import fences, raw
from gs2admin.identity.actors import SYSTEM, from_credential
from gs2admin.wire import paging
from gs2admin.wire.call import Call, CallContext
from gs2admin.wire.dispatch import dispatch
from gs2admin.wire.failures import Failure
from gs2admin.wire.table import table
from jobqueue.api import dead_letters
from jobqueue.models import Job, JobResult, Namespace, Queue, Script, ScriptNamespace
from locks.models import LockNamespace
from locks.services import lock
from stages.models import Output, Rollout, Stage, VersionSet
from stages.setup.stages import create_stage

pytestmark = pytest.mark.django_db
PLAYER = {"namespaceName": "ns", "userId": "u'1%s"}
GETS = {
    ("job-queue", "job", "getJobByUserId"): PLAYER | {"jobName": "waiting"},
    ("job-queue", "jobResult", "getJobResultByUserId"): PLAYER | {"jobName": "done"},
    ("job-queue", "deadLetterJob", "getDeadLetterJobByUserId"): PLAYER | {"deadLetterJobName": "dead"},
    ("script", "script", "getScript"): {"namespaceName": "ns", "scriptName": "s1"},
    ("lock", "mutex", "getMutexByUserId"): PLAYER | {"propertyId": "p1"},
    ("freeze", "stage", "getStage"): {"stageName": "live"},
    ("freeze", "output", "getOutput"): {"stageName": "live", "outputName": "output"},
    ("api", "stage", "getStage"): {"name": "live"},
    ("api", "rollout", "getRollout"): {"number": 8},
    **{(service, "namespace", function): {"namespaceName": "ns"}
       for service in ("job-queue", "script", "lock") for function in ("getNamespace", "getNamespaceStatus")},
}  # fmt: skip
LISTS = {
    ("job-queue", "job", "describeJobsByUserId"): PLAYER,
    ("job-queue", "deadLetterJob", "describeDeadLetterJobsByUserId"): PLAYER,
    ("script", "script", "describeScripts"): {"namespaceName": "ns"},
    ("lock", "mutex", "describeMutexesByUserId"): PLAYER,
    ("freeze", "stage", "describeStages"): {},
    ("freeze", "output", "describeOutputs"): {"stageName": "live"},
    ("api", "stage", "listStages"): {},
    ("api", "version", "listVersions"): {"microservice": "auth"},
    **{(service, "namespace", "describeNamespaces"): {} for service in ("job-queue", "script", "lock")},
}  # fmt: skip


@pytest.fixture
def names(project) -> dict[str, str]:
    """Something of everything in `project`; the names of what has names of our making."""
    user, queue_space = PLAYER["userId"], Namespace.objects.create(project=project, name="ns", log_setting={"a": ["%s"]})
    queue = Queue.objects.create(namespace=queue_space, user_id=user, waiting=3)
    done, *_, waiting = (Job.objects.create(queue=queue, script_id=f"s{n}", args=f'{{"n": {n}}}') for n in range(4))
    Job.objects.filter(pk=done.pk).update(state="done", try_count=2)
    for number in range(2):
        JobResult.objects.create(job=done, try_number=number, status_code=200 + number, result=f"[{number}]")
    dead = Job.objects.create(queue=queue, script_id="s", state="given_up", try_count=3)
    for number in range(2):
        JobResult.objects.create(job=dead, try_number=number, status_code=500, result=f"[{number}]")
    scripts = ScriptNamespace.objects.create(project=project, name="ns")
    Script.objects.bulk_create(Script(namespace=scripts, name=f"s{n}", source=f"-- {n}") for n in range(3))
    locks = LockNamespace.objects.create(project=project, name="ns")
    for number in range(3):
        lock(actor=SYSTEM, namespace=locks, user_id=user, property_id=f"p{number}", transaction_id="t", ttl_s=60)
    versions = VersionSet.objects.create(project=project, number=1, digest="1" * 64, versions={"b": "2", "a": "1"}, size=2)
    dev = create_stage(actor=SYSTEM, project=project, name="dev")
    live = create_stage(actor=SYSTEM, project=project, name="live", source=dev)
    Stage.objects.update(current_set=versions)
    rollout = Rollout.objects.create(project=project, stage=live, number=7, kind="promote", state="failed", consistent=False,
                                     from_set=versions, to_set=versions, started_at=Now(), ended_at=Now())  # fmt: skip
    Rollout.objects.create(project=project, stage=dev, number=8, kind="promote", state="succeeded", from_set=None, to_set=versions,
                           started_at=Now(), ended_at=Now())  # fmt: skip
    register(project, ["auth", "chat"], "1.0"), register(project, ["auth"], "1.1")
    outputs = Output.objects.bulk_create(Output(rollout=rollout, stage=live, seq=n + 1, text=f"line {n}") for n in range(3))
    return {"waiting": str(waiting.name), "done": str(done.name), "dead": str(dead.name), "output": str(outputs[1].name)}


@pytest.fixture
def ask(names, credential, foreign_credential):
    """ask(method, fields, ours=True) is the answer's body, or the Failure."""
    calls = [Call(CallContext("gs2"), from_credential(row, door="gs2"), row.project, row)
             for row in (credential[0], foreign_credential[0])]  # fmt: skip

    def act(method: tuple[str, str, str], fields: dict, *, ours: bool = True):
        sent = {key: names.get(value, value) if isinstance(value, str) else value for key, value in fields.items()}
        try:
            return dispatch(table().by_name[method], calls[not ours], sent).body
        except Failure as failure:
            return failure

    return act


@contextmanager
def statements(monkeypatch):
    """The list of (SQL, values) that are run inside, by Django's cursors too."""
    ran = []

    def note(execute, sql, params, many, context):
        ran.append((sql, params))
        return execute(sql, params, many, context)

    real = raw._fetched
    with monkeypatch.context() as patch, connection.execute_wrapper(note):
        patch.setattr(raw, "_fetched", lambda ours, sql, values: ran.append((sql, values)) or real(ours, sql, values))
        yield ran


def test_each_read_is_one_statement(ask, monkeypatch):
    for method, fields in (GETS | LISTS).items():
        ask(method, fields)  # what is remembered for ever is remembered now
        with statements(monkeypatch) as ran:
            body = ask(method, fields)
        assert not isinstance(body, Failure) and body != {"items": [], "nextPageToken": None}, (method, body)
        assert len(ran) == 1 + (method[1] == "deadLetterJob"), (method, ran)


def test_what_is_another_projects_is_answered_as_what_is_not_there(ask, other_project):
    nowhere = {key: ask(key, fields, ours=False).problems for key, fields in GETS.items()}
    for model in (Namespace, ScriptNamespace, LockNamespace):
        model.objects.create(project=other_project, name="ns")
    create_stage(actor=SYSTEM, project=other_project, name="live")
    empty = {key for key in GETS if key[1] != "namespace" and key[-1] != "getStage"}
    for method in empty:
        refused = ask(method, GETS[method], ours=False)
        component = "job" if method[1] == "jobResult" else method[1]
        assert refused.status == 404 and refused.problems[0].component == component, (method, refused)
        assert refused.problems != nowhere[method] or method[0] in {"freeze", "api"}, method
    for method, fields in LISTS.items():
        items = ask(method, fields, ours=False)["items"]
        assert len(items) == (method[1] == "namespace" or method[-1] in {"describeStages", "listStages"}), (method, items)
    stage = ask(("freeze", "stage", "getStage"), {"stageName": "live"}, ours=False)
    assert stage["item"]["status"] == "Active" and (stage["source"], stage["current"]) == ([], [])
    assert ask(("freeze", "stage", "getStage"), {"stageName": "live"})["item"]["status"] == "UpdateFailed"


def test_versions_are_listed_newest_first_page_by_page(ask):
    method, seen, token = ("api", "version", "listVersions"), [], None
    while token is not None or not seen:
        body = ask(method, {"limit": 2} | ({"pageToken": token} if token else {}))
        seen.append([(item["microservice"], item["version"]) for item in body["items"]])
        token = body["nextPageToken"]
    assert seen == [[("auth", "1.1"), ("chat", "1.0")], [("auth", "1.0")]]
    assert [item["version"] for item in ask(method, LISTS[method])["items"]] == ["1.1", "1.0"]


def test_a_missing_parent_is_said_before_a_page_token_that_is_not_ours(ask):
    for method in LISTS:
        if method[1] in {"job", "deadLetterJob", "script", "output"}:
            fields = LISTS[method] | {"pageToken": "?"}
            assert ask(method, fields).status == 400
            missing = ask(method, fields | {"namespaceName": "none", "stageName": "none"})
            assert (missing.status, missing.problems[0].component) == (404, "stage" if method[1] == "output" else "namespace")


def test_given_up_jobs_are_listed_with_their_attempts_of_which_one_that_is_too_large_shows_the_newest(ask, monkeypatch):
    method = ("job-queue", "deadLetterJob", "describeDeadLetterJobsByUserId")
    queue = Queue.objects.get()
    Job.objects.filter(state="waiting").update(state="given_up", try_count=3)
    large = Job.objects.filter(state="given_up").order_by("id")[1]
    JobResult.objects.bulk_create(JobResult(job=large, try_number=n, status_code=500, result=f"{n}" * 40) for n in range(4))
    monkeypatch.setattr(paging, "PAGE_CHARACTERS", 100), monkeypatch.setattr(dead_letters, "PAGE_CHARACTERS", 100)
    pages, token = [], None
    while token is not None or not pages:
        body = ask(method, LISTS[method] | ({"pageToken": token} if token else {}))
        pages.append([(item["args"], [result["tryNumber"] for result in item["result"]]) for item in body["items"]])
        token = body["nextPageToken"]
    assert pages == [[('{"n": 1}', [])], [('{"n": 2}', [3, 4])], [('{"n": 3}', []), ("{}", [1, 2])]] and queue.jobs.count() == 5


def test_pages_hold_what_fits_and_go_on_where_they_ended(ask, monkeypatch):
    """Of rows that are large together one page has the first ones, however small or large each of them is."""
    monkeypatch.setattr(paging, "PAGE_CHARACTERS", 100)
    texts = ["x" * 60, "y" * 3, "z" * 70, "w" * 300]
    jobs = Job.objects.filter(state="waiting").order_by("id")
    extra = Job.objects.create(queue=jobs[0].queue, script_id="s")
    outputs = Output.objects.order_by("id")
    Output.objects.create(rollout=outputs[0].rollout, stage=outputs[0].stage, seq=9, text="")
    Script.objects.create(namespace=ScriptNamespace.objects.get(), name="s9", source="")
    for rows, column in ((jobs, "args"), (outputs, "text"), (Script.objects.order_by("name"), "source")):
        for row, text in zip(list(rows), texts, strict=True):
            type(row).objects.filter(pk=row.pk).update(**{column: text})
    assert extra.pk == jobs.last().pk
    for method, member in ((("job-queue", "job", "describeJobsByUserId"), "args"), (("freeze", "output", "describeOutputs"), "text"),
                           (("script", "script", "describeScripts"), "script")):  # fmt: skip
        pages, token = [], None
        while True:
            with statements(monkeypatch) as ran:
                body = ask(method, LISTS[method] | ({"pageToken": token} if token else {}) | {"limit": 3})
            # What is long is read by itself, when it is known that the page has room for it.
            assert len(ran) == 1 + any(len(item[member]) > 100 // 3 for item in body["items"])
            pages.append([item[member] for item in body["items"]])
            token = body["nextPageToken"]
            if token is None:
                break
        assert pages == [texts[:2], texts[2:3], texts[3:]], (method, pages)


INDEXES = {
    ("job-queue", "job", "describeJobsByUserId"): "job_of_queue",
    # Or the one of the foreign key: both have the ids of a stage in order.
    ("freeze", "output", "describeOutputs"): "output_of_stage|stages_output_stage_id",
    ("lock", "mutex", "describeMutexesByUserId"): "mutex_of_player",
    ("script", "script", "describeScripts"): "",
}
WALKS = ("SCAN ", "Seq Scan", "TEMP B-TREE", "Sort")


def test_long_lists_are_read_from_the_head_of_an_index(ask, monkeypatch):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Tables of tests are too small for an index, or to read one in order.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    for method, index in INDEXES.items():
        with statements(monkeypatch) as ran:
            ask(method, LISTS[method])
        (sql, values), = ran
        lines = [str(row[-1]) for row in raw.fetch(explain + sql, values)]
        # Of jobs that run there is one at most: that one may be sorted.
        lines = [line for line in lines if "part_" not in line]
        walks = [line for line in lines if any(word in line for word in WALKS)]
        assert len(walks) <= ("one_running_job" in " ".join(lines)) and re.search(index, " ".join(lines)), (method, lines)


def test_a_read_opens_no_transaction_for_a_leases_holder(ask, monkeypatch):
    """What it holds is asked before each commit; a read commits nothing, and on SQLite would take the lock of all writers."""
    def refused(*more) -> None:
        raise AssertionError("a transaction")

    with monkeypatch.context() as patch, fences.on_behalf(lambda: True):
        patch.setattr(connections["default"], "in_atomic_block", False), patch.setattr(raw.transaction, "atomic", refused)
        for method, fields in (GETS | LISTS).items():
            assert not isinstance(ask(method, fields), Failure), method
        with pytest.raises(AssertionError, match="a transaction"):
            raw.run("SELECT 1", ())


def test_an_attempt_is_named_by_its_number_and_the_newest_by_none(ask, names):
    method = ("job-queue", "jobResult", "getJobResultByUserId")
    newest, first = ask(method, GETS[method])["item"], ask(method, GETS[method] | {"tryNumber": 0})["item"]
    assert (newest["tryNumber"], newest["result"], first["tryNumber"], first["statusCode"]) == (1, "[1]", 0, 200)
    none = ask(method, GETS[method] | {"tryNumber": 2})
    assert (none.status, none.problems[0].component) == (404, "jobResult")
    assert ask(method, GETS[method] | {"jobName": names["waiting"]}).problems[0].component == "jobResult"
    assert ask(method, GETS[method] | {"jobName": "0" * 36}).problems[0].component == "job"
