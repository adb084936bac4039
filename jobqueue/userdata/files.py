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

from gs2admin.db import clock
from jobqueue.models import UserDataRun

_SALT = "jobqueue.userdata.link"
CHUNK = 64 * 1024


class _Signer(signing.TimestampSigner):
    """Signs with the database's time, since the link may lead to another host."""

    def timestamp(self) -> str:
        return signing.b62_encode(int(clock.seconds()))


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
    token = _Signer(salt=_SALT).sign_object([run.pk, str(what)])
    return base_url + reverse(f"user-data-{what}", args=[token])


def run_of(token: str, what: Link) -> UserDataRun | None:
    """The run of a link; None when its signature is wrong, it is for something else, or its time is over."""
    try:
        found = _Signer(salt=_SALT).unsign_object(token)
        made_at = signing.b62_decode(token.rsplit(":", 2)[1])
    except signing.BadSignature:
        return None
    if clock.seconds() - made_at > settings.USER_DATA_LINK_S:
        return None
    return UserDataRun.objects.filter(pk=found[0]).first() if found[1] == what else None
