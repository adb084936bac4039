"""The board with 50 stages x 200 microservices and 10,000 past rollouts: queries and time of its pages and polls."""
from __future__ import annotations

import http.client
import os
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import big
from bench.report import percentile, table
from bench.server import Browser, Server
from bench.world import PASSWORD, people, world
from gs2admin.identity.models import User
from stages.models import Ledger, Stage

TIMES = 60
# Not counted: by then each of the web processes has been asked.
WARM = 6
# So often at most is asked again for a poll that finds something new without a write.
AGAIN = 5
CURSOR = re.compile(r'id="board"[^>]*\sdata-after="([^"]+)"')


@dataclass(frozen=True)
class Ask:
    """One thing to ask for again and again. path: made anew each time. change: done before each one, outside the clock."""

    title: str
    path: Callable[[], str]
    status: int
    change: Callable[[], None] = lambda: None


class Asker:
    """Signed in, over one kept-alive connection."""

    def __init__(self, server: Server, browser: Browser) -> None:
        self.link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers = {"Cookie": browser.cookies, "Accept-Encoding": "gzip"}

    def times_ms(self, ask: Ask, times: int) -> tuple[list[float], int]:
        """Milliseconds of each answer, and the largest body in bytes. Raises RuntimeError for an unexpected status."""
        found, size = [], 0
        for number in range(WARM + times):
            ask.change()
            path = ask.path()
            began = time.perf_counter()
            self.link.request("GET", path, headers=self.headers)
            answer = self.link.getresponse()
            body = answer.read()
            took = (time.perf_counter() - began) * 1000
            if answer.status != ask.status:
                raise RuntimeError(f"{ask.title}: {answer.status} instead of {ask.status}")
            size = max(size, len(body))
            if number >= WARM:
                found.append(took)
        return found, size


def queries(client: Client, ask: Ask) -> int:
    """How many queries the answer needs in this process, sign-in included; after the caches were filled once.

    What changes without a write, such as the health of a busy machine's workers, may change in between: then it asks again.
    """
    for _ in range(AGAIN):
        client.get(ask.path())
        ask.change()
        path = ask.path()
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        if answer.status_code == ask.status:
            return len(captured)
    raise RuntimeError(f"{ask.title}: {answer.status_code} instead of {ask.status} in the test client")


def main() -> bool:
    """Print the table."""
    here = world()
    stages = big.fill(here.project)
    name = here.project.name
    user = User.objects.get(username=people(here.project, 1)[0])
    settings.ALLOWED_HOSTS = ["testserver", *settings.ALLOWED_HOSTS]
    base = f"/p/{name}"

    def touch() -> None:
        """What every change does to the board's cursor."""
        Ledger.objects.filter(project=here.project).update(revision=F("revision") + 1)

    def pin() -> None:
        """A pin moved, as after a rollout."""
        touch()
        row = Stage.objects.filter(pk=stages[7].pk)
        row.update(current_set=F("current_set") % big.SETS + 1, revision=F("revision") + 1)

    with Server(dict(os.environ)) as server:
        browser = server.sign_in(user.username, PASSWORD)
        client = Client()
        client.force_login(user)
        asker = Asker(server, browser)

        def current() -> str:
            """What the page asks for after it was loaded just now."""
            return f"{base}/live?after={CURSOR.search(browser.get(f'{base}/').text)[1]}"

        now = current()
        asks = [
            Ask("board, nothing changed since", lambda: f"{base}/", 200),
            Ask("board, a pin moved since", lambda: f"{base}/", 200, pin),
            Ask("poll, nothing new", lambda: current(), 204),
            Ask("poll, a revision is new", lambda: now, 200, touch),
            Ask("rollouts, first page", lambda: f"{base}/rollouts", 200),
            Ask("rollouts, 9,000 deep", lambda: f"{base}/rollouts?before=1000", 200),
            Ask("rollouts of one stage that failed", lambda: f"{base}/rollouts?stage=stage-07&state=failed", 200),
            Ask("stage page", lambda: f"{base}/stages/stage-07", 200),
            Ask("promote preview of 200 services", lambda: f"{base}/stages/stage-07/promote", 200),
            Ask("rollout page, 600 steps", lambda: f"{base}/rollouts/{big.ROLLOUTS}", 200),
        ]
        rows = []
        for ask in asks:
            counted = queries(client, ask)
            times = TIMES if ask.status != 204 else 4 * TIMES
            if ask.status == 204:
                kept = current()
                ask = Ask(ask.title, lambda kept=kept: kept, 204)
            found, size = asker.times_ms(ask, times)
            rows.append([ask.title, counted, f"{statistics.median(found):.1f}", f"{percentile(found, 0.95):.1f}",
                         f"{max(found):.1f}", f"{size / 1024:.0f}"])
        browser.close()
    table(f"{big.STAGES} stages x {big.SERVICES} microservices, {big.ROLLOUTS:,} past rollouts, {connection.vendor}",
          ["what", "queries", "median ms", "p95 ms", "max ms", "KiB"], rows)
    return True
