"""`manage.py registerversion PROJECT SERVICE VERSION`: for build machines with a shell on this server."""
from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from gs2admin.errors import DomainError
from gs2admin.identity.management.commands._door import CLI, project_called
from stages.setup.versions import register_version


class Command(BaseCommand):
    """registerversion; a version that is registered already is no error."""

    help = "Register a version of a microservice, so that stages can be promoted to it."

    def add_arguments(self, parser) -> None:
        parser.add_argument("project")
        parser.add_argument("service")
        parser.add_argument("version")
        parser.add_argument("--note", default="")

    def handle(self, *, project: str, service: str, version: str, note: str, **_) -> None:
        try:
            _, made = register_version(
                actor=CLI, project=project_called(project), microservice=service, version=version, note=note
            )
        except DomainError as refusal:
            raise CommandError(refusal.sentence) from None
        self.stdout.write(f"{service} {version} {'is registered' if made else 'was registered already'}.")
