"""What commands share: finding a project, and refusing in a sentence."""
from __future__ import annotations

from django.core.management.base import CommandError
from django.db import connection

from gs2admin.identity.actors import Actor, system
from gs2admin.identity.models import Project
from gs2admin.schema.server_key import key_refusal

CLI: Actor = system("cli")


def project_called(name: str) -> Project:
    """The project, or CommandError with the names that there are, and for a server with another SECRET_KEY."""
    if sentence := key_refusal(connection):
        raise CommandError(sentence)
    found = Project.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Project.objects.values_list("name", flat=True)[:20]) or "none yet; `make up` makes the first"
        raise CommandError(f"There is no project {name}. Projects: {known}.")
    return found
