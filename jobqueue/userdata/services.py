"""Begin dumps, cleans and imports of players' data, and find them. Workers carry them out (tasks.py)."""
from __future__ import annotations

from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.limits import require_fewer
from jobqueue.models import UserDataRun
from jobqueue.states import LIVE, UserDataKind, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.runs import EXAMINE, PERFORM, line

WORD = "jobQueue.userData"
RIGHT = "user_data.manage"
OPEN = (UserDataState.PREPARED, UserDataState.UPLOADED)


def start_dump(*, actor: Actor, project: Project, user_id: str, reason: str = "") -> UserDataRun:
    """Begin to write a player's data into a file; while a dump is under way, that one.

    Raises NotFound, Denied, Conflict, Quota.
    """
    return _start(actor, project, user_id, UserDataKind.DUMP, reason)


def start_clean(*, actor: Actor, project: Project, user_id: str, reason: str = "") -> UserDataRun:
    """Begin to erase a player's data; while a clean is under way, that one.

    Raises NotFound, Denied, Conflict, Quota.
    """
    return _start(actor, project, user_id, UserDataKind.CLEAN, reason)


def prepare_import(*, actor: Actor, project: Project, user_id: str) -> UserDataRun:
    """Create an import that waits for its file. Raises NotFound, Denied, Quota."""
    require(actor, RIGHT, project)
    _require_room(project)
    return UserDataRun.objects.create(
        project=project, user_id=user_id, kind=UserDataKind.IMPORT, state=UserDataState.PREPARED,
        requested_by=actor.name, log=line(f"Prepared by {actor.name}."),
    )  # fmt: skip


def check_length(length: int) -> None:
    """Raises Invalid for a file that is too large."""
    cap = settings.USER_DATA_MAX_UPLOAD
    if length > cap:
        raise Invalid(f"The file is larger than {cap // 1024**2:,} MiB.", message=f"{WORD}.file.error.tooLong")


def receive_upload(*, run: UserDataRun, stream: BinaryIO, length: int | None) -> None:
    """Store the file of a prepared import. length: in bytes; None when it is not known before. The caller has checked the link.

    Raises Invalid (too large, empty, cut off), Conflict (the import has begun).
    """
    if length is not None:
        check_length(length)
    with files.scratch() as folder:
        path = f"{folder}/upload"
        size = 0
        with open(path, "wb") as out:
            while length is None or size < length:
                chunk = stream.read(files.CHUNK if length is None else min(files.CHUNK, length - size))
                if not chunk:
                    break
                size += len(chunk)
                check_length(size)
                out.write(chunk)
        if not size or length is not None and size < length:
            raise Invalid("The file did not arrive whole; upload it again.", message=f"{WORD}.file.error.invalid")
        with open(path, "rb") as file:
            name = files.keep(f"{run.project_id}/import-{run.token.hex}.zip", file)
    rows = UserDataRun.objects.filter(pk=run.pk, state__in=OPEN)
    with transaction.atomic():
        old = rows.select_for_update().values_list("file", flat=True).first()
        taken = rows.update(state=UserDataState.UPLOADED, file=name, size=size, said="", error="", updated_at=Now())
        if taken:
            engine.wake(EXAMINE, run.pk)
    if not taken:
        files.remove(name)
        raise Conflict("This import has begun already.", message=f"{WORD}.userData.error.conflict")
    files.remove(old)


def start_import(*, actor: Actor, project: Project, user_id: str, token: str, reason: str = "") -> UserDataRun:
    """Replace a player's data by the uploaded file; a second call for it returns the same import.

    Raises NotFound, Denied, Invalid (nothing was uploaded), Conflict (something else is under way for this player).
    """
    run = find_import(actor=actor, project=project, user_id=user_id, token=token)
    if run.state == UserDataState.PREPARED:
        raise Invalid("Upload the file first.", component="userData", message=f"{WORD}.file.error.require")
    if run.state != UserDataState.UPLOADED:
        return run
    try:
        with transaction.atomic():
            rows = UserDataRun.objects.filter(pk=run.pk, state=UserDataState.UPLOADED)
            log = run.log + line(f"Begun by {actor.name}.")
            if rows.update(state=UserDataState.WAITING, error="", updated_at=Now(), log=log):
                record(actor=actor, action="user_data.import", obj=run, after={"user": user_id, "bytes": run.size}, reason=reason)
                engine.wake(PERFORM, run.pk)
    except IntegrityError:
        raise _busy() from None
    run.refresh_from_db()
    return run


def newest(*, actor: Actor, project: Project, user_id: str, kind: UserDataKind) -> UserDataRun:
    """The latest dump or clean of a player. Raises NotFound, Denied."""
    require(actor, RIGHT, project)
    run = UserDataRun.objects.filter(project=project, user_id=user_id, kind=kind).order_by("-id").first()
    if run is None:
        raise _none()
    return run


def run_of(*, actor: Actor, project: Project, user_id: str, pk: int) -> UserDataRun:
    """One dump, clean or import of a player. Raises NotFound, Denied."""
    require(actor, RIGHT, project)
    run = UserDataRun.objects.filter(project=project, user_id=user_id, pk=pk).first()
    if run is None:
        raise _none()
    run.project = project
    return run


def find_import(*, actor: Actor, project: Project, user_id: str, token: str) -> UserDataRun:
    """The import that a token names. Raises NotFound, Denied."""
    require(actor, RIGHT, project)
    try:
        key = UUID(token)
    except ValueError:
        raise _none() from None
    run = UserDataRun.objects.filter(project=project, user_id=user_id, kind=UserDataKind.IMPORT, token=key).first()
    if run is None:
        raise _none()
    return run


def _require_room(project: Project) -> None:
    """Raises Quota where MAX_USER_DATA_RUNS dumps, cleans and imports of the project wait, run or want their file."""
    rows = UserDataRun.objects.filter(project=project, state__in=sorted(LIVE | set(OPEN)))
    require_fewer(rows, settings.MAX_USER_DATA_RUNS, f"dumps, erasures and imports under way in {project.name}",
                  component="userData", message=f"{WORD}.userData.error.tooMany")  # fmt: skip


def _start(actor: Actor, project: Project, user_id: str, kind: UserDataKind, reason: str) -> UserDataRun:
    require(actor, RIGHT, project)
    live = UserDataRun.objects.filter(project=project, user_id=user_id, kind=kind, state__in=sorted(LIVE)).first()
    if live is not None:
        return live
    _require_room(project)
    try:
        with transaction.atomic():
            run = UserDataRun.objects.create(
                project=project, user_id=user_id, kind=kind, requested_by=actor.name,
                log=line(f"Requested by {actor.name}."),
            )  # fmt: skip
            record(actor=actor, action=f"user_data.{kind}", obj=run, after={"user": user_id}, reason=reason)
            engine.wake(PERFORM, run.pk)
            return run
    except IntegrityError:
        live = UserDataRun.objects.filter(project=project, user_id=user_id, kind=kind, state__in=sorted(LIVE)).first()
        if live is None:
            raise _busy() from None
        return live


def _busy() -> Conflict:
    return Conflict(
        "This player's data is being dumped, erased or imported; wait for the end of that.", component="userData",
        message=f"{WORD}.userData.error.conflict",
    )  # fmt: skip


def _none() -> NotFound:
    return NotFound(
        "Nothing of the kind was begun for this player.", component="userData", message=f"{WORD}.userData.error.notFound"
    )
