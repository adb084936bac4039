"""gunicorn in a fork of a process that has loaded everything."""
from __future__ import annotations

import sys
from collections.abc import Iterable

from django.conf import settings
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter

# The arbiter looks at its workers so often; signals and their ends wake it at once. s.
LOOK_S = 5.0


class CalmArbiter(Arbiter):
    """gunicorn's, which wakes once a second for nothing."""

    def wait_for_signals(self, timeout: float | None = 1.0) -> Iterable[int]:
        return super().wait_for_signals(LOOK_S)


class Server(WSGIApplication):
    """The command `gunicorn`, with the settings of gunicorn.conf.py."""

    def run(self) -> None:
        CalmArbiter(self).run()


def serve() -> None:
    """Be gunicorn until it ends."""
    place = str(settings.BASE_DIR)
    sys.argv = ["gunicorn", "--config", f"{place}/gunicorn.conf.py", "--chdir", place]
    Server("%(prog)s [OPTIONS]").run()
