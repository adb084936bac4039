"""Makes a key that stamp sheets are signed with; the secret is shown once."""
from __future__ import annotations

import json

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gs2admin.errors import DomainError
from gs2admin.identity.management.commands._door import CLI, project_called
from gs2admin.identity.services.stamp_keys import create_stamp_key


class Command(BaseCommand):
    """`manage.py createstampkey PROJECT NAMESPACE/NAME`: the last line of output is one JSON object."""

    help = "Make a key for stamp sheets; the last line of output is a JSON object with keyId and secret, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="name of the project")
        parser.add_argument("key", metavar="NAMESPACE/NAME", help="what to call it, such as default/rewards")

    def handle(self, *, project: str, key: str, **options: object) -> None:
        namespace, _, name = key.partition("/")
        try:
            row, secret = create_stamp_key(actor=CLI, project=project_called(project), namespace=namespace, name=name)
        except DomainError as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(f"Stamp key {row} of project {project}. The secret is shown only now:")
        self.stdout.write(json.dumps({"keyId": row.key_id, "secret": secret}))
