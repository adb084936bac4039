"""Every write of locks: the one function behind each door."""
from locks.services.holding import Held, Lost, holding
from locks.services.mutexes import delete_mutex, force_release, lock, no_mutex, unlock

__all__ = ["Held", "Lost", "delete_mutex", "force_release", "holding", "lock", "no_mutex", "unlock"]
