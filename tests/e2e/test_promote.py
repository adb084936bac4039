"""Friday 17:40: a producer promotes a stage in the browser and watches it happen."""
from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import PASSWORD

pytestmark = pytest.mark.e2e


def promote(page: Page, project: str, stage: str = "stg", reason: str = "Season 7 candidates") -> None:
    """From the board to the rollout's page."""
    page.goto(f"/p/{project}/")
    page.get_by_role("link", name=f"Promote… {stage}").click()
    page.get_by_label("Why").fill(reason)
    page.get_by_role("button", name=f"Promote {stage}").click()
    page.wait_for_url("**/rollouts/*")


def state(page: Page):
    """The rollout's state in the page's head."""
    return page.locator("#rollout-head .gs-badge")


def test_sign_in_promote_watch_the_lines_arrive_and_end_active(opened, server, screenshots):
    page = opened(None)
    page.goto("/p/happy/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.screenshot(path=screenshots / "sign-in.png")
    page.get_by_label("Name").fill("mika")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Board")).to_be_visible()
    card = page.locator("li.gs-stage", has=page.get_by_role("heading", name="stg"))
    expect(card).to_contain_text("Nothing has been promoted here yet")
    page.screenshot(path=screenshots / "board-before.png")
    server.turn("slow")
    page.get_by_role("link", name="Promote… stg").click()
    expect(page.get_by_role("heading", name="Promote dev to stg")).to_be_visible()
    expect(page.get_by_text("Nothing has started yet")).to_be_visible()
    page.screenshot(path=screenshots / "preview.png")
    page.get_by_label("Why").fill("Season 7 candidates")
    page.get_by_role("button", name="Promote stg").click()
    expect(state(page)).to_have_text("Running")
    expect(page.locator("#lines")).to_contain_text("tick 5 at")
    page.evaluate(LATENCY)
    # A colleague sees the same on the board, moving by itself.
    other = opened("vera")
    other.goto("/p/happy/")
    expect(other.locator("li.gs-stage", has_text="from dev")).to_contain_text("Updating")
    expect(page.locator("#lines")).to_contain_text("tick 20 at")
    late = page.evaluate("window.latencies")
    assert len(late) > 8 and sorted(late)[len(late) // 2] < 1000 and max(late) < 1900, late
    page.screenshot(path=screenshots / "rollout-live.png")
    server.turn("slow", on=False)
    expect(state(page)).to_have_text("Succeeded", timeout=30_000)
    expect(page.locator("#rollout-progress")).to_contain_text("stg runs these versions now")
    expect(page.locator("#rollout-progress")).to_contain_text("6 of 6 steps")
    numbers = [int(n) for n in page.locator("#lines .ln i").all_inner_texts()]
    assert numbers == list(range(1, len(numbers) + 1)), "every line once, in order"
    expect(page.get_by_role("link", name="Cancel…")).to_have_count(0)
    expect(page.locator("#say")).to_contain_text("Succeeded")
    page.screenshot(path=screenshots / "rollout-success.png")
    expect(other.locator("li.gs-stage", has_text="from dev")).to_contain_text("Same versions as dev", timeout=20_000)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1500)
    assert [url for url in asked if "/live" in url] == [], "a rollout that has ended is not asked for any more"


# Notes for each new line how much later than its writing it is seen.
LATENCY = """() => {
  window.latencies = [];
  new MutationObserver(changes => changes.forEach(c => c.addedNodes.forEach(n => {
    const at = /tick \\d+ at (\\d+)/.exec(n.textContent || "");
    if (at) window.latencies.push(Date.now() - Number(at[1]));
  }))).observe(document.getElementById("lines"), { childList: true });
}"""


def test_a_failing_rollout_shows_its_step_and_output_and_can_be_retried(opened, server, screenshots):
    server.turn("fail")
    page = opened()
    promote(page, "failing")
    expect(state(page)).to_have_text("Failed", timeout=30_000)
    progress = page.locator("#rollout-progress")
    expect(progress).to_contain_text("deploy of auth on cluster failed")
    expect(progress.locator("pre")).to_contain_text("no instance became <b>healthy</b>")
    page.screenshot(path=screenshots / "rollout-failed.png")
    page.goto("/p/failing/")
    expect(page.get_by_role("heading", name="Needs a human")).to_be_visible()
    page.screenshot(path=screenshots / "board-failed.png")
    page.get_by_role("link", name=re.compile("^Look")).click()
    server.turn("fail", on=False)
    page.get_by_role("link", name="Retry from this step…").click()
    expect(page.get_by_role("heading", name=re.compile("Retry rollout"))).to_be_visible()
    page.screenshot(path=screenshots / "confirm-retry.png")
    page.get_by_role("button", name="Retry").click()
    expect(state(page)).to_have_text("Succeeded", timeout=30_000)
    expect(page.locator("#rollout-head")).to_contain_text("again after rollout")
    page.goto("/p/failing/stages/stg/rollback")
    expect(page.get_by_text("stg has no earlier versions to go back to.")).to_be_visible()


def test_a_running_rollout_stops_when_asked(opened, server, screenshots):
    server.turn("slow")
    page = opened()
    promote(page, "stopping")
    expect(page.locator("#lines")).to_contain_text("tick 3 at")
    page.get_by_role("link", name="Cancel…").click()
    expect(page.get_by_text("nothing is undone")).to_be_visible()
    page.screenshot(path=screenshots / "confirm-cancel.png")
    page.get_by_label("Why").fill("wrong build")
    page.get_by_role("button", name="Cancel the rollout").click()
    expect(page.get_by_text("stops within a few seconds")).to_be_visible()
    expect(state(page)).to_have_text("Canceled", timeout=20_000)
    expect(page.locator("#rollout-progress")).to_contain_text("Canceled by mika")
    expect(page.get_by_role("link", name="Retry from this step…")).to_be_visible()


def test_a_preview_that_is_old_starts_nothing_and_shows_the_new_one(opened, server, screenshots, request):
    request.node.allowed_complaints.append("status of 409")  # chromium calls every 4xx an error
    page = opened()
    page.goto("/p/moved/stages/stg/promote")
    server.python(
        "from gs2admin.identity.actors import SYSTEM\nfrom stages.models import Stage\nfrom stages.worker import executor\n"
        "from stages.rollouts.services import promote_stage\nfrom stages.setup.versions import register_version\n"
        "dev = Stage.objects.get(project__name='moved', name='dev')\n"
        "register_version(actor=SYSTEM, project=dev.project, microservice='auth', version='3.3.0')\n"
        "executor.run(promote_stage(actor=SYSTEM, stage=dev).pk)"
    )
    page.get_by_label("Why").fill("Friday")
    page.get_by_role("button", name="Promote stg").click()
    banner = page.locator("#moved")
    expect(banner).to_contain_text("nothing was started")
    expect(banner).to_contain_text("auth none -> 3.3.0")
    expect(page.get_by_label("Why")).to_have_value("Friday")
    page.screenshot(path=screenshots / "preview-moved.png")
    assert [row for row in server.rollouts("moved") if row["stage__name"] == "stg"] == []
    page.get_by_role("button", name="Promote stg").click()
    expect(state(page)).to_have_text("Succeeded", timeout=30_000)


def test_a_double_click_starts_one_rollout(opened, server):
    page = opened()
    page.goto("/p/twice/stages/stg/promote")
    page.get_by_role("button", name="Promote stg").dblclick()
    page.wait_for_url("**/rollouts/*")
    expect(state(page)).to_have_text("Succeeded", timeout=30_000)
    assert len([row for row in server.rollouts("twice") if row["stage__name"] == "stg"]) == 1


def test_two_producers_at_once_start_one_rollout_and_both_see_it(opened, server):
    server.turn("slow")
    pages = [opened(), opened()]
    for page in pages:
        page.goto("/p/race/stages/stg/promote")
    for page in pages:
        page.evaluate("document.getElementById('confirm').click()")
    for page in pages:
        page.wait_for_url("**/rollouts/*")
        page.wait_for_load_state()
    assert pages[0].url == pages[1].url
    told = [page.get_by_text("Nothing new was started.").count() for page in pages]
    assert sorted(told) == [0, 1], "whoever came second is told; that is the server's to say"
    server.turn("slow", on=False)
    for page in pages:
        expect(state(page)).to_have_text("Succeeded", timeout=30_000)
    assert len([row for row in server.rollouts("race") if row["stage__name"] == "stg"]) == 1


def test_twenty_thousand_lines_stay_quick_and_readable(opened, server):
    server.turn("many")
    page = opened()
    promote(page, "long")
    expect(state(page)).to_have_text("Succeeded", timeout=60_000)
    page.reload()
    expect(page.locator("#lines .ln")).to_have_count(500)
    took = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert took < 2500, f"{took} ms to a page whose rollout has 40,000 lines"
    first = page.locator("#lines .ln i").first.inner_text()
    page.get_by_role("link", name="Show earlier output").click()
    expect(page.locator("#log .ln")).to_have_count(1000)
    assert int(page.locator("#log .ln i").first.inner_text()) == int(first) - 500
    with page.expect_download() as download:
        page.get_by_role("link", name="Text").click()
    text = download.value.path().read_text()
    assert text.count("line 20000\n") == 2
