"""Queue pages that move by themselves, settings, pushing by hand, what the board says."""
from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from gs2admin.audit.models import Activity
from gs2admin.dashboard import attention
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import GivenUp, Job, Namespace
from jobqueue.reads import floods
from jobqueue.reads import search as search_reads
from jobqueue.services import Entry, push_jobs, run_next
from jobqueue.services.namespaces import create_namespace
from tests.pages.jobs import ARGS
from tests.pages.queue_pages import at, cursor_of, more, of_job, page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def rewards(job_world):
    return job_world.rewards


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


# ── live ────────────────────────────────────────────────────────────────────────────────────────────────────


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
    namespace = create_namespace(actor=SYSTEM, project=project, name="calm")
    assert "data-live" not in page(desk, at("queues-namespace", namespace))
    push(namespace, user="one")
    urls = at("queues-namespace", namespace), at("queues-user", namespace, "one")
    cursors = [cursor_of(page(desk, url)) for url in urls]
    run_next(actor=SYSTEM, namespace=namespace, user_id="one")
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
    monkeypatch.setattr(search_reads, "FIRST", 1)
    monkeypatch.setattr(search_reads, "READ_S", 60)
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


def test_the_board_names_a_flood_and_pauses_it_and_every_page_says_so(desk, job_world, project, monkeypatch):
    monkeypatch.setattr(floods, "FLOOD", 3)
    flood = create_namespace(actor=SYSTEM, project=project, name="flood", enable_auto_run=True)
    for number in range(3):
        push_jobs(actor=SYSTEM, namespace=flood, user_id=f"p-{number}", entries=[Entry("spreads")])
    Job.objects.filter(queue__namespace=flood).update(generation=7)
    board, pause = reverse("board", kwargs={"project": "isles"}), at("queues-pause", flood)
    attention.forget()
    html = page(desk, board)
    assert "flood floods the job workers" in html and "spreads, made by jobs, 7 one after the other" in html and pause in html
    assert desk.post(pause, {"reason": "it floods"}).status_code == 302
    assert desk.post(pause, {"reason": ""}).status_code in (400, 409), "it is paused already"
    flood.refresh_from_db()
    attention.forget()
    html = page(desk, board)
    assert "floods" not in html and "flood is paused: its jobs do not run" in html
    assert "Paused by sora" in text_of(page(desk, at("queues-namespace", flood)))
    assert "the namespace is paused" in text_of(page(desk, at("queues-user", flood, "p-1")))
    assert "paused" in text_of(page(desk, reverse("queues", kwargs={"project": "isles"})))
    assert "paused" in text_of(page(desk, reverse("player-part", kwargs={"project": "isles", "part": "queues"}) + "?id=p-1"))
    assert desk.post(at("queues-resume", flood), {"reason": ""}).status_code == 302
    assert [row.action for row in Activity.objects.filter(action__startswith="queue_namespace.").order_by("-id")[:2]] == [
        "queue_namespace.resume", "queue_namespace.pause",
    ]
