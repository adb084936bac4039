"""/healthz: this process answers. /readyz: it can do its work. Requested by load balancers, and by `manage.py up`.

A middleware before all others but the log, because a load balancer calls by address: no host check, no redirect to https, no
session.
"""
from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse, JsonResponse

from gs2admin import engine, outage
from gs2admin.cache import Cache
from gs2admin.caller import PROXIED
from gs2admin.db import patience
from gs2admin.schema.fitness import lacks, refusal

log = logging.getLogger(__name__)
# How long the database may take for all that /readyz asks. s.
LOOK_S = 2.0
# What is written to see whether there is room: as much as SQLite's log grows by for a few small transactions. bytes, s.
PROBE, DISK_TTL_S = 64 * 1024, 2.0
# Once true it stays true for this process: its code does not change.
_migrated = False


def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers. No database."""
    return _answer({"ok": True}, 200)


def readyz(request: HttpRequest) -> JsonResponse:
    """200 with {"ready": true} when database, tables, a worker and room on the disk are there, else 503.

    For peers of READYZ_DETAILS also "checks": {...}, and "message": what is away, or why the code cannot work on this database.
    Redis is looked at where there is one; what it does can be done without, so its absence is said and is no 503.
    """
    checks = {"database": False, "migrations": False, "worker": False}
    sentences = [_database(checks)]
    checks["disk"] = not (full := _disk())
    sentences.append(full)
    ready = all(checks.values())
    if settings.REDIS_URL:
        checks["redis"] = _redis_answers()
        sentences.append("" if checks["redis"] else outage.REDIS.sentence)
    found = {"ready": ready}
    if _may_see_details(request):
        message = " ".join(filter(None, sentences))
        found |= {"checks": checks, **({"message": message} if message else {})}
    return _answer(found, 200 if ready else 503)


def _database(checks: dict[str, bool]) -> str:
    """Look at database, tables and workers for LOOK_S at most; returns what people should know, empty for nothing."""
    link = connections[DEFAULT_DB_ALIAS]
    try:
        with patience.within(LOOK_S):
            with link.cursor() as cursor:
                cursor.execute("SELECT 1")
            checks["database"] = True
            sentence = "" if _migrated else refusal(link)
            checks["migrations"] = not sentence and _is_migrated()
            checks["worker"] = checks["migrations"] and engine.health().clusters > 0
            return sentence
    except Exception as problem:  # whatever is wrong, the answer is "not ready", and the reason is for the log only
        found = outage.of(problem)
        log.warning("not ready", extra={"checks": checks, "reason": found and found.kind}, exc_info=None if found else problem)
        return found.sentence if found else ""


_disks: Cache[str, str] = Cache(ttl_s=DISK_TTL_S, entries=1, max_bytes=10_000)


def _disk() -> str:
    """Why nothing can be written, as a sentence; empty when there is room. A server's own disk is known by its last refusal."""
    if outage.full_lately():
        return outage.FULL.sentence
    return _disks.get_or_make_once("disk", _try_to_write)


def _try_to_write() -> str:
    folders = {Path(settings.DATA_DIR)}
    if settings.ON_SQLITE:
        folders.add(Path(settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"]).parent)
    for folder in folders:
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\0" * PROBE)
                file.flush()
        except OSError as problem:
            found = outage.of(problem)
            log.warning("not ready: nothing can be written", extra={"folder": str(folder), "problem": problem.strerror})
            return found.sentence if found else "The server cannot write to its data directory; its log has the reason."
    return ""


def _redis_answers() -> bool:
    try:
        cache.get("ready")
        return True
    except Exception as problem:  # noqa: BLE001  whatever the client raises
        log.warning("Redis does not answer", extra={"problem": type(problem).__name__})
        return False


def summary() -> tuple[bool, str]:
    """For the dot in the header: is a worker alive, and a few words for people."""
    found = engine.health()
    if not found.clusters:
        return False, "No worker is running: nothing that is started will move on."
    noun = "worker" if found.workers == 1 else "workers"
    if found.latency_ms is None:
        return True, f"{found.workers} {noun}"
    return True, f"{found.workers} {noun}, queue {found.latency_ms} ms"


def _is_migrated() -> bool:
    global _migrated
    if not _migrated:
        _migrated = not lacks(connections[DEFAULT_DB_ALIAS])
    return _migrated


def _may_see_details(request: HttpRequest) -> bool:
    if request.META.get(PROXIED) or request.META.get("HTTP_VIA"):
        return False
    try:
        peer = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in network for network in settings.READYZ_DETAILS)


def _answer(body: dict, status: int) -> JsonResponse:
    response = JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})
    # "Not ready" is an answer, not a crash; Django would log each as an error.
    response._has_been_logged = True
    return response


PATHS = {"/healthz": healthz, "/readyz": readyz}


class HealthMiddleware:
    """Answers the two paths."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PATHS.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return _answer({"message": "Ask with GET."}, 405)
        return probe(request)
