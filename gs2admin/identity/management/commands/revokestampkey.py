"""Ends a key of stamp sheets."""
from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gs2admin.errors import DomainError
from gs2admin.identity.management.commands._door import CLI, project_called
from gs2admin.identity.services.stamp_keys import living_key, revoke_stamp_key


class Command(BaseCommand):
    """`manage.py revokestampkey PROJECT NAMESPACE/NAME`."""

    help = "Revoke a key for stamp sheets: what it signed is refused from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="name of the project")
        parser.add_argument("key", metavar="NAMESPACE/NAME", help="which one, such as default/rewards")
        parser.add_argument("--reason", default="", help="goes to the activity log")

    def handle(self, *, project: str, key: str, reason: str, **options: object) -> None:
        namespace, _, name = key.partition("/")
        try:
            row = revoke_stamp_key(actor=CLI, key=living_key(project_called(project), namespace, name), reason=reason)
        except DomainError as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(f"Stamp key {row} is revoked.")
