"""Pages of queues, jobs and scripts. They read, ask for rights, and call services; no rule lives here."""
