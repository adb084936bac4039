"""The lists of a scenario's form: several metrics, several commands per phase; nothing is lost, wherever a row goes."""
from __future__ import annotations

import html
import re

import pytest

from gs2admin.identity.actors import SYSTEM
from stages.models import Scenario
from stages.setup.scenarios import create_scenario, update_scenario
from stages.steps import KINDS, command
from tests.pages.test_scenarios import FORM, GOOD, PROMETHEUS, at, metrics, mika, rows  # noqa: F401  mika is a fixture

pytestmark = pytest.mark.django_db
AUTO = {
    "analysis": "auto", "url": PROMETHEUS, "delay_s": "0", "duration_s": "600", "interval_s": "60", "step_s": "7", "pass_score": "75",
}
BLANK = {"name": "", "query": "", "threshold": "", "base": ""}
SEVERAL = [
    {"name": "errors", "query": 'sum(rate(http{code=~"5.."}[1m]))', "threshold": 0.5, "better": "lower", "base": "", "weight": 1},
    {"name": "sales", "query": "sold", "threshold": 5.0, "better": "higher", "base": "", "weight": 3},
    {"name": "latency", "query": "gray", "threshold": 10.0, "better": "lower", "base": "old", "weight": 2},
]


class Kept:
    """A kind of step that the form has no fields for."""

    name, label = "odd", "Odd"

    def validate(self, config):
        return dict(config)


@pytest.fixture(autouse=True)
def allowed(settings, steps, monkeypatch):
    """Two commands, a store and a cluster that may be used."""
    settings.STEP_COMMANDS = {"build": "/bin/true", "check": "/bin/true"}
    settings.STEP_STORAGES = {"builds": "/tmp", "cdn": "/tmp"}
    settings.STEP_KUBECONFIGS = {"tokyo": "/tmp/k"}
    monkeypatch.setitem(KINDS, "odd", Kept())


def http(path, **more):
    return {"kind": "http", "config": {
        "url": f"https://deploy.example.com/{path}", "timeout_s": 90, "request_timeout_s": 5, "poll_interval_s": 3, "repeatable": True,
        **more}}


COMMANDS = {
    "pre": [http("warm"), {"kind": "command", "config": {"command": "check", "timeout_s": 33, "repeatable": True}},
            {"kind": "odd", "config": {"deep": [1, {"a": "b"}]}}],
    "deploy": [{"kind": "storage", "config": {"path": "live/{service}", "store": "cdn", "source_store": "builds", "source": "{service}-{version}",
                                         "timeout_s": 120}},
               {"kind": "kubernetes", "config": {
                   "kubeconfig": "tokyo", "namespace": "game", "deployment": "{service}", "container": "main", "follow": "migrate, {service}-warm", "service": "{service}",
                   "image": "registry.example.com/{service}", "gray_replicas": 2, "timeout_s": 77}}],
    "canary": [http("gray")],
}


def fields(page: str) -> dict[str, str | list[str]]:
    """Everything that a browser would send of the scenario's form with its Save button."""
    form = page[page.index('id="scenario-form"'):]
    form = form[:form.index("</form>")]
    found: dict[str, list[str]] = {}
    for match in re.finditer(r"<(input|textarea|select)\b([^>]*)>(.*?</\1>)?", form, re.S):
        tag, attrs, inside = match[1], match[2], match[3] or ""
        name = re.search(r'name="([^"]*)"', attrs)
        if name is None or name[1] == "csrfmiddlewaretoken":
            continue
        if tag == "select":
            options = re.findall(r'<option value="([^"]*)"( selected)?', inside)
            value = next((v for v, chosen in options if chosen), options[0][0])
        elif tag == "textarea":
            value = inside[:-len("</textarea>")].removeprefix("\n")
        else:
            kind = re.search(r'type="([^"]*)"', attrs)[1]
            if kind in ("checkbox", "radio") and " checked" not in attrs:
                continue
            value = re.search(r'value="([^"]*)"', attrs)
            value = value[1] if value else "on" if kind == "checkbox" else ""
        found.setdefault(name[1], []).append(html.unescape(value))
    return found


def canary_of(name="night"):
    return Scenario.objects.get(name=name).canary


@pytest.fixture
def rich(world):
    """A scenario with everything that can be said, as a program or SourceDeploy makes it."""
    return create_scenario(
        actor=SYSTEM, stage=world.stg, name="rich", strategy="canary", commands=COMMANDS, rollback=True, approvals_required=1,
        approvers={"roles": ["service", "producer"], "people": ["olga"]},
        canary={"weights": [{"percent": 3, "pause_s": 45}, {"percent": 9, "pause_s": None}], "analysis": "auto", "url": PROMETHEUS,
                "metrics": SEVERAL, "delay_s": 5, "duration_s": 95, "interval_s": 7, "step_s": 3, "pass_score": 61, "time_limit_s": 90},
    )


def facts(row):
    row.refresh_from_db()
    return {name: getattr(row, name) for name in (
        "name", "description", "strategy", "batch_size", "sequence", "rollback", "commands", "canary", "approvals_required", "approvers")}


def test_saving_without_a_change_changes_nothing(mika, world, rich):  # noqa: F811
    before = facts(rich)
    page = mika.get(at("scenario-edit", world.stg, pk=rich.pk)).content.decode()
    answer = mika.post(at("scenario-edit", world.stg, pk=rich.pk), fields(page))
    assert answer.status_code == 302
    after = facts(rich)
    assert sorted(after["approvers"]["roles"]) == sorted(before["approvers"].pop("roles")) and after["approvers"].pop("roles")
    assert after == before


@pytest.mark.parametrize("change", [{"analysis": "manual"}, {"name": "other"}, {"weights": "50"}])
def test_a_change_elsewhere_keeps_every_metric_and_command(mika, world, rich, change):  # noqa: F811
    page = mika.get(at("scenario-edit", world.stg, pk=rich.pk)).content.decode()
    assert mika.post(at("scenario-edit", world.stg, pk=rich.pk), fields(page) | change).status_code == 302
    rich.refresh_from_db()
    assert rich.canary["metrics"] == SEVERAL and rich.canary["url"] == PROMETHEUS and rich.commands == COMMANDS


def test_a_program_that_knows_no_rows_loses_none(mika, world, rich):  # noqa: F811
    assert mika.post(at("scenario-edit", world.stg, pk=rich.pk), FORM | AUTO).status_code == 302
    rich.refresh_from_db()
    assert rich.canary["metrics"] == SEVERAL and rich.commands == COMMANDS


def test_several_metrics_and_commands_are_written_at_once(mika, world):  # noqa: F811
    sent = FORM | AUTO | metrics(GOOD, GOOD | {"name": "sales", "query": "sold", "better": "higher", "weight": "4"}, {"name": ""})
    sent |= rows("pre", {"kind": "command", "command": "check", "timeout_s": "5"}, {"kind": "http", "url": "https://warm.example.com/"})
    sent |= rows("deploy") | rows("post", {"kind": "command", "command": "build", "timeout_s": "", "repeatable": "on"})
    assert mika.post(at("scenario-new", world.stg), sent).status_code == 302
    made = Scenario.objects.get(name="night")
    assert [(m["name"], m["better"], m["weight"]) for m in made.canary["metrics"]] == [("errors", "lower", 1), ("sales", "higher", 4)]
    assert [(part["kind"], part["config"].get("command") or part["config"].get("url")) for part in made.commands["pre"]] == [
        ("command", "check"), ("http", "https://warm.example.com/")]
    assert "deploy" not in made.commands and made.commands["post"][0]["config"]["repeatable"] is True
    assert made.canary["step_s"] == 7


@pytest.mark.parametrize(("wrong", "where", "sentence"), [
    (metrics(GOOD, GOOD | {"query": " "}), "metrics-1-query", "needs a query"),
    (metrics(GOOD, GOOD | {"name": ""}), "metrics-1-name", "needs a name"),
    (metrics(GOOD | {"threshold": ""}, GOOD), "metrics-0-threshold", "threshold is a number"),
    (metrics(GOOD | {"threshold": "much"}, GOOD), "metrics-0-threshold", "Enter a number"),
    (metrics(GOOD | {"weight": "0"}, GOOD), "metrics-0-weight", "greater than or equal to 1"),
    (metrics(BLANK), "metrics-0-name", "needs a name"),
    (metrics(GOOD | {"threshold": ""}, BLANK), "metrics-0-threshold", "threshold is a number"),
    (rows("pre", {"kind": "http", "url": "https://a.example.com/"}, {"kind": "http", "url": "ftp://x"}), "pre-1-url", "http"),
    (rows("post", {"kind": "command", "command": ""}), "post-0-command", "command is missing"),
    (rows("post", {"kind": "command", "command": "rm"}), "post-0-command", "There is no command called"),
    (rows("deploy", {"kind": "storage", "path": "x", "store": "cdn", "source_store": "builds", "source": ""}), "deploy-0-source",
     "source is missing"),
    (rows("deploy", {"kind": "kubernetes", "image": "", "kubeconfig": "tokyo", "namespace": "g"}), "deploy-0-image", "image is missing"),
])
def test_what_is_wrong_is_said_at_its_row_and_everything_stays(mika, world, wrong, where, sentence, monkeypatch):  # noqa: F811
    monkeypatch.setitem(KINDS, "command", command.KIND)
    sent = FORM | AUTO | metrics(GOOD) | {"description": "typed", "reason": "why not"} | wrong
    answer = mika.post(at("scenario-new", world.stg), sent)
    page = answer.content.decode()
    found = re.search(rf'id="id_{where}_error"[^>]*>(.*?)</div>', page, re.S)
    assert answer.status_code == 400 and found and sentence in html.unescape(found[1])
    assert len(re.findall(r'class="gs-error"', page)) == 1, "only the row that is wrong says something"
    assert "Not saved yet: correct" in page and not Scenario.objects.filter(name="night").exists()
    now = fields(page)
    assert {name: now[name][0] for name in sent if name in now and name not in {"rollback", "use", "approver_roles"}} == {
        name: value for name, value in sent.items() if name in now and name not in {"rollback", "use", "approver_roles"}}


def step(mika, world, sent, do, pk=None):  # noqa: F811
    url = at("scenario-edit", world.stg, pk=pk) if pk else at("scenario-new", world.stg)
    answer = mika.post(url, sent | {"do": do})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'class="gs-error"' not in page and "gs-alert--bad" not in page, "nothing is judged by it"
    return page


def test_rows_come_go_and_move_by_buttons_and_nothing_is_saved_by_them(mika, world, rich):  # noqa: F811
    before = facts(rich)
    page = mika.get(at("scenario-edit", world.stg, pk=rich.pk)).content.decode()
    sent = fields(page) | {"name": "typed", "reason": ""}
    page = step(mika, world, sent, "add:metrics:", rich.pk)
    sent = fields(page)
    assert sent["metrics-rows"] == ["4"] and sent["name"] == ["typed"] and sent["metrics-3-weight"] == ["1"]
    assert re.search(r'<input[^>]*name="metrics-3-name"[^>]*autofocus', page)
    page = step(mika, world, sent, "remove:metrics:0", rich.pk)
    sent = fields(page)
    assert [sent[f"metrics-{n}-name"] for n in range(3)] == [["sales"], ["latency"], [""]]
    assert re.search(r'value="add:metrics:" autofocus', page)
    page = step(mika, world, sent, "up:metrics:1", rich.pk)
    sent = fields(page)
    assert [sent[f"metrics-{n}-name"] for n in range(3)] == [["latency"], ["sales"], [""]]
    for kind, first in (("command", "command"), ("http", "url"), ("storage", "path"), ("kubernetes", "image")):
        page = step(mika, world, sent, f"add:post:{kind}", rich.pk)
        last = int(fields(page)["post-rows"][0]) - 1
        assert re.search(rf'name="post-{last}-{first}"[^>]*autofocus', page), kind
        sent = fields(page)
    assert sent["post-1-timeout_s"] == ["60"] and sent["post-3-deployment"] == ["{service}"]
    for _ in range(4):
        sent = fields(step(mika, world, sent, "remove:post:0", rich.pk))
    sent = fields(step(mika, world, sent, "up:pre:2", rich.pk))
    assert facts(rich) == before
    assert mika.post(at("scenario-edit", world.stg, pk=rich.pk), sent).status_code == 302
    rich.refresh_from_db()
    assert [m["name"] for m in rich.canary["metrics"]] == ["latency", "sales"] and rich.name == "typed"
    assert rich.commands == COMMANDS | {"pre": [COMMANDS["pre"][n] for n in (0, 2, 1)]}


@pytest.mark.parametrize("do", [
    "add:metrics:nonsense", "add:pre:nonsense", "add:pre:pin", "remove:metrics:99", "remove:metrics:x", "up:metrics:0", "up:metrics:",
    "add:nowhere:", "remove:pre:-1",
])
def test_a_button_that_makes_no_sense_changes_nothing(mika, world, rich, do):  # noqa: F811
    sent = fields(mika.get(at("scenario-edit", world.stg, pk=rich.pk)).content.decode())
    assert fields(step(mika, world, sent, do, rich.pk)) == sent


def test_no_more_rows_than_there_is_room_for(mika, world):  # noqa: F811
    sent = FORM | AUTO | metrics(*[GOOD] * 9)
    sent = fields(step(mika, world, sent, "add:metrics:"))
    page = step(mika, world, sent, "add:metrics:")
    assert fields(page)["metrics-rows"] == ["10"] and "There is no room for more than 10" in page and "add:metrics:" not in page
    answer = mika.post(at("scenario-new", world.stg), FORM | AUTO | metrics(*[GOOD] * 11))
    assert answer.status_code == 400 and "are 1 to 10 queries" in answer.content.decode()
    assert mika.post(at("scenario-new", world.stg), FORM | AUTO | metrics(GOOD) | {"metrics-rows": "9" * 30}).status_code in {302, 400}


def test_somebody_else_s_metrics_are_not_written_over(mika, world, rich):  # noqa: F811
    sent = fields(mika.get(at("scenario-edit", world.stg, pk=rich.pk)).content.decode())
    update_scenario(actor=SYSTEM, scenario=rich, description="theirs")
    answer = mika.post(at("scenario-edit", world.stg, pk=rich.pk), sent)
    assert answer.status_code == 409 and "Somebody else saved rich while you edited it" in answer.content.decode()
    assert Scenario.objects.get(pk=rich.pk).description == "theirs"


def test_a_step_that_the_form_cannot_show_is_not_made_up(mika, world, rich):  # noqa: F811
    sent = fields(mika.get(at("scenario-edit", world.stg, pk=rich.pk)).content.decode())
    answer = mika.post(at("scenario-edit", world.stg, pk=rich.pk), sent | {"pre-2-was": "7"})
    assert answer.status_code == 400 and "This step no longer exists" in answer.content.decode()
    answer = mika.post(at("scenario-edit", world.stg, pk=rich.pk), sent | {"pre-2-kind": "nonsense"})
    assert answer.status_code == 400


def test_enter_saves_and_takes_no_row_away(mika, world, rich):  # noqa: F811
    page = mika.get(at("scenario-edit", world.stg, pk=rich.pk)).content.decode()
    form = page[page.index('id="scenario-form"'):]
    assert 'name="do"' not in re.search(r'<button[^>]*type="submit"[^>]*>', form)[0]
