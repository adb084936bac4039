"""A project as large as the largest that we promise to serve quickly. Rows are made in bulk, past the services."""
from __future__ import annotations

import random
from datetime import timedelta

from django.utils import timezone

from gs2admin.identity.models import Project
from stages.core.versions import digest
from stages.models import Ledger, Microservice, Output, Rollout, Stage, Step, Target, Version, VersionSet
from stages.states import PHASES, RolloutState, StepState

STAGES, SERVICES, ROLLOUTS, SETS = 50, 200, 10_000, 400
VERSIONS = 12
LIVE = 3
# So many of the newest rollouts have their steps and output; the others only a row, as after the cleaner.
WITH_STEPS = 100
LINES = 200


def fill(project: Project, *, seed: int = 2) -> list[Stage]:
    """50 stages in chains of five, 200 microservices, 10,000 past rollouts and three running ones that nobody holds."""
    chance, now = random.Random(seed), timezone.now()
    names = [f"service-{number:03}" for number in range(SERVICES)]
    services = Microservice.objects.bulk_create(Microservice(project=project, name=name) for name in names)
    Version.objects.bulk_create(
        Version(microservice=service, version=f"1.{number}.0", registered_by="pipeline")
        for number in range(VERSIONS) for service in services
    )
    contents = [{name: f"1.{chance.randrange(VERSIONS)}.0" for name in names} for _ in range(SETS)]
    sets = VersionSet.objects.bulk_create(
        VersionSet(project=project, number=number, digest=digest(content), versions=content, size=len(content))
        for number, content in enumerate(contents, start=1)
    )
    stages: list[Stage] = []
    for number in range(STAGES):
        source = stages[-1] if number % 5 else None
        stages.append(Stage.objects.create(
            project=project, name=f"stage-{number:02}", source=source, sort_number=number, current_set=chance.choice(sets)
        ))
    Target.objects.bulk_create(
        Target(stage=stage, name=f"{stage.name}-cluster", kind="command",
               config={phase: {"command": "talking", "timeout_s": 60, "repeatable": True} for phase in PHASES})
        for stage in stages
    )
    rollouts = Rollout.objects.bulk_create((_rollout(project, stages, sets, number, chance, now)
                                            for number in range(1, ROLLOUTS + LIVE + 1)), batch_size=500)
    newest = rollouts[-WITH_STEPS:]
    Step.objects.bulk_create((step for rollout in newest for step in _steps(rollout, names)), batch_size=500)
    Output.objects.bulk_create((line for rollout in newest for line in _lines(rollout, names)), batch_size=500)
    Ledger.objects.update_or_create(project=project, defaults={
        "revision": ROLLOUTS * 30, "rollouts_count": ROLLOUTS + LIVE, "sets_count": SETS,
    })
    return stages


def _rollout(project, stages, sets, number, chance, now) -> Rollout:
    live = number > ROLLOUTS
    # A running one on the last stages of three chains, so that no stage has two.
    stage = stages[4 + 5 * (number - ROLLOUTS)] if live else stages[number % STAGES]
    began = now - timedelta(minutes=5 * (ROLLOUTS + LIVE - number) + 2)
    state = RolloutState.RUNNING if live else chance.choices(
        [RolloutState.SUCCEEDED, RolloutState.FAILED, RolloutState.CANCELED], [90, 7, 3])[0]
    return Rollout(
        project=project, stage=stage, number=number, kind="promote", state=state, requested_by_kind="person",
        requested_by=f"person-{number % 20}", reason="The nightly build",
        from_set=chance.choice(sets), to_set=chance.choice(sets),
        created_at=began, started_at=began, ended_at=None if live else began + timedelta(seconds=chance.uniform(20, 90)),
        attempt=1, leased_by="bench" if live else "", lease_until=now + timedelta(days=1) if live else None,
        revision=100, last_seq=LINES, steps_total=SERVICES * 3, steps_done=SERVICES * 3 // (2 if live else 1),
        changes_count=SERVICES, consistent=state == RolloutState.SUCCEEDED,
        error="deploy of service-001 failed: the command ended with exit code 1." if state == RolloutState.FAILED else "",
    )


def _steps(rollout: Rollout, names: list[str]):
    for position, (name, phase) in enumerate(((name, phase) for name in names for phase in PHASES), start=1):
        done = position <= rollout.steps_done
        yield Step(
            rollout=rollout, position=position, microservice=name, old_version="1.0.0", new_version="1.1.0",
            target_name=f"{rollout.stage.name}-cluster", phase=phase, kind="command", attempt=int(done),
            state=StepState.SUCCEEDED if done else StepState.PENDING,
            started_at=rollout.started_at if done else None, ended_at=rollout.started_at if done else None,
        )


def _lines(rollout: Rollout, names: list[str]):
    for seq in range(1, LINES + 1):
        yield Output(rollout=rollout, stage_id=rollout.stage_id, seq=seq, text=f"instance {seq} answers", stream="stdout",
                     microservice=names[seq % len(names)], step_position=seq, at=rollout.started_at)
