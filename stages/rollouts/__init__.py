"""How a rollout comes to be, waits its turn, and ends."""
