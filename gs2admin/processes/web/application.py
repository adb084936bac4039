"""Runs the application for one request, in a thread of the pool."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.http import wsgi

from gs2admin.processes.web import head, refusals
from gs2admin.processes.web.connection import Connection
from gs2admin.processes.web.sending import CUT_OFF
from gs2admin.processes.web.spool import is_no_room

log = logging.getLogger(__name__)
Application = Callable[..., Iterable[bytes]]


def run(connection: Connection, application: Application, cfg: Any, form: refusals.Form, *,
        last: Callable[[], bool]) -> bool:  # fmt: skip
    """Leaves the answer in connection.out. last: asked whether the connection is to close behind it.

    Returns whether another request may follow.
    """
    request, out = connection.request, connection.out
    try:
        response, environ = wsgi.create(request, out, connection.client, connection.server, cfg)
        environ["wsgi.multithread"] = True
        parts = application(environ, response.start_response)
        if last() or not cfg.keepalive:
            response.force_close()
        _write(response, parts, environ["wsgi.file_wrapper"])
        return not response.should_close()
    except OSError as problem:  # the client is gone, or there is no room for what it does not take
        level, words = (logging.WARNING, CUT_OFF) if is_no_room(problem) else (logging.INFO, "an answer was cut off")
        log.log(level, words, extra={**connection.facts(), "problem": str(problem)})
        _instead(connection, problem, form)
    except (Exception, SystemExit) as problem:
        log.error("a request failed outside the application", extra=connection.facts(), exc_info=problem)
        _instead(connection, problem, form)
    return False


def _write(response: wsgi.Response, parts: Iterable[bytes], file_wrapper: type) -> None:
    try:
        if isinstance(parts, file_wrapper):
            response.write_file(parts)
        else:
            for part in parts:
                response.write(part)
        response.close()
    finally:
        if hasattr(parts, "close"):
            parts.close()


def _instead(connection: Connection, problem: BaseException, form: refusals.Form) -> None:
    """In the place of an answer of which nothing was sent; one that was begun is cut off so that its client sees it."""
    connection.cut = bool(connection.out.sent)
    if not connection.cut:
        connection.out.clear()
        request = connection.request
        connection.out.sendall(refusals.answer(problem, request.uri, head.host_of(request), form)[1])
