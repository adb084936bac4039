"""However many promote one stage at the same instant, by whatever door: one rollout, and a sentence for the others."""
from __future__ import annotations

import contextlib
import re
import threading

import httpx
import pytest

from bench import promotes
from bench.world import World, register, stage
from stages.models import Rollout
from tests.conditions import until
from tests.races.conftest import session_cookie

pytestmark = pytest.mark.processes


def test_forty_programs_promote_at_once(serve, project, credential):
    row, secret = credential
    played, bad = promotes.play(serve(), World(project, row.client_id, secret), calls=40, rounds=2)
    assert bad == []
    assert len(played) == 2


@pytest.fixture
def staging(serve, project):
    """A running server and a stage whose rollouts last until "go"."""
    server = serve()
    row = stage(project, "stg", command="waiting", phases=("deploy",))
    register(project, ["battle"], "1.1")
    yield server, row
    (server.directory / "go").touch()
    until(lambda: not Rollout.objects.live().exists(), 30, "the end of the rollouts")


@pytest.fixture
def preview(staging):
    """preview(user, path) is somebody who looks at a preview, and what the form there would send."""
    with contextlib.ExitStack() as stack:

        def look(user, path: str) -> tuple[httpx.Client, dict[str, str]]:
            client = httpx.Client(base_url=staging[0].url, cookies=session_cookie(user), timeout=30)
            browser = stack.enter_context(client)
            page = browser.get(path)
            assert page.status_code == 200
            return browser, dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))

        yield look


def press_at_once(presses) -> list[httpx.Response]:
    """Send forms at the same instant, one thread per (browser, path, fields)."""
    barrier, answers = threading.Barrier(len(presses)), [None] * len(presses)

    def press(index, browser, path, fields):
        barrier.wait(10)
        answers[index] = browser.post(path, data={**fields, "reason": f"press {index}"})

    threads = [threading.Thread(target=press, args=(index, *one)) for index, one in enumerate(presses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    return answers


def test_two_producers_confirm_the_same_preview_at_once(staging, preview, project, producer, owner):
    _, row = staging
    path = f"/p/{project.name}/stages/{row.name}/promote"
    presses = []
    for user in (producer, owner):
        browser, fields = preview(user, path)
        presses.append((browser, path, fields))
    answers = press_at_once(presses)
    rollout = Rollout.objects.get(stage=row)
    page = f"/p/{project.name}/rollouts/{rollout.number}"
    # Both are brought to the one rollout; who came second is told so.
    assert [(answer.status_code, answer.headers["location"]) for answer in answers] == [(302, page)] * 2
    winner = int(rollout.reason.split()[-1])
    assert rollout.requested_by == (producer, owner)[winner].username
    texts = [browser.get(page).text for browser, _, _ in presses]
    assert ["Nothing new was started" in text for text in texts] == [winner == 1, winner == 0]


def test_a_double_click_is_one_rollout_and_no_warning(staging, preview, project, producer):
    _, row = staging
    path = f"/p/{project.name}/stages/{row.name}/promote"
    browser, fields = preview(producer, path)
    answers = press_at_once([(browser, path, fields)] * 4)
    rollout = Rollout.objects.get(stage=row)
    page = f"/p/{project.name}/rollouts/{rollout.number}"
    assert [(answer.status_code, answer.headers["location"]) for answer in answers] == [(302, page)] * 4
    assert "Nothing new was started" not in browser.get(page).text
