"""The process of a host that asks the database on its own: heartbeats, sweeps, cleaning, deliveries, in threads.

It is apart from the supervisor, which forks and must therefore have neither threads nor connections.
"""
from __future__ import annotations

import signal
import socket
import threading
from functools import partial

from django.conf import settings

from gs2admin.engine import delivery_threads, link, sweep
from gs2admin.engine.heartbeat import DatabaseHeartbeat
from gs2admin.processes.lifeline import ChildEnd
from gs2admin.processes.threads import kept


def run(supervisor: socket.socket) -> None:
    """Until the supervisor says so at the other end or is gone."""
    ended = threading.Event()
    heartbeat = DatabaseHeartbeat(supervisor)
    signal.signal(signal.SIGTERM, lambda *_: link.hang_up(supervisor))
    signal.signal(signal.SIGINT, lambda *_: None)
    ChildEnd.from_environment().on_cut(partial(link.hang_up, supervisor))
    threads = [
        kept("heartbeat", partial(heartbeat.serve, ended)),
        kept("sweep", partial(sweep.sweep_for_ever, ended, settings.SWEEP_S)),
        kept("tick", partial(sweep.tick_for_ever, ended)),
        kept("delivery", partial(delivery_threads.deliver_for_ever, ended)),
        kept("clean", partial(sweep.clean_for_ever, ended)),
    ]
    heartbeat.listen(ended)
    for thread in threads:
        # A database that is away must not keep us; they are daemons.
        thread.join(1.0)
