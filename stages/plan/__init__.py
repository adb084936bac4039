"""What a rollout will do: its preview, its steps, and what of an earlier one counts as done."""
