"""The tasks that the queue calls. A task carries an id alone; the rows decide, so a lost, doubled or late one does no harm."""
from __future__ import annotations

from stages.worker import executor, leftovers


def run_rollout(rollout_id: int) -> None:
    """Carry a rollout on if it needs a worker and has none; else return at once."""
    executor.run(rollout_id)


def take_back(step_id: int) -> None:
    """Take back what a step of an ended rollout has left, if somebody asked for it; else return at once."""
    leftovers.take_back(step_id)
