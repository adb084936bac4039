"""The one table of rights, and the one question that services ask."""
from __future__ import annotations

from typing import Protocol

from gs2admin.errors import Denied, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Role

_EVERYONE = frozenset(Role)
_DELIVERY = frozenset({Role.PRODUCER, Role.ADMIN, Role.SERVICE})
_BUILD = _DELIVERY | {Role.DEVELOPER}
_CARE = frozenset({Role.SUPPORT, Role.DEVELOPER, Role.ADMIN, Role.SERVICE})
_ADMINS = frozenset({Role.ADMIN})

RIGHTS: dict[str, frozenset[Role]] = {
    "project.view": _EVERYONE,
    "activity.view": _EVERYONE - {Role.SERVICE},
    "stage.promote": _DELIVERY,
    "stage.rollback": _DELIVERY,
    "rollout.cancel": _DELIVERY,
    "rollout.retry": _DELIVERY,
    # Anybody who sees trouble may stop promotions; resuming them is for those who promote.
    "line.stop": _EVERYONE - {Role.VIEWER},
    "line.resume": frozenset({Role.PRODUCER, Role.ADMIN}),
    "gate.override": _ADMINS,
    "window.edit": _ADMINS,
    "rollout.skip": frozenset({Role.PRODUCER, Role.ADMIN}),
    "canary.decide": _DELIVERY,
    # Whose approval counts for a stage is its rule's matter; this says who can be named in one.
    "rollout.approve": _EVERYONE - {Role.VIEWER},
    "approval.edit": _ADMINS,
    "version.register": _BUILD,
    "version.withdraw": _BUILD,
    "stage.edit": frozenset({Role.PRODUCER, Role.ADMIN}),
    "job.push": frozenset({Role.DEVELOPER, Role.ADMIN, Role.SERVICE}),
    "job.run": _CARE,
    "job.delete": _CARE,
    "job.replay": _CARE,
    # Who may change what a job was asked to do may give a player anything.
    "job.replay_changed": frozenset({Role.DEVELOPER, Role.ADMIN, Role.SERVICE}),
    "queue.manage": frozenset({Role.DEVELOPER, Role.ADMIN, Role.SERVICE}),
    # Anybody who sees a flood may hold it back; letting it go on is the same right, so that a mistake can be mended at once.
    "queue.pause": _CARE | {Role.PRODUCER},
    "script.run": frozenset({Role.DEVELOPER, Role.ADMIN, Role.SERVICE}),
    "script.edit": frozenset({Role.DEVELOPER, Role.ADMIN, Role.SERVICE}),
    "lock.use": frozenset({Role.DEVELOPER, Role.ADMIN, Role.SERVICE}),
    "lock.release": _CARE,
    "lock.manage": frozenset({Role.DEVELOPER, Role.ADMIN, Role.SERVICE}),
    "user_data.manage": _CARE,
    "note.write": _EVERYONE - {Role.VIEWER, Role.SERVICE},
    "note.remove": _ADMINS,
    "webhook.manage": _ADMINS,
    "credential.manage": _ADMINS,
    "member.manage": _ADMINS,
    "project.manage": _ADMINS,
}

WORDS = {
    "project.view": "see this project",
    "activity.view": "read the activity log",
    "stage.promote": "promote stages",
    "stage.rollback": "roll stages back",
    "rollout.cancel": "cancel rollouts",
    "rollout.retry": "retry rollouts",
    "line.stop": "stop promotions",
    "line.resume": "resume promotions",
    "gate.override": "start rollouts in spite of a stop or a freeze window",
    "window.edit": "change freeze windows",
    "rollout.skip": "leave out steps of rollouts",
    "canary.decide": "decide about canaries",
    "rollout.approve": "approve rollouts",
    "approval.edit": "change who must approve",
    "version.register": "register versions",
    "version.withdraw": "withdraw versions",
    "stage.edit": "change stages",
    "job.push": "push jobs",
    "job.run": "run jobs",
    "job.delete": "delete jobs",
    "job.replay": "replay jobs",
    "job.replay_changed": "replay jobs with other arguments",
    "queue.manage": "change queue namespaces",
    "queue.pause": "pause and resume queue namespaces",
    "script.run": "try scripts",
    "script.edit": "change scripts",
    "lock.use": "lock and unlock mutexes",
    "lock.release": "release mutexes of others",
    "lock.manage": "change lock namespaces",
    "user_data.manage": "export, erase or import a player's data",
    "note.write": "write notes",
    "note.remove": "remove notes of others",
    "webhook.manage": "manage webhooks",
    "credential.manage": "manage credentials",
    "member.manage": "manage members",
    "project.manage": "change the project",
}


class OfProject(Protocol):
    """A project, or any row that belongs to one."""

    project_id: int


def can(actor: Actor, action: str, obj: OfProject) -> bool:
    """Whether the actor may do this to an object of that project. An unknown action is a KeyError: a bug."""
    allowed = RIGHTS[action]
    return actor.superuser or actor.roles.get(obj.project_id) in allowed


def require(actor: Actor, action: str, obj: OfProject) -> None:
    """Refuse what `can` forbids.

    Raises NotFound when the actor has no role in the project, so that nobody learns that it exists, and Denied when
    the role lacks the right.
    """
    if can(actor, action, obj):
        return
    if obj.project_id not in actor.roles:
        raise NotFound("There is no such project, or you are not a member of it.", component="project",
                       message="identifier.project.project.error.notFound")
    role = actor.roles[obj.project_id]
    allowed = ", ".join(sorted(role.value for role in RIGHTS[action] - {Role.SERVICE}))
    raise Denied(
        f"Your role here is {role}, which may not {WORDS[action]}. Ask an admin of the project for one of: {allowed}.",
        component="permission",
        message="identifier.permission.permission.error.require",
    )
