"""Scenarios by SourceDeploy."""

from __future__ import annotations

from typing import Any

from gs2admin.wire.protocol import Reply, Request
from gs2admin.wire.reading import read
from stages.api.find import viewing
from stages.api.sourcedeploy import bodies
from stages.api.sourcedeploy.find import page_of, scenario_of, stage_of
from stages.api.sourcedeploy.scenario_config import Wanted, shown, wanted
from stages.api.sourcedeploy.shapes import named
from stages.models import Scenario
from stages.setup.scenarios import create_scenario, delete_scenario, update_scenario


@viewing
def scenario_list(request: Request) -> Reply:
    """In the order in which they were made. Raises NotFound, Invalid."""
    stage = stage_of(request)
    rows = Scenario.objects.filter(stage=stage, name__contains=request.query.get("scenarioName", "")).order_by("pk")
    listed = [named(row) for row in page_of(request, rows)]
    return Reply({"project": named(request.project), "stage": named(stage), "scenarioList": listed})


@viewing
def scenario_detail(request: Request) -> Reply:
    """Raises NotFound."""
    stage, row = scenario_of(request)
    return Reply({
        "project": named(request.project), "stage": named(stage), **named(row), "description": row.description,
        "type": stage.type, "config": shown(row, stage.type),
    })  # fmt: skip


def scenario_create(request: Request) -> Reply:
    """Raises NotFound, Denied, Invalid, Conflict (name taken)."""
    stage = stage_of(request)
    sent = read(bodies.ScenarioBody, request.body)
    facts = _facts(wanted(stage.type, sent.config))
    row = create_scenario(actor=request.actor, stage=stage, name=sent.name, description=sent.description or "", **facts)
    return Reply(named(row))


def scenario_update(request: Request) -> Reply:
    """What is absent stays; a name cannot be sent. Raises NotFound, Denied, Invalid."""
    stage, row = scenario_of(request)
    sent = read(bodies.ScenarioChange, request.body)
    facts = {} if sent.config is None else _facts(wanted(stage.type, sent.config))
    if sent.description is not None:
        facts["description"] = sent.description
    return Reply(named(update_scenario(actor=request.actor, scenario=row, **facts)))


def scenario_delete(request: Request) -> Reply:
    """Raises NotFound, Denied."""
    _, row = scenario_of(request)
    delete_scenario(actor=request.actor, scenario=row)
    return Reply({"result": True})


def _facts(found: Wanted) -> dict[str, Any]:
    """The fields for the service. Commands are given by the names that the server's administrator allows."""
    commands = {
        phase: [{"kind": "command", "config": {"command": name}} for name in names]
        for phase, names in found.commands.items()
        if names
    }
    return {
        "strategy": found.strategy,
        "sequence": found.sequence,
        "rollback": found.rollback,
        "commands": commands,
        "canary": found.canary,
        "config": found.config,
    }
