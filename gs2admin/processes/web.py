"""gunicorn's worker and logger, changed in two points: errors before Django are our JSON, and logs are our lines."""
from __future__ import annotations

import json
import logging
import logging.config
from http import HTTPStatus
from typing import Any

from gunicorn import glogging, util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from gs2admin import logs

log = logging.getLogger(__name__)

# What a malformed request is answered; anything of gunicorn's parser that is not named here is a 400.
_STATUS: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
_SENTENCES = {
    HTTPStatus.REQUEST_URI_TOO_LONG: ("tooLong", "The address of the request is too long."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: ("tooLong", "The headers of the request are too large."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("failed", "The server could not answer this request."),
}


def error_answer(problem: Exception) -> tuple[HTTPStatus, bytes]:
    """Status and body for a request that never reached the application: the error body that GS2 clients read."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(problem, errors.ParseException | errors.InvalidProxyLine):
        status = next((_STATUS[kind] for kind in type(problem).__mro__ if kind in _STATUS), HTTPStatus.BAD_REQUEST)
    word, sentence = _SENTENCES.get(status, ("invalid", "The request is not valid HTTP."))
    code = f"transport.http.request.error.{word}"
    elements = [{"component": "request", "message": code, "code": code}]
    return status, json.dumps({"message": json.dumps(elements), "sentence": sentence}).encode()


class Worker(ThreadWorker):
    """gthread with error answers of ours: no HTML page, and no word of what went wrong inside."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        status, body = error_answer(exc)
        facts = {"status": int(status), "problem": type(exc).__name__, "client": str(addr[0]) if addr else ""}
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("a request failed outside the application", extra=facts, exc_info=exc)
        else:
            log.info("a request was not valid HTTP", extra=facts)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode("ascii") + body)
        except OSError:
            pass  # the client is gone


class Logger(glogging.Logger):
    """gunicorn's own lines as ours; the access line is written by the application, which knows more."""

    def setup(self, cfg: Any) -> None:
        self.loglevel = getattr(logging, cfg.loglevel.upper(), logging.INFO)
        logging.config.dictConfig(logs.config(cfg.loglevel.upper()))
        self.error_log.propagate = True
        self.error_log.setLevel(max(self.loglevel, logging.WARNING))

    def access(self, *args: Any, **kwargs: Any) -> None:
        pass

    def reopen_files(self) -> None:
        pass  # stdout
