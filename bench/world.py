"""What is in a bench's database: a project, people, a credential, stages, versions. Uses the same services as every door."""
from __future__ import annotations

from dataclasses import dataclass

from django.core.management import call_command

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Membership, Project, Role, User
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.projects import create_project
from stages.models import Stage
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from stages.states import PHASES

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class World:
    """A project with a credential (client id, secret)."""

    project: Project
    client_id: str
    secret: str


def migrate() -> None:
    """All tables."""
    call_command("migrate", verbosity=0, interactive=False, skip_checks=True)


def world(name: str = "bench") -> World:
    """A new project with a credential of role service."""
    project = create_project(actor=SYSTEM, name=name, owner_id=f"{name}-owner")
    row, secret = create_credential(actor=SYSTEM, project=project, name="bench")
    return World(project, row.client_id, secret)


def people(project: Project, count: int, role: str = Role.PRODUCER) -> list[str]:
    """Members called person-1 … with PASSWORD; hashed once, because hashing is slow on purpose."""
    first = User(username="person-0")
    first.set_password(PASSWORD)
    made = User.objects.bulk_create(
        User(username=f"{project.name}-{role}-{number}", password=first.password) for number in range(1, count + 1)
    )
    Membership.objects.bulk_create(Membership(project=project, user=user, role=role) for user in made)
    return [user.username for user in made]


def register(project: Project, services: list[str], version: str) -> None:
    """The same new version of all these services."""
    for service in services:
        register_version(actor=SYSTEM, project=project, microservice=service, version=version)


def stage(
    project: Project, name: str, *, command: str, repeatable: bool = True, phases: tuple[str, ...] = PHASES, sort_number: int = 0
) -> Stage:
    """A stage with one target that runs an executable of bench/steps in these phases."""
    row = create_stage(actor=SYSTEM, project=project, name=name, sort_number=sort_number)
    phase = {"command": command, "timeout_s": 120, "repeatable": repeatable}
    config = {one: phase if one in phases else None for one in PHASES}
    set_targets(actor=SYSTEM, stage=row, targets=[{"name": f"{name}-cluster", "kind": "command", "config": config}])
    return row
