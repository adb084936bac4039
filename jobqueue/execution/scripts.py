"""Which script a scriptId means."""
from __future__ import annotations

import re
from dataclasses import dataclass
from sys import getsizeof

from gs2admin.cache import Cache
from gs2admin.identity.models import Project
from jobqueue.models import Script

# A changed script is used by every process within this many seconds; the process that changes it, at once.
CACHE_S = 0.5
_GRN = re.compile(r"grn:gs2:[^:]*:([^:]*):script:([^:]+):script:([^:]+)\Z")
_BUILT_IN = re.compile(r"execute_(freeze|job_queue|lock|script)_([a-z_]{1,100})\Z")


@dataclass(frozen=True)
class Source:
    """A script's text as it is run. revision: of that text."""

    pk: int
    label: str
    source: str
    disable_number_strings: bool
    keep_whole_floats: bool = False
    revision: int | None = None


@dataclass(frozen=True)
class BuiltIn:
    """A script of the owner `system`: runs one API method with the arguments of the job."""

    service: str
    method: str


_cached: Cache[tuple[int, str, str], Source | None] = Cache(
    ttl_s=CACHE_S, entries=500, max_bytes=8_000_000, size=lambda found: getsizeof(found.source) if found else 0
)


def find(project: Project, script_id: str) -> Source | BuiltIn | None:
    """The script that a scriptId names: a GRN of this project, of `system`, or a plain name in the namespace default.

    None when there is none, or when it belongs to somebody else.
    """
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
    return _cached.get_or_make((project.pk, namespace, name), lambda: _read(project, namespace, name))


def _read(project: Project, namespace: str, name: str) -> Source | None:
    row = Script.objects.filter(namespace__project=project, namespace__name=namespace, name=name).first()
    if row is None:
        return None
    return Source(
        row.pk, f"{namespace}/{name}", row.source, row.disable_string_number_to_number, row.keep_whole_floats, row.revision
    )


def forget() -> None:
    """Empty the cache: a script changed in this process."""
    _cached.clear()


def _built_in(name: str) -> BuiltIn | None:
    match = _BUILT_IN.match(name)
    return BuiltIn(*match.groups()) if match else None
