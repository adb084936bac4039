"""Pages of locks. They read, ask for rights, and call services; no rule lives here."""
