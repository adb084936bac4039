"""Answers to requests that never reach the application, in the form that the clients of each door read."""
from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from gunicorn.http import errors

# (target, host, status, word, sentence) -> status and body; gs2admin.wire's, by name: this package knows no door.
Form = Callable[[str, str, int, str, str], tuple[int, bytes]]

# What a malformed request is answered; anything of gunicorn's parser that is not named here is a 400.
_STATUS: dict[type[Exception], HTTPStatus] = {
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}
_WORDS: dict[type[Exception], tuple[str, str]] = {
    errors.LimitRequestLine: ("tooLong", "The address of the request is too long."),
    errors.LimitRequestHeaders: ("tooLong", "The headers of the request are too large."),
}


class Counted(errors.ParseException):
    """One of many alike: it has no log line of its own."""


class Late(Counted):
    """A request did not arrive whole in time."""


class TooMany(Counted):
    """Its client has too many requests waiting."""


class Cut(errors.ParseException):
    """The client ended before its body did."""


class Busy(errors.ParseException):
    """There is no room for the body of a request."""


def meaning(problem: BaseException) -> tuple[HTTPStatus, str, str]:
    """Status, word and sentence for a request that was not, or could not be, read."""
    if isinstance(problem, Late):
        return HTTPStatus.BAD_REQUEST, "timeout", "The request did not arrive whole in time."
    if isinstance(problem, Cut):
        return HTTPStatus.BAD_REQUEST, "invalid", "The body is shorter than its head says."
    if isinstance(problem, Busy):
        return HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "There is no room for so large a body just now; try again."
    if isinstance(problem, TooMany):
        return HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Too many of this client's requests wait already; try again."
    if isinstance(problem, errors.ParseException | errors.InvalidProxyLine):
        kinds = type(problem).__mro__
        status = next((_STATUS[kind] for kind in kinds if kind in _STATUS), HTTPStatus.BAD_REQUEST)
        return status, *next((_WORDS[kind] for kind in kinds if kind in _WORDS), ("invalid", "The request is not valid HTTP."))
    return HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "The server could not answer this request."


def answer(problem: BaseException, target: str, host: str, form: Form) -> tuple[HTTPStatus, bytes]:
    """Status and whole answer, head and body; the connection closes behind it."""
    status, word, sentence = meaning(problem)
    number, body = form(target, host, status, word, sentence)
    status = HTTPStatus(number)
    again = "Retry-After: 5\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Cache-Control: no-store\r\n{again}Content-Length: {len(body)}\r\n\r\n"
    )
    return status, head.encode("ascii") + body
