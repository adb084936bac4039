"""The task that the queue of tasks calls: to lose, repeat or delay one changes nothing.

It carries the id of a queue, which the release before drains. This one looks which queue's turn it is.
"""
from jobqueue.execution.turns import drain

__all__ = ["drain"]
