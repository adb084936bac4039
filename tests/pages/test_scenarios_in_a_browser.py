"""Scenarios, canaries, freeze windows and webhooks in a real browser: rows by keyboard, with and without JavaScript."""
from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

from gs2admin.identity.actors import SYSTEM
from stages.models import CanaryReport, Rollout, Scenario
from stages.setup.scenarios import create_scenario
from tests.pages.test_in_a_browser import RULES, browser, open_as, unsafe_is_fine  # noqa: F401  fixtures

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
WARM = {"kind": "http", "config": {"url": "https://warm.example.com/"}}
TWO = [{"name": "errors", "query": "e" * 200, "threshold": 1}, {"name": "latency", "query": "l", "base": "b", "threshold": 10}]
AUTO = {"analysis": "auto", "url": "https://prometheus.example.com", "metrics": TWO}


@pytest.fixture
def rich(world):
    return create_scenario(actor=SYSTEM, stage=world.stg, name="rich", strategy="canary", use=False, canary=AUTO,
                           commands={"pre": [WARM, WARM], "post": [WARM]})


def at(name, world, **more):
    return reverse(name, kwargs={"project": world.project.name, **more})


@pytest.mark.parametrize("script", [True, False])
def test_rows_by_keyboard_alone(world, owner, open_as, live_server, script):  # noqa: F811
    page, complaints = open_as("olga", script=script)
    page.goto(live_server.url + at("scenario-new", world, stage="stg"))
    page.fill("#id_name", "typed")
    page.select_option("#id_strategy", "canary")
    page.select_option("#id_analysis", "auto")
    page.fill("#id_url", "https://prometheus.example.com")
    page.fill("#id_metrics-0-name", "errors")
    page.fill("#id_metrics-0-query", "up")
    page.fill("#id_metrics-0-threshold", "1")
    if script:
        page.evaluate("window.stayed = true")
    page.focus("#id_metrics-0-weight")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past "Several series" and "Remove": "Add a metric"
    page.wait_for_selector("#id_metrics-1-name:focus")
    page.keyboard.type("sales")
    page.keyboard.press("Tab")
    page.keyboard.type("sold")
    page.fill("#id_metrics-1-threshold", "2")
    page.focus("button[value='add:pre:http']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#id_pre-0-url:focus")
    page.keyboard.type("https://warm.example.com/")
    page.focus("button[value='up:metrics:1']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#id_metrics-0-name:focus")
    assert page.input_value("#id_metrics-0-name") == "sales" and page.input_value("#id_name") == "typed"
    assert not script or page.evaluate("window.stayed"), "only the form was replaced"
    assert not Scenario.objects.filter(name="typed").exists()
    page.keyboard.press("Enter")
    page.wait_for_selector(".gs-messages")
    made = Scenario.objects.get(name="typed")
    assert [metric["name"] for metric in made.canary["metrics"]] == ["sales", "errors"]
    assert made.commands["pre"][0]["config"]["url"] == "https://warm.example.com/"
    assert complaints == []


def test_only_what_the_choice_needs_is_shown_unless_it_is_wrong(world, owner, open_as, live_server):  # noqa: F811
    page, _ = open_as("olga")
    page.goto(live_server.url + at("scenario-new", world, stage="stg"))
    seen = lambda *names: [name for name in names if page.is_visible(f"#id_{name}")]  # noqa: E731
    fields = ("order", "batch_size", "weights", "time_limit", "url")
    assert seen(*fields) == ["order"]
    page.select_option("#id_strategy", "rolling")
    assert seen(*fields) == ["batch_size"]
    page.select_option("#id_strategy", "canary")
    assert seen(*fields) == ["order", "weights", "time_limit"]
    page.select_option("#id_analysis", "auto")
    assert seen(*fields) == ["order", "weights", "url"]
    page.fill("#id_name", "x")
    page.fill("#id_weights", "some")
    page.select_option("#id_strategy", "normal")
    page.click(".gs-actions button[type=submit]")
    page.wait_for_selector("#id_weights_error")
    assert page.is_visible("#id_weights"), "what has to be mended is shown"


@pytest.mark.parametrize(("width", "dark"), [(1440, True), (390, False)])
def test_the_pages_are_accessible_and_fit(world, rich, owner, open_as, live_server, width, dark, run):  # noqa: F811
    report = {"number": 1, "began_at": world.holding.created_at, "ended_at": world.holding.created_at, "passed": False, "score": 33.3,
              "pass_score": 80, "step_s": 15}
    CanaryReport.objects.create(rollout=world.holding, **report, metrics=[
        {"id": 1, "name": "latency", "weight": 1, "passed": False, "value": 0.2140, "threshold": 10, "deviation": 12.5,
         "base": {"avg": 0.19}, "canary": {}}])
    copy = world.holding.scenario_copy | {"canary": world.holding.scenario_copy["canary"] | AUTO}
    Rollout.objects.filter(pk=world.holding.pk).update(scenario_copy=copy)
    page, complaints = open_as("olga", width=width, dark=dark)
    paths = [
        at("stage-scenarios", world, stage="stg"), at("scenario-edit", world, stage="stg", pk=rich.pk),
        at("scenario-new", world, stage="stg"), at("rollout", world, number=world.holding.number),
        at("rollout-retry", world, number=world.failed.number), at("rollout-approve", world, number=world.waiting.number),
        at("stage-approval", world, stage="stg"), at("freezes", world), at("freeze-edit", world, pk=world.window.pk),
        at("webhooks", world), at("webhook", world, pk=world.webhook.pk), at("webhook-edit", world, pk=world.webhook.pk),
    ]
    for path in paths:
        assert (path, page.goto(live_server.url + path).status) == (path, 200)
        if path == paths[1]:
            page.click("button[value='add:post:http']")
            page.wait_for_selector("#id_post-1-url:focus")
            page.click(".gs-actions button[type=submit]")
            page.wait_for_selector("#id_post-1-url_error")
            complaints.clear()  # the browser tells of the answer 400
        assert (path, page.evaluate("document.documentElement.scrollWidth")) == (path, width)
        found = [(v["id"], v["nodes"][0]["html"][:160]) for v in Axe().run(page, options=RULES).response["violations"]]
        assert (path, found) == (path, [])
        assert (path, complaints) == (path, [])


def test_the_address_of_the_calendar_can_be_copied(world, owner, open_as, live_server):  # noqa: F811
    page, _ = open_as("olga")
    page.goto(live_server.url + at("freezes", world))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("button[data-copy=feed]")
    page.wait_for_function("document.querySelector('button[data-copy=feed]').textContent.trim() === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == page.input_value("#feed")
