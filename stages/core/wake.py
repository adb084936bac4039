"""The tasks that a worker is woken with; by name, because the worker stands on top of this room."""
from __future__ import annotations

RUN = "stages.worker.tasks.run_rollout"
TAKE_BACK = "stages.worker.tasks.take_back"
