"""Webhooks: a message to each endpoint of the project when a rollout changes its state.

- outbox.py writes the messages in the transaction of the change, so that none is lost and none is early.
- deliver.py sends them from the delivery threads of the engine, with retries; it also finds the endpoints that are due.
- services.py makes, changes and removes endpoints, and sends a test or a message once more.

Webhooks know rollouts only as rows that moved (gs2admin.transitions tells the outbox). They do not know who moved them.
"""
