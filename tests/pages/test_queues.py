"""The pages of queues and jobs: what support sees, does, and cannot do by accident."""
from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone

from gs2admin.audit.models import Activity
from gs2admin.dashboard import attention
from gs2admin.identity.actors import SYSTEM
from jobqueue import stats
from jobqueue.models import GivenUp, Job, Namespace, Queue, Tally
from jobqueue.reads import given_up as given_up_reads
from jobqueue.reads import search as search_reads
from jobqueue.services import Entry, push_jobs, run_next
from jobqueue.services.namespaces import create_namespace
from jobqueue.states import JobState
from jobqueue.views import namespaces as namespace_views
from jobqueue.views import player as player_views
from tests.pages.jobs import ARGS

pytestmark = pytest.mark.django_db
ODD_IDS = [
    "a/b", "../../etc", "%2F%00", "日本語-é", " with blanks ", "?id=2&x=1#top", "<b>bold</b>", "quote\"'", ".", "..", "new",
    "\u202eevil", "x" * 128, "+plus+", "tab\tand\nline",
]  # fmt: skip


def at(name: str, namespace: Namespace, user: str | None = None, **words) -> str:
    url = reverse(name, kwargs={"project": namespace.project.name, "namespace": namespace.name, **words})
    return url if user is None else f"{url}?id={quote(user, safe='')}"


def of_job(name: str, job: Job, **words) -> str:
    return reverse(name, kwargs={"project": "isles", "job": job.name, **words})


def page(client, url: str, expect: int = 200, **words) -> str:
    answer = client.get(url, words or None)
    assert answer.status_code == expect, answer.content.decode()[:2000]
    return answer.content.decode()


def text_of(html: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", html, flags=re.S))).split())


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
    old = stats.bucket(now - timedelta(hours=5), 600)
    Tally.objects.create(namespace=rewards, at=old, span_s=600, script="s", ok=70, failed=7)
    Tally.objects.create(namespace=rewards, at=stats.bucket(now, 60), script="s", shard=1, ok=20)
    Tally.objects.create(namespace=rewards, at=stats.bucket(now, 60), script="s", shard=2, ok=3)
    assert "Attempts per minute: 23 in all, 0 failed" in page(desk, at("queues-namespace", rewards))
    assert "Attempts per half hour: 100 in all, 7 failed" in page(desk, at("queues-namespace", rewards), span="24h")
    assert "Attempts per three hours: 100 in all" in page(desk, at("queues-namespace", rewards), span="7d")


def test_every_player_with_work_is_on_exactly_one_page(desk, project, push, monkeypatch):
    monkeypatch.setattr(namespace_views, "PAGE", 4)
    space = create_namespace(actor=SYSTEM, project=project, name="many")
    ids = [f"user-{n:02d}" for n in range(11)]
    for user in ids:
        push(space, user=user)
    same = timezone.now()
    Queue.objects.filter(user_id__in=ids[:6]).update(head_at=same)
    for words in ({}, {"user": "user-0"}):
        seen, url = [], at("queues-namespace", space)
        html = page(desk, url, **words)
        for _ in range(10):
            seen += re.findall(r"<bdi>([^<]+)</bdi></a></th>", html)
            following = re.search(r'href="([^"]+)" rel="next"', html)
            if not following:
                break
            html = page(desk, url + unescape(following[1]))
        expected = [user for user in ids if user.startswith(words.get("user", ""))]
        assert sorted(seen) == expected and len(seen) == len(set(seen))


def test_who_waits_longest_is_first_and_states_narrow(desk, project, push, attempts):
    space = create_namespace(actor=SYSTEM, project=project, name="two")
    push(space, user="late"), push(space, "bad", user="early")
    Queue.objects.filter(user_id="early").update(head_at=timezone.now() - timedelta(hours=2))
    attempts.on["bad"] = 500
    assert re.findall(r"<bdi>(\w+)</bdi>", page(desk, at("queues-namespace", space))) == ["early", "late"]
    run_next(actor=SYSTEM, namespace=space, user_id="early")
    assert re.findall(r"<bdi>(\w+)</bdi>", page(desk, at("queues-namespace", space), state="retrying")) == ["early"]
    assert "No player fits" in page(desk, at("queues-namespace", space), state="running")


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
    assert unescape(re.search(r"<h1><bdi>(.*?)</bdi>", shown, re.S)[1]) == user
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
    space = create_namespace(actor=SYSTEM, project=project, name="auto", enable_auto_run=True)
    job = push(space)
    assert 'id="do-run"' not in page(desk, at("queues-user", space, "u-1"))
    answer = desk.post(at("queues-run", space, "u-1"), {})
    assert answer.status_code == 409 and "are run by the server" in answer.content.decode()
    job.refresh_from_db()
    assert job.state == JobState.WAITING


def test_a_player_whose_job_is_running_cannot_be_run_twice(desk, job_world, rewards):
    from jobqueue.execution import hold

    hold.take(job_world.head.queue_id)
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
    space = create_namespace(actor=SYSTEM, project=project, name="auto", enable_auto_run=True)
    job = push(space)
    Queue.objects.filter(pk=job.queue_id).update(next_at=timezone.now() + timedelta(minutes=1))
    rung = []
    monkeypatch.setattr("gs2admin.engine.ring", lambda task, pk: rung.append((task, pk)))
    assert 'id="do-try"' in page(desk, at("queues-user", space, "u-1"))
    assert desk.post(at("queues-try-now", space, "u-1"), {"reason": "now"}).status_code == 302
    assert rung == [("jobqueue.tasks.drain", job.queue_id)]
    assert Queue.objects.get(pk=job.queue_id).next_at is None
    assert desk.post(at("queues-try-now", space, "u-1"), {}).status_code == 409


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
    assert "was replayed before" in page(desk, of_job("queues-job-replay", job_world.dead))
    assert desk.get(of_job("queues-job-replay", job_world.tail)).status_code == 302


def test_another_projects_job_does_not_exist_here(sign_in, stranger, other_project, job_world, push):
    space = create_namespace(actor=SYSTEM, project=other_project, name="theirs")
    job = push(space, user="u-1")
    client = sign_in(stranger)
    assert client.get(of_job("queues-job", job)).status_code == 404
    mine = reverse("queues-search", kwargs={"project": "other"})
    assert "theirs" in page(client, mine, q="u-1") and "rewards" not in page(client, mine, q="u-1", text="itemId")


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
    count = lambda **words: page(desk, url, **words).count('<th scope="row"')  # noqa: E731
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
    monkeypatch.setattr(search_reads, "CHUNK", 2)
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


# ── live ────────────────────────────────────────────────────────────────────────────────────────────────────


def cursor_of(html: str) -> tuple[str, str]:
    found = re.search(r'data-live="([^"]+)" data-after="(\d+)"', html)
    return unescape(found[1]), found[2]


def more(url: str, cursor: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}after={cursor}"


def test_a_players_page_is_still_until_something_happens(desk, job_world, rewards, push):
    url, cursor = cursor_of(page(desk, at("queues-user", rewards, "u-1")))
    assert desk.get(more(url, cursor)).status_code == 204
    push(rewards, "newest")
    answer = desk.get(more(url, cursor))
    assert answer.status_code == 200 and "newest" in answer.content.decode()
    assert desk.get(more(url, cursor_of(answer.content.decode())[1])).status_code == 204


def test_a_jobs_page_moves_with_its_attempts_and_one_that_ended_does_not_ask(desk, job_world, rewards):
    url, cursor = cursor_of(page(desk, of_job("queues-job", job_world.head)))
    assert desk.get(more(url, cursor)).status_code == 204
    run_next(actor=SYSTEM, namespace=rewards, user_id="u-1")
    answer = desk.get(more(url, cursor))
    assert answer.status_code == 200 and "Try 2" in answer.content.decode()
    assert "data-live" not in page(desk, of_job("queues-job", job_world.done))


def test_a_namespace_page_is_still_until_something_happens(desk, job_world, rewards):
    url, cursor = cursor_of(page(desk, at("queues-namespace", rewards)))
    now = timezone.now().minute
    if desk.get(more(url, cursor)).status_code != 204:
        assert timezone.now().minute != now or timezone.now().second < 2, "only a new minute may move the chart"
    run_next(actor=SYSTEM, namespace=rewards, user_id="u-1")
    answer = desk.get(more(url, cursor))
    assert answer.status_code == 200 and 'hx-swap-oob="true"' in answer.content.decode()


def test_a_page_on_which_nothing_can_move_does_not_ask(desk, project, push, attempts):
    space = create_namespace(actor=SYSTEM, project=project, name="calm")
    assert "data-live" not in page(desk, at("queues-namespace", space))
    push(space, user="one")
    urls = at("queues-namespace", space), at("queues-user", space, "one")
    cursors = [cursor_of(page(desk, url)) for url in urls]
    run_next(actor=SYSTEM, namespace=space, user_id="one")
    for url, (live, cursor) in zip(urls, cursors, strict=True):
        answer = desk.get(more(live, cursor))
        assert answer.status_code == 286 and "data-live" not in answer.content.decode(), "the last news ends the asking"
        assert "data-live" not in page(desk, url)


def test_a_jobs_page_ends_its_asking_with_the_job(desk, rewards, push):
    job = push(rewards, user="last")
    live, cursor = cursor_of(page(desk, of_job("queues-job", job)))
    run_next(actor=SYSTEM, namespace=rewards, user_id="last")
    assert desk.get(more(live, cursor)).status_code == 286


def test_scripts_that_fail_and_scripts_of_jobs_lead_to_their_text(desk, job_world, rewards, push, attempts):
    grn = "grn:gs2:ap-northeast-1:isles-owner:script:default:script:grant"
    attempts.on.update({"grant": 500, grn: 500})
    jobs = [push(rewards, "grant", user="g"), push(rewards, grn, user="h")]
    for user in "gh":
        run_next(actor=SYSTEM, namespace=rewards, user_id=user)
    url = reverse("scripts-script", kwargs={"project": "isles", "namespace": "default", "script": "grant"})
    failing = page(desk, at("queues-namespace", rewards)).split('id="queue-failing"')[1].split("</section>")[0]
    assert failing.count(f'href="{url}"') == 2 and ">bad<" in failing, "bad is no script of this project"
    for job in jobs:
        assert f'href="{url}"' in page(desk, of_job("queues-job", job))


def test_a_players_jobs_are_searched_first_and_to_their_end(desk, job_world, rewards, push, monkeypatch):
    monkeypatch.setattr(search_reads, "CHUNK", 1)
    for n in range(5):
        push(rewards, "other", user="crowd", args=json.dumps({"n": n}))
    url = reverse("queues-search", kwargs={"project": "isles"})
    html = page(desk, url, q="u-1", text="itemId")
    assert str(job_world.head.name) in html and "looked through 4 jobs, all that are kept" in text_of(html)
    assert "No player has exactly this id" in page(desk, url, q="u-", text="itemId")


# ── settings, push, board ───────────────────────────────────────────────────────────────────────────────────


def test_a_namespace_is_made_changed_and_deleted_with_a_line_each(sign_in, developer, project):
    client = sign_in(developer)
    sent = {"name": "fresh", "enable_auto_run": "on", "run_notification": '{"enable": "Enabled"}'}
    assert client.post(reverse("queues-new", kwargs={"project": "isles"}), sent).status_code == 302
    row = Namespace.objects.get(name="fresh")
    assert row.enable_auto_run and row.run_notification == {"enable": "Enabled"}
    assert client.post(at("queues-edit", row), {"description": "new", "reason": "tidy"}).status_code == 302
    row.refresh_from_db()
    assert (row.enable_auto_run, row.run_notification, row.description) == (False, None, "new")
    assert "cannot be taken back" in page(client, at("queues-delete", row))
    assert client.post(at("queues-delete", row), {"reason": "done"}).status_code == 302
    assert not Namespace.objects.filter(pk=row.pk).exists()
    actions = list(Activity.objects.filter(object_type="namespace").order_by("id").values_list("action", flat=True))
    assert actions == ["queue_namespace.create", "queue_namespace.update", "queue_namespace.delete"]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("log_setting", "{", "This is not JSON (line 1)"), ("log_setting", "[1]", "This is a JSON object"),
        ("push_notification", '{"enable": "yes"}', "enable is Enabled or Disabled"),
        ("run_notification", '{"enableTransferMobileNotification": 1}', "is true or false"), ("name", "me", "A name is made of"),
        ("name", "rewards", "There is a namespace called rewards already"),
        ("transaction_setting", "[" * 5000, "This is not JSON"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_beside_the_field(sign_in, developer, job_world, field, value, sentence):
    answer = sign_in(developer).post(reverse("queues-new", kwargs={"project": "isles"}), {"name": "ok", field: value})
    assert answer.status_code in (400, 409)
    assert sentence in unescape(answer.content.decode())


def test_a_job_can_be_pushed_again_with_changes(sign_in, developer, job_world, rewards):
    client = sign_in(developer)
    html = page(client, at("queues-push", rewards), job=job_world.head.name)
    assert unescape(re.search(r'name="args"[^>]*>\s*(.*?)</textarea>', html, re.S)[1]) == ARGS
    sent = {"user_id": "u-1", "script_id": "bad", "args": '{"itemId": 9007199254740995}', "max_try_count": "2"}
    assert client.post(at("queues-push", rewards), sent).status_code == 302
    assert Job.objects.latest("id").args == '{"itemId": 9007199254740995}'
    answer = client.post(at("queues-push", rewards), {**sent, "args": "{NaN}"})
    assert answer.status_code == 400 and "not JSON" in answer.content.decode()


def test_the_board_names_namespaces_with_freshly_given_up_jobs(desk, job_world, rewards):
    url = reverse("board", kwargs={"project": "isles"})
    assert "1 job of rewards given up within the last hour" in page(desk, url)
    GivenUp.objects.update(at=timezone.now() - timedelta(hours=2))
    attention.forget()
    assert "given up within" not in page(desk, url)
    GivenUp.objects.update(at=timezone.now(), replayed_at=timezone.now())
    attention.forget()
    assert "given up within" not in page(desk, url)


def test_no_number_of_queries_grows_with_the_rows(desk, rewards, push, django_assert_max_num_queries):
    for n in range(60):
        push_jobs(actor=SYSTEM, namespace=rewards, user_id=f"p-{n}", entries=[Entry("s")] * 3)
    for url, most in ((at("queues-namespace", rewards), 20), (at("queues-user", rewards, "p-1"), 20)):
        with django_assert_max_num_queries(most):
            page(desk, url)
