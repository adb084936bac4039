"""Makes a credential for a program; the secret is shown once."""
from __future__ import annotations

import json

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gs2admin.errors import DomainError
from gs2admin.identity.management.commands._door import CLI, project_called
from gs2admin.identity.models import Role
from gs2admin.identity.services.credentials import create_credential


class Command(BaseCommand):
    """`manage.py createcredential PROJECT NAME [--role service] [--signs]`: the last line of output is one JSON object."""

    help = "Make a credential; the last line of output is a JSON object with clientId and clientSecret, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="name of the project")
        parser.add_argument("name", help="what to call the credential, such as build or game-server")
        parser.add_argument("--role", default=Role.SERVICE.value, choices=[role.value for role in Role])
        parser.add_argument(
            "--signs", action="store_true",
            help="it signs requests, as clients of SourceDeploy and ASM (AK/SK) do: the server then keeps the secret, encrypted",
        )

    def handle(self, *, project: str, name: str, role: str, signs: bool, **options: object) -> None:
        try:
            row, secret = create_credential(actor=CLI, project=project_called(project), name=name, role=role, signs=signs)
        except DomainError as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(f"Credential {row.name} of project {project}, role {row.role}. The secret is shown only now:")
        self.stdout.write(json.dumps({"clientId": row.client_id, "clientSecret": secret}))
