"""Exporting, erasing and importing from the browser: asked first, done by a worker, files by signed links alone."""
from __future__ import annotations

import re
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from gs2admin.audit.models import Activity
from gs2admin.dashboard.player import address
from jobqueue.models import Job, Queue, UserDataRun
from jobqueue.userdata.tasks import examine, perform
from tests.pages.jobs import empty_dump
from tests.pages.test_queues import page, text_of

pytestmark = pytest.mark.django_db


def at(name: str, user: str = "u-1", **words) -> str:
    return address("isles", user, name, **words)


@pytest.fixture
def desk(sign_in, support):
    """Support at the browser."""
    return sign_in(support)


def finished(answer) -> UserDataRun:
    """The run that a POST led to, carried out."""
    assert answer.status_code == 302, answer.content.decode()[:1000]
    run = UserDataRun.objects.get(pk=int(re.search(r"/player/data/(\d+)", answer.headers["Location"])[1]))
    perform(run.pk)
    run.refresh_from_db()
    return run


def send(client, html: str, data: bytes, name: str = "export.zip"):
    """Upload with the page's own form."""
    form = unescape(re.search(r'<form [^>]*action="(/user-data/form/[^"]+)" enctype="multipart/form-data"', html)[1])
    answer = client.post(form, {"file": SimpleUploadedFile(name, data)})
    pk = int(re.search(r"player/data/(\d+)", answer.headers["Location"])[1])
    if UserDataRun.objects.filter(pk=pk, state="uploaded", said="", error="").exists():
        # Until a worker has looked the page says so, and asks again.
        shown = page(client, answer.headers["Location"])
        assert "A worker looks at the file" in shown and "data-live" in shown and "do-start" not in shown
        examine(pk)
    return answer


def test_an_export_asks_runs_and_is_downloaded_by_its_link(desk, client, job_world):
    asked = page(desk, at("player-dump"))
    assert "queue in rewards; 2 jobs wait" in text_of(asked)
    run = finished(desk.post(at("player-dump"), {"reason": "asked by the player"}))
    html = page(desk, at("player-run", pk=run.pk))
    link = unescape(re.search(r'href="(/user-data/file/[^"]+)" download', html)[1])
    client.logout()
    data = b"".join(client.get(link).streaming_content)
    assert data[:2] == b"PK", "whoever has the link has the file"
    assert client.get(link[:-2] + "xx").status_code == 404
    line = Activity.objects.get(action="user_data.dump")
    assert (line.actor_name, line.reason, line.player) == ("sora", "asked by the player", "u-1")


def test_an_expired_link_leads_nowhere_and_the_page_makes_a_new_one(desk, job_world, settings):
    run = finished(desk.post(at("player-dump"), {}))
    link = unescape(re.search(r'href="(/user-data/file/[^"]+)" download', page(desk, at("player-run", pk=run.pk)))[1])
    settings.USER_DATA_LINK_S = -1
    assert desk.get(link).status_code == 404
    settings.USER_DATA_LINK_S = 60
    answer = desk.get(link)
    assert answer.status_code == 200 and b"".join(answer.streaming_content)


def test_erasing_says_what_goes_and_takes_it(desk, job_world, lock_world):
    asked = text_of(page(desk, at("player-erase")))
    assert "2 jobs wait; they will never run" in asked and "Mutexes are not touched" in asked and "cannot be taken back" in asked
    run = finished(desk.post(at("player-erase"), {"reason": "GDPR 17"}))
    assert run.state == "done" and not Queue.objects.filter(user_id="u-1").exists() and not Job.objects.exists()
    assert Activity.objects.get(action="user_data.clean").reason == "GDPR 17"
    assert "Done: 4 jobs removed." in page(desk, at("player-run", pk=run.pk))
    lock_world.mutex.refresh_from_db()
    assert lock_world.mutex.counter == 2


def test_while_one_is_under_way_another_is_refused_in_the_form(desk, job_world):
    desk.post(at("player-dump"), {})
    answer = desk.post(at("player-erase"), {})
    assert answer.status_code == 409 and "wait for the end of that" in answer.content.decode()


def test_progress_is_polled_and_ends(desk, job_world):
    run = UserDataRun.objects.get(pk=int(re.search(r"/(\d+)\?", desk.post(at("player-dump"), {}).headers["Location"])[1]))
    html = page(desk, at("player-run", pk=run.pk))
    live, after = unescape(re.search(r'data-live="([^"]+)"', html)[1]), re.search(r'data-after="(\d+)"', html)[1]
    assert desk.get(live, {"id": "u-1", "after": after}).status_code == 204
    perform(run.pk)
    answer = desk.get(live, {"id": "u-1", "after": after})
    assert answer.status_code == 286 and "Download" in answer.content.decode() and "Done:" in answer.content.decode()
    assert "data-live" not in page(desk, at("player-run", pk=run.pk))


def test_an_import_under_another_id_goes_step_by_step(desk, job_world):
    dump = finished(desk.post(at("player-dump"), {}))
    link = unescape(re.search(r'href="(/user-data/file/[^"]+)" download', page(desk, at("player-run", pk=dump.pk)))[1])
    data = b"".join(desk.get(link).streaming_content)
    assert "becomes the data of u-9" in text_of(page(desk, at("player-import", "u-9")))
    here = desk.post(at("player-import", "u-9")).headers["Location"]
    answer = send(desk, page(desk, here), data)
    assert answer.headers["Location"] == here
    shown = page(desk, here)
    assert "u-1 another player" in text_of(shown) and "2 jobs, 1 given-up jobs" not in shown
    start = unescape(re.search(r'href="([^"]+)" id="do-start"', shown)[1])
    asked = text_of(page(desk, start))
    assert "of u-1, written" in asked and "They become the data of u-9. u-1 keeps what is there" in asked
    run = finished(desk.post(start, {"reason": "new device"}))
    assert (run.state, run.error) == ("done", "")
    assert Job.objects.filter(queue__user_id="u-9").count() == 4 == Job.objects.filter(queue__user_id="u-1").count()
    assert Activity.objects.get(action="user_data.import").player == "u-9"
    assert "This has begun already" in desk.get(start, follow=True).content.decode()


@pytest.mark.parametrize("data, word", [
    (b"no zip at all", "not a zip file that can be read"), (b"PK\x03\x04" + b"\0" * 60, "not a zip file that can be read"),
], ids=["text", "torn"])  # fmt: skip
def test_a_file_that_is_none_of_ours_is_refused_with_a_sentence_and_changes_nothing(desk, job_world, data, word):
    before = Job.objects.count()
    here = desk.post(at("player-import")).headers["Location"]
    send(desk, page(desk, here), data)
    shown = page(desk, here)
    assert word in shown and 'id="do-start"' not in shown
    start = at("player-run-start", pk=int(re.search(r"/(\d+)\?", here)[1]))
    assert desk.get(start).status_code == 302 and Job.objects.count() == before


def test_another_file_takes_the_place_of_the_first(desk, job_world, project):
    here = desk.post(at("player-import")).headers["Location"]
    send(desk, page(desk, here), b"wrong")
    send(desk, page(desk, here), empty_dump("u-5", project))
    assert "u-5 another player" in text_of(page(desk, here))


def test_what_is_too_large_or_missing_is_said_on_the_page(desk, job_world, settings):
    here = desk.post(at("player-import")).headers["Location"]
    form = unescape(re.search(r'action="(/user-data/form/[^"]+)"', page(desk, here))[1])
    assert "Choose a file first" in desk.post(form, {}, follow=True).content.decode()
    settings.USER_DATA_MAX_UPLOAD = 1024 * 1024
    html = page(desk, here)
    answer = send(desk, html, b"x" * (1024 * 1024 + 5000))
    assert "larger than 1 MiB" in desk.get(answer.headers["Location"]).content.decode()
    assert UserDataRun.objects.get(pk=int(re.search(r"/(\d+)\?", here)[1])).state == "prepared"


def test_a_form_link_is_good_for_nothing_else(desk, job_world):
    html = page(desk, desk.post(at("player-import")).headers["Location"])
    token = unescape(re.search(r'action="/user-data/form/([^"]+)"', html)[1])
    for other in ("file", "log", "upload"):
        answer = desk.put(f"/user-data/{other}/{token}", b"x") if other == "upload" else desk.get(f"/user-data/{other}/{token}")
        assert answer.status_code == 404
    assert desk.get(f"/user-data/form/{token}").status_code == 405


def test_the_players_page_tells_how_it_went(desk, job_world):
    finished(desk.post(at("player-dump"), {}))
    html = desk.get(at("player-part", part="data"), headers={"HX-Request": "true"}).content.decode()
    assert "Export Done sora" in text_of(html) and "Import Uploaded" in text_of(html)


def test_a_run_belongs_to_its_player_and_its_project(desk, sign_in, stranger, job_world):
    pk = job_world.upload.pk
    assert desk.get(at("player-run", "u-2", pk=pk)).status_code == 404
    assert sign_in(stranger).get(address("other", "u-1", "player-run", pk=pk)).status_code == 404
