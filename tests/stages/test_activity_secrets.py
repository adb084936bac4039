"""Every member reads the activity log; addresses hold tokens, and the log must not hand them out."""
from __future__ import annotations

import json

import pytest

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.core.redact import redact
from stages.setup.scenarios import create_scenario, update_scenario
from stages.setup.stages import set_targets
from stages.webhooks.services import remove_webhook, save_webhook

pytestmark = pytest.mark.django_db
HOOK = "https://chat.example.com/services/T024/B7/s3cretpath?token=s3cretquery"
DEPLOY = "https://deploy.example.com/run?key=s3cretquery"
METRICS = "https://metrics.example.com/?apikey=s3cretquery"


def log() -> str:
    return json.dumps(list(Activity.objects.values_list("before", "after", "object_name", "reason")))


def test_of_webhooks_only_the_host_is_shown(project):
    made = save_webhook(actor=SYSTEM, project=project, name="chat", url=HOOK)
    save_webhook(actor=SYSTEM, project=project, name="chat", url=HOOK + "2", endpoint=made)
    remove_webhook(actor=SYSTEM, endpoint=made)
    assert Activity.objects.filter(action__startswith="webhook.").count() == 3
    assert "chat.example.com" in log() and "s3cret" not in log()
    changed = Activity.objects.get(action="webhook.update")
    assert changed.before["url"] != changed.after["url"], "the change is visible"


def test_of_targets_and_scenarios_the_query_is_left_out(dev):
    for url in (DEPLOY, DEPLOY + "2"):
        set_targets(actor=SYSTEM, stage=dev, targets=[
            {"name": "hook", "kind": "http", "config": {"pre": None, "deploy": {"url": url}, "post": None}}])
    canary = {"analysis": "auto", "url": METRICS, "metrics": [{"name": "errors", "query": "sum(x)", "threshold": 1}]}
    made = create_scenario(actor=SYSTEM, stage=dev, name="judged", strategy="canary", canary=canary,
                           commands={"deploy": [{"kind": "http", "config": {"url": DEPLOY}}]})
    update_scenario(actor=SYSTEM, scenario=made, description="new", commands={})
    assert dev.targets.get().config["deploy"]["url"] == DEPLOY + "2", "only the log leaves it out"
    assert "https://deploy.example.com/run" in log() and "https://metrics.example.com/" in log() and "s3cret" not in log()
    changed = Activity.objects.filter(action="stage.targets").latest("id")
    assert changed.before != changed.after


@pytest.mark.parametrize(("url", "shown"), [
    ("https://a.example/x", "https://a.example/x"), ("http://a.example:81/", "http://a.example:81/"), ("no address", "…"),
])
def test_what_holds_no_secret_is_shown_whole(url, shown):
    assert redact(url) == shown
