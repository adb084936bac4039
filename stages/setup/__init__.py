"""Setup: what people and build machines prepare before a rollout.

- stages.py, targets.py and stage_types.py write stages, where they deploy to and what type they are.
- scenarios.py writes how rollouts of a stage proceed; canary_plans.py checks the part about canaries (pure).
- versions.py writes the catalogue of versions.

Each write takes the project's lock and asks its right once. Setup knows no rollouts but for one question: a stage with a
live rollout is not deleted. Rollouts that run keep copies, so no write here changes them.
"""
