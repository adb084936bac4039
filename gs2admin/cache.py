"""One bounded cache for everything that a process remembers for a moment. docs/operations.md lists all of them.

Why not cachetools: its TTLCache needs a lock around each read, has one bound (entries or bytes) and one time to live for
all. Reads here stand on the path of every REST request, so they take no lock; a value may have its own time to live; and a
cache has a bound in entries and another in bytes, keys included, because strangers choose some of them.
"""
from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Mapping
from sys import getsizeof
from types import FunctionType, ModuleType
from typing import Any, Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")
FOR_EVER = float("inf")
_MISSING = object()
_all: weakref.WeakSet[Cache] = weakref.WeakSet()


# A slot of the dict, the entry, its numbers.
_ENTRY_BYTES = 300
# Of a larger value so many objects are counted, and the rest is estimated.
_COUNTED = 2_000


def weigh(value: Any) -> int:
    """About how many bytes a value and all that it holds have. Shared objects count, so it is rather too much."""
    total, left, seen = 0, [value], set()
    while left and len(seen) < _COUNTED:
        one = left.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        total += getsizeof(one, 64)
        if isinstance(one, str | bytes | int | float):
            continue
        if isinstance(one, Mapping):
            left += one.keys()
            left += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
        elif hasattr(one, "__dict__"):
            left.append(vars(one))
        else:
            left += (getattr(one, name, None) for name in getattr(type(one), "__slots__", ()))
    return total * (len(seen) + len(left)) // max(1, len(seen))


class _Entry(NamedTuple, Generic[V]):
    """A value. ends: a time of time.monotonic(). size: bytes, with its key."""

    value: V
    ends: float
    size: int


class Cache(Generic[K, V]):
    """key -> value, for a time. Safe to use from several threads.

    ttl_s: how long a value counts, in seconds; FOR_EVER for what never changes.
    entries: how many values are kept at most.
    max_bytes: how many bytes they may have together, with their keys.
    size: how many bytes a value has; counted object by object by default, which suits small ones.

    The value that was put first leaves first: it is the one whose time ends first.
    """

    def __init__(
        self, *, ttl_s: float, entries: int, max_bytes: int, size: Callable[[V], int] = weigh
    ) -> None:
        self.ttl_s, self.entries, self.max_bytes, self._size_of = ttl_s, entries, max_bytes, size
        self._kept: dict[K, _Entry[V]] = {}
        self.bytes = 0
        self._new_locks()
        _all.add(self)

    def _new_locks(self) -> None:
        self._lock, self._making = threading.Lock(), threading.Lock()

    def get(self, key: K, default: D = None) -> V | D:
        """The value, while its time lasts; else `default`."""
        entry = self._kept.get(key)
        return entry.value if entry is not None and time.monotonic() < entry.ends else default

    def put(self, key: K, value: V, *, ttl_s: float | None = None, since: float | None = None) -> V:
        """Keep a value and return it. One that is larger than the whole bound is not kept.

        ttl_s: its own time to live. since: the time of time.monotonic() at which the value was true; now by default.
        """
        now = time.monotonic()
        size = self._size_of(value) + weigh(key) + _ENTRY_BYTES
        ends = (now if since is None else since) + (self.ttl_s if ttl_s is None else ttl_s)
        with self._lock:
            self._drop(key)
            if size <= self.max_bytes:
                self._kept[key] = _Entry(value, ends, size)
                self.bytes += size
            while self._kept:
                first, entry = next(iter(self._kept.items()))
                heavy = self.bytes > self.max_bytes
                if len(self._kept) <= self.entries and not heavy and entry.ends > now:
                    break
                self._drop(first)
        return value

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The value, or what make() returns, kept from the moment at which make was called. Raises what make raises.

        Several threads may make it at the same time.
        """
        found = self.get(key, _MISSING)
        if found is not _MISSING:
            return found
        began = time.monotonic()
        return self.put(key, make(), since=began)

    def get_or_make_once(self, key: K, make: Callable[[], V]) -> V:
        """The value, or what make() returns; one thread makes it, the others wait for its value. Raises what make raises.

        It is kept from the moment at which it is there, so that those who waited find it, however long it took. Makes for
        other keys wait too: use it where there is one key, or where making is quick.
        """
        found = self.get(key, _MISSING)
        if found is not _MISSING:
            return found
        with self._making:
            found = self.get(key, _MISSING)
            return self.put(key, make()) if found is _MISSING else found

    def items(self) -> list[tuple[K, V]]:
        """(key, value) of all values whose time lasts, the one that was put first first."""
        now = time.monotonic()
        return [(key, entry.value) for key, entry in list(self._kept.items()) if now < entry.ends]

    def pop(self, key: K) -> None:
        """Forget one value, if it is there."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Forget every value."""
        with self._lock:
            self._kept.clear()
            self.bytes = 0

    def __len__(self) -> int:
        """How many values are kept, those included whose time is over."""
        return len(self._kept)

    def _drop(self, key: K) -> None:
        entry = self._kept.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size


def _after_fork() -> None:
    # A thread of the parent may have held a lock at that moment; it does not exist here, and would hold it for ever.
    for cache in list(_all):
        cache._new_locks()


os.register_at_fork(after_in_child=_after_fork)


def all_caches() -> list[Cache]:
    """Every cache of this process."""
    return list(_all)


def forget_all() -> None:
    """Empty every cache of this process (tests)."""
    for cache in list(_all):
        cache.clear()
