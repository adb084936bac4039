"""Where the files are, and the signed links by which alone they are reached."""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core import signing
from django.core.files import File
from django.core.files.storage import storages
from django.urls import reverse

from jobqueue.models import UserDataRun

_SALT = "jobqueue.userdata.link"
CHUNK = 64 * 1024


def storage():
    """The storage of these files."""
    return storages["user_data"]


def scratch() -> tempfile.TemporaryDirectory:
    """A directory beside the files, gone at the end of the `with`."""
    folder = Path(settings.DATA_DIR) / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="user-data-", dir=folder)


def keep(name: str, file: BinaryIO) -> str:
    """Store a file; returns the name under which it is."""
    return storage().save(name, File(file))


def remove(name: str) -> None:
    """Remove a stored file; one that is gone already is fine."""
    if name:
        storage().delete(name)


def link(run: UserDataRun, what: str, base_url: str = "") -> str:
    """A link that works for settings.USER_DATA_LINK_S seconds. what: file, log or upload."""
    token = signing.dumps([run.pk, what], salt=_SALT, compress=False)
    return base_url + reverse(f"user-data-{what}", args=[token])


def run_of(token: str, what: str) -> UserDataRun | None:
    """The run that a link leads to; None when it is not one of ours, for something else, or over."""
    try:
        found = signing.loads(token, salt=_SALT, max_age=settings.USER_DATA_LINK_S)
    except signing.BadSignature:
        return None
    return UserDataRun.objects.filter(pk=found[0]).first() if found[1] == what else None
