"""A script that pushes jobs like itself comes to an end, whichever way it takes."""
from __future__ import annotations

import json

import pytest

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.stamp_keys import create_stamp_key
from jobqueue.execution import generations
from jobqueue.models import Job, JobResult
from jobqueue.scripting.pool import runner
from jobqueue.services import Entry, push_jobs, replay_job, run_next
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.tasks import drain
from tests.wire.jobs_world import STAMP_KEY, sheet

pytestmark = pytest.mark.django_db
CAP = 3
PUSH = (
    "gs2('job_queue').push_by_user_id({{namespaceName = '{to}', userId = '{user}',"
    " jobs = {{{{scriptId = '{script}', args = '{args}'}}}}}})"
)
BUILT_IN = json.dumps({"namespaceName": "auto", "userId": "u", "jobs": [{"scriptId": "again"}]})
# way -> the scripts; a job of `again` runs the first.
WAYS = {
    "in its own namespace": {"again": PUSH.format(to="auto", user="u", script="again", args="{}")},
    "for another player": {"again": PUSH.format(to="auto", user="' .. math.random(1, 99999) .. '", script="again", args="{}")},
    "into another namespace and back": {
        "again": PUSH.format(to="other", user="u", script="back", args="{}"),
        "back": PUSH.format(to="auto", user="u", script="again", args="{}"),
    },
    "by a built-in script": {
        "again": PUSH.format(to="auto", user="u", script="execute_job_queue_push_by_user_id", args=BUILT_IN),
    },
    "by a script that it invokes": {
        "again": "gs2('script').invoke_script({scriptId = 'inner', userId = 'u'})",
        "inner": PUSH.format(to="auto", user="u", script="again", args="{}"),
    },
    "by a text that it tries": {
        "again": "gs2('script').debug_invoke({script = \"" + PUSH.format(to="auto", user="u", script="again", args="{}") + "\"})",
    },
    "by a job that it runs by hand": {
        "again": PUSH.format(to="manual", user="u", script="inner", args="{}")
        + " gs2('job_queue').run_by_user_id({namespaceName = 'manual', userId = 'u'})",
        "inner": PUSH.format(to="auto", user="u", script="again", args="{}"),
    },
    "by a built-in script that it runs by hand": {
        "again": PUSH.format(to="manual", user="u", script="execute_job_queue_push_by_user_id", args=BUILT_IN)
        + " gs2('job_queue').run_by_user_id({namespaceName = 'manual', userId = 'u'})",
    },
}  # fmt: skip


@pytest.fixture
def world(project, settings):
    """Namespaces auto and other, run by the server, and manual; world(scripts) stores scripts in the namespace default."""
    settings.JOB_GENERATIONS = CAP
    for name, auto in (("auto", True), ("other", True), ("manual", False)):
        create_namespace(actor=SYSTEM, project=project, name=name, enable_auto_run=auto)
    space = create_script_namespace(actor=SYSTEM, project=project, name="default")

    def store(scripts: dict[str, str]):
        for name, source in scripts.items():
            create_script(actor=SYSTEM, namespace=space, name=name, source=source)
        return project.job_namespaces.get(name="auto")

    return store


@pytest.fixture(scope="module", autouse=True)
def _runners_end():
    yield
    runner().close()


def run_all(rings) -> None:
    """Answer every ring."""
    for _ in range(200):
        if not rings:
            return
        drain(rings.pop(0)[1])
    raise AssertionError("the chain does not end")


@pytest.mark.parametrize("way", WAYS)
def test_a_chain_of_jobs_ends_at_the_cap_with_an_attempt_that_says_so(way, world, rings):
    auto = world(WAYS[way])
    push_jobs(actor=SYSTEM, namespace=auto, user_id="u", entries=[Entry("again")])
    run_all(rings)
    generations = list(Job.objects.order_by("id").values_list("generation", flat=True))
    assert generations[0] is None and max(generations[1:]) == CAP + 1, (generations, list(JobResult.objects.values_list("result")))
    [last] = Job.objects.filter(generation=CAP + 1)
    [end] = last.results.all()
    assert (last.state, end.status_code, json.loads(end.result)[0]["code"]) == (
        "given_up", 400, "jobQueue.execution.generations")  # fmt: skip
    assert "GS2ADMIN_JOB_GENERATIONS" in end.output and last.try_count == 1 < last.max_try_count
    assert set(Job.objects.exclude(pk=last.pk).values_list("state", flat=True)) == {"done"}


def test_a_job_that_a_job_runs_is_no_new_beginning_and_none_is_left_behind():
    assert generations.of_a_new_job() is None
    with generations._as_generation(5):
        with generations._as_generation(0):
            assert generations.of_a_new_job() == 6
        with generations._as_generation(9):
            assert generations.of_a_new_job() == 10
        assert generations.of_a_new_job() == 6
    assert generations.of_a_new_job() is None


def test_a_stamp_sheet_that_a_job_sends_counts_too(world, rings, project):
    _, secret = create_stamp_key(actor=SYSTEM, project=project, namespace="default", name="sheets")
    order = {"namespaceName": "auto", "userId": "u", "jobs": [{"scriptId": "last"}]}
    sent = {"key": STAMP_KEY, "sheet": sheet("Gs2JobQueue:PushByUserId", order, secret=secret)}
    auto = world({
        "last": "result = {}",
        "again": "local a = gs2('job_queue').push_by_stamp_sheet({stampSheet = args.sheet, keyId = args.key})"
        " if a.isError then fail(a.statusCode, a.errorMessage) end",
    })  # fmt: skip
    push_jobs(actor=SYSTEM, namespace=auto, user_id="u", entries=[Entry("again", json.dumps(sent))])
    run_all(rings)
    assert Job.objects.get(script_id="last").generation == 1


def test_what_people_and_programs_push_and_replay_begins_anew(world, rings):
    auto = world(WAYS["in its own namespace"])
    push_jobs(actor=SYSTEM, namespace=auto, user_id="u", entries=[Entry("again")])
    run_all(rings)
    last = Job.objects.select_related("queue").get(generation=CAP + 1)
    assert replay_job(actor=SYSTEM, namespace=auto, job=last).generation is None
    run_all(rings)
    assert Job.objects.filter(generation=CAP + 1).count() == 2, "a person's replay is a new beginning, with an end of its own"


def test_a_job_beyond_the_cap_is_not_run_by_hand_either(world, project):
    world({"again": "result = {}"})
    manual = project.job_namespaces.get(name="manual")
    push_jobs(actor=SYSTEM, namespace=manual, user_id="u", entries=[Entry("again")])
    Job.objects.update(generation=CAP + 1)
    ran = run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert ran.result.status_code == 400 and "was not run" in ran.result.output
