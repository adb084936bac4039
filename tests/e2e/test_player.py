"""Support with a player on the line: find, look, run, release, export, erase, import; and the rules of the pages."""
from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.test_reading import RULES

pytestmark = pytest.mark.e2e
PLAYER = "user-9007199254740993"
SEED = f"""
import json
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Project
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from locks.models import Mutex
from locks.services import lock
from locks.services.namespaces import create_namespace as create_locks
project = Project.objects.get(name="care")
scripts = create_script_namespace(actor=SYSTEM, project=project, name="default")
create_script(actor=SYSTEM, namespace=scripts, name="grant", source='result = {{ granted = args.itemId }}')
rewards = create_namespace(actor=SYSTEM, project=project, name="rewards")
args = '{{"itemId":9007199254740993,"rate":1.10}}'
push_jobs(actor=SYSTEM, namespace=rewards, user_id={PLAYER!r}, entries=[Entry("grant", args, 3), Entry("nowhere", args, 3)])
space = create_locks(actor=SYSTEM, project=project, name="inventory")
hold = lambda name, ttl, tx: lock(actor=SYSTEM, namespace=space, user_id={PLAYER!r}, property_id=name, transaction_id=tx, ttl_s=ttl)
hold("gacha", 3600, "tx-9f31")
for n in range(3):
    lock(actor=SYSTEM, namespace=space, user_id=f"user-{{n}}", property_id="grn:gs2:x:item/" + "z" * 90, transaction_id=f"tx-{{n}}", ttl_s=3000)
print(json.dumps(Mutex.objects.get(property_id="gacha").pk))
"""


@pytest.fixture(scope="module")
def care(server) -> int:
    """One player of the project `care` needs help; the number of a mutex of theirs."""
    return int(server.python(SEED))


@pytest.fixture
def desk(care, opened):
    """desk(width=…, theme=…, script=…) is a page of support."""
    return lambda **words: opened("sora", **words)


def part(page: Page, key: str):
    return page.locator(f"#part-{key}:not(.gs-part)")


def confirm(page: Page, button: str, why: str = "ticket 8812") -> None:
    page.get_by_label("Why").fill(why)
    page.get_by_role("button", name=button, exact=True).click()


def test_support_helps_a_player_from_one_page(desk, server, tmp_path):
    page = desk()
    page.goto("/p/care/")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type(PLAYER)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/player?id={PLAYER}")
    expect(page.get_by_role("heading", level=1)).to_have_text(PLAYER)
    expect(part(page, "queues")).to_contain_text("9007199254740993")
    expect(page.locator("#player-head")).to_contain_text("2 jobs waiting")

    part(page, "queues").get_by_role("link", name="Run next…").click()
    confirm(page, "Run it")
    page.wait_for_url(f"**/player?id={PLAYER}")
    expect(page.get_by_text("grant is done (status 200).")).to_be_visible()
    expect(part(page, "past")).to_contain_text('{"granted":9007199254740993}')
    expect(part(page, "staff")).to_contain_text("ticket 8812")

    held = part(page, "mutexes")
    expect(held.locator("time[data-left]")).to_have_text(re.compile(r"^(59 min|1 h 0 min)"))
    held.get_by_role("link", name="Release… gacha").click()
    confirm(page, "Release")
    page.wait_for_url(f"**/player?id={PLAYER}")
    expect(part(page, "mutexes")).to_contain_text("holds no mutex")
    expect(part(page, "mutexes-before")).to_contain_text("Released by force")

    page.get_by_role("link", name="Export…").click()
    confirm(page, "Export")
    expect(page.locator("#run-head")).to_contain_text("Done", timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^Download")).click()
    file = tmp_path / "export.zip"
    download.value.save_as(file)

    page.get_by_role("link", name="The player").click()
    page.get_by_role("link", name="Erase…").click()
    expect(page.get_by_text("This cannot be taken back.")).to_be_visible()
    confirm(page, "Erase")
    expect(page.locator("#run-head")).to_contain_text("Done", timeout=30_000)
    page.get_by_role("link", name="The player").click()
    expect(part(page, "queues")).to_contain_text("all was erased")

    page.get_by_role("link", name="Import…").click()
    page.get_by_role("button", name="Choose a file…").click()
    page.get_by_label("Zip file of an export").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("link", name="Import this…").click()
    confirm(page, "Import")
    expect(page.locator("#run-head")).to_contain_text("Done", timeout=30_000)
    page.get_by_role("link", name="The player").click()
    expect(part(page, "queues")).to_contain_text("nowhere")
    expect(part(page, "past")).to_contain_text('{"granted":9007199254740993}')


def test_the_page_moves_by_itself_and_a_mutex_that_runs_out_leaves_it(desk, server):
    page = desk()
    page.goto("/p/care/player?id=user-live")
    expect(part(page, "mutexes")).to_contain_text("holds no mutex")
    server.python(
        "from gs2admin.identity.actors import SYSTEM\nfrom locks.models import LockNamespace\nfrom locks.services import lock\n"
        "lock(actor=SYSTEM, namespace=LockNamespace.objects.get(name='inventory'), user_id='user-live', property_id='short',"
        " transaction_id='tx-short', ttl_s=15)"
    )
    expect(part(page, "mutexes")).to_contain_text("tx-short")
    before = part(page, "mutexes").locator("time[data-left]").inner_text()
    expect(part(page, "mutexes").locator("time[data-left]")).not_to_have_text(before)
    expect(part(page, "mutexes")).to_contain_text("holds no mutex", timeout=30_000)
    expect(part(page, "mutexes-before")).to_contain_text("Expired without unlock", timeout=30_000)


def test_without_script_every_part_is_a_link_away(desk):
    page = desk(script=False)
    page.goto("/p/care/")
    page.locator("#search").fill("user-0")
    page.locator("#search").press("Enter")
    page.wait_for_url("**/player?id=user-0")
    page.get_by_role("link", name="Mutexes held", exact=True).click()
    expect(page.locator("#part-mutexes")).to_contain_text("tx-0")


@pytest.mark.parametrize("theme, width", [("light", 1440), ("dark", 390), ("light", 390), ("dark", 1440)])
def test_the_pages_keep_the_rules_and_fit(desk, care, server, screenshots, theme, width):
    server.python(
        "from gs2admin.identity.actors import SYSTEM\nfrom locks.models import LockNamespace\nfrom locks.services import lock\n"
        "lock(actor=SYSTEM, namespace=LockNamespace.objects.get(name='inventory'), user_id='user-9007199254740993',"
        " property_id='gate', transaction_id='tx-77', ttl_s=600)"
    )
    page = desk(width=width, theme=theme)
    pages = {
        "player": f"player?id={PLAYER}", "search": "search?q=user-", "search-none": "search?q=zzz", "players": "players",
        "locks": "locks/", "lock-namespace": "locks/inventory/", "mutex": f"locks/inventory/mutexes/{care}",
        "erase": f"player/erase?id={PLAYER}", "import": f"player/import?id={PLAYER}",
    }
    found = {}
    for name, path in pages.items():
        page.goto(f"/p/care/{path}")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
        expect(page.locator(".gs-part")).to_have_count(0)
        page.screenshot(path=screenshots / f"care-{name}-{theme}-{width}.png", full_page=True)
        result = Axe().run(page, options=RULES)
        if result.violations_count:
            found[name] = result.generate_report()
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found[f"{name} is wider than the screen"] = wide
    assert not found, "\n".join(f"{name}: {report}" for name, report in found.items())
