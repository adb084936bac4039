"""Keyboard, screen readers' rules, narrow screens, no script, lost connections."""
from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.test_promote import state

pytestmark = pytest.mark.e2e
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
PAGES = {
    "board": "/p/looks/", "stage": "/p/looks/stages/stg", "promote": "/p/looks/stages/live/promote",
    "rollouts": "/p/looks/rollouts", "rollout": "/p/looks/rollouts/1", "failed": "/p/looks/rollouts/2",
    "cancel": None, "nothing": "/p/looks/stages/live/rollback", "missing": "/p/looks/stages/none",
    "versions": "/p/looks/versions/", "activity": "/p/looks/activity/", "members": "/p/looks/members/",
    "targets": "/p/looks/stages/stg/targets", "edit": "/p/looks/stages/stg/edit", "projects": "/projects/",
}


@pytest.fixture(scope="module")
def looked_at(server, signed_in):
    """A project with one failed rollout on stg, so that every tone of the pages is on screen."""
    server.turn("fail")
    server.python(
        "from gs2admin.identity.actors import SYSTEM\nfrom stages.models import Rollout, Stage\n"
        "from stages.rollouts.services import promote_stage\n"
        "row = promote_stage(actor=SYSTEM, stage=Stage.objects.get(project__name='looks', name='stg'), reason='try')\n"
        "from tests.conditions import until\n"
        "until(lambda: Rollout.objects.get(pk=row.pk).ended_at, 40, 'its end', every_s=0.1)\n"
    )
    server.turn("fail", on=False)


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_keeps_the_rules_and_fits(opened, looked_at, screenshots, request, theme, width):
    request.node.allowed_complaints.append("status of 404")
    page = opened("mika", width=width, theme=theme)
    found = {}
    for name, path in PAGES.items():
        if path is None:
            continue
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        page.screenshot(path=screenshots / f"{name}-{theme}-{width}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        result = Axe().run(page, options=RULES)
        if result.violations_count:
            found[name] = result.generate_report()
        if wide > width:
            found[f"{name} is wider than the screen"] = wide
    page = opened(None, width=width, theme=theme)
    page.goto("/login")
    result = Axe().run(page, options=RULES)
    if result.violations_count:
        found["login"] = result.generate_report()
    assert not found, "\n".join(f"{name}: {report}" for name, report in found.items())


def test_a_stage_can_be_promoted_with_the_keyboard_alone(opened, server):
    page = opened()
    page.goto("/p/keys/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    reached = ""
    while not reached.startswith("Promote… stg"):
        page.keyboard.press("Tab")
        reached = page.evaluate("document.activeElement.textContent.replace(/\\s+/g, ' ').trim()")
        assert page.evaluate("document.getElementById('content').contains(document.activeElement)"), "walked past it"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "what has the focus shows it"
    page.keyboard.press("Enter")
    page.wait_for_url("**/promote")
    page.get_by_label("Why").focus()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rollouts/*")
    expect(state(page)).to_have_text("Succeeded", timeout=30_000)


def test_menus_open_close_and_give_the_focus_back(opened):
    page = opened()
    page.goto("/p/quiet/")
    project = page.locator(".gs-project")
    project.locator("summary").click()
    expect(project.get_by_role("link", name="quiet")).to_be_visible()
    page.keyboard.press("Escape")
    expect(project.get_by_role("link", name="quiet")).to_be_hidden()
    expect(project.locator("summary")).to_be_focused()


def test_the_theme_is_switched_and_remembered(opened):
    page = opened(theme="light")
    page.goto("/p/quiet/")
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_everything_but_the_live_parts_works_without_script(opened, server):
    page = opened(script=False)
    page.goto("/p/quiet/")
    expect(page.get_by_role("link", name="Reload")).to_be_visible()
    page.get_by_role("link", name="Promote… stg").click()
    page.get_by_label("Why").fill("no script")
    page.get_by_role("button", name="Promote stg").click()
    page.wait_for_url("**/rollouts/*")
    for _ in range(60):
        if "Succeeded" in page.locator("#rollout-head").inner_text():
            break
        page.wait_for_timeout(300)
        page.reload()
    expect(state(page)).to_have_text("Succeeded")
    page.goto("/p/quiet/")
    page.locator(".gs-project summary").click()
    page.get_by_role("link", name="happy").click()
    expect(page).to_have_url(re.compile(r"/p/happy/$"))


def test_a_lost_connection_is_said_and_found_again(opened, server, request):
    request.node.allowed_complaints += ["Failed to load resource", "ERR_"]
    server.turn("slow")
    page = opened()
    page.goto("/p/worker/stages/stg/promote")
    page.get_by_role("button", name="Promote stg").click()
    expect(page.locator("#lines")).to_contain_text("tick 2 at")
    page.context.set_offline(True)
    expect(page.get_by_text("The connection was lost, retrying.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("The connection was lost, retrying.")).to_be_hidden(timeout=30_000)
    server.turn("slow", on=False)
    expect(state(page)).to_have_text("Succeeded", timeout=30_000)
    numbers = [int(n) for n in page.locator("#lines .ln i").all_inner_texts()]
    assert numbers == list(range(1, len(numbers) + 1)), "nothing was missed and nothing is there twice"


def test_a_hidden_tab_stops_asking(opened, server):
    page = opened()
    page.goto("/p/quiet/")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("""() => {
      Object.defineProperty(document, 'visibilityState', { get: () => 'hidden', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }""")
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(1500)
    assert asked == []
    page.evaluate("""() => {
      Object.defineProperty(document, 'visibilityState', { get: () => 'visible', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }""")
    page.wait_for_timeout(500)
    assert len(asked) == 1, "and asks at once when it is looked at again"


def test_signed_out_elsewhere_the_live_page_goes_to_the_sign_in(opened, server, request):
    request.node.allowed_complaints.append("status of 401")
    page = opened(None)
    page.goto("/login")
    page.get_by_label("Name").fill("vera")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/p/*/")
    page.goto("/p/happy/")
    page.evaluate("document.querySelector('[data-live]').dataset.every = '200'")
    page.context.clear_cookies(name="sessionid")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_url(re.compile(r"/login\?next="))
