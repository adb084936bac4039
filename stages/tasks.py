"""What the queue calls. A task carries an id and nothing else; a lost, doubled or late one changes nothing."""
from __future__ import annotations

from stages.rollout import executor, postman


def run_rollout(rollout_id: int) -> None:
    """Carry a rollout on, if it needs a worker and has none."""
    executor.run(rollout_id)


def deliver_webhooks(endpoint_id: int) -> None:
    """Deliver the messages of a webhook that are due, if no other worker does."""
    postman.deliver(endpoint_id)
