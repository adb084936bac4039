"""A player's data goes out, away and in again, whole."""

from __future__ import annotations

import json

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM
from gs2admin.lease import LeaseLost
from jobqueue.chores.userdata import remove_old_files
from jobqueue.execution.drain import DRAIN
from jobqueue.execution.lease import QueueLease
from jobqueue.models import GivenUp, Job, JobResult, Notification, Queue, UserDataRun
from jobqueue.services import push_jobs
from jobqueue.services.jobs import Entry
from jobqueue.services.namespaces import update_namespace
from jobqueue.userdata import files
from jobqueue.userdata import services as user_data
from jobqueue.userdata.runs import PERFORM
from jobqueue.userdata.tasks import perform
from tests.userdata.conftest import picture

pytestmark = pytest.mark.django_db


def finish(run: UserDataRun) -> UserDataRun:
    perform(run.pk)
    run.refresh_from_db()
    return run


def clean(project, user: str) -> UserDataRun:
    return finish(user_data.start_clean(actor=SYSTEM, project=project, user_id=user))


def test_a_dump_is_the_documented_format(project, player, dump, entries):
    found = entries(dump(player))
    assert list(found) == ["manifest.json", "jobs.jsonl", "given_up.jsonl", "results.jsonl"]
    manifest = json.loads(found["manifest.json"])
    assert (manifest["format"], manifest["version"], manifest["userId"]) == ("gs2admin.job-queue.user-data", 1, player)
    lines = {name: [json.loads(line) for line in found[name].decode().splitlines()] for name in list(found)[1:]}
    assert "\u2028" in "".join(line["result"] for line in lines["results.jsonl"]), "which is no end of a line"
    assert manifest["counts"] == {
        "jobs": len(lines["jobs.jsonl"]),
        "givenUp": 2,
        "results": len(lines["results.jsonl"]),
    }
    assert lines["jobs.jsonl"][-1]["args"] == '{ "keep" :  1.0 }'
    assert "hers" not in found["jobs.jsonl"].decode()


def test_dump_clean_and_import_give_back_the_same(project, player, dump, upload):
    before, hers = picture(project, player), picture(project, "user-0002")
    data = dump(player)
    done = clean(project, player)
    assert done.state == "done" and not Queue.objects.filter(user_id=player).exists()
    assert Job.objects.count() == 1 and not GivenUp.objects.exists() and picture(project, "user-0002") == hers
    run = finish(upload(player, data))
    assert (run.state, run.error, run.file) == ("done", "", "")
    assert picture(project, player) == before and picture(project, "user-0002") == hers
    assert Queue.objects.count() == 3 and run.done == run.total > 0


def test_an_import_replaces_what_is_there_and_names_come_back(project, player, namespaces, dump, upload):
    before, data = picture(project, player), dump(player)
    push_jobs(actor=SYSTEM, namespace=namespaces[0], user_id=player, entries=[Entry("later")])
    finish(upload(player, data))
    assert picture(project, player) == before
    assert Job.objects.filter(script_id="later").count() == 0


def test_an_import_under_another_id_leaves_the_first_player_alone(project, player, dump, upload):
    before = picture(project, player)
    run = finish(upload("user-0009", dump(player)))
    assert run.state == "done" and "new ones" in run.log
    assert picture(project, player) == before
    assert picture(project, "user-0009", names=False) == picture(project, player, names=False)


def test_imported_jobs_of_an_auto_run_namespace_start(project, player, namespaces, dump, upload, rings):
    data = dump(player)
    clean(project, player)
    update_namespace(actor=SYSTEM, namespace=namespaces[0], enable_auto_run=True)
    rings.clear()
    finish(upload(player, data))
    queue = Queue.objects.get(user_id=player, namespace=namespaces[0])
    assert (DRAIN, queue.pk) in rings and queue.draining
    assert not Queue.objects.get(user_id=player, namespace=namespaces[1]).draining


def test_a_job_that_runs_is_dumped_as_waiting_and_cannot_write_after_a_clean(
    project, player, namespaces, dump, entries
):
    queue = Queue.objects.get(user_id=player, namespace=namespaces[0])
    lease = QueueLease.take(queue.pk)
    job = Job.objects.filter(queue=queue, state="waiting").first()
    Job.objects.filter(pk=job.pk).update(state="running", try_count=1)
    line = next(line for line in entries(dump(player))["jobs.jsonl"].decode().split("\n") if str(job.name) in line)
    assert (json.loads(line)["state"], json.loads(line)["tryCount"]) == ("waiting", 0)
    clean(project, player)
    with pytest.raises(LeaseLost):
        lease.renew()
    assert not Job.objects.filter(queue__user_id=player).exists() and not lease.release(finished=1)


def test_clean_forgets_notifications_and_remembered_answers(project, player):
    from gs2admin.wire.models import DuplicateRecord

    Notification.objects.create(project=project, gateway_namespace_id="g", user_id=player, subject="s", payload="{}")
    DuplicateRecord.objects.create(
        key="k", project=project, method="m", user_id=player, request_digest="d", answer="{}"
    )
    clean(project, player)
    assert not Notification.objects.exists() and not DuplicateRecord.objects.exists()


def test_an_unknown_player_has_an_empty_dump_and_a_clean(project, dump, entries, upload):
    data = dump("nobody")
    assert json.loads(entries(data)["manifest.json"])["counts"] == {"jobs": 0, "givenUp": 0, "results": 0}
    assert clean(project, "nobody").state == finish(upload("nobody", data)).state == "done"


def test_one_thing_at_a_time_for_a_player(project, player, upload, rings):
    first = user_data.start_dump(actor=SYSTEM, project=project, user_id=player)
    assert user_data.start_dump(actor=SYSTEM, project=project, user_id=player).pk == first.pk
    assert rings.count((PERFORM, first.pk)) == 1
    for act in (user_data.start_clean,):
        with pytest.raises(Conflict):
            act(actor=SYSTEM, project=project, user_id=player)
    with pytest.raises(Conflict):
        upload(player, b"anything")
    assert user_data.start_clean(actor=SYSTEM, project=project, user_id="user-0002")
    finish(first)
    assert user_data.start_clean(actor=SYSTEM, project=project, user_id=player)


def test_who_may_and_who_did(project, player, viewer, stranger, support, actor_of):
    for user, refusal in ((viewer, Denied), (stranger, NotFound)):
        for act in (user_data.start_dump, user_data.start_clean, user_data.prepare_import):
            with pytest.raises(refusal):
                act(actor=actor_of(user), project=project, user_id=player)
    user_data.start_clean(actor=actor_of(support), project=project, user_id=player, reason="she asked")
    line = Activity.objects.first()
    assert (line.action, line.actor_name, line.reason, line.after) == (
        "user_data.clean",
        "sora",
        "she asked",
        {"user": player},
    )


def test_nothing_uploaded_nothing_imported(project, player):
    run = user_data.prepare_import(actor=SYSTEM, project=project, user_id=player)
    with pytest.raises(Invalid):
        user_data.start_import(actor=SYSTEM, project=project, user_id=player, token=str(run.token))
    for user, token in (("user-0002", str(run.token)), (player, "nonsense"), (player, str(run.token)[:-1] + "x")):
        with pytest.raises(NotFound):
            user_data.start_import(actor=SYSTEM, project=project, user_id=user, token=token)


def test_old_files_and_runs_are_removed(project, player, dump):
    from datetime import timedelta

    from django.db.models import F

    dump(player)
    run = UserDataRun.objects.get()
    assert remove_old_files() == 0
    UserDataRun.objects.update(updated_at=F("updated_at") - timedelta(days=8))
    assert remove_old_files() == 1 and not files.storage().exists(run.file)


def test_a_large_result_and_much_repetition_come_back(project, player, namespaces, dump, upload, entries):
    (job,), _ = push_jobs(actor=SYSTEM, namespace=namespaces[0], user_id=player, entries=[Entry("big")])
    Job.objects.filter(pk=job.pk).update(try_count=1)
    JobResult.objects.create(job=job, try_number=0, status_code=500, result='"' + "x" * 5_242_878 + '"')
    before, data = picture(project, player), dump(player)
    clean(project, player)
    run = finish(upload(player, data))
    assert run.state == "done", run.error
    assert picture(project, player) == before
