"""Auto-promotion: a stage that promotes itself after its source became Active and stayed so.

- services.py writes the settings, ends a hold, and is called by the sweep for each stage (promote_due).
- decide.py decides (pure).

It starts rollouts through stages.rollouts like everybody else, so gates, approval and locks apply. Rollouts know one thing
of it: a rollback holds the auto-promotion of its stage (rollouts/create.py).
"""
