"""Texts of jobs in a real browser: what a click copies is what is stored, in both themes, on a phone, and without a clipboard object."""
from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

from gs2admin.identity.actors import SYSTEM
from jobqueue.execution.attempt import Ended
from jobqueue.services import run_next
from tests.pages.queue_pages import of_job
from tests.pages.test_in_a_browser import RULES, browser, open_as, unsafe_is_fine  # noqa: F401  fixtures
from tests.pages.test_texts import ENCODERS, TEXTS

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
ENCODE = list(ENCODERS.values())
ARGS = ' {"id":9007199254740993,\r\n "rate":1.10,"e":1e3,"k":1,"k":2,"texts":[' + ",".join(
    ENCODE[place % 4](text) for place, (text, _) in enumerate(TEXTS)) + ']}\n'
RESULT = json.dumps({"note": 'x",\n  "admin": "true', "nested": json.dumps({"t": "竜 \"q\""})})
PRINTED = "\ufefffirst\r\n\n\t\"\\u7adc\" \u202e\u200b\n" + '{"a":"\\u7adc"}' + "\n" + "line\n" * 4_000 + "the end "


@pytest.fixture
def job(job_world, push, attempts):
    attempts.on["texts"] = Ended(500, RESULT, PRINTED)
    made = push(job_world.rewards, "texts", user="writer", args=ARGS, tries=1)
    run_next(actor=SYSTEM, namespace=job_world.rewards, user_id="writer")
    return made


def pasted(page) -> str:
    """What the clipboard holds, as a program gets it that pastes."""
    page.evaluate("""() => {
        document.addEventListener("paste", event => { window.got = event.clipboardData.getData("text/plain") }, { once: true })
    }""")
    page.locator("#search").focus()
    page.keyboard.press("Control+V")
    return page.evaluate("window.got")


@pytest.mark.parametrize("clipboard", [True, False], ids=["secure", "not secure"])
def test_what_is_copied_is_what_is_stored(job, support, open_as, live_server, clipboard):  # noqa: F811
    page, complaints = open_as(support.username)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not clipboard:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(live_server.url + of_job("queues-job", job))
    for number, stored in enumerate((ARGS, RESULT, PRINTED)):
        button = page.locator("button[data-copy-from]").nth(number)
        button.evaluate("node => { for (let at = node; at; at = at.parentElement) if (at.localName === 'details') at.open = true }")
        button.click()
        button.get_by_text("Copied").wait_for()
        assert pasted(page) == stored, number
    page.route("**/arguments", lambda route: route.fulfill(status=503, body="away"))
    page.locator("button[data-copy-from]").first.click()
    page.locator("button[data-copy-from]").first.get_by_text("Could not be copied").wait_for()
    assert [line for line in complaints if "503" not in line] == []


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_the_pages_with_texts_fit_and_are_accessible(job, support, open_as, live_server, width, dark):  # noqa: F811
    page, complaints = open_as(support.username, width=width, dark=dark)
    search = reverse("queues-search", kwargs={"project": "isles"})
    player = reverse("player", kwargs={"project": "isles"})
    for name, path in (("job", of_job("queues-job", job)), ("search", f"{search}?text=%E7%AB%9C"), ("player", f"{player}?id=writer")):
        page.goto(live_server.url + path)
        if name == "player":
            page.locator("#part-past").wait_for()
        for details in page.locator("main details").all():
            details.evaluate("node => { node.open = true }")
        assert page.evaluate("document.documentElement.scrollWidth") == width, name
        found = [(each["id"], each["nodes"][0]["any"], each["nodes"][0]["html"][:200]) for each in Axe().run(page, options=RULES).response["violations"]]
        assert (name, found, complaints) == (name, [], [])
