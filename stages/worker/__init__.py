"""How a rollout is carried out: begin, orchestrate, execute, and what runs by itself."""
