"""Collecting static files, and not collecting them again while nothing has changed."""
from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

MARK = ".collected"


def fingerprint() -> str:
    """A digest over name, size and time of every static file."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def collect() -> bool:
    """Collect into STATIC_ROOT when something has changed since. True when it did."""
    mark = Path(settings.STATIC_ROOT) / MARK
    current = fingerprint()
    if mark.is_file() and mark.read_text() == current:
        return False
    call_command("collectstatic", interactive=False, verbosity=0, clear=False)
    mark.write_text(current)
    return True
