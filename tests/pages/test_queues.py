"""The pages of queues and jobs: what support sees, does, and cannot do by accident."""
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
from gs2admin.spans import span_of
from jobqueue.models import Job, Queue, Tally
from jobqueue.pages.views import namespaces as namespace_views
from jobqueue.pages.views import player as player_views
from jobqueue.services import run_next
from jobqueue.services.namespaces import create_namespace
from jobqueue.sql.run import SHARDS
from jobqueue.states import JobState
from tests.pages.jobs import ARGS
from tests.pages.queue_pages import as_stored, at, of_job, page, text_of

pytestmark = pytest.mark.django_db
ODD_IDS = [
    "a/b", "../../etc", "%2F%00", "日本語-é", " with blanks ", "?id=2&x=1#top", "<b>bold</b>", "quote\"'", ".", "..", "new",
    "\u202eevil", "x" * 128, "+plus+", "tab\tand\nline",
]  # fmt: skip


@pytest.fixture
def rewards(job_world):
    return job_world.rewards


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_has_every_namespace_with_its_numbers(desk, job_world, project, push):
    create_namespace(actor=SYSTEM, project=project, name="mails", enable_auto_run=True)
    html = page(desk, reverse("queues", kwargs={"project": "isles"}))
    row = text_of(html.split(">rewards</a>")[1].split("</tr>")[0])
    assert row.startswith("2 0 1 1"), f"waiting, running, retrying, given up: {row}"
    assert 'class="gs-spark"' in html and "auto-run" in html.split(">mails</a>")[1].split("</tr>")[0]


def test_a_namespace_shows_its_numbers_chart_failing_scripts_and_players(desk, job_world, rewards):
    html = page(desk, at("queues-namespace", rewards))
    assert "Attempts per minute: 3 in all, 2 failed; at most 3 in one bar." in html
    failing = text_of(html.split('id="queue-failing"')[1].split("</section>")[0])
    assert "bad 2 2 100 % 1" in failing
    assert "retrying, 1 failed" in html and "1 given up" in html


def test_the_chart_adds_up_minutes_and_rolled_spans(desk, rewards, owner):
    now = timezone.now()
    Tally.objects.all().delete()
    old = span_of(now - timedelta(hours=5), 600)
    Tally.objects.create(namespace=rewards, at=old, span_s=600, script="s", ok=70, failed=7)
    Tally.objects.create(namespace=rewards, at=span_of(now, 60), script="s", shard=SHARDS, ok=20)
    Tally.objects.create(namespace=rewards, at=span_of(now, 60), script="s", shard=SHARDS + 1, ok=3)
    assert "Attempts per minute: 23 in all, 0 failed" in page(desk, at("queues-namespace", rewards))
    assert "Attempts per half hour: 100 in all, 7 failed" in page(desk, at("queues-namespace", rewards), span="24h")
    assert "Attempts per three hours: 100 in all" in page(desk, at("queues-namespace", rewards), span="7d")


def test_every_player_with_work_is_on_exactly_one_page(desk, project, push, monkeypatch):
    monkeypatch.setattr(namespace_views, "PAGE", 4)
    namespace = create_namespace(actor=SYSTEM, project=project, name="many")
    ids = [f"user-{n:02d}" for n in range(11)]
    for user in ids:
        push(namespace, user=user)
    same = timezone.now()
    Queue.objects.filter(user_id__in=ids[:6]).update(head_at=same)
    for words in ({}, {"user": "user-0"}):
        seen, url = [], at("queues-namespace", namespace)
        html = page(desk, url, **words)
        for _ in range(10):
            seen += re.findall(r"<bdi\s*>([^<]+)</bdi></a></th>", html)
            following = re.search(r'href="([^"]+)" rel="next"', html)
            if not following:
                break
            html = page(desk, url + unescape(following[1]))
        expected = [user for user in ids if user.startswith(words.get("user", ""))]
        assert sorted(seen) == expected and len(seen) == len(set(seen))


def test_who_waits_longest_is_first_and_states_narrow(desk, project, push, attempts):
    namespace = create_namespace(actor=SYSTEM, project=project, name="two")
    push(namespace, user="late"), push(namespace, "bad", user="early")
    Queue.objects.filter(user_id="early").update(head_at=timezone.now() - timedelta(hours=2))
    attempts.on["bad"] = 500
    assert re.findall(r"<bdi\s*>(\w+)</bdi>", page(desk, at("queues-namespace", namespace))) == ["early", "late"]
    run_next(actor=SYSTEM, namespace=namespace, user_id="early")
    assert re.findall(r"<bdi\s*>(\w+)</bdi>", page(desk, at("queues-namespace", namespace), state="retrying")) == ["early"]
    assert "No player fits" in page(desk, at("queues-namespace", namespace), state="running")


@pytest.mark.parametrize("place", ["x", "~", "2026-01-01~1", "2026-13-45T00:00:00Z~1", "2026-01-01T00:00:00Z~" + "9" * 30])
def test_a_place_that_is_none_of_ours_is_the_first_page(desk, rewards, place):
    assert "u-1" in page(desk, at("queues-namespace", rewards), after=place)


# ── ids that may hold anything ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("user", ODD_IDS)
def test_a_player_with_any_id_can_be_found_opened_and_helped(desk, rewards, push, user):
    job = push(rewards, user=user)
    html = page(desk, at("queues-namespace", rewards), user=user)
    link = unescape(re.search(r'<a class="gs-id" href="([^"]+)"', html)[1])
    shown = page(desk, link)
    assert as_stored(re.search(r"<h1><bdi>(.*?)</bdi>", shown, re.S)[1]) == user
    assert "<b>bold" not in shown
    run = unescape(re.search(r'href="([^"]+)" id="do-run"', shown)[1])
    assert desk.post(run, {"reason": "asked"}).status_code == 302
    job.refresh_from_db()
    assert job.state == JobState.DONE
    if user == user.strip():
        assert "<bdi>" in page(desk, reverse("queues-search", kwargs={"project": "isles"}), q=user)


def test_a_player_nobody_pushed_for_is_a_sentence(desk, rewards):
    assert "No job was ever pushed to rewards" in page(desk, at("queues-user", rewards, "nobody"), 404)
    assert page(desk, at("queues-user", rewards, "a\x00b"), 404)


# ── a player's queue ────────────────────────────────────────────────────────────────────────────────────────


def test_the_queue_shows_its_head_what_waits_behind_it_and_what_was(desk, job_world, rewards):
    html = page(desk, at("queues-user", rewards, "u-1"))
    words = text_of(html)
    assert "1 bad 1 of 3 tries failed 404 item.notFound" in words
    assert "2 add_entry Waits behind 1" in words
    assert "9007199254740993" in words and "1.10" in words, "the head's arguments, exact"
    past = text_of(html.split('id="player-past"')[1])
    assert past.index("Given up") < past.index("Done"), "the one pushed last is first"


def test_a_long_queue_and_a_long_past_have_pages(desk, rewards, push, monkeypatch):
    monkeypatch.setattr(player_views, "PAGE", 3)
    monkeypatch.setattr(player_views, "PAST", 2)
    jobs = [push(rewards, user="long") for _ in range(7)]
    for _ in range(3):
        run_next(actor=SYSTEM, namespace=rewards, user_id="long")
    html = page(desk, at("queues-user", rewards, "long"))
    queue, past = html.split('id="player-queue"')[1].split("</section>")[0], html.split('id="player-past"')[1]
    names = lambda part: re.findall(r"jobs/([0-9a-f-]{36})\"", part.split("<tbody>")[1].split("</tbody>")[0])  # noqa: E731
    assert names(queue) == [str(job.name) for job in jobs[3:6]]
    assert names(past) == [str(jobs[2].name), str(jobs[1].name)]
    further = page(desk, unescape(re.search(r'href="([^"]+)" rel="next"', queue)[1]))
    assert names(further.split('id="player-queue"')[1]) == [str(jobs[6].name)] and ">4</td>" in further
    older = page(desk, unescape(re.search(r'href="([^"]+)" rel="next"', past)[1]))
    assert names(older.split('id="player-past"')[1]) == [str(jobs[0].name)]


def test_run_next_asks_runs_tells_and_leaves_a_line(desk, job_world, rewards, attempts):
    url = at("queues-run", rewards, "u-1")
    assert "bad runs now, as try 2 of 3" in page(desk, url)
    attempts.on["bad"] = 200
    answer = desk.post(url, {"reason": "ticket 8812"}, follow=True)
    assert "bad is done (status 200)" in answer.content.decode()
    line = Activity.objects.get(action="job.run")
    assert (line.actor_name, line.reason, line.after["user"], line.after["status"]) == ("sora", "ticket 8812", "u-1", 200)
    assert "ticket 8812" in answer.content.decode(), "what staff did is on the page"


def test_where_the_server_runs_the_jobs_nobody_runs_them_by_hand(desk, project, push):
    namespace = create_namespace(actor=SYSTEM, project=project, name="auto", enable_auto_run=True)
    job = push(namespace)
    assert 'id="do-run"' not in page(desk, at("queues-user", namespace, "u-1"))
    answer = desk.post(at("queues-run", namespace, "u-1"), {})
    assert answer.status_code == 409 and "are run by the server" in answer.content.decode()
    job.refresh_from_db()
    assert job.state == JobState.WAITING


def test_a_player_whose_job_is_running_cannot_be_run_twice(desk, job_world, rewards):
    from jobqueue.execution.lease import QueueLease

    QueueLease.take(job_world.head.queue_id)
    answer = desk.post(at("queues-run", rewards, "u-1"), {})
    assert answer.status_code == 409 and "running already" in answer.content.decode()


def test_run_all_goes_lap_by_lap_and_stops_at_a_failure(desk, rewards, push, attempts, monkeypatch):
    monkeypatch.setattr("jobqueue.services.runs.MOST", 2)
    for script in ("one", "two", "three", "bad", "five"):
        push(rewards, script, user="all", tries=1)
    url = at("queues-run-all", rewards, "all")
    assert "The jobs run one after another" in page(desk, url)
    html = desk.post(url, {"reason": "catch up"}).content.decode()
    assert "2 of 5 jobs" in html and "data-again" in html and "js/again.js" in html
    sent = dict(re.findall(r'name="(done|total)" value="(\d+)"', html))
    html = desk.post(url, {"reason": "catch up", **sent}).content.decode()
    assert "4 of 5 jobs" in html and "failed with status 404" in unescape(html) and "data-again" not in html
    assert [ran[1] for ran in attempts.ran if ran[0] == "all"] == ["one", "two", "three", "bad"]
    answer = desk.post(url, {"done": "4", "total": "5"}, follow=True)
    assert "All 5 jobs were run." in answer.content.decode()
    assert list(Activity.objects.filter(action="job.run_all").order_by("id").values_list("after__jobs", flat=True)) == [2, 2, 1]


def test_try_now_wakes_a_queue_that_waits_for_its_next_try(desk, project, push, monkeypatch):
    namespace = create_namespace(actor=SYSTEM, project=project, name="auto", enable_auto_run=True)
    job = push(namespace)
    Queue.objects.filter(pk=job.queue_id).update(next_at=timezone.now() + timedelta(minutes=1))
    rung = []
    monkeypatch.setattr("gs2admin.engine.wake", lambda task, pk: rung.append((task, pk)))
    assert 'id="do-try"' in page(desk, at("queues-user", namespace, "u-1"))
    assert desk.post(at("queues-try-now", namespace, "u-1"), {"reason": "now"}).status_code == 302
    assert rung == [("jobqueue.tasks.drain", job.queue_id)]
    assert Queue.objects.get(pk=job.queue_id).next_at is None
    assert desk.post(at("queues-try-now", namespace, "u-1"), {}).status_code == 409


def test_a_viewer_gets_no_buttons(sign_in, viewer, job_world, rewards):
    client = sign_in(viewer)
    html = page(client, at("queues-user", rewards, "u-1")) + page(client, of_job("queues-job", job_world.dead))
    for button in ("Run next", "Run all", "Delete…", "Replay…", "Push…", "Push with"):
        assert button not in html


# ── one job ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_jobs_arguments_are_shown_and_given_exactly(desk, job_world):
    html = page(desk, of_job("queues-job", job_world.head))
    shown = unescape(re.search(r'aria-label="Arguments">(.*?)</pre>', html, re.S)[1])
    assert "".join(shown.split()) == "".join(ARGS.split())
    assert '"rate": 1.10' in shown and '"rate": 2E5' in shown and "9007199254740993" in shown
    assert "<b>not bold</b>" not in html
    assert desk.get(of_job("queues-job-args", job_world.head)).content.decode() == ARGS


def test_attempts_are_a_timeline_with_body_and_printed_lines(desk, job_world):
    html = page(desk, of_job("queues-job", job_world.head))
    words = text_of(html.split('id="job-attempts"')[1].split("</section>")[0])
    assert "1 of 3" in words and "Try 1 404" in words and "item.notFound" in words and "looked at bad" in words
    assert "Gs2JobQueue:RunNotification" in html


def test_megabytes_are_shown_by_their_beginning_and_given_whole(desk, rewards, attempts, push):
    from jobqueue.execution.attempt import Ended

    big = json.dumps({"items": [{"id": 9007199254740993 + n} for n in range(180_000)]})
    attempts.on["big"] = Ended(200, big, "printed " * 40_000)
    job = push(rewards, "big", user="big", args=json.dumps({"a": "x" * 131_000}))
    run_next(actor=SYSTEM, namespace=rewards, user_id="big")
    html = page(desk, of_job("queues-job", job))
    assert len(html) < 400_000 and "Download all of it" in html
    assert desk.get(of_job("queues-job-result", job, number=1)).content.decode() == big
    assert len(desk.get(of_job("queues-job-output", job, number=1)).content) == 320_000
    assert len(page(desk, at("queues-user", rewards, "big"))) < 100_000


def test_deleting_a_job_says_what_it_means_and_leaves_a_line(desk, job_world, rewards):
    assert "the jobs behind it move up" in page(desk, of_job("queues-job-delete", job_world.head))
    answer = desk.post(of_job("queues-job-delete", job_world.head), {"reason": "wrong item"}, follow=True)
    assert "is deleted" in answer.content.decode()
    assert not Job.objects.filter(pk=job_world.head.pk).exists()
    assert Activity.objects.get(action="job.delete").reason == "wrong item"
    assert "There is no such job" in page(desk, of_job("queues-job", job_world.head), 404)


def test_a_replay_is_a_new_job_linked_both_ways(desk, job_world, rewards):
    answer = desk.post(of_job("queues-job-replay", job_world.dead), {"reason": "fixed"}, follow=True)
    new = Job.objects.get(replay_of=job_world.dead)
    assert str(job_world.dead.name)[:8] in answer.content.decode()
    assert str(new.name)[:8] in page(desk, of_job("queues-job", job_world.dead))
    again = page(desk, of_job("queues-job-replay", job_world.dead))
    assert "was replayed before" in again
    # The same order a second time, by a second click or from an old page, is not carried out; one that knows is.
    refused = desk.post(of_job("queues-job-replay", job_world.dead), {"reason": "fixed"})
    assert refused.status_code == 409 and "was replayed already" in refused.content.decode()
    assert job_world.dead.replays.count() == 1
    seen = re.search(r'name="seen" value="([^"]+)"', again)[1]
    assert f'value="{seen}"' in refused.content.decode()
    desk.post(of_job("queues-job-replay", job_world.dead), {"reason": "fixed", "seen": seen})
    assert job_world.dead.replays.count() == 2
    assert desk.get(of_job("queues-job-replay", job_world.tail)).status_code == 302


def test_another_projects_job_does_not_exist_here(sign_in, stranger, other_project, job_world, push):
    namespace = create_namespace(actor=SYSTEM, project=other_project, name="theirs")
    job = push(namespace, user="u-1")
    client = sign_in(stranger)
    assert client.get(of_job("queues-job", job)).status_code == 404
    mine = reverse("queues-search", kwargs={"project": "other"})
    assert "theirs" in page(client, mine, q="u-1") and "rewards" not in page(client, mine, q="u-1", text="itemId")
