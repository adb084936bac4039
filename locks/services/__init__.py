"""Every write of locks: the one function behind each door."""
from locks.services.holding import Held, holding
from locks.services.mutexes import delete_mutex, force_release, lock, no_mutex, unlock

__all__ = ["Held", "delete_mutex", "force_release", "holding", "lock", "no_mutex", "unlock"]
