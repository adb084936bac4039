"""What a start does before it serves: static files, tables and first contents; one host after the other."""
from __future__ import annotations

import socket
from collections.abc import Callable

from django import db
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.module_loading import import_string

from gs2admin import outage
from gs2admin.engine.alone import alone
from gs2admin.processes.preparing_page import answering
from gs2admin.schema.fitness import lacks, require_fit

# By name: the engine imports no domain.
FIRST_CONTENTS = "gs2admin.identity.services.bootstrap.bootstrap"


def prepare(server: socket.socket, say: Callable[[str], None]) -> None:
    """Prepare all that is missing; who connects to the listening socket meanwhile is told so.

    say: for sentences to the administrator. Raises CommandError with a sentence where that cannot be.
    """
    with answering(server, _refusal):
        try:
            with alone(say):
                _prepare(say)
        except (db.Error, OSError) as problem:
            found = outage.of(problem)
            if found is None:
                raise
            # The message of the driver names host and user, never the password.
            raise CommandError(f"gs2admin cannot start. {found.sentence} ({str(problem).strip().splitlines()[0]})") from None
        finally:
            connections.close_all()


def _prepare(say: Callable[[str], None]) -> None:
    from gs2admin.processes import static

    link = connections[DEFAULT_DB_ALIAS]
    require_fit(link)
    static.collect()
    if lacks(link):
        say("Preparing the database ...")
        call_command("migrate", interactive=False, verbosity=0)
    import_string(FIRST_CONTENTS)(say=say)


def _refusal(target: str, host: str, status: int, word: str, sentence: str) -> tuple[int, bytes]:
    return import_string(settings.WEB_REFUSALS)(target, host, status, word, sentence)
