"""The task that a worker is woken with for a rollout; by name, because the worker stands on top of this room."""
from __future__ import annotations

RUN = "stages.worker.tasks.run_rollout"
