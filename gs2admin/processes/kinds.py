"""Making a process one of a kind: a web process waits less for the database than a worker, and has a pool of connections."""
from __future__ import annotations

import os
from contextlib import suppress

from django.conf import settings
from django.db import connections

VARIABLE = "GS2ADMIN_PROCESS"


def become(kind: str) -> None:
    """From now on this process is of this kind (web, worker), as if it had been started with GS2ADMIN_PROCESS. Before it has used
    the database."""
    os.environ[VARIABLE] = kind
    for name, value in settings.BY_PROCESS[kind].items():
        setattr(settings, name, value)
    connections.close_all()
    for alias in list(connections):
        with suppress(AttributeError):
            del connections[alias]
    # It keeps what it has read.
    vars(connections).pop("settings", None)
    connections._settings = None
