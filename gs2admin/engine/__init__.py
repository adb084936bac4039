"""The entry point to the workers: all that the domains need of them.

    engine.wake("stages.worker.tasks.run_rollout", rollout.id)   wake a worker; part of the caller's transaction
    engine.wake_chores()                  something is due earlier than was known; part of the caller's transaction
    @engine.sweeper(due=…)                fn() -> rows woken; every worker host calls it every few seconds while it is due
    @engine.ticker(due=…)                 the same, at its time
    @engine.cleaner(every_s=3600)         fn() -> rows removed; one host calls it per interval
    @engine.delivery_thread(which=…, due=…, at_once=8)   fn(row id, leaving): calls to other servers, in threads of the host
    @engine.on_worker_lost                fn(label) -> rows freed; a worker is known to be dead
    engine.beat("rollout 415")            a busy worker is alive; True: finish the step and hand over
    engine.begin_long(), engine.end_long()   around work that takes long; one worker is kept free of it
    engine.worker_label()                 "host:cluster:pid", for leased_by
    engine.health()                       live clusters, workers, queue latency

Rows are the truth; the queue only wakes a worker. A wake may be lost or doubled: the sweep repairs it.
"""
from gs2admin.engine.inside import begin_long, end_long
from gs2admin.engine.presence import beat, worker_label
from gs2admin.engine.registry import cleaner, delivery_thread, on_worker_lost, sweeper, ticker
from gs2admin.engine.waking import wake, wake_chores


def health():
    """Live clusters, workers and queue latency: `gs2admin.engine.status.Health`. Imported late, because it needs the models."""
    from gs2admin.engine import status

    return status.health()


__all__ = [
    "beat", "begin_long", "cleaner", "delivery_thread", "end_long", "health", "on_worker_lost", "sweeper", "ticker", "wake",
    "wake_chores", "worker_label",
]
