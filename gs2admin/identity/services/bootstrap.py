"""What an empty database gets: a project, an administrator, and a demo to look at."""
from __future__ import annotations

import os
import secrets
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Membership, Project, Role, User
from gs2admin.identity.services.projects import create_project

# By name: this room imports no domain.
DEMO_CONTENTS = "stages.demo.build"


def bootstrap(*, say: Callable[[str], None] = print) -> bool:
    """Fill an empty database; True when it did. Its name and password come from the environment, else the password
    is random and shown once, through `say`. A database with a project or a person in it is left alone.
    """
    # Whoever dies in the middle leaves a database without a project, which the next start fills.
    with transaction.atomic():
        if Project.objects.exists() or User.objects.exists():
            return False
        project = create_project(actor=SYSTEM, name="default")
        name = os.environ.get("DJANGO_SUPERUSER_USERNAME", "").strip() or "admin"
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        shown = password or secrets.token_urlsafe(12)
        user = User.objects.create_superuser(
            username=name, password=shown, email=os.environ.get("DJANGO_SUPERUSER_EMAIL", "")
        )
        Membership.objects.create(project=project, user=user, role=Role.ADMIN)
        if settings.DEMO:
            import_string(DEMO_CONTENTS)(project)
        if not password:
            say(f"Sign in as {name} with the password {shown} (shown once).")
    return True
