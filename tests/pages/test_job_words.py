"""One set of words for how a job, an attempt, a queue and a run of user data stand: every state in every place that shows it."""
from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from gs2admin.dashboard.player import address
from jobqueue.models import GivenUp, Job, JobResult, Queue, UserDataRun
from jobqueue.states import JobState, UserDataState
from jobqueue.words import FAILED, JOB, RETRYING, SUCCEEDED, USER_DATA, attempt_words, job_words, retrying
from tests.pages.test_queues import at, of_job, page, text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def desk(sign_in, owner):
    """An admin at the browser."""
    return sign_in(owner)


@pytest.fixture
def stands(job_world, push):
    """stands(state, tries): a job of its own player and script, `alone`, that stands so, of three tries."""

    def act(state: str, tries: int) -> Job:
        job = push(job_world.rewards, "alone", user="alone")
        live = state in (JobState.WAITING, JobState.RUNNING)
        Job.objects.filter(pk=job.pk).update(state=state, try_count=tries)
        Queue.objects.filter(pk=job.queue_id).update(
            waiting=int(live), head_tries=tries if state == JobState.WAITING else 0,
            head_at=job.created_at if state == JobState.WAITING else None,
        )
        if state == JobState.GIVEN_UP:
            GivenUp.objects.create(job=job, namespace=job_world.rewards, user_id="alone", script="alone", status_code=404, at=job.created_at)
        return Job.objects.get(pk=job.pk)

    return act


def badges(html: str) -> list[tuple[str, str]]:
    """(tone, text) of the badges, in order."""
    return [(tone, unescape(text)) for tone, text in
            re.findall(r'gs-badge--(\w+)"[^>]*><span class="gs-dot[^>]*></span>([^<]*)</span>', html)]


def tags(html: str) -> list[tuple[str, str]]:
    """(tone, text) of the tags, in order."""
    return re.findall(r'<span class="gs-tag gs-tag--(\w+)">([^<]*)</span>', html)


STANDS = [("waiting", 0), ("waiting", 2), ("running", 1), ("done", 1), ("given_up", 3)]


@pytest.mark.parametrize(("state", "tries"), STANDS)
def test_a_job_has_the_same_badge_wherever_it_is_shown(desk, stands, state, tries):
    job = stands(state, tries)
    words = job_words(state, tries, 3)
    badge = (words.tone, words.label)
    assert badges(page(desk, of_job("queues-job", job)))[0] == badge
    found = page(desk, reverse("queues-search", kwargs={"project": "isles"}), script="alone", q="alone")
    assert badges(found.partition('id="jobs-title"')[2]) == [badge]
    live = state in ("waiting", "running")
    html = page(desk, at("queues-user", job.queue.namespace), id="alone")
    assert badge in badges(html.partition(f'id="player-{"queue" if live else "past"}"')[2])
    part = desk.get(address("isles", "alone", "player-part", part="queues" if live else "past"), headers=HTMX).content.decode()
    assert badges(part) == [badge]
    hits = text_of(page(desk, reverse("search", kwargs={"project": "isles"}), q=str(job.name)[:12]))
    assert f"alone of alone in rewards, {JOB[JobState(state)].inside}" in hits


@pytest.mark.parametrize(("state", "tries"), STANDS)
def test_a_queue_that_is_tried_again_says_so_in_the_same_words(desk, stands, state, tries):
    job = stands(state, tries)
    again, running = state == "waiting" and tries > 0, state == "running"
    doing = RETRYING if again else JOB[JobState.RUNNING] if running else None
    head = page(desk, at("queues-user", job.queue.namespace), id="alone").partition('id="player-head"')[2].partition("</h1>")[0]
    assert badges(head) == ([(doing.tone, doing.label)] if doing else [])
    if state in ("waiting", "running"):
        part = desk.get(address("isles", "alone", "player-part", part="queues"), headers=HTMX).content.decode()
        assert tags(part.partition("</h2>")[2].partition("</div>")[0]) == ([(doing.tone, doing.inside)] if doing else [])
    places = [
        page(desk, at("queues-namespace", job.queue.namespace), user="alone").partition('id="players-title"')[2],
        page(desk, reverse("queues-search", kwargs={"project": "isles"}), q="alone").partition('id="players-title"')[2],
    ]
    for html in places:
        assert "alone" in html and ((RETRYING.tone, retrying(tries)) in tags(html)) is again
    known = text_of(page(desk, reverse("players", kwargs={"project": "isles"}), q="alone"))
    assert (f"1 job waiting in rewards, {retrying(tries)}" in known) is again
    assert (f"1 job waiting · 1 queue {RETRYING.inside}" in text_of(page(desk, address("isles", "alone", "player")))) is again


def test_given_up_is_called_so_on_the_board_in_the_list_and_in_the_tab(desk, stands):
    words, namespace = JOB[JobState.GIVEN_UP], stands("given_up", 3).queue.namespace
    assert f"2 jobs of rewards {words.inside} within" in text_of(page(desk, reverse("board", kwargs={"project": "isles"})))
    html = page(desk, at("queues-namespace", namespace))
    assert (words.tone, f"1 {words.inside}") in tags(html.partition('id="players-title"')[2])
    assert words.label in text_of(html.partition('class="gs-tabs"')[2].partition("</nav>")[0])
    assert words.label in text_of(page(desk, at("queues-given-up", namespace)).partition("<h1>")[2])


@pytest.mark.parametrize("status", [200, 299, 300, 404, 500, 504])
def test_an_attempt_succeeded_or_failed_in_the_chart_the_timeline_and_the_list(desk, stands, status):
    job, words = stands("done", 1), attempt_words(status)
    JobResult.objects.create(job=job, try_number=0, status_code=status, result="{}", output="", tried_at=job.created_at, took_ms=1)
    html = page(desk, of_job("queues-job", job))
    assert f'<span class="gs-tl__dot is-{words.tone}">' in html and f'gs-tag--{words.tone} gs-code-tag">{status}<' in html
    assert words.label == (SUCCEEDED if status < 300 else FAILED).label
    chart = page(desk, at("queues-namespace", job.queue.namespace))
    legend = re.search(r'class="gs-legend".*?</span>', chart, re.S)[0]
    assert text_of(legend).split()[-2:] == [SUCCEEDED.inside, FAILED.inside] and f"2 {FAILED.inside};" in chart


@pytest.mark.parametrize("state", list(UserDataState))
def test_a_run_of_user_data_has_the_same_badge_on_its_page_and_on_the_players(desk, job_world, state):
    UserDataRun.objects.update(state=state)
    words = USER_DATA[state]
    html = page(desk, address("isles", "u-1", "player-run", pk=job_world.upload.pk))
    part = desk.get(address("isles", "u-1", "player-part", part="data"), headers=HTMX).content.decode()
    assert badges(html)[0] == badges(part)[0] == (words.tone, words.label)


def test_no_state_is_without_words_and_data_fixes_call_it_the_same():
    assert {state: words.label for state, words in JOB.items()} == {state: state.label for state in JobState}
    assert set(USER_DATA) == set(UserDataState)
    assert FAILED.label == USER_DATA[UserDataState.FAILED].label == UserDataState.FAILED.label
    with pytest.raises(ValueError, match="no-state"):
        job_words("no-state", 0, 1)
