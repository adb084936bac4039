"""Where the files are, and the signed links to them; there is no other way to a file."""
from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core import signing
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.urls import reverse

from jobqueue.models import UserDataRun

_SALT = "jobqueue.userdata.link"
CHUNK = 64 * 1024


class Link(StrEnum):
    """What a link is for: download the file, read the log, upload (as the body, or as a form's file)."""

    FILE, LOG, UPLOAD, FORM = "file", "log", "upload", "form"


def storage() -> Storage:
    """The storage of these files."""
    return storages["user_data"]


def scratch() -> tempfile.TemporaryDirectory:
    """A temporary directory on the disk of the files, removed at the end of the `with`."""
    folder = Path(settings.DATA_DIR) / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="user-data-", dir=folder)


def keep(name: str, file: BinaryIO) -> str:
    """Store a file; returns its name in the storage."""
    return storage().save(name, File(file))


def remove(name: str) -> None:
    """Remove a stored file; one that is gone already is fine."""
    if name:
        storage().delete(name)


def link(run: UserDataRun, what: Link, base_url: str = "") -> str:
    """A signed address that works for settings.USER_DATA_LINK_S seconds. base_url: scheme and host; without it, a path."""
    token = signing.dumps([run.pk, str(what)], salt=_SALT, compress=False)
    return base_url + reverse(f"user-data-{what}", args=[token])


def run_of(token: str, what: Link) -> UserDataRun | None:
    """The run of a link; None when its signature is wrong, it is for something else, or its time is over."""
    try:
        found = signing.loads(token, salt=_SALT, max_age=settings.USER_DATA_LINK_S)
    except signing.BadSignature:
        return None
    return UserDataRun.objects.filter(pk=found[0]).first() if found[1] == what else None
