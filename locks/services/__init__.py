"""Changes of mutexes, for every entry point: pages, GS2 methods, admin. Those of namespaces: services/namespaces.py."""
from locks.services.locked import Lease, locked
from locks.services.mutexes import delete_mutex, force_release, lock, no_mutex, unlock

__all__ = ["Lease", "delete_mutex", "force_release", "lock", "locked", "no_mutex", "unlock"]
