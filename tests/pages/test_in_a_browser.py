"""The pages of settings and the data admin in a real browser: nothing breaks the policy, overflows, or fails WCAG 2.2 AA."""
from __future__ import annotations

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, sync_playwright

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import User
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.identity.services.stamp_keys import create_stamp_key, revoke_stamp_key
from stages.models import Stage, Version
from stages.setup.stages import create_stage
from stages.setup.targets import save_target
from stages.setup.versions import register_version, withdraw_version
from tests.conftest import CHROMIUM, PASSWORD

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--disable-component-update", "--disable-sync"]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="module", autouse=True)
def unsafe_is_fine():
    """Playwright keeps an event loop in this thread; Django must not mistake it for async code."""
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def browser(unsafe_is_fine):
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def shelf(project, owner, viewer) -> Stage:
    """A project with something on every page."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        register_version(actor=SYSTEM, project=project, microservice="matchmaking", version=version, note="a note")
    withdraw_version(actor=SYSTEM, version=Version.objects.get(version="1.2.0"), reason="crashes")
    dev = create_stage(actor=SYSTEM, project=project, name="dev")
    hook = {"deploy": {"url": "https://example.com/" + "x" * 90}}
    for name in ("tokyo", "osaka"):
        save_target(actor=SYSTEM, stage=dev, name=name, kind="http", config=hook)
    create_credential(actor=SYSTEM, project=project, name="build-server")
    gone, _ = create_credential(actor=SYSTEM, project=project, name="old-tool")
    revoke_credential(actor=SYSTEM, credential=gone, reason="gone")
    create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name="rewards")
    old, _ = create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name="old-rewards")
    revoke_stamp_key(actor=SYSTEM, key=old, reason="gone")
    User.objects.create_superuser("root", password=PASSWORD)
    return dev


@pytest.fixture
def open_as(browser, live_server):
    """open_as(name, width=…, dark=…, script=…) gives (page, complaints): a signed-in page and what its console says."""
    contexts = []

    def act(name: str, *, width: int = 1440, dark: bool = False, script: bool = True) -> tuple[Page, list[str]]:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", java_script_enabled=script,
        )
        contexts.append(context)
        page, complaints = context.new_page(), []
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(live_server.url + "/login")
        page.fill("#id_username", name)
        page.fill("#id_password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(re.compile(r"/p/"))
        complaints.clear()
        return page, complaints

    yield act
    for context in contexts:
        context.close()


def addresses(stage: Stage) -> list[str]:
    name = stage.project.name
    version = Version.objects.get(version="1.1.0")
    member = stage.project.memberships.order_by("id").last()
    own = {
        "versions": {}, "version-register": {}, "version-service": {"service": "matchmaking"},
        "version-withdraw": {"service": "matchmaking", "pk": version.pk}, "credentials": {}, "credential-new": {},
        "credential-revoke": {"pk": stage.project.credentials.get(name="build-server").pk}, "members": {},
        "stampkeys": {}, "stampkey-new": {}, "stampkey-revoke": {"pk": stage.project.stamp_keys.get(name="rewards").pk},
        "member-role": {"pk": member.pk}, "member-remove": {"pk": member.pk}, "settings": {}, "activity": {}, "stage-new": {},
        "stage-edit": {"stage": "dev"}, "stage-delete": {"stage": "dev"}, "stage-targets": {"stage": "dev"},
        "target-new": {"stage": "dev"}, "target-edit": {"stage": "dev", "target": "tokyo"},
        "target-rotate": {"stage": "dev", "target": "tokyo"}, "target-delete": {"stage": "dev", "target": "tokyo"},
    }
    return [reverse(key, kwargs={"project": name, **more}) for key, more in own.items()] + [
        reverse("projects"), reverse("password")
    ]


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_the_pages_are_accessible_fit_and_keep_the_policy(shelf, open_as, live_server, width, dark):
    page, complaints = open_as("olga", width=width, dark=dark)
    for path in addresses(shelf):
        answer = page.goto(live_server.url + path)
        assert (path, answer.status) == (path, 200)
        for details in page.locator("main details").all():
            details.evaluate("node => { node.open = true }")
        assert (path, page.evaluate("document.documentElement.scrollWidth")) == (path, width)
        found = [(v["id"], v["nodes"][0]["html"][:160]) for v in Axe().run(page, options=RULES).response["violations"]]
        assert (path, found) == (path, [])
        assert (path, complaints) == (path, [])


def test_a_secret_can_be_copied_once_and_a_reload_does_not_show_it_again(shelf, open_as, live_server):
    page, _ = open_as("olga")
    page.goto(live_server.url + reverse("credential-new", kwargs={"project": "isles"}))
    page.fill("#id_name", "game-backend")
    page.keyboard.press("Enter")
    page.wait_for_selector("#client-secret")
    secret = page.inner_text("#client-secret")
    assert len(secret) > 30
    page.reload()
    page.wait_for_selector(".gs-messages")
    assert secret not in page.content() and "nothing new was made" in page.content()
    page.go_back()
    assert secret not in page.content()
    assert shelf.project.credentials.filter(name="game-backend").count() == 1


def test_a_confirmation_works_with_the_keyboard_alone(shelf, open_as, live_server):
    page, _ = open_as("olga")
    page.goto(live_server.url + reverse("stage-delete", kwargs={"project": "isles", "stage": "dev"}))
    page.focus("#id_reason")
    page.keyboard.type("not needed")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Delete stage"
    page.keyboard.press("Enter")
    page.wait_for_selector(".gs-messages")
    assert "dev is deleted" in page.inner_text(".gs-messages")
    assert Stage.objects.get(pk=shelf.pk).deleted_at is not None


def test_the_data_admin_works_under_the_policy(shelf, open_as, live_server):
    page, complaints = open_as("root")
    names = ["identity/user", "identity/project", "identity/membership", "identity/credential", "stages/stage", "stages/target",
             "stages/version", "stages/microservice", "stages/versionset", "stages/rollout", "audit/activity"]
    for name in names:
        assert page.goto(f"{live_server.url}/admin/{name}/").status == 200
        row = page.locator("#result_list tbody th a")
        if row.count():
            row.first.click()
            page.wait_for_selector("#content h1")
    page.goto(f"{live_server.url}/admin/identity/membership/add/")
    page.click("#id_project + .select2 .select2-selection")
    page.keyboard.type("isl")
    page.wait_for_selector(".select2-results__option:has-text('isles')")
    page.keyboard.press("Enter")
    assert page.inner_text("#id_project + .select2").strip() == "isles"
    page.click("text=Back to the board")
    page.wait_for_url(re.compile(r"/p/isles/"))
    assert complaints == []


def test_the_keyboard_opens_pages_walks_lists_and_is_turned_off(shelf, open_as, live_server):
    page, complaints = open_as("olga")
    page.keyboard.press("?")
    dialog = page.locator("#shortcuts")
    assert dialog.is_visible() and "Versions" in dialog.inner_text()
    assert Axe().run(page, options=RULES).response["violations"] == []
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.keyboard.press("g")
    page.keyboard.press("v")
    page.wait_for_url("**/versions/")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('tr') !== null")
    page.keyboard.press("/")
    page.keyboard.type("gb?")
    assert page.input_value("#search") == "gb?" and not dialog.is_visible(), "what is typed is no shortcut"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.uncheck("#shortcuts-on")
    page.keyboard.press("Escape")
    for key in "gb?/":
        page.keyboard.press(key)
    assert page.url.endswith("/versions/") and not dialog.is_visible() and complaints == []
    page.click(".gs-person__menu summary")
    page.click("[data-shortcuts]")
    assert dialog.is_visible() and not page.is_checked("#shortcuts-on")
