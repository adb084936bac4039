"""`manage.py worker`: supervises the cluster that runs rollouts and jobs, and sweeps."""
from __future__ import annotations

import sys
from typing import Any

from django.core.management import CommandError
from django.core.management.base import BaseCommand

from gs2admin.processes import forks
from gs2admin.processes.kinds import become
from gs2admin.processes.privacy import say_what_was_mended
from gs2admin.schema.fitness import require_fit_at_start


def refuse_unfit() -> None:
    """End this process with a sentence where this code cannot work on the database."""
    try:
        require_fit_at_start()
    except CommandError as refusal:
        sys.exit(f"CommandError: {refusal}")


class Command(BaseCommand):
    help = "Runs what is to be done in the background, and replaces whatever of it fails. Ends on Ctrl-C or SIGTERM."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        become("worker")
        say_what_was_mended()
        # In a child: what forks has no connections.
        if code := forks.run_in_child(refuse_unfit):
            sys.exit(code)
        from gs2admin.engine import supervising

        forks.settle()
        supervising.serve()
