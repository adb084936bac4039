"""The step that puts a version's file where players load it from, and keeps what was there."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.storage import Storage

from .base import NOTE, StepContext, StepFailed
from .options import known_fields, refuse, text
from .places import CHUNK, SuspiciousOperation, check_pattern, filled, place, put

_FIELDS = ("source_store", "source", "store", "path")


class StorageKind:
    """Copies a file between two stores that the administrator has named; an undo puts the old file back."""

    name = "storage"
    label = "File"

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """``{"source_store", "source", "store", "path"}``; the paths may hold {service}, {version}, {stage}, {project},
        {colour}. Raises Invalid with a sentence."""
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
        return found

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """Always: what was there is remembered before anything changes, and the same file put twice is the same file."""
        return True

    def run(self, ctx: StepContext) -> str:
        """Keep what is there, put the version's file; on undo, put back what was kept. Raises StepFailed, StepBroken."""
        store = place(str(ctx.config["store"]))
        try:
            return self._restore(ctx, store) if ctx.undo else self._deploy(ctx, store)
        except (OSError, SuspiciousOperation, ValueError) as problem:
            raise StepFailed(f"The file could not be put: {problem}.") from None
        except Exception as problem:  # noqa: BLE001  each store's library has errors of its own
            raise StepFailed(f"The store did not take it: {type(problem).__name__}: {str(problem)[:300]}.") from None

    def _deploy(self, ctx: StepContext, store: Storage) -> str:
        path = filled(ctx.config["path"], _words(ctx))
        if "path" not in ctx.memo:
            kept = ""
            if store.exists(path):
                kept = f".backup/{ctx.key.replace('/', '-')}/{path}"
                self._copy(ctx, store, path, store, kept)
                ctx.emit(f"Kept what was there as {kept}.", NOTE)
            ctx.remember(path=path, backup=kept)
        if not ctx.new_version:
            store.delete(path)
            return f"{path} is removed."
        source = filled(ctx.config["source"], _words(ctx))
        origin = place(str(ctx.config["source_store"]))
        if not origin.exists(source):
            raise StepFailed(f"There is no file {source} in the store {ctx.config['source_store']}.")
        size, digest = self._copy(ctx, origin, source, store, path)
        ctx.emit(f"{source} -> {path}, {size:,} bytes, SHA-256 {digest}.", NOTE)
        return f"{path} is {source} now."

    def _restore(self, ctx: StepContext, store: Storage) -> str:
        done = ctx.memo.get("done", {})
        path = done.get("path")
        if not path:
            return "Nothing had been put, so nothing is put back."
        if not done.get("backup"):
            store.delete(path)
            return f"{path} was not there before; it is removed."
        self._copy(ctx, store, done["backup"], store, path)
        return f"{path} is what it was before."

    @staticmethod
    def _copy(ctx: StepContext, origin: Storage, source: str, store: Storage, path: str) -> tuple[int, str]:
        with origin.open(source, "rb") as file:
            watched = _Watched(ctx, file)
            put(store, path, watched)
        return watched.size, watched.digest.hexdigest()


class _Watched:
    """A file that is being read, counted and hashed; the step stays awake meanwhile."""

    def __init__(self, ctx: StepContext, file: BinaryIO) -> None:
        self._ctx, self._file = ctx, file
        self.size, self.digest = 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        self._ctx.tick()
        piece = self._file.read(CHUNK if size is None or size < 0 else min(size, CHUNK))
        self.size += len(piece)
        self.digest.update(piece)
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _words(ctx: StepContext) -> dict[str, Any]:
    return {
        "service": ctx.microservice, "version": ctx.new_version, "stage": ctx.stage, "project": ctx.project, "colour": ctx.colour,
    }


KIND = StorageKind()
