"""The task that the queue of tasks calls. A task carries an id and nothing else: to lose, repeat or delay one changes nothing."""
from jobqueue.execution.drain import drain

__all__ = ["drain"]
