"""The WSGI application: answers calls of methods itself, and hands everything else to Django's.

A call of a method needs nothing of Django's middleware, requests, responses and signals, and they cost more than all the rest of
it. What ours do for a call is done here by the same functions: the client's address, the request's id and line in the log, the
connection to the database. Whatever is not plain (a HEAD, a page of another origin, proxies that contradict each other) goes the
long way, which ends in the same `rest.respond`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import get_path_info
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.log import log_response, request_logger

from gs2admin import caller, health, logs
from gs2admin.wire import entries
from gs2admin.wire.location import Location
from gs2admin.wire.protocol import protocols
from gs2admin.wire.reply import Reply
from gs2admin.wire.rest import respond
from gs2admin.wire.table import table

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_VERBS = frozenset({"GET", "POST", "PUT", "DELETE"})


class Front:
    """pages: Django's application."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages
        # A doubled or broken declaration stops the server at its start, not at the first call.
        table(), protocols()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        where = _call_in(environ)
        if where is None:
            return self._pages(environ, start_response)
        path, request_id = get_path_info(environ), logs.sane_request_id(environ.get(logs.META, ""))
        mark, database = logs.REQUEST_ID.set(request_id), connections[DEFAULT_DB_ALIAS]
        try:
            _tend(database)
            reply = respond(environ, where, request_id)
            reply.headers[logs.HEADER] = request_id
            logs.write_access(environ["REQUEST_METHOD"], path, reply.status, environ["REMOTE_ADDR"], began)
        finally:
            logs.REQUEST_ID.reset(mark)
            _tend(database)
        if reply.status >= 400:
            _note_refusal(reply, path)
        start_response(f"{reply.status} {reply.reason}", list(reply.headers.items()))
        return (reply.content,)


def _tend(database: BaseDatabaseWrapper) -> None:
    """Before and after a call: what cannot be used any more is closed, and what belongs to a pool goes back."""
    database.close_if_unusable_or_obsolete()


def _call_in(environ: dict[str, Any]) -> Location | None:
    """What a plain call is for, its caller settled; None for whatever goes the long way."""
    if environ["REQUEST_METHOD"] not in _VERBS or environ.get("SCRIPT_NAME"):
        return None
    if "HTTP_ORIGIN" in environ and settings.CORS_ALLOWED_ORIGINS or environ.get("PATH_INFO") in health.PATHS:
        return None
    where = entries.known(environ)
    if not isinstance(where, Location):
        return None
    try:
        caller.settle(environ)
    except caller.Ambiguous:
        return None
    return where


def _note_refusal(reply: Reply, path: str) -> None:
    """As Django does: what is 500 and more is an error in the log."""
    if request_logger.isEnabledFor(logging.ERROR if reply.status >= 500 else logging.WARNING):
        log_response("%s: %s", reply.reason, path, response=reply.as_response())
