"""Writes of scenarios: how rollouts of a stage proceed."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Role
from gs2admin.identity.rights import require
from gs2admin.names import check_name
from stages.core import ledger
from stages.core.redact import redacted
from stages.models import Scenario, Stage
from stages.setup.canary_plans import check_plan
from stages.setup.stages import KEEP
from stages.states import ALL_PHASES, Strategy
from stages.steps import KINDS

# scenarios of a stage
MOST = 50
# characters of a person's name
MAX_NAME = 150
FACTS = (
    "name", "description", "strategy", "batch_size", "sequence", "rollback", "commands", "canary", "approvals_required",
    "approvers",
)


def refuse(field: str, sentence: str) -> Invalid:
    """A refusal that a form shows beside its field."""
    return Invalid(sentence, component="scenario", message=f"freeze.scenario.{field}.error.invalid", extra={"field": field})


def create_scenario(
    *, actor: Actor, stage: Stage, name: str, use: bool | None = None, reason: str = "", config: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Scenario:
    """Add a scenario to a stage. facts: the other fields of FACTS. use: let the stage use it; by default it uses its first.

    config: SourceDeploy's own object, stored unchanged. Raises NotFound, Denied, Invalid, Conflict (name taken).
    """
    require(actor, "stage.edit", stage)
    clean = check_facts({"name": name, **facts})
    with transaction.atomic():
        row = _locked(stage)
        if row.scenarios.count() >= MOST:
            raise refuse("", f"A stage has at most {MOST} scenarios.")
        made = _saved(Scenario(stage=row, config=dict(config or {})), clean)
        record(actor=actor, action="scenario.create", obj=made, after=_shown(made), reason=reason)
        if use or (use is None and row.scenario_id is None and row.scenarios.count() == 1):
            _use(actor, row, made, reason)
        return made


def update_scenario(
    *, actor: Actor, scenario: Scenario, reason: str = "", config: Mapping[str, Any] = KEEP, use: bool | None = None,
    seen: int | None = None, **facts: Any
) -> Scenario:
    """Change the given fields; rollouts that run keep their copy. seen: the revision that was edited; a newer one is refused.

    Raises NotFound, Denied, Invalid, Conflict (somebody else saved it meanwhile; name taken).
    """
    require(actor, "stage.edit", scenario)
    with transaction.atomic():
        _locked(scenario.stage)
        row = _existing(scenario)
        if seen is not None and seen != row.revision:
            raise Conflict(
                f"Somebody else saved {row.name} while you edited it, so nothing was changed. Open it again and look first.",
                component="scenario", message="freeze.scenario.scenario.error.conflict", code="freeze.scenario.changed",
            )
        before = _shown(row)
        clean = check_facts({name: getattr(row, name) for name in FACTS} | facts)
        if config is not KEEP:
            row.config = dict(config)
        saved = _saved(row, clean)
        if _shown(saved) != before:
            record(actor=actor, action="scenario.update", obj=saved, before=before, after=_shown(saved), reason=reason)
        if use is not None and use != (saved.stage.scenario_id == saved.pk):
            _use(actor, saved.stage, saved if use else None, reason)
        return saved


def delete_scenario(*, actor: Actor, scenario: Scenario, reason: str = "") -> None:
    """Delete a scenario; rollouts keep their copy. A stage that used it has none then. Raises NotFound, Denied."""
    require(actor, "stage.edit", scenario)
    with transaction.atomic():
        stage = _locked(scenario.stage)
        row = _existing(scenario)
        record(actor=actor, action="scenario.delete", obj=row, before=_shown(row), reason=reason)
        if stage.scenario_id == row.pk:
            _use(actor, stage, None, reason)
        row.delete()


def use_scenario(*, actor: Actor, stage: Stage, scenario: Scenario | None, reason: str = "") -> Stage:
    """Let rollouts of the stage proceed by this scenario, or by none (the plain way). Raises NotFound, Denied."""
    require(actor, "stage.edit", stage)
    with transaction.atomic():
        row = _locked(stage)
        if scenario is not None and not row.scenarios.filter(pk=scenario.pk).exists():
            raise _missing(scenario, row)
        _use(actor, row, scenario, reason)
        return row


def check_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of FACTS, validated and with their defaults. Raises Invalid with the field in extra["field"]."""
    unknown = sorted(set(facts) - set(FACTS))
    if unknown:
        raise refuse(unknown[0], f"A scenario has no {', '.join(unknown)}.")
    name = check_name(facts["name"], component="scenario", word="freeze.scenario.name")
    if len(name) > 100:
        raise refuse("name", "A scenario's name has at most 100 characters.")
    description = str(facts.get("description") or "").strip()
    if len(description) > 500:
        raise refuse("description", "A description has at most 500 characters.")
    strategy = facts.get("strategy") or Strategy.NORMAL
    if strategy not in Strategy.values:
        raise refuse("strategy", f"The strategy is one of {', '.join(Strategy.values)}.")
    return {
        "name": name,
        "description": description,
        "strategy": strategy,
        "batch_size": _whole(facts, "batch_size", 1, 1, 20, "A batch has 1 to 20 targets."),
        "sequence": bool(facts.get("sequence", True)),
        "rollback": bool(facts.get("rollback", False)),
        "commands": check_commands(facts.get("commands") or {}),
        "canary": check_plan(facts.get("canary") or {}) if strategy == Strategy.CANARY else {},
        "approvals_required": _whole(facts, "approvals_required", 0, 0, 10, "From 0 to 10 people can be asked to approve."),
        "approvers": _approvers(facts.get("approvers") or {}),
    }


def check_commands(commands: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """{phase: [{"kind", "config"}, …]} with each kind's own check; phases without a command are left out."""
    if not isinstance(commands, Mapping) or set(commands) - set(ALL_PHASES):
        raise refuse("commands", f"Commands are given per phase: {', '.join(ALL_PHASES)}.")
    clean: dict[str, list[dict[str, Any]]] = {}
    for phase, parts in commands.items():
        if not isinstance(parts, list) or len(parts) > 20:
            raise refuse("commands", f"{phase}: give a list of at most 20 commands.")
        for part in parts:
            kind = KINDS.get(part.get("kind", "")) if isinstance(part, Mapping) else None
            if kind is None:
                raise refuse("commands", f"{phase}: a command's kind is one of {', '.join(sorted(KINDS))}.")
            try:
                clean.setdefault(phase, []).append({"kind": part["kind"], "config": kind.validate(part.get("config"))})
            except Invalid as refusal:
                raise refuse("commands", f"{phase}: {refusal.sentence}") from None
    return clean


def _approvers(given: Mapping[str, Any]) -> dict[str, list[str]]:
    roles = [str(each) for each in given.get("roles", [])]
    people = [str(each) for each in given.get("people", [])]
    if any(len(each) > MAX_NAME for each in people):
        raise refuse("approvers", f"A person's name has at most {MAX_NAME} characters.")
    if set(roles) - set(Role.values):
        raise refuse("approvers", f"A role is one of {', '.join(Role.values)}.")
    return {"roles": roles, "people": people} if roles or people else {}


def _whole(facts: Mapping[str, Any], name: str, default: int, low: int, high: int, sentence: str) -> int:
    value = facts.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refuse(name, sentence)
    return value


def _saved(row: Scenario, clean: Mapping[str, Any]) -> Scenario:
    for name, value in clean.items():
        setattr(row, name, value)
    row.revision, row.updated_at = (row.revision or 0) + 1, Now()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict(
            f"{row.stage.name} has a scenario called {row.name} already.", component="scenario",
            message="freeze.scenario.name.error.duplicate", extra={"field": "name"},
        ) from None
    row.refresh_from_db(fields=["updated_at"])
    return row


def _use(actor: Actor, stage: Stage, scenario: Scenario | None, reason: str) -> None:
    if stage.scenario_id == (scenario.pk if scenario else None):
        return
    before = Scenario.objects.filter(pk=stage.scenario_id).values_list("name", flat=True).first()
    Stage.objects.filter(pk=stage.pk).update(scenario=scenario, revision=F("revision") + 1, updated_at=Now())
    stage.scenario = scenario
    record(actor=actor, action="stage.scenario", obj=stage, before={"scenario": before},
           after={"scenario": scenario.name if scenario else None}, reason=reason)


def _locked(stage: Stage) -> Stage:
    ledger.lock(stage.project_id)
    row = Stage.objects.filter(pk=stage.pk, deleted_at=None).first()
    if row is None:
        raise NotFound(f"There is no stage {stage.name}.", component="stage", message="freeze.stage.stage.error.notFound")
    return row


def _existing(scenario: Scenario) -> Scenario:
    row = Scenario.objects.select_related("stage").filter(pk=scenario.pk).first()
    if row is None:
        raise _missing(scenario, scenario.stage)
    return row


def _missing(scenario: Scenario, stage: Stage) -> NotFound:
    return NotFound(f"{stage.name} has no scenario {scenario.name} any more.", component="scenario",
                    message="freeze.scenario.scenario.error.notFound")


def _shown(row: Scenario) -> dict[str, Any]:
    return {name: redacted(getattr(row, name)) for name in FACTS}
