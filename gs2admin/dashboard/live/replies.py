"""Answers as HTTP, for requests that never become Django's: the same headers, ids and log lines as the others have."""
from __future__ import annotations

import logging
import time
from functools import lru_cache
from http import HTTPStatus

from django.http import HttpResponse

from gs2admin import logs, outage
from gs2admin.dashboard.live.asks import Ask, id_of
from gs2admin.dashboard.live.topics import Answer

log = logging.getLogger(__name__)
HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
# Of every answer here, whoever sends it.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Reply(Answer):
    """An answer that is no news: a refusal. more: headers."""

    kind: str = TEXT
    more: tuple[tuple[str, str], ...] = ()


def refused(status: int, sentence: str, **headers: str) -> Reply:
    """A refusal in a sentence. headers: with _ for -."""
    reply = Reply(status, sentence.encode())
    reply.more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return reply


def as_response(answer: Answer) -> HttpResponse:
    """For Django."""
    kind = answer.kind if isinstance(answer, Reply) else HTML
    more = dict(answer.more) if isinstance(answer, Reply) else {}
    return HttpResponse(answer.body, status=answer.status, content_type=kind, headers={**HEADERS, **more})


@lru_cache(2)
def _date(second: int) -> str:
    now = time.gmtime(second)
    return (f"{_DAYS[now.tm_wday]}, {now.tm_mday:02d} {_MONTHS[now.tm_mon - 1]} {now.tm_year} "
            f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d} GMT")


def whole(ask: Ask, answer: Answer, *, keep: bool) -> tuple[bytes, bytes]:
    """Head and body, and its line in the log. keep: another request may follow. All who get the same answer share its body."""
    request_id = id_of(ask)
    refusal = isinstance(answer, Reply)
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown Status Code"
    more = "".join(f"{name}: {value}\r\n" for name, value in answer.more) if refusal else ""
    length = "" if answer.status == 204 else f"Content-Length: {len(answer.body)}\r\n"
    head = (
        f"HTTP/1.1 {answer.status} {phrase}\r\nServer: gunicorn\r\nDate: {_date(int(time.time()))}\r\n"
        f"Connection: {'keep-alive' if keep else 'close'}\r\nContent-Type: {answer.kind if refusal else HTML}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}{logs.HEADER}: {request_id}\r\n{length}\r\n"
    )
    if logs.access.isEnabledFor(logging.DEBUG):
        _write_line(ask, answer.status, request_id)
    return head.encode("latin-1"), answer.body


def _write_line(ask: Ask, status: int, request_id: str) -> None:
    token = logs.REQUEST_ID.set(request_id)
    try:
        logs.access.debug("%s %s %s", "GET", ask.path, status, extra={
            "method": "GET", "path": ask.path, "status": status, "ip": ask.headers.client,
            "ms": round((time.perf_counter() - ask.began) * 1000, 1),
        })  # fmt: skip
    finally:
        logs.REQUEST_ID.reset(token)


def of_problem(problem: BaseException) -> Reply:
    """What is answered when the database, or we, fail."""
    found = outage.seen(problem)
    if found is not None:
        return refused(503, found.sentence, Retry_After=str(found.retry_after_s))
    log.error("live answers failed", exc_info=problem)
    return refused(500, "The server could not finish this. It has been written to the log; try again.")
