"""A developer writes a script and pushes jobs; support finds the player and mends the queue, in a browser, for real."""
from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.test_reading import RULES

pytestmark = pytest.mark.e2e
PLAYER = "user-9007199254740993"
SCRIPT = """\
-- grants an item
print("granting", args.itemId)
if args.broken then
  fail(404, "item is gone")
end
result = { itemId = args.itemId, by = userId }
"""
PUSH = """
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Namespace
from jobqueue.services import Entry, push_jobs
row = Namespace.objects.get(project__name='queues', name={namespace!r})
for args, tries in {jobs!r}:
    push_jobs(actor=SYSTEM, namespace=row, user_id={user!r}, entries=[Entry('grant', args, tries)])
"""
Jobs = list[tuple[str, int]]
# Made of the same pieces as those that are looked at in the dark.
LIKE_OTHERS = {"delete", "run-all-ask", "push", "settings", "scripts", "script-list", "queues"}
GOOD, BAD = '{"itemId": 9007199254740993}', '{"itemId": 9007199254740993, "broken": true}'


def push(server, jobs: Jobs, user: str = PLAYER, namespace: str = "rewards") -> None:
    """Jobs as a game pushes them: [(arguments, tries)], in order."""
    server.python(PUSH.format(jobs=jobs, user=user, namespace=namespace))


def at(user: str = PLAYER, namespace: str = "rewards") -> str:
    return f"/p/queues/queues/{namespace}/user?id={user}"


def confirm(page: Page, button: str, why: str) -> None:
    """Read what will happen, say why, do it."""
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    page.get_by_label("Why").fill(why)
    page.get_by_role("button", name=button, exact=True).click()


@pytest.fixture(scope="module")
def written(browser, server, signed_in, screenshots):
    """The script and the two namespaces, made by a developer in the browser; everything after it builds on them."""
    context = browser.new_context(base_url=server.url, storage_state=signed_in["dan"])
    context.set_default_timeout(15_000)
    page = context.new_page()
    for name, auto in (("rewards", False), ("mails", True)):
        page.goto("/p/queues/new-queue-namespace")
        page.get_by_label("Name").fill(name)
        if auto:
            page.get_by_label("The server runs the jobs by itself").check()
        page.get_by_role("button", name="Create namespace").click()
        expect(page.get_by_text("clients can push jobs to it now")).to_be_visible()
    page.goto("/p/queues/new-script-namespace")
    page.get_by_label("Name").fill("default")
    page.get_by_role("button", name=re.compile("^Create")).click()
    page.goto("/p/queues/scripts/default/new")
    page.get_by_label("Text of the script").fill(SCRIPT)
    page.get_by_label("Arguments").fill(BAD)
    page.get_by_label("Player").fill(PLAYER)
    page.get_by_role("button", name="Try").click()
    tried = page.locator("#tried")
    expect(tried).to_contain_text("It failed")
    expect(tried).to_contain_text("item is gone")
    page.get_by_label("Arguments").fill(GOOD)
    page.get_by_role("button", name="Try").click()
    expect(tried).to_contain_text("It ended well")
    expect(tried).to_contain_text('"itemId": 9007199254740993')
    expect(tried).to_contain_text("granting 9007199254740993")
    expect(tried).to_contain_text(re.compile(r"\d+ ms · [\d,]+ KB of memory"))
    page.screenshot(path=screenshots / "script-tried.png", full_page=True)
    page.get_by_label("Name").fill("grant")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("grant is saved")).to_be_visible()
    page.goto("/p/queues/queues/rewards/push")
    page.get_by_label("Player").fill(PLAYER)
    page.get_by_label("Script").fill("grant")
    page.get_by_label("Arguments").fill(BAD)
    page.get_by_label("Tries at most").fill("2")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("^grant"))).to_be_visible()
    expect(page.locator("#job-head .gs-badge")).to_have_text("Waiting")
    context.close()


def test_support_sees_a_job_fail_has_it_given_up_and_replayed(opened, server, written, screenshots):
    page = opened("sora")
    page.goto("/p/queues/queues/")
    page.get_by_role("link", name="Search in jobs").click()
    page.get_by_label("Player id or job name").fill(PLAYER[:9])
    page.get_by_role("button", name="Find").click()
    page.get_by_role("row", name=PLAYER).get_by_role("link").nth(1).click()  # the first leads to the player's page
    expect(page.get_by_role("heading", name=PLAYER)).to_be_visible()
    page.get_by_role("link", name="Run next…").click()
    confirm(page, "Run it", "ticket 8812")
    expect(page.get_by_text("grant failed with status 404")).to_be_visible()
    expect(page.locator("#player-queue")).to_contain_text("1 of 2 tries failed")
    expect(page.locator("#player-queue")).to_contain_text("item is gone")
    expect(page.locator("#player-job")).to_contain_text("9007199254740993")
    page.get_by_role("link", name="Run next…").click()
    expect(page.get_by_text("If it fails, it is given up.")).to_be_visible()
    confirm(page, "Run it", "last try")
    expect(page.locator("#player-past")).to_contain_text("Given up")
    page.locator("#player-past").get_by_role("link", name="grant").click()
    attempts = page.locator("#job-attempts")
    expect(attempts.locator(".gs-tl > li")).to_have_count(2)
    expect(attempts).to_contain_text("granting 9007199254740993")
    expect(page.get_by_text("What staff did")).to_be_visible()
    expect(page.locator("aside")).to_contain_text("ticket 8812")
    page.screenshot(path=screenshots / "job-given-up.png", full_page=True)
    page.goto("/p/queues/queues/rewards/given-up?script=grant&status=404")
    page.get_by_role("link", name="Replay these…").click()
    expect(page.get_by_role("heading", name="Replay 1 job of rewards")).to_be_visible()
    confirm(page, "Replay", "the item is back")
    expect(page.get_by_text("1 job is pushed again.")).to_be_visible()
    assert "script=grant" in page.url and "status=404" in page.url, "the filter is kept"
    expect(page.get_by_text("No given-up job fits")).to_be_visible()
    page.goto(at())
    page.locator("#player-queue").get_by_role("link", name="grant").click()
    expect(page.locator("#job-details")).to_contain_text("Replay of")
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_text("It will never run; the jobs behind it move up.")).to_be_visible()
    confirm(page, "Delete job", "given by hand")
    expect(page.get_by_text(f"grant of {PLAYER} is deleted.")).to_be_visible()
    expect(page.locator("#player-queue")).to_contain_text("No job waits.")


def test_all_jobs_of_a_player_are_run_with_progress_up_to_the_one_that_fails(opened, server, written, screenshots):
    slow = '{"itemId": 1, "slow": true}'
    server.python(
        "from gs2admin.identity.actors import SYSTEM\nfrom jobqueue.models import Script\n"
        "from jobqueue.services.scripts import update_script\n"
        "row = Script.objects.get(namespace__project__name='queues', name='grant')\n"
        f"update_script(actor=SYSTEM, script=row, source='if args.slow then local e = os.clock() + 0.3 "
        f"while os.clock() < e do end end\\n' + {SCRIPT!r})"
    )
    push(server, [(slow, 3)] * 8 + [(BAD, 1), (GOOD, 1)], user="user-all")
    page = opened("sora")
    page.goto(at("user-all"))
    page.get_by_role("link", name="Run all…").click()
    confirm(page, "Run all", "catch up")
    bar = page.locator("progress")
    expect(bar).to_have_attribute("max", "10")
    page.screenshot(path=screenshots / "run-all.png")
    expect(page.get_by_text("so it stopped there")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("9 of 10 jobs")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("All 10 jobs were run.")).to_be_visible()
    past = page.locator("#player-past tbody tr")
    expect(past).to_have_count(10)
    expect(past.nth(1)).to_contain_text("Given up")


def test_a_page_moves_while_the_server_runs_jobs_and_is_still_after_it(opened, server, written):
    slow = '{"itemId": 2, "slow": true}'
    push(server, [(slow, 1)] * 6, user="user-live", namespace="mails")
    page = opened("vera")
    page.goto(at("user-live", "mails"))
    expect(page.get_by_role("link", name="Run next…")).to_have_count(0)
    page.evaluate("window.kept = true")
    expect(page.locator("#player-queue")).to_contain_text("No job waits.", timeout=30_000)
    expect(page.locator("#player-past tbody tr")).to_have_count(6)
    assert page.evaluate("window.kept"), "by itself, without a reload"
    expect(page.locator("[data-live]")).to_have_count(0)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1500)
    assert asked == [], "where nothing runs, nothing is asked"


def test_a_job_is_run_with_the_keyboard_alone(opened, server, written):
    push(server, [(GOOD, 1)], user="user-keys")
    page = opened("sora")
    page.goto(at("user-keys"))

    def reach(text: str) -> None:
        reached = ""
        for _ in range(60):
            page.keyboard.press("Tab")
            reached = page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name || ''")
            if reached == text:
                break
        assert reached == text, f"{text} cannot be reached with Tab; the last was {reached}"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "what has the focus shows it"
        page.keyboard.press("Enter")

    reach("Run next…")
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    reach("Run it")
    expect(page.get_by_text("grant is done (status 200).")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_of_queues_and_scripts_keeps_the_rules_and_fits(opened, server, written, screenshots, theme):
    push(server, [(BAD, 1)], user="user-rules", namespace="mails")
    push(server, [(GOOD, 3), (GOOD, 3)], user="user-rules")
    job = server.python("from jobqueue.models import Job\nprint(Job.objects.filter(queue__user_id='user-rules').last().name)")
    wide, found = opened("dan", theme=theme), {}
    narrow = opened("dan", width=390) if theme == "light" else None  # colours change nothing in what fits
    script, queue = "/p/queues/scripts/default/script/grant", "/p/queues/queues/rewards"
    paths = {
        "queues": "/p/queues/queues/", "namespace": f"{queue}/", "player": at("user-rules"), "job": f"/p/queues/jobs/{job}",
        "run-all-ask": f"{queue}/user/run-all?id=user-rules", "delete": f"/p/queues/jobs/{job}/delete",
        "given-up": "/p/queues/queues/mails/given-up", "replay": "/p/queues/queues/mails/given-up/replay",
        "search": "/p/queues/jobs?q=user&text=itemId", "push": f"{queue}/push", "settings": f"{queue}/settings",
        "scripts": "/p/queues/scripts/", "script-list": "/p/queues/scripts/default/", "script": script,
        "versions": f"{script}/versions",
    }  # fmt: skip
    for name, path in paths.items():
        if theme == "dark" and name in LIKE_OTHERS:
            continue
        for page, width in ((wide, 1440), (narrow, 390)):
            if page is None:
                continue
            page.goto(path)
            page.screenshot(path=screenshots / f"queues-{name}-{theme}-{width}.png", full_page=True)
            if (over := page.evaluate("document.documentElement.scrollWidth")) > width:
                found[f"{name} is {over} wide on {width}"] = over
            # What a rule says of colours and names does not change with the width.
            if page is wide and (result := Axe().run(page, options=RULES)).violations_count:
                found[name] = result.generate_report()
    assert not found, "\n".join(f"{name}: {report}" for name, report in found.items())
