"""Every address of the pages and what each role gets there. tests/pages/test_routes.py fails for a route without a line.

GET: the status for who may; who may not gets 403. POST lines send `data` by the people who may not, to see it refused.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EVERYONE = frozenset({"owner", "producer", "viewer"})
DELIVERY = frozenset({"owner", "producer"})
OWNER = frozenset({"owner"})


@dataclass(frozen=True)
class Route:
    """get: status of GET for those in `may` (405: takes POST only). posts: whether POST is a write, for `may_post` only.

    args: attribute paths in the `world` fixture. public: needs no sign-in. queries: at most so many for a GET.
    """

    get: int = 200
    may: frozenset[str] = EVERYONE
    args: dict[str, str] = field(default_factory=dict)
    posts: bool = False
    may_post: frozenset[str] | None = None
    of_project: bool = True
    public: bool = False
    query: str = ""
    queries: int = 20
    fragment: bool = False


P = {"project": "project.name"}
STG = {**P, "stage": "stg.name"}
DONE = {**P, "number": "done.number"}
RUNNING = {**P, "number": "running.number"}
FAILED = {**P, "number": "failed.number"}
TARGET = {**STG, "target": "target.name"}
SCENARIO = {**STG, "pk": "scenario.pk"}
HOOK = {**P, "pk": "webhook.pk"}
QUEUE = {**P, "namespace": "jobs.rewards.name"}
JOB = {**P, "job": "jobs.head.name"}
NAMESPACE = {**P, "namespace": "jobs.namespace.name"}
SCRIPT = {**NAMESPACE, "script": "jobs.script.name"}
LOCK_NAMESPACE = {**P, "namespace": "locks.namespace.name"}
MUTEX = {**LOCK_NAMESPACE, "pk": "locks.mutex.pk"}
RUN = {**P, "pk": "jobs.upload.pk"}
DEAD = {**P, "job": "jobs.dead.name"}
VERSION = {**P, "service": "version.microservice.name", "pk": "version.pk"}

ROUTES: dict[str, Route] = {
    "home": Route(get=302, of_project=False),
    "login": Route(of_project=False, public=True),
    "logout": Route(get=405, of_project=False, public=True, posts=True),
    "theme": Route(get=405, of_project=False, public=True, posts=True),
    "board": Route(args=P, queries=14),
    "board-live": Route(args=P, queries=14, fragment=True),
    "stage": Route(args=STG, queries=20),
    "stage-promote": Route(args=STG, may=DELIVERY, posts=True, queries=20),
    "stage-rollback": Route(args=STG, may=DELIVERY, posts=True, queries=19),
    "rollouts": Route(args=P, queries=8),
    "rollout-compare": Route(args=P, query="?a=4", queries=12),
    "rollout-export": Route(args={**P, "kind": "export_kind"}, queries=8, fragment=True),
    "stage-delivery-metrics": Route(args=STG, queries=14),
    "rollout": Route(args=DONE, queries=14),
    "rollout-live": Route(get=200, args=RUNNING, queries=12, fragment=True),
    "rollout-output": Route(args=DONE, queries=8, fragment=True),
    "rollout-text": Route(args=DONE, queries=10, fragment=True),
    "rollout-note": Route(args=DONE, may=DELIVERY, posts=True, queries=10),
    "player-note": Route(args=P, query="?id=u-1", may=DELIVERY, posts=True, queries=8),
    "note-remove": Route(args={**P, "pk": "note.pk"}, may=DELIVERY, posts=True, queries=8),
    "rollout-cancel": Route(args=RUNNING, may=DELIVERY, posts=True, queries=9),
    "rollout-retry": Route(args=FAILED, may=DELIVERY, posts=True, queries=14),
    "rollout-approve": Route(args={**P, "number": "waiting.number"}, may=DELIVERY, posts=True, queries=26),
    "rollout-reject": Route(args={**P, "number": "waiting.number"}, may=DELIVERY, posts=True, queries=26),
    "stage-auto": Route(args=STG, may=DELIVERY, posts=True, queries=12),
    "stage-release": Route(args=STG, may=DELIVERY, posts=True, queries=12),
    "stage-approval": Route(args=STG, may=OWNER, posts=True, queries=12),
    "stage-new": Route(args=P, may=DELIVERY, posts=True, queries=10),
    "stage-edit": Route(args=STG, may=DELIVERY, posts=True, queries=12),
    "stage-delete": Route(args=STG, may=DELIVERY, posts=True, queries=12),
    "stage-targets": Route(args=STG, may=DELIVERY, queries=12),
    "target-new": Route(args=STG, may=DELIVERY, posts=True, queries=12),
    "target-edit": Route(args=TARGET, may=DELIVERY, posts=True, queries=12),
    "target-move": Route(get=405, args=TARGET, may=DELIVERY, posts=True),
    "target-rotate": Route(args={**P, "stage": "canary.name", "target": "hook.name"}, may=DELIVERY, posts=True, queries=12),
    "target-delete": Route(args=TARGET, may=DELIVERY, posts=True, queries=12),
    "stage-scenarios": Route(args=STG, may=DELIVERY, posts=True, queries=12),
    "scenario-new": Route(args=STG, may=DELIVERY, posts=True, queries=12),
    "scenario-edit": Route(args=SCENARIO, may=DELIVERY, posts=True, queries=12),
    "scenario-delete": Route(args=SCENARIO, may=DELIVERY, posts=True, queries=12),
    "rollout-take-back": Route(get=302, args=FAILED, may=DELIVERY, posts=True, queries=9),
    "rollout-canary": Route(args={**P, "number": "holding.number", "action": "accept_word"}, may=DELIVERY, posts=True, queries=9),
    "resolve": Route(args=P, query="?userId=u-1", queries=8),
    "freezes": Route(args=P, queries=12),
    "freeze-feed": Route(args=P, queries=8, fragment=True),
    "freeze-new": Route(args=P, may=OWNER, posts=True, queries=10),
    "freeze-edit": Route(args={**P, "pk": "window.pk"}, may=OWNER, posts=True, queries=10),
    "freeze-delete": Route(args={**P, "pk": "window.pk"}, may=OWNER, posts=True, queries=10),
    "promotions-stop": Route(args=P, query="?stage=stg", may=DELIVERY, posts=True, queries=12),
    "promotions-resume": Route(args=P, may=DELIVERY, posts=True, queries=12),
    "webhooks": Route(args=P, may=OWNER, queries=10),
    "webhook-new": Route(args=P, may=OWNER, posts=True, queries=8),
    "webhook": Route(args=HOOK, may=OWNER, queries=12),
    "webhook-edit": Route(args=HOOK, may=OWNER, posts=True, queries=9),
    "webhook-rotate": Route(args=HOOK, may=OWNER, posts=True, queries=9),
    "webhook-delete": Route(args=HOOK, may=OWNER, posts=True, queries=9),
    "webhook-test": Route(get=405, args=HOOK, may=OWNER, posts=True),
    "webhook-replay": Route(get=405, args={**HOOK, "delivery": "delivery.pk"}, may=OWNER, posts=True),
    "versions": Route(args=P, queries=12),
    "version-register": Route(args=P, may=DELIVERY, posts=True, queries=12),
    "version-service": Route(args={**P, "service": "version.microservice.name"}, posts=True, may_post=DELIVERY, queries=12),
    "version-withdraw": Route(args=VERSION, may=DELIVERY, posts=True, queries=14),
    "search": Route(args=P, query="?q=u", queries=16),
    "players": Route(args=P, queries=12),
    "player": Route(args=P, query="?id=u-1", queries=18),
    "player-live": Route(args=P, query="?id=u-1", queries=44, fragment=True),
    "player-part": Route(args={**P, "part": "jobs.part"}, query="?id=u-1", queries=18),
    "player-dump": Route(args=P, query="?id=u-1", may=OWNER, posts=True, queries=10),
    "player-erase": Route(args=P, query="?id=u-1", may=OWNER, posts=True, queries=10),
    "player-import": Route(args=P, query="?id=u-1", may=OWNER, posts=True, queries=10),
    "player-run": Route(args=RUN, query="?id=u-1", may=OWNER, queries=10),
    "player-run-live": Route(get=286, args=RUN, query="?id=u-1", may=OWNER, fragment=True),
    "player-run-start": Route(args=RUN, query="?id=u-1", may=OWNER, posts=True, queries=12),
    "activity": Route(args=P, queries=10),
    "activity-export": Route(args=P, queries=10, fragment=True),
    "credentials": Route(args=P, may=OWNER, queries=8),
    "credential-new": Route(args=P, may=OWNER, posts=True, queries=8),
    "credential-revoke": Route(args={**P, "pk": "credential.pk"}, may=OWNER, posts=True, queries=8),
    "stampkeys": Route(args=P, may=OWNER, queries=8),
    "stampkey-new": Route(args=P, may=OWNER, posts=True, queries=8),
    "stampkey-revoke": Route(args={**P, "pk": "stamp_key.pk"}, may=OWNER, posts=True, queries=8),
    "members": Route(args=P, posts=True, may_post=OWNER, queries=8),
    "member-role": Route(args={**P, "pk": "member.pk"}, may=OWNER, posts=True, queries=9),
    "member-remove": Route(args={**P, "pk": "member.pk"}, may=OWNER, posts=True, queries=9),
    "settings": Route(args=P, may=OWNER, posts=True, queries=10),
    "queues": Route(args=P, queries=14),
    "queues-new": Route(args=P, may=OWNER, posts=True, queries=8),
    "queues-namespace": Route(args=QUEUE, queries=20),
    "queues-live": Route(args=QUEUE, queries=14, fragment=True),
    "queues-edit": Route(args=QUEUE, may=OWNER, posts=True, queries=9),
    "queues-delete": Route(args=QUEUE, may=OWNER, posts=True, queries=14),
    "queues-pause": Route(args=QUEUE, may=DELIVERY, posts=True, queries=10),
    "queues-resume": Route(args=QUEUE, may=DELIVERY, posts=True, queries=10),
    "queues-push": Route(args=QUEUE, may=OWNER, posts=True, queries=10),
    "queues-given-up": Route(args=QUEUE, queries=10),
    "queues-given-up-delete": Route(args=QUEUE, may=OWNER, posts=True, queries=12),
    "queues-replay": Route(args=QUEUE, may=OWNER, posts=True, queries=10),
    "queues-user": Route(args=QUEUE, query="?id=u-1", queries=20),
    "queues-user-live": Route(args=QUEUE, query="?id=u-1", queries=16, fragment=True),
    "queues-run": Route(args=QUEUE, query="?id=u-1", may=OWNER, posts=True, queries=10),
    "queues-run-all": Route(args=QUEUE, query="?id=u-1", may=OWNER, posts=True, queries=10),
    "queues-try-now": Route(args=QUEUE, query="?id=u-1", may=OWNER, posts=True, queries=10),
    "queues-search": Route(args=P, query="?q=u-1&script=bad", queries=20),
    "queues-job": Route(args=JOB, queries=14),
    "queues-job-live": Route(args=JOB, queries=12, fragment=True),
    "queues-job-args": Route(args=JOB, queries=8, fragment=True),
    "queues-job-result": Route(args={**JOB, "number": "jobs.head.try_count"}, queries=8, fragment=True),
    "queues-job-output": Route(args={**JOB, "number": "jobs.head.try_count"}, queries=8, fragment=True),
    "queues-job-delete": Route(args=JOB, may=OWNER, posts=True, queries=10),
    "queues-job-replay": Route(args=DEAD, may=OWNER, posts=True, queries=10),
    "locks": Route(args=P, queries=10),
    "locks-new": Route(args=P, may=OWNER, posts=True, queries=8),
    "locks-namespace": Route(args=LOCK_NAMESPACE, queries=14),
    "locks-live": Route(args=LOCK_NAMESPACE, queries=12, fragment=True),
    "locks-edit": Route(args=LOCK_NAMESPACE, may=OWNER, posts=True, queries=9),
    "locks-delete": Route(args=LOCK_NAMESPACE, may=OWNER, posts=True, queries=11),
    "locks-mutex": Route(args=MUTEX, queries=12),
    "locks-mutex-live": Route(args=MUTEX, queries=10, fragment=True),
    "locks-release": Route(args=MUTEX, may=OWNER, posts=True, queries=10),
    "scripts": Route(args=P, queries=8),
    "scripts-new": Route(args=P, may=OWNER, posts=True, queries=9),
    "scripts-namespace": Route(args=NAMESPACE, queries=9),
    "scripts-edit": Route(args=NAMESPACE, may=OWNER, posts=True, queries=9),
    "scripts-delete": Route(args=NAMESPACE, may=OWNER, posts=True, queries=9),
    "scripts-script-new": Route(args=NAMESPACE, may=OWNER, posts=True, queries=9),
    "scripts-script": Route(args=SCRIPT, posts=True, may_post=OWNER, queries=10),
    "scripts-text": Route(args=SCRIPT, queries=9, fragment=True),
    "scripts-versions": Route(args=SCRIPT, queries=11),
    "scripts-restore": Route(args={**SCRIPT, "revision": "jobs.script.revision"}, may=OWNER, posts=True, queries=10),
    "scripts-script-delete": Route(args=SCRIPT, may=OWNER, posts=True, queries=10),
    "password": Route(of_project=False, posts=True),
    "projects": Route(of_project=False),
    "project-new": Route(get=403, of_project=False, posts=True),
}


def arguments(route: Route, world: Any) -> dict[str, Any]:
    """The route's keyword arguments from the world."""
    found = {}
    for name, dotted in route.args.items():
        value: Any = world
        for part in dotted.split("."):
            value = getattr(value, part)
        found[name] = value
    return found
