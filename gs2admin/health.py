"""/healthz: this process answers. /readyz: it can do its work. Requested by load balancers, and by `manage.py up`.

A middleware before all others but the log, because a load balancer calls by address: no host check, no redirect to https, no
session.
"""
from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from gs2admin import engine
from gs2admin.schema.fitness import refusal

log = logging.getLogger(__name__)
# Once true it stays true for this process: its code does not change.
_migrated = False


def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers. No database."""
    return _answer({"ok": True}, 200)


def readyz(request: HttpRequest) -> JsonResponse:
    """200 with {"ready": true} when database, tables and a worker are there, else 503.

    For peers of READYZ_DETAILS also "checks": {...}, and "message" says so when the code cannot work on this database.
    """
    checks, sentence = {"database": False, "migrations": False, "worker": False}, ""
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = True
        sentence = "" if _migrated else refusal(connections[DEFAULT_DB_ALIAS])
        checks["migrations"] = not sentence and _is_migrated()
        checks["worker"] = checks["migrations"] and engine.health().clusters > 0
    except Exception:  # whatever is wrong, the answer is "not ready", and the reason is for the log only
        log.warning("not ready", extra={"checks": checks}, exc_info=True)
    ready = all(checks.values())
    found = {"ready": ready}
    if _may_see_details(request):
        found |= {"checks": checks, **({"message": sentence} if sentence else {})}
    return _answer(found, 200 if ready else 503)


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
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


# A request with one of these came through a proxy, whoever its peer is.
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP",
              "HTTP_VIA")


def _may_see_details(request: HttpRequest) -> bool:
    if any(request.META.get(name) for name in _FORWARDED):
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
