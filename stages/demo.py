"""The demo of an empty database: three stages, eight microservices, and a history that real rollouts made."""
from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import F

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from stages.models import Output, Rollout, Stage, Step, Version
from stages.rollouts.services import promote_stage, rollback_stage
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from stages.worker import at_once

DEMO = Actor("system", "", "demo", superuser=True, door="cli")
SERVICES = {
    "auth": ["3.2.0", "3.2.1", "3.2.2"],
    "chat": ["1.4.0", "1.4.1"],
    "gacha": ["4.0.3", "4.1.0"],
    "inventory": ["5.2.9", "5.3.0", "5.3.1"],
    "mail": ["2.0.6", "2.0.7"],
    "matchmaking": ["2.12.4", "2.13.2", "2.14.0", "2.15.0"],
    "quest": ["1.8.4", "1.9.0"],
    "shop": ["0.9.2", "0.9.3"],
}


def build(project: Project) -> None:
    """Make the demo in an empty project. Its rollouts run here and now; afterwards their times are moved into the past."""
    dev = create_stage(actor=DEMO, project=project, name="dev", sort_number=0)
    stg = create_stage(actor=DEMO, project=project, name="stg", source=dev, sort_number=50)
    live = create_stage(actor=DEMO, project=project, name="live", source=stg, sort_number=100)
    _register(project, 0)
    _run(promote_stage(actor=DEMO, stage=dev, reason="First build of the season"), days=12)
    _run(promote_stage(actor=DEMO, stage=stg, reason="Season 6 candidates"), days=11)
    _run(promote_stage(actor=DEMO, stage=live, reason="Season 6 opens"), days=9)
    _register(project, 1)
    _run(promote_stage(actor=DEMO, stage=dev, reason="Nightly build"), days=6)
    _run(promote_stage(actor=DEMO, stage=stg, reason="For the testers"), days=5)
    _run(promote_stage(actor=DEMO, stage=live, reason="Hotfix week"), days=4)
    _run(rollback_stage(actor=DEMO, stage=live, reason="Login spike"), days=3.9)
    _register(project, 2)
    _run(promote_stage(actor=DEMO, stage=dev, reason="Nightly build"), days=1)
    _register(project, 3)
    if "demo-step" in settings.STEP_COMMANDS:
        phase = {"command": "demo-step", "timeout_s": 60, "repeatable": True}
        config = {"pre": phase, "deploy": phase, "post": phase}
        for stage in (stg, live):
            set_targets(
                actor=DEMO, stage=stage, targets=[{"name": f"{stage.name}-cluster", "kind": "command", "config": config}]
            )


def _register(project: Project, round_number: int) -> None:
    for service, versions in SERVICES.items():
        if round_number < len(versions):
            register_version(actor=DEMO, project=project, microservice=service, version=versions[round_number])


def _run(rollout: Rollout, *, days: float) -> None:
    at_once.run(rollout.pk)
    back = timedelta(days=days)
    Rollout.objects.filter(pk=rollout.pk).update(
        created_at=F("created_at") - back, started_at=F("started_at") - back, ended_at=F("ended_at") - back
    )
    Step.objects.filter(rollout=rollout).update(started_at=F("started_at") - back, ended_at=F("ended_at") - back)
    Output.objects.filter(rollout=rollout).update(at=F("at") - back)
    # What came before the rollout moves with it: registered versions, new stages.
    fresh = Activity.objects.filter(project=rollout.project_id, at__gte=rollout.created_at - timedelta(minutes=10))
    fresh.update(at=F("at") - back)
    fresh = Version.objects.filter(
        microservice__project=rollout.project_id, registered_at__gte=rollout.created_at - timedelta(minutes=10)
    )
    fresh.update(registered_at=F("registered_at") - back - timedelta(hours=3))
    Stage.objects.filter(pk=rollout.stage_id).update(updated_at=F("updated_at") - back)
