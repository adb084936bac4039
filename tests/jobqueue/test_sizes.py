"""The largest arguments and results go through everything unharmed: real scripts in a real runner."""
from __future__ import annotations

import json

import pytest

from gs2admin.identity.actors import SYSTEM
from jobqueue.execution import drain as drains
from jobqueue.models import Job, JobResult, ScriptNamespace
from jobqueue.scripting import pool
from jobqueue.services import run_next
from jobqueue.services.scripts import create_script

pytestmark = pytest.mark.django_db
ARGS, RESULT = 131_072, 5_242_880


@pytest.fixture(scope="module", autouse=True)
def _runners_end():
    """What the scripts of these tests ran in."""
    yield
    pool.runner().close()


@pytest.fixture
def script(project):
    """script(source) stores it and returns its name."""
    namespace = ScriptNamespace.objects.create(project=project, name="default")

    def make(source: str) -> str:
        return create_script(actor=SYSTEM, namespace=namespace, name="big", source=source).name

    return make


def test_arguments_of_128_kb_reach_the_script_and_are_kept(manual, push, script):
    text = json.dumps({"id": "9007199254740993", "text": "\u00fc\u3042"}, ensure_ascii=False)[:-2]
    text += "x" * (ARGS - len(text) - 2) + '"}'
    assert len(text) == ARGS
    job = push(manual, script("result = { length = utf8.len(args.text), id = args.id }"), args=text)
    ran = run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert ran.result.status_code == 200, ran.result.result
    assert json.loads(ran.result.result) == {"length": len(json.loads(text)["text"]), "id": 9007199254740993}
    assert Job.objects.get(pk=job.pk).args == text


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
def test_a_result_of_5_mb_is_kept_whole_by_hand_and_by_the_server(manual, auto, push, script, letter):
    room = RESULT - len('{"text":""}')
    name = script(f"result = {{ text = ('{letter}'):rep({room}) }}")
    for namespace in (manual, auto):
        job = push(namespace, name)
        if namespace is auto:
            drains.drain(job.queue_id)
        else:
            run_next(actor=SYSTEM, namespace=manual, user_id="u")
        found = JobResult.objects.get(job=job)
        assert found.status_code == 200, found.result[:300]
        assert len(found.result) == RESULT and json.loads(found.result)["text"] == letter * room


def test_a_result_that_is_longer_is_refused_as_such(manual, push, script):
    push(manual, script(f"result = {{ text = ('x'):rep({RESULT}) }}"), tries=1)
    ran = run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert ran.result.status_code == 500 and "script.execution.result" in ran.result.result
