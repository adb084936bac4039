"""Pages of stages and rollouts, one file per noun. They read, ask for rights, and call services; no rule lives here."""
