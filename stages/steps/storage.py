"""The step that copies a version's file to where players load it from, and keeps a copy of what was there."""
from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

from .awake import Gate, Limit, awake
from .base import NOTE, StepContext, StepFailed
from .options import known_fields, refuse, text, whole_number
from .places import SuspiciousOperation, check_pattern, chunks, filled, place, put, send
from .text import clean_line, shortened

_FIELDS = ("source_store", "source", "store", "path", "timeout_s")
TIMEOUT_S = 3600


class StorageKind:
    """Copies a file between two stores that the administrator has named; an undo puts the old file back."""

    name = "storage"
    label = "File"

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """``{"source_store", "source", "store", "path", "timeout_s": 1..21600}``; the paths may hold {service}, {version},
        {stage}, {project}, {colour}. Raises Invalid with a sentence."""
        config = known_fields(config, kind=self.name, fields=_FIELDS)
        if not settings.STEP_STORAGES:
            raise refuse(
                "store",
                "No store is allowed here yet: GS2ADMIN_STORAGES is empty."
                " The administrator sets it, for example GS2ADMIN_STORAGES=builds=/srv/builds,cdn=s3://bucket.",
            )
        found = {}
        for field in ("source_store", "store"):
            names = ", ".join(sorted(settings.STEP_STORAGES))
            found[field] = text(config, field, hint=f"choose one of {names}.", longest=64)
            if found[field] not in settings.STEP_STORAGES:
                raise refuse(field, f"There is no store called {found[field]!r}: choose one of {names}.")
        for field, hint in (("source", "builds/{service}-{version}.zip"), ("path", "live/{service}.zip")):
            pattern = text(config, field, hint=f"write a path such as {hint}.", longest=500).strip()
            try:
                found[field] = check_pattern(pattern)
            except ValueError as error:
                raise refuse(field, str(error)) from None
        found["timeout_s"] = whole_number(config, "timeout_s", default=TIMEOUT_S, low=1, high=21600)
        return found

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """Always: what was there is stored before anything changes, and a file that is put twice is the same file."""
        return True

    def made(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> str | None:
        """The file, once what was there before is kept."""
        return f"the file {memo['path']} in the store {config.get('store')}" if memo.get("path") else None

    def run(self, ctx: StepContext) -> str:
        """Keep what is there, put the version's file; on undo, put back what was kept. Raises StepFailed, StepBroken."""
        # Targets that were saved before there was this setting have none.
        limit = Limit(float(ctx.config.get("timeout_s") or TIMEOUT_S))
        store = _Store(ctx, str(ctx.config["store"]), limit)
        return self._restore(ctx, store) if ctx.undo else self._deploy(ctx, store)

    def _deploy(self, ctx: StepContext, store: _Store) -> str:
        path = _filled(ctx, "path")
        if "path" not in ctx.memo:
            kept = ""
            if store.has(path):
                kept = f".backup/{ctx.key.replace('/', '-')}/{path}"
                store.take(path, store, kept)
                ctx.emit(f"Kept what was there as {kept}.", NOTE)
            ctx.remember(path=path, backup=kept)
        if not ctx.new_version:
            store.drop(path)
            return f"{path} is removed."
        source = _filled(ctx, "source")
        origin = _Store(ctx, str(ctx.config["source_store"]), store.limit)
        if not origin.has(source):
            raise StepFailed(f"There is no file {source} in the store {origin.name}.")
        size, digest = store.take(source, origin, path)
        ctx.emit(f"{source} -> {path}, {size:,} bytes, SHA-256 {digest}.", NOTE)
        return f"{path} is {source} now."

    def _restore(self, ctx: StepContext, store: _Store) -> str:
        done = ctx.memo.get("done", {})
        path = done.get("path")
        if not path:
            return "Nothing had been put, so nothing is put back."
        if not done.get("backup"):
            store.drop(path)
            return f"{path} was not there before; it is removed."
        if not store.has(done["backup"]):
            raise StepFailed(f"What was at {path} is no longer kept: there is no {done['backup']} in the store {store.name}.")
        store.take(done["backup"], store, path)
        return f"{path} is what it was before."


class _Store:
    """A store by its name, for a step: the step goes on ticking, and a refusal names the store and the reason."""

    def __init__(self, ctx: StepContext, name: str, limit: Limit) -> None:
        """Raises StepBroken when there is no such store, or its library is missing; StepFailed at the limit."""
        self._ctx, self.name, self.limit = ctx, name, limit
        self._store = awake(ctx, lambda: place(name), limit=limit, before=f"the store {name} was opened")

    def has(self, path: str) -> bool:
        """Whether a file is there. Raises StepFailed."""
        return self._ask(lambda: self._store.exists(path), before=f"it was seen whether {path} is in the store {self.name}")

    def drop(self, path: str) -> None:
        """Remove a file, if it is there. Raises StepFailed."""
        self._ask(lambda: self._store.delete(path), before=f"{path} was removed from the store {self.name}")

    def take(self, path: str, origin: _Store, to: str) -> tuple[int, str]:
        """Make `to` here be the file at `path` in `origin`; its size in bytes and its SHA-256. Raises StepFailed."""
        with origin._opened(path) as file:
            read = _Watched(self._ctx, file, self.limit, f"{path} was read")
            if isinstance(self._store, FileSystemStorage):
                with self._explained():
                    put(self._store, to, read)
                return read.size, read.digest.hexdigest()
            # The libraries of remote stores may read more than once and in their own threads, so it is counted before.
            with origin._explained():
                for _ in chunks(read):
                    pass
                file.seek(0)
            gate = Gate(file)
            self._ask(lambda: send(self._store, to, gate), stop=gate.shut, before=f"{to} was in the store {self.name}")
            return read.size, read.digest.hexdigest()

    def _opened(self, path: str) -> File:
        opened: list[File] = []

        def fetch() -> File:
            opened.append(self._store.open(path, "rb"))
            opened[0].read(0)  # a remote store fetches all of it now
            return opened[0]

        def close() -> None:
            # A fetch that still runs fails then, and ends.
            for file in opened:
                file.close()

        try:
            return self._ask(fetch, stop=close, before=f"{path} was read from the store {self.name}")
        except BaseException:
            close()
            raise

    def _ask(self, call: Callable[[], Any], *, before: str, stop: Callable[[], None] = lambda: None) -> Any:
        with self._explained():
            return awake(self._ctx, call, limit=self.limit, before=before, stop=stop)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except StepFailed:
            raise
        except Exception as problem:  # noqa: BLE001  each store's library has errors of its own
            explain = getattr(self._store, "explain", None)
            if explain is not None:
                raise StepFailed(f"The store {self.name} {clean_line(explain(problem))}.") from None
            if isinstance(problem, (OSError, SuspiciousOperation, ValueError)):
                raise StepFailed(f"The file could not be put: {problem}.") from None
            why = f"{type(problem).__name__}: {shortened(str(problem), 300)}"
            raise StepFailed(f"The store {self.name} did not take it: {why}.") from None


class _Watched:
    """A file that is counted and hashed while it is read; each read ticks, and fails when the limit is over."""

    def __init__(self, ctx: StepContext, file: BinaryIO, limit: Limit, before: str) -> None:
        self._ctx, self._file, self._limit, self._before = ctx, file, limit, before
        self.size, self.digest = 0, hashlib.sha256()

    def read(self, size: int) -> bytes:
        self._ctx.tick()
        self._limit.check(self._before)
        piece = self._file.read(size)
        self.size += len(piece)
        self.digest.update(piece)
        return piece


def _filled(ctx: StepContext, field: str) -> str:
    try:
        return filled(ctx.config[field], _words(ctx))
    except ValueError as problem:
        raise StepFailed(f"The file could not be put: {problem}") from None


def _words(ctx: StepContext) -> dict[str, Any]:
    return {
        "service": ctx.microservice, "version": ctx.new_version, "stage": ctx.stage, "project": ctx.project, "colour": ctx.colour,
    }


KIND = StorageKind()
