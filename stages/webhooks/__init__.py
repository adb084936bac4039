"""Who is told outside: endpoints, the outbox, delivery."""
