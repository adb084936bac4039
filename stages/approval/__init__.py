"""Approval: which people must agree before a rollout starts, and what happens to a rollout that waits for them.

- reads.py answers what a rollout needs, which votes count now, and the decision that follows from both.
- services.py writes votes, rules and the end of the wait; `resolve` is called after each change that may matter.
- decision.py decides (pure); voters.py reads the present roles of voters.

Approval knows rules, votes, gates and previews. It does not know how a rollout is created or run: `rollouts` opens a
request here, and a worker is woken by the name of its task.
"""
