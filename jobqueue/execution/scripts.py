"""Which script a scriptId means."""
from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass

from gs2admin.identity.models import Project
from jobqueue.models import Script

# A changed script is used by every process within this many seconds; the process that changes it, at once.
KEEP_S = 0.5
_KEPT_MAX = 500
_GRN = re.compile(r"grn:gs2:[^:]*:([^:]*):script:([^:]+):script:([^:]+)\Z")
_BUILT_IN = re.compile(r"execute_(freeze|job_queue|lock|script)_([a-z_]{1,100})\Z")


@dataclass(frozen=True)
class Source:
    """A script's text as it is run."""

    pk: int
    label: str
    source: str
    disable_number_strings: bool


@dataclass(frozen=True)
class BuiltIn:
    """A script of the owner `system`: runs one API method with the arguments of the job."""

    service: str
    method: str


_kept: dict[tuple[int, str], tuple[float, Source | None]] = {}
_lock = threading.Lock()


def find(project: Project, script_id: str) -> Source | BuiltIn | None:
    """The script that a scriptId names: a GRN of this project, of `system`, or a plain name in the namespace default.

    None when there is none, or when it belongs to somebody else.
    """
    key, now = (project.pk, script_id), time.monotonic()
    kept = _kept.get(key)
    if kept and now - kept[0] < KEEP_S:
        return kept[1]
    namespace, name = "default", script_id
    grn = _GRN.match(script_id)
    if grn:
        owner, namespace, name = grn.groups()
        if owner == "system":
            return _built_in(name)
        if owner != project.owner_id:
            return None
    elif script_id.startswith("execute_"):
        built_in = _built_in(script_id)
        if built_in:
            return built_in
    row = Script.objects.filter(namespace__project=project, namespace__name=namespace, name=name).first()
    found = Source(row.pk, f"{namespace}/{name}", row.source, row.disable_string_number_to_number) if row else None
    with _lock:
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[key] = (now, found)
    return found


def forget() -> None:
    """A script changed in this process."""
    with _lock:
        _kept.clear()


def _built_in(name: str) -> BuiltIn | None:
    match = _BUILT_IN.match(name)
    return BuiltIn(*match.groups()) if match else None
