"""Given-up jobs, the replay of a filtered set, and finding players and jobs."""
from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import GivenUp, Job
from jobqueue.reads import given_up as given_up_reads
from jobqueue.reads import search as search_reads
from jobqueue.services import run_next
from jobqueue.services.namespaces import create_namespace
from tests.pages.queue_pages import at, of_job, page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def rewards(job_world):
    return job_world.rewards


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


# ── given-up jobs ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def graves(rewards, push, attempts):
    """Given-up jobs of a and b, by turns: 404 of bad and 500 of worse."""
    attempts.on["worse"] = 500
    made = []
    for number in range(6):
        user, script = ("a", "bad") if number % 2 == 0 else ("b", "worse")
        made.append(push(rewards, script, user=user, tries=1, args=json.dumps({"n": number})))
        run_next(actor=SYSTEM, namespace=rewards, user_id=user)
    return made


def test_given_up_jobs_are_filtered_by_script_player_status_and_time(desk, rewards, graves):
    url = at("queues-given-up", rewards)
    count = lambda **words: page(desk, url, by="job", **words).count('<th scope="row"')  # noqa: E731
    assert count() == 7 and count(script="worse") == 3 and count(user="a") == 3 and count(status=500) == 3
    assert count(user="a", status=500) == 0
    GivenUp.objects.filter(job__lte=graves[2]).update(at=timezone.now() - timedelta(days=2))
    day = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert (count(until=day), count(since=day), count(since=day, until=day)) == (4, 3, 0)
    assert "cannot be read" in page(desk, url, 400, status="many")


def test_a_filtered_set_is_replayed_as_shown_in_each_players_order(desk, rewards, graves):
    url = at("queues-replay", rewards) + "?status=500"
    html = page(desk, url)
    assert "Replay 3 jobs of rewards" in html and "3 new jobs of 1 player go" in text_of(html)
    sent = dict(re.findall(r'name="(upto|count)" value="(\d+)"', html))
    answer = desk.post(url, {**sent, "reason": "item is back"}, follow=True)
    assert "3 jobs are pushed again" in answer.content.decode()
    again = Job.objects.filter(replay_of__isnull=False).order_by("id")
    assert [json.loads(job.args)["n"] for job in again] == [1, 3, 5]
    assert list(again.values_list("replay_of", flat=True)) == [graves[n].pk for n in (1, 3, 5)]
    assert Activity.objects.filter(action="job.replay", reason="item is back").count() == 3
    assert "No given-up job fits" in page(desk, at("queues-given-up", rewards), status=500), "what was replayed is out"
    assert "Nothing to replay" in page(desk, url)


def test_a_set_that_changed_meanwhile_is_not_replayed(desk, rewards, graves):
    url = at("queues-replay", rewards)
    sent = dict(re.findall(r'name="(upto|count)" value="(\d+)"', page(desk, url)))
    desk.post(of_job("queues-job-replay", graves[0]), {})
    answer = desk.post(url, sent)
    assert answer.status_code == 409 and "it was 7, now it is 6" in unescape(answer.content.decode())
    assert Job.objects.filter(replay_of__isnull=False).count() == 1


def test_more_than_a_thousand_are_not_replayed_at_once(desk, rewards, graves, monkeypatch):
    monkeypatch.setattr(given_up_reads, "MOST", 4)
    assert "Narrow the filter first" in page(desk, at("queues-replay", rewards))
    assert desk.post(at("queues-replay", rewards), {"upto": "999999", "count": "5"}).status_code == 409
    assert not Job.objects.filter(replay_of__isnull=False).exists()


# ── search ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_search_finds_players_by_the_beginning_of_their_id(desk, job_world, rewards, project, push):
    other = create_namespace(actor=SYSTEM, project=project, name="mails")
    push(other, user="u-1"), push(other, user="u-10"), push(other, user="U-1")
    html = page(desk, reverse("queues-search", kwargs={"project": "isles"}), q="u-1")
    assert re.findall(r"<bdi>([^<]+)</bdi>", html) == ["u-1", "u-1", "u-10"], "the exact one first, letters as written"


def test_search_by_a_jobs_name_goes_to_the_job(desk, job_world):
    url = reverse("queues-search", kwargs={"project": "isles"})
    assert desk.get(url, {"q": f" {job_world.dead.name} "}).headers["Location"] == of_job("queues-job", job_world.dead)


def test_search_by_script_and_text_says_how_far_it_looked_and_goes_on(desk, job_world, rewards, push, monkeypatch):
    monkeypatch.setattr(search_reads, "FIRST", 2)
    monkeypatch.setattr(search_reads, "READ_S", -1)
    for n in range(6):
        push(rewards, "other", user="u-2", args=json.dumps({"n": n}))
    url = reverse("queues-search", kwargs={"project": "isles"})
    html, looked = page(desk, url, text="itemId"), 0
    while str(job_world.head.name) not in html:
        assert "there are older ones" in html
        html = page(desk, url + unescape(re.search(r'href="([^"]+)" rel="next"', html)[1]))
        looked += 1
    assert looked == 3, "six newer jobs, two at a time"
    html = page(desk, url, script="bad", q="u-1")
    assert "looked through" in html
