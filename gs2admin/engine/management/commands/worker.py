"""`manage.py worker`: supervises the clusters that run rollouts, and sweeps."""
from __future__ import annotations

import threading
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gs2admin.engine import delivery_threads, sweep
from gs2admin.engine.heartbeat import DatabaseHeartbeat
from gs2admin.processes.cluster import Cluster
from gs2admin.processes.faults import beat_every
from gs2admin.processes.lifeline import ChildEnd
from gs2admin.processes.privacy import say_what_was_mended
from gs2admin.processes.supervisor import Supervisor, stop_on_signals, terminate_myself
from gs2admin.processes.threads import kept
from gs2admin.schema.fitness import require_fit_at_start


def queues() -> list[dict[str, Any]]:
    """The clusters of this host: one for rollouts and everything else, one for players' jobs."""
    found = [{"queue": settings.Q_CLUSTER["name"], "workers": settings.WORKERS, "variables": {}}]
    if settings.JOB_WORKERS:
        variables = {"Q_CLUSTER_NAME": settings.JOB_QUEUE}
        found.append({"queue": settings.JOB_QUEUE, "workers": settings.JOB_WORKERS, "variables": variables})
    return found


class Command(BaseCommand):
    help = "Runs what is to be done in the background, and replaces whatever of it fails. Ends on Ctrl-C or SIGTERM."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        lifeline = ChildEnd.from_environment()
        say_what_was_mended()
        require_fit_at_start()
        heartbeat, ended = DatabaseHeartbeat(beat_every(settings.LATE_S)), threading.Event()
        starts = [
            partial(Cluster, manage_py=str(settings.BASE_DIR / "manage.py"),
                    **{**queue, "variables": {"GS2ADMIN_PROCESS": "worker", **queue["variables"]}})
            for queue in queues()
        ]
        supervisor = Supervisor(starts, heartbeat, late_s=settings.LATE_S, drain_s=settings.DRAIN_S)
        stop_on_signals(supervisor.stop)
        lifeline.on_cut(terminate_myself)
        threads = [
            kept("heartbeat", partial(heartbeat.serve, ended)),
            kept("sweep", partial(sweep.sweep_for_ever, ended, settings.SWEEP_S)),
            kept("tick", partial(sweep.tick_for_ever, ended)),
            kept("delivery", partial(delivery_threads.deliver_for_ever, ended)),
            kept("clean", partial(sweep.clean_for_ever, ended)),
        ]
        supervisor.run()
        heartbeat.stop(ended)
        for thread in threads:
            # A database that is away must not keep us; they are daemons.
            thread.join(1.0)
