"""What we add to the database layer: the SQLite backend, raw statements, batched reads."""
