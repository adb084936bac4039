"""Writes on behalf of the holder of a lease. Each transaction asks, as its last statement before the commit, whether the lease
still counts; one whose lease was lost meanwhile is undone. So a process that was stopped anywhere in between, and goes on after
somebody else took its work over, changes nothing.

The question keeps the answer true until the commit: it locks what says who holds the lease. It is the last statement, and never
waits, so that it adds no circle to the order of locks. What is written outside a transaction could not be undone: `raw_cursor`
opens one, and any other statement of that kind is refused.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from gs2admin.lease import LeaseLost

# Asked inside a transaction: does the lease still count, and will it until the commit? It never waits for a lock.
Holds = Callable[[], bool]
_held: ContextVar[tuple[Holds, ...]] = ContextVar("fences", default=())
_WRITES = ("INSERT", "UPDATE", "DELETE")


@contextmanager
def on_behalf(holds: Holds) -> Iterator[None]:
    """What this thread writes in the block takes effect only while `holds` answers True. May be nested: then all must.

    A transaction that commits in the block raises LeaseLost instead when one answers False, and is undone.
    """
    before = _held.get()
    mark = _held.set((*before, holds))
    guarded = nullcontext() if before else connections[DEFAULT_DB_ALIAS].execute_wrapper(_refuse_unfenced)
    try:
        with guarded:
            yield
    finally:
        _held.reset(mark)


@contextmanager
def apart() -> Iterator[None]:
    """What this thread writes in the block is its own book-keeping, such as a lease, and has a fence of its own or needs none."""
    mark = _held.set(())
    try:
        yield
    finally:
        _held.reset(mark)


def active() -> bool:
    """Whether this thread writes on behalf of somebody now."""
    return bool(_held.get())


def keep() -> None:
    """Ask now instead of before the commit, in a transaction that is about to delete what says who holds the lease.

    Raises LeaseLost.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if active() and connection.in_atomic_block and not connection.fences_kept:
        if not _all_hold():
            raise LeaseLost
        connection.fences_kept = True


class FencedCommits:
    """For a DatabaseWrapper: asks before each commit. fences_kept: it was asked in this transaction already."""

    fences_kept = False

    def commit(self) -> None:
        if active() and not self.fences_kept and not _all_hold():
            self.rollback()
            raise LeaseLost
        self.fences_kept = False
        super().commit()

    def rollback(self) -> None:
        self.fences_kept = False
        super().rollback()

    def _savepoint_rollback(self, sid: str) -> None:
        self.fences_kept = False  # the lock may be gone with it
        super()._savepoint_rollback(sid)


def _all_hold() -> bool:
    held = _held.get()
    with apart():
        return all(holds() for holds in held)


def _refuse_unfenced(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if active() and not context["connection"].in_atomic_block and sql.lstrip()[:6].upper() in _WRITES:
        raise RuntimeError(f"What is written on behalf of a lease's holder belongs into a transaction: {sql[:80]}")
    return execute(sql, params, many, context)
