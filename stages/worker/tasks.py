"""What the queue calls. A task carries an id and nothing else; a lost, doubled or late one changes nothing."""
from __future__ import annotations

from stages.worker import executor


def run_rollout(rollout_id: int) -> None:
    """Carry a rollout on, if it needs a worker and has none."""
    executor.run(rollout_id)
