"""Every write of locks: the one function behind each door."""
from locks.services.locked import Lease, locked
from locks.services.mutexes import delete_mutex, force_release, lock, no_mutex, unlock

__all__ = ["Lease", "delete_mutex", "force_release", "lock", "locked", "no_mutex", "unlock"]
