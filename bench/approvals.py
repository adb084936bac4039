"""Races of approve against cancel, against the loss of the approver's role, and against a changed preview, while a worker
waits to begin: nothing may start without an approval that is valid at that moment.

What happened first is read from the activity log, whose lines are written while the project is locked, and for the
worker's start from a clock around each call.
"""
from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connection, connections

from bench.report import SPREAD, spread, table
from bench.world import people, register, world
from gs2admin.audit.models import Activity
from gs2admin.errors import DomainError
from gs2admin.identity.actors import SYSTEM, Actor, person
from gs2admin.identity.models import Membership, Role, User
from gs2admin.identity.services.members import change_member_role
from stages.approval.services import approve_rollout, save_rule
from stages.models import Rollout, Stage
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.states import FINAL
from stages.worker import executor

RACES, PATIENCE_S = 500, 20.0
RIVALS = ("cancel", "role loss", "changed preview")


@dataclass
class Race:
    """One race. times: name of the call -> (began, ended) by this machine's clock. refused: what was refused."""

    rollout: Rollout
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """What all races of one kind gave. ended: how the rollouts ended."""

    ended: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    approve_ms: list[float] = field(default_factory=list)


class Arena:
    """A stage with a rule of one approval, one who asks and one who approves."""

    def __init__(self, seed: int = 5) -> None:
        self.project = world("approvals").project
        asks, approves = people(self.project, 2, Role.PRODUCER)
        self.asker = person(User.objects.get(username=asks), door="browser")
        self.member = Membership.objects.get(user__username=approves)
        self.stage = create_stage(actor=SYSTEM, project=self.project, name="live")
        register(self.project, ["battle", "chat"], "1.0")
        save_rule(actor=SYSTEM, stage=self.stage, needed=1, roles=[Role.PRODUCER])
        self.random, self.versions = random.Random(seed), 0

    @property
    def approver(self) -> Actor:
        """With the role of this moment."""
        return person(User.objects.get(pk=self.member.user_id), door="browser")

    def race(self, rival: str) -> Race:
        """Ask, then let approver, rival and worker go at the same instant."""
        Membership.objects.filter(pk=self.member.pk).update(role=Role.PRODUCER)
        self.versions += 1
        register_version(actor=SYSTEM, project=self.project, microservice="battle", version=f"2.{self.versions}.0")
        row = promote_stage(actor=self.asker, stage=Stage.objects.get(pk=self.stage.pk))
        race, barrier, approver = Race(row), threading.Barrier(3), self.approver
        acts = {
            "cancel": lambda: cancel_rollout(actor=self.asker, rollout=row),
            "role loss": lambda: change_member_role(actor=SYSTEM, membership=self.member, role=Role.VIEWER),
            "changed preview": lambda: register_version(
                actor=SYSTEM, project=self.project, microservice="chat", version=f"2.{self.versions}.0"),
        }
        late = self.random.uniform(-0.02, 0.08)
        # Half of the losses come when the last vote is counted and no worker has begun.
        between = rival == "role loss" and self.random.random() < 0.5
        threads = [
            threading.Thread(target=_go, args=(race, "approve", barrier, max(0.0, -late),
                                               lambda: approve_rollout(actor=approver, rollout=row))),
            threading.Thread(target=_go, args=(race, "rival", barrier, max(0.0, late), acts[rival], between)),
            threading.Thread(target=_work, args=(race, barrier, self.random.uniform(0.0, 0.3))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S + 10)
        self._tidy(row)
        return race

    def _tidy(self, row: Rollout) -> None:
        """What still waits (its approver lost the role) is canceled, so that the next race can ask."""
        if Rollout.objects.filter(pk=row.pk).exclude(state__in=sorted(FINAL)).exists():
            cancel_rollout(actor=SYSTEM, rollout=row)


def _go(race: Race, name: str, barrier: threading.Barrier, pause_s: float, act, between: bool = False) -> None:
    """between: only once the rollout was approved (or never is, within 2 s)."""
    try:
        connection.ensure_connection()
        barrier.wait(PATIENCE_S)
        time.sleep(pause_s)
        until = time.monotonic() + 2.0
        while between and time.monotonic() < until and _waits(race.rollout):
            time.sleep(0.002)
        began = time.monotonic()
        try:
            act()
        except DomainError as refusal:
            race.refused[name] = refusal.sentence
        race.times[name] = (began, time.monotonic())
    finally:
        connections.close_all()


def _waits(rollout: Rollout) -> bool:
    return Rollout.objects.filter(pk=rollout.pk, state="awaiting_approval").exists()


def _work(race: Race, barrier: threading.Barrier, slow_s: float) -> None:
    """A worker that looks again and again, until the rollout has ended or nobody will start it any more.

    slow_s: how long it takes to come once the rollout may start, so that a role can be lost in between.
    """
    try:
        barrier.wait(PATIENCE_S)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            now = Rollout.objects.get(pk=race.rollout.pk)
            if now.state == "queued":
                time.sleep(slow_s)
                began = time.monotonic()
                executor.run(now.pk)
                now.refresh_from_db()
                if now.started_at:
                    race.times["start"] = (began, time.monotonic())
            if now.state in FINAL or (len({"approve", "rival"} & set(race.times)) == 2 and now.state == "awaiting_approval"):
                return
            time.sleep(0.001)
    finally:
        connections.close_all()


def wrong_with(race: Race, rival: str) -> list[str]:
    """Everything about one race that may not be."""
    now = Rollout.objects.get(pk=race.rollout.pk)
    lines = dict(Activity.objects.filter(object_type="rollout", object_id=str(now.pk)).values_list("action", "id"))
    released, started = lines.get("rollout.release"), now.started_at is not None
    bad = [f"{name} never answered" for name in ("approve", "rival") if name not in race.times]
    if started and not (released and "rollout.approve" in lines):
        bad.append("started without an approval")
    if rival == "cancel" and "rival" not in race.refused and "rollout.cancel" in lines and started and now.state != "canceled":
        bad.append(f"canceled, and yet it ended {now.state}")
    if rival == "role loss":
        lost = Activity.objects.filter(action="member.role").order_by("-id").values_list("id", flat=True).first()
        if released and lost and released > lost:
            bad.append("approved after the role was lost")
        if started and race.times["rival"][1] < race.times["start"][0]:
            bad.append("started after the role was lost")
    if rival == "changed preview":
        moved = Activity.objects.filter(action="version.register").order_by("-id").values_list("id", flat=True).first()
        if released and released > moved:
            bad.append("approved after what it would change had moved")
    if now.to_set_id != race.rollout.to_set_id:
        bad.append("it deploys something else than was asked for")
    return [f"rollout {now.number} against {rival}: {text}" for text in bad]


def play(races: int) -> dict[str, Result]:
    """So many races, the rivals in turn."""
    arena, results = Arena(), {rival: Result() for rival in RIVALS}
    for number in range(races):
        rival = RIVALS[number % len(RIVALS)]
        race, result = arena.race(rival), results[rival]
        result.wrong += wrong_with(race, rival)
        now = Rollout.objects.get(pk=race.rollout.pk)
        result.ended[("started, " if now.started_at else "not started, ") + now.state] += 1
        if "approve" in race.times:
            began, ended = race.times["approve"]
            result.approve_ms.append((ended - began) * 1000)
    return results


def main(races: int = RACES) -> bool:
    """Print the table; True when nothing was wrong."""
    results = play(races)
    columns = ["against", "races", "started", "not started", "without valid approval", *(f"approve {word} ms" for word in SPREAD)]
    rows = []
    for rival, one in results.items():
        started = sum(count for word, count in one.ended.items() if word.startswith("started"))
        total = sum(one.ended.values())
        rows.append([rival, total, started, total - started, len(one.wrong), *spread(one.approve_ms)])
    table(f"{races} races of approve, {connection.vendor}", columns, rows)
    for rival, one in results.items():
        print(f"  {rival}: {', '.join(f'{word} {count}' for word, count in sorted(one.ended.items()))}")
        for text in one.wrong[:20]:
            print("WRONG:", text)
    return not any(one.wrong for one in results.values())
