"""Rollouts: how one is requested, created, waits for its turn, and is canceled before or while a worker runs it.

- services.py is what people and programs ask for: promote, roll back, retry, cancel. Each asks the right, then calls start.
- start.py checks under the project's lock that a rollout may be created now; create.py writes its rows.
- queue.py holds the rollouts that wait for their turn on a stage.

This room knows plans, gates and approval. It does not know how a worker carries a rollout out (stages.worker) or how a
canary is decided (stages.canary). Reads of rollouts are on the model (models.querysets) and beside the pages.
"""
