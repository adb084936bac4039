"""Writes of mesh releases. A release is a rollout of one microservice whose canary people move by hand."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from stages.canary.services import remake_canary
from stages.core import ledger
from stages.core.actions import actions_of
from stages.core.scenarios import CanaryPlan, Weight, stored
from stages.core.words import phrase_of
from stages.models import Microservice, Release, Rollout, Scenario, Stage, Target
from stages.plan.previews import Preview, preview_of, versions_of
from stages.rollouts.create import RolloutRequest
from stages.rollouts.start import start
from stages.setup.versions import register_version
from stages.states import FINAL, Analysis, Kind, Leg, Phase, Protocol, Strategy

# No player gets the gray version before somebody sets a weight, and no timer runs.
PLAN = stored(CanaryPlan(weights=(Weight(5),), analysis=Analysis.MANUAL, time_limit_s=None))


def create_release(
    *, actor: Actor, project: Project, namespace: str, name: str, spec: dict[str, Any], version: str, reason: str = ""
) -> Rollout:
    """Start a release of `spec["serviceName"]` in the version `version`, which is registered when it is new.

    namespace: the name of a stage, or the namespace of a stage's Kubernetes targets. spec: the published object, stored.
    Raises NotFound (namespace, microservice), Denied, Invalid (withdrawn version), Conflict (name taken, a rollout of
    the stage is live, a stop or a freeze window blocks it, the stage needs approval).
    """
    require(actor, "stage.promote", project)
    stage = stage_of(project, namespace)
    service = spec["serviceName"]
    if not Microservice.objects.filter(project=project, name=service).exists():
        raise NotFound(f"There is no service {service} here. Register a version of it first.", component="microservice",
                       message="freeze.microservice.microservice.error.notFound")
    with transaction.atomic():
        _registered(actor, project, service, version)
        taken = Release.objects.filter(rollout__project=project, namespace=namespace, name=name)
        if taken.exclude(rollout__state__in=sorted(FINAL)).exists():
            raise Conflict(f"There is a release called {name} in {namespace} already.", component="stage",
                           message="freeze.stage.stage.error.conflict", code="freeze.release.nameTaken")
        request = RolloutRequest(reason, protocol=Protocol.ASM)
        rollout = start(actor, "stage.promote", stage, request, lambda row: _preview(row, service, version))
        if spec["type"] == Strategy.BLUE_GREEN:
            Rollout.objects.filter(pk=rollout.pk).update(strategy=Strategy.BLUE_GREEN)
            rollout.strategy = Strategy.BLUE_GREEN
        _replicas(rollout, spec)
        Release.objects.create(rollout=rollout, namespace=namespace, name=name, service_name=service, spec=spec)
        return rollout


def _replicas(rollout: Rollout, spec: dict[str, Any]) -> None:
    """Store the number of gray replicas that the client chose; the rest of a workload is the original's."""
    wanted = spec["grayDeployments"][0]["template"].get("spec", {}).get("replicas")
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= 100:
        return
    for step in rollout.steps.filter(leg=Leg.CANARY, phase=Phase.CANARY, kind="kubernetes"):
        step.config["gray_replicas"] = wanted
        step.save(update_fields=["config"])


def update_release(*, actor: Actor, rollout: Rollout, spec: dict[str, Any], version: str, reason: str = "") -> Rollout:
    """Store a changed spec. With another version the gray part is made again, and its weight falls to 0.

    Raises NotFound, Denied, Invalid (withdrawn version), Conflict when the gray version is not running.
    """
    service = rollout.release.service_name
    with transaction.atomic():
        before = _running(actor, rollout)
        if before.rollout.to_set.versions.get(service) != version:
            _registered(actor, rollout.project, service, version)
            rollout = remake_canary(actor=actor, rollout=rollout, versions={service: version}, reason=reason)
        elif before.spec == spec:
            return rollout  # the same spec again changes nothing
        Release.objects.filter(pk=before.pk).update(spec=spec, updated_at=Now())
        record(actor=actor, action="release.update", obj=rollout, before={"version": before.spec.get("version")},
               after={"version": spec.get("version")}, reason=reason)
        return rollout


def _running(actor: Actor, rollout: Rollout) -> Release:
    """Ask the right, take the project's lock, and read the release. Raises NotFound, Denied, Conflict (no gray version runs)."""
    require(actor, "canary.decide", rollout)
    ledger.lock(rollout.project_id)
    now = Release.objects.select_related("rollout__to_set").get(rollout=rollout)
    if "release_update" not in actions_of(now.rollout):
        raise Conflict(
            f"Rollout {rollout.number} {phrase_of(now.rollout.state)}; only a gray version that runs is changed.",
            component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.noCanary",
        )
    return now


def stage_of(project: Project, namespace: str) -> Stage:
    """The stage that a namespace means. Raises NotFound."""
    rows = Stage.objects.existing(project.pk)
    found = rows.filter(name=namespace).first()
    if found is None:
        places = Target.objects.filter(stage__in=rows, kind="kubernetes").order_by("stage_id").select_related("stage")
        found = next((place.stage for place in places if namespace in _namespaces(place)), None)
    if found is None:
        raise NotFound(f"There is no namespace {namespace}; a stage's name, or the namespace of its targets, will do.",
                       component="stage", message="freeze.stage.stage.error.notFound")
    return found


def _namespaces(target: Target) -> set[str]:
    return {config["namespace"] for config in target.config.values() if isinstance(config, dict) and config.get("namespace")}


def _registered(actor: Actor, project: Project, service: str, version: str) -> None:
    try:
        register_version(actor=actor, project=project, microservice=service, version=version)
    except Conflict as refusal:  # the request cannot be carried out in any state of the stage
        raise Invalid(refusal.sentence, component=refusal.component, message=refusal.message, code=refusal.code) from None


def _preview(stage: Stage, service: str, version: str) -> Preview:
    """The stage's own versions with one exchanged, by a canary of its own; nothing of the stage's scenario is used."""
    scenario = Scenario(stage=stage, name="release", strategy=Strategy.CANARY, sequence=True, rollback=True, canary=PLAN)
    row = Stage.objects.select_related("current_set", "source__current_set", "idle_set", "scenario").get(pk=stage.pk)
    wanted = versions_of(row.current_set) | {service: version}
    found = preview_of(row, Kind.RELEASE, wanted, "", scenario=scenario)
    return replace(found, scenario=None)
