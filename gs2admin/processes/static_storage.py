"""Static files under names with a hash of their content, each read and rewritten once.

Django goes over the files until their references stand still, and whitenoise compresses each file under both names. Here a file
is settled after those it refers to, and only what pages ask for is compressed. Names and contents are the same; a test compares.
"""
from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.utils import matches_patterns
from django.core.files.base import ContentFile
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Smaller files fit into a packet either way. bytes.
SMALL = 1024
# As small as with 9, within a hundredth, in half the time.
EFFORT = 6


class StaticStorage(CompressedManifestStaticFilesStorage):
    """What `collectstatic` writes to; reading is whitenoise's and Django's."""

    def post_process(self, paths: Mapping[str, Any], dry_run: bool = False, **options: Any) -> Iterator[tuple[str, Any, Any]]:
        """Write each file under its hashed name, and the manifest. paths: what was collected, by name."""
        if dry_run:
            return
        settling = _Settling(self, paths)
        for name in sorted(paths):
            yield name, settling.settle(name), True
            # Of a release that compressed these names too; whitenoise would serve it in place of what is there now.
            if f"{name}.gz" not in paths:
                Path(f"{self.path(name)}.gz").unlink(missing_ok=True)
        self.hashed_files = settling.done
        self.save_manifest()


class _Settling:
    def __init__(self, storage: StaticStorage, paths: Mapping[str, Any]) -> None:
        self._storage, self._names = storage, {storage.clean_name(name): name for name in paths}
        self._compressor = Compressor(use_brotli=False, quiet=True)
        self._open: set[str] = set()
        self.done: dict[str, str] = {}

    def settle(self, name: str) -> str:
        """The file's hashed name, once all that it refers to has one. Raises ValueError where a file is missing, or two refer
        to each other."""
        key = self._storage.clean_name(name)
        if key in self.done:
            return self.done[key]
        if key not in self._names or key in self._open:
            reason = "refers to itself" if key in self._open else "could not be found"
            raise ValueError(f"The static file {key!r} {reason}.")
        self._open.add(key)
        content = Path(self._storage.path(name)).read_bytes()
        if matches_patterns(name, self._storage._patterns):
            content = self._rewritten(name, content)
        hashed = self._storage.clean_name(self._storage.hashed_name(name, ContentFile(content)))
        self._write(hashed, content)
        self.done[key] = hashed
        return hashed

    def _rewritten(self, name: str, content: bytes) -> bytes:
        text = content.decode("utf-8")
        for extension, patterns in self._storage._patterns.items():
            if matches_patterns(name, (extension,)):
                for pattern, template in patterns:
                    text = pattern.sub(self._storage.url_converter(name, _Found(self), template), text)
        return text.encode()

    def _write(self, name: str, content: bytes) -> None:
        path = Path(self._storage.path(name))
        path.write_bytes(content)
        if len(content) >= SMALL and self._compressor.should_compress(name):
            compressed = gzip.compress(content, EFFORT, mtime=0)
            if len(compressed) <= 0.95 * len(content):
                path.with_name(path.name + ".gz").write_bytes(compressed)


class _Found:
    """The hashed names that Django's `url_converter` asks for, by `HashedFilesMixin._stored_name`; made when asked."""

    def __init__(self, settling: _Settling) -> None:
        self._settling = settling

    def get(self, key: str) -> str:
        return self._settling.settle(key)
