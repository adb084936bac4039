"""Refusals on their way to a client: a status and a list of problems, decisive one first.

An entry point turns them into its own body: GS2 clients get {"message": "<JSON text of the list>"} (contract: transport,
section 8), our own API gets one sentence.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gs2admin import errors, outage

log = logging.getLogger(__name__)
# The statuses that GS2 clients know (contract: transport, section 8).
KNOWN = frozenset({400, 401, 402, 404, 409, 500, 502, 503, 504})


@dataclass(frozen=True)
class Problem:
    """One element of an error list. message: service.model.field.error.kind; code: equal unless special.

    sentence: for people, where the error body has room for one.
    """

    component: str
    message: str
    code: str = ""
    sentence: str = ""

    def as_element(self) -> dict[str, str]:
        """The element that GS2 clients read: three strings, none missing."""
        return {"component": self.component, "message": self.message, "code": self.code or self.message}


class Failure(Exception):
    """A call is refused: status (400, 401, 402, 404, 409, 500, 503) and at least one problem.

    headers: what the answer carries besides, such as when to try again.
    """

    def __init__(self, status: int, *problems: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problems[0].message)
        self.status = status
        self.problems = problems
        self.headers = dict(headers or {})


def refuse(status: int, component: str, message: str, sentence: str = "", *, code: str = "") -> Failure:
    """A failure with one problem."""
    return Failure(status, Problem(component, message, code, sentence))


def fault(service: str, problem: BaseException) -> Failure:
    """What an exception that nobody expected is to a client: 503 when what we depend on is away, else 500; it is logged."""
    found = outage.seen(problem)
    if found is None:
        log.error("a call failed", exc_info=problem)
        return refuse(500, "server", f"{service}.server.server.error.failed", "Something went wrong here; it was logged.")
    words = f"{service}.server.server"
    away = Problem("server", f"{words}.error.unavailable", f"{words}.{found.kind}", found.sentence)
    return Failure(503, away, headers={"Retry-After": str(found.retry_after_s)})


_STATUS: tuple[tuple[type[errors.DomainError], int, str], ...] = (
    (errors.NotFound, 404, "notFound"),
    (errors.Conflict, 409, "conflict"),
    (errors.Denied, 401, "denied"),
    (errors.Quota, 402, "tooMany"),
    (errors.Unavailable, 503, "unavailable"),
    (errors.Invalid, 400, "invalid"),
)


def from_domain(error: errors.DomainError, *, service: str, component: str, denied: int = 401) -> Failure:
    """What a domain error is to a client.

    service, component: of the method that was called; they fill in where the domain did not say its own words.
    Its extra may hold retry_after_ms and retry_after_s, both.
    denied: the status for a missing right; GS2 clients do not know 403.
    """
    status, kind = next(((s, k) for cls, s, k in _STATUS if isinstance(error, cls)), (400, "invalid"))
    if isinstance(error, errors.Denied):
        status = denied
    component = error.component or component
    message = error.message or f"{service}.{component}.{component}.error.{kind}"
    problem = Problem(component, message, error.code or message, error.sentence)
    return Failure(status, problem, headers=when_to_try_again(error.extra))


def when_to_try_again(facts: Mapping[str, Any]) -> dict[str, str]:
    """The standard header has whole seconds; the other one, which some clients know, has the exact time."""
    if "retry_after_ms" not in facts:
        return {}
    return {"Retry-After": str(facts["retry_after_s"]), "Retry-After-Ms": str(facts["retry_after_ms"])}
