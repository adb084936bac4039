"""How a rollout is carried out: begin, orchestrate, execute; and the chores that run by themselves."""
