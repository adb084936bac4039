"""The door to the workers: everything the domains need of them is in this name space.

    engine.ring("stages.tasks.run_rollout", rollout.id)   wake a worker; part of the caller's transaction
    @engine.sweeper                                       fn() -> rows woken; called every few seconds by every worker host
    @engine.ticker                                        the same, twice a second, for what has its time
    @engine.cleaner(every_s=3600)                         fn() -> rows removed; called by one host per interval
    @engine.courier(due=…, at_once=8)                     fn(row id, leaving); errands to strangers, in threads of the worker host
    @engine.undertaker                                    fn(label) -> rows freed; a worker is known to be dead
    engine.beat("rollout 415")                            a busy worker is alive; True = finish the step and hand over
    engine.worker_label()                                 "host:cluster:pid", for leased_by
    engine.health()                                       live clusters, workers, queue latency

Rows are the truth and the queue is a doorbell: a ring may be lost or doubled, the sweep repairs it.
"""
from gs2admin.engine.doorbell import ring
from gs2admin.engine.presence import beat, worker_label
from gs2admin.engine.registry import cleaner, courier, sweeper, ticker, undertaker


def health():
    """See `gs2admin.engine.status.health`; imported late, because it needs the models."""
    from gs2admin.engine import status

    return status.health()


__all__ = ["beat", "cleaner", "courier", "health", "ring", "sweeper", "ticker", "undertaker", "worker_label"]
