"""What the queue calls. A task carries an id and nothing else; a lost, doubled or late one changes nothing."""
from __future__ import annotations

from jobqueue.execution import drain as execution


def drain(queue_id: int) -> None:
    """Run a player's waiting jobs for a slice of time, if nobody else does."""
    execution.drain(queue_id)
