"""Given-up jobs by error: what makes a group, what is said of it, and acts on exactly the chosen ones."""
from __future__ import annotations

import json
import re
from html import unescape

import pytest

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from jobqueue.execution.attempt import Ended
from jobqueue.models import GivenUp, Job, JobResult
from jobqueue.reads import given_up as reads
from jobqueue.reads.given_up_groups import groups
from jobqueue.services import run_next
from jobqueue.services.namespaces import create_script_namespace
from jobqueue.services.scripts import create_script, update_script
from tests.pages.queue_pages import at, page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def rewards(job_world):
    GivenUp.objects.all().delete()
    return job_world.rewards


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


def says(text: str) -> str:
    return json.dumps([{"component": "script", "message": text}])


@pytest.fixture
def fail(rewards, push, attempts):
    """fail("broken", "no item 5", user="a", args={…}) gives up one job with that answer."""

    def act(script: str, text: str, *, user: str, status: int = 500, args: object = None) -> Job:
        attempts.on[script] = Ended(status, says(text), "", took_ms=1)
        job = push(rewards, script, user=user, tries=1, args=json.dumps({} if args is None else args, ensure_ascii=False))
        run_next(actor=SYSTEM, namespace=rewards, user_id=user)
        return job

    return act


def test_one_error_is_one_group_whatever_its_numbers_and_players(rewards, fail, django_assert_max_num_queries):
    fail("broken", "line 2: no item 17 for u-17", user="u-17")
    fail("broken", "line 2: no item 4 for 佐藤@jp", user="佐藤@jp")
    fail("broken", "line 2: no item 4 for u-17", user="u-17", status=404)
    fail("shop", "line 2: no item 4 for u-17", user="u-17")
    fail("broken", "3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", user="u-17")
    with django_assert_max_num_queries(5):
        found = groups(rewards, {})
    assert [(g.script, g.status, len(g.lines), g.players) for g in found.groups] == [
        ("broken", 500, 2, 2), ("broken", 500, 1, 1), ("shop", 500, 1, 1), ("broken", 404, 1, 1)]
    assert found.groups[0].error == "line 2: no item 4 for 佐藤@jp" and (found.looked, found.more) == (5, False)


def test_only_the_newest_are_looked_at_and_it_says_so(rewards, fail, monkeypatch, desk):
    for number in range(4):
        fail("broken", f"error {number}", user="a")
    monkeypatch.setattr(reads, "MOST", 3)
    found = groups(rewards, {})
    assert (found.looked, found.more) == (3, True)
    assert "of the newest" in page(desk, at("queues-given-up", rewards))


def test_a_newer_script_and_a_script_that_is_gone_are_told(rewards, fail, project, desk):
    place = create_script_namespace(actor=SYSTEM, project=project, name="errors")
    script = create_script(actor=SYSTEM, namespace=place, name="broken", source="return 1")
    grn = f"grn:gs2:{project.region}:{project.owner_id}:script:errors:script:broken"
    fail(grn, "attempt to index a nil value", user="a")
    JobResult.objects.update(script_revision=script.revision)
    fail("nobody", "there is no script", user="b")
    text = text_of(page(desk, at("queues-given-up", rewards)))
    assert "There is no such script now." in text and "They ran version" not in text
    update_script(actor=SYSTEM, script=script, source="return 2")
    text = text_of(page(desk, at("queues-given-up", rewards)))
    assert "They ran version 1. Version 2 is there since" in text


def test_exactly_the_chosen_errors_and_jobs_are_replayed(rewards, fail, desk):
    kept = fail("broken", "one", user="a")
    chosen = [fail("broken", f"two {number}", user=f"p-{number}") for number in range(3)]
    single = fail("shop", "three", user="c")
    key = next(g.key for g in groups(rewards, {}).groups if len(g.lines) == 3)
    url = f"{at('queues-replay', rewards)}?error={key}&line={single.given_up.pk}"
    html = page(desk, url)
    assert "Replay 4 jobs of rewards" in text_of(html) and "Change the arguments" not in html, "support may not change them"
    sent = dict(re.findall(r'name="(upto|count)" value="(\d+)"', html))
    answer = desk.post(url, {**sent, "reason": "fixed", "changes": '{"gold": 1000000}'}, follow=True)
    assert "4 jobs are pushed again" in answer.content.decode()
    again = Job.objects.filter(replay_of__isnull=False)
    assert set(again.values_list("replay_of", flat=True)) == {job.pk for job in [*chosen, single]}
    assert all(job.args == "{}" for job in again), "what the form did not offer is not taken"
    assert not Job.objects.filter(replay_of=kept).exists()


def test_chosen_jobs_are_deleted_all_or_none_with_a_line_each(rewards, fail, desk):
    gone = [fail("broken", "two", user=f"p-{number}") for number in range(2)]
    kept = fail("shop", "three", user="c")
    url = at("queues-given-up-delete", rewards) + "".join(f"{'&' if n else '?'}line={job.given_up.pk}" for n, job in enumerate(gone))
    html = page(desk, url)
    assert "2 given-up jobs of 2 players go" in text_of(html)
    sent = dict(re.findall(r'name="(upto|count)" value="(\d+)"', html))
    gone[0].delete()
    assert desk.post(url, {**sent, "reason": "test data"}).status_code == 409 and Job.objects.filter(pk=gone[1].pk).exists()
    sent = dict(re.findall(r'name="(upto|count)" value="(\d+)"', page(desk, url)))
    assert "1 given-up job is deleted." in desk.post(url, {**sent, "reason": "test data"}, follow=True).content.decode()
    assert not Job.objects.filter(pk=gone[1].pk).exists() and Job.objects.filter(pk=kept.pk).exists()
    assert Activity.objects.filter(action="job.delete", reason="test data").count() == 1


def test_arguments_are_changed_for_all_and_shown_before(rewards, fail, sign_in, owner):
    first = fail("broken", "two", user="a", args={"item": "gem", "context": {"day": 9}})
    Job.objects.filter(pk=first.pk).update(args='{"item":"gem","rate":1.10,"big":9007199254740993,"context": {"day": 9}}')
    fail("broken", "two", user="b", args={"season": 6})
    admin, url = sign_in(owner), at("queues-replay", rewards)
    html = page(admin, url)
    sent = dict(re.findall(r'name="(upto|count)" value="(\d+)"', html)) | {"reason": "season 7"}
    changes = {"changes": '{"context": {"season": 7}, "item": null}'}
    looked = unescape(admin.post(url, {**sent, **changes, "do": "look"}).content.decode())
    after = '{"rate": 1.10, "big": 9007199254740993, "context": {"day": 9, "season": 7}}'
    assert after in looked and not Job.objects.filter(replay_of__isnull=False).exists()
    assert "userId stays" in admin.post(url, {**sent, "changes": '{"userId": "other"}'}).content.decode()
    assert admin.post(url, {**sent, **changes}).status_code == 302
    assert [job.args for job in Job.objects.filter(replay_of__isnull=False).order_by("id")] == [
        after, '{"season": 6, "context": {"season": 7}}']
    assert Activity.objects.filter(action="job.replay").latest("id").after["arguments"] == "changed"


def test_arguments_without_keys_are_not_changed_and_nothing_is_pushed(rewards, fail, sign_in, owner):
    fail("broken", "two", user="a", args=[1, 2])
    fail("broken", "two", user="b")
    admin, url = sign_in(owner), at("queues-replay", rewards)
    sent = dict(re.findall(r'name="(upto|count)" value="(\d+)"', page(admin, url))) | {"reason": "x", "changes": '{"a": 1}'}
    answer = admin.post(url, sent)
    assert answer.status_code == 400 and "are no object" in answer.content.decode()
    assert not Job.objects.filter(replay_of__isnull=False).exists()
