"""The step that calls a URL: POST once, signed; a 202 with a Location is polled until it is something else."""

import ipaddress
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings

from gs2admin.db import clock

from . import exchange
from .addresses import AddressRefused, check
from .base import NOTE, StepBroken, StepContext, StepFailed
from .hanging import DNS
from .options import known_fields, refuse, text, whole_number, yes_or_no
from .signing import signature, signing_key
from .text import clean_line, shortened
from .urls import LONGEST, Url, follow, parse

#: How long one turn of a wait loop may take. s.
TURN_S = 0.1
_FIELDS = ("url", "timeout_s", "request_timeout_s", "poll_interval_s", "repeatable")


class Http:
    """Calls a URL of the team's own deployment service; the status of the answer decides how the step ends."""

    name = "http"
    label = "HTTP call"

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """``{"url", "timeout_s": 1..3600, "request_timeout_s": 1..10, "poll_interval_s": 1..60, "repeatable"}``.

        Raises Invalid with a sentence. ``signing`` is not among them: see ``signing.with_signing``.
        """
        config = known_fields(config, kind=self.name, fields=_FIELDS)
        raw = text(config, "url", hint="write the https:// URL that is to be called.", longest=LONGEST)
        try:
            url = parse(raw.strip())
            if url.host == "localhost" or url.host.endswith(".localhost"):
                check(url.host, "127.0.0.1", settings.STEP_HTTP_ALLOW)
            elif _is_address(url.host):
                check(url.host, url.host, settings.STEP_HTTP_ALLOW)
        except (ValueError, AddressRefused) as error:
            raise refuse("url", str(error)) from None
        return {
            "url": url.text,
            "timeout_s": whole_number(config, "timeout_s", default=60, low=1, high=3600),
            "request_timeout_s": whole_number(config, "request_timeout_s", default=10, low=1, high=10),
            "poll_interval_s": whole_number(config, "poll_interval_s", default=2, low=1, high=60),
            "repeatable": yes_or_no(config, "repeatable", default=False),
        }

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """As its configuration says; always once there is a Location, because then only the Location is requested again."""
        return bool(config.get("repeatable", False)) or bool(memo.get("location"))

    def made(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> str | None:
        """Only the receiver knows."""
        return f"what {parse(config['url']).shown} did"

    def run(self, ctx: StepContext) -> str:
        """Call it and wait for its end. Raises StepFailed (status, no answer, time) or StepBroken (not allowed)."""
        return _Call(ctx).run()


class _Call:
    """One attempt of one step."""

    def __init__(self, ctx: StepContext) -> None:
        self.ctx = ctx
        self.began = time.monotonic()
        self.timeout_s = float(ctx.config["timeout_s"])
        self.deadline = self.began + self.timeout_s
        try:
            self.url = parse(ctx.config["url"])
        except ValueError as error:
            raise StepBroken(f"The URL of this step can not be called: {error}") from None
        reference = ctx.config.get("signing")
        if not reference:
            raise StepBroken("This step has no signing key, so it was not called: save its target again.")
        self.key = signing_key(reference["target_uid"], reference["rotation"])

    def run(self) -> str:
        remembered = self.ctx.memo.get("location")
        if remembered:
            place = self._location(self.url, remembered)
            self.ctx.emit(f"An earlier attempt has called already: asking {place.shown} how it goes.", NOTE)
        else:
            answer, problem = self._request("POST", self.url, self._body())
            if answer is None:
                raise StepFailed(f"POST {self.url.shown} failed: {problem}.")
            place = self._next("POST", self.url, answer)
            if place is not None:
                self._pause()
        problem = ""
        while place is not None:
            if time.monotonic() >= self.deadline:
                raise StepFailed(
                    f"{place.shown} was still at work when the {self.timeout_s:g} s of this step were over."
                    + (f" The last time it was asked: {problem}." if problem else "")
                )
            answer, problem = self._request("GET", place, b"")
            if answer is not None:
                place = self._next("GET", place, answer)
            if place is not None:
                self._pause()
        return f"{self.url.shown} was done after {time.monotonic() - self.began:.1f} s."

    def _request(self, method: str, url: Url, body: bytes) -> tuple[exchange.Answer | None, str]:
        """(answer, "") or (None, why there is none). One line of output either way."""
        limit = min(float(self.ctx.config["request_timeout_s"]), max(0.1, self.deadline - time.monotonic()))
        call = exchange.Exchange(
            method,
            url,
            headers=self._headers(method, body),
            body=body,
            allow=settings.STEP_HTTP_ALLOW,
            timeout_s=limit,
        )
        try:
            while not call.wait(TURN_S) and time.monotonic() - call.began < limit:
                self.ctx.tick()
            unnamed = not call.wait(0) and call.waits_for() == DNS
        finally:
            call.abort()
        seconds = time.monotonic() - call.began
        answer = call.answer
        if answer is not None:
            self.ctx.emit(f"{method} {url.shown} -> {answer.status} in {seconds:.1f} s", NOTE)
            return answer, ""
        if isinstance(call.error, AddressRefused):
            raise StepBroken(f"{method} {url.shown} was not sent: {call.error}")
        problem = (
            f"no answer within {round(limit, 1):g} s{f': it hung in {DNS}' if unnamed else ''}"
            if call.error is None or seconds >= limit
            else clean_line(exchange.explain(call.error, url))
        )
        self.ctx.emit(f"{method} {url.shown} -> {problem} after {seconds:.1f} s", NOTE)
        return None, problem

    def _next(self, method: str, url: Url, answer: exchange.Answer) -> Url | None:
        """None when the call is done, the URL to poll while it goes on. Raises StepFailed with the reason."""
        what = f"{method} {url.shown} answered {answer.status}"
        if answer.status == 202 and (answer.location or method == "GET"):
            place = self._location(url, answer.location) if answer.location else url
            if place.text != self.ctx.memo.get("location"):
                self.ctx.remember(location=place.text)
            return place
        if 200 <= answer.status < 300:
            if not answer.complete:
                raise StepFailed(f"{what} but did not finish its answer in time.")
            return None
        if 300 <= answer.status < 400:
            raise StepFailed(f"{what}, a redirect, which is not followed: set the final URL.")
        text = _first_lines(answer.body)
        raise StepFailed(f"{what}: {text}" if text else f"{what}.")

    def _location(self, base: Url, location: str) -> Url:
        try:
            return follow(base, location)
        except ValueError as error:
            raise StepFailed(f"{base.shown} named a Location that is not followed. {error}") from None

    def _pause(self) -> None:
        until = min(time.monotonic() + self.ctx.config["poll_interval_s"], self.deadline)
        while (left := until - time.monotonic()) > 0:
            self.ctx.tick()
            time.sleep(min(TURN_S, left))

    def _headers(self, method: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(clock.about()))
        headers = {
            "User-Agent": "gs2admin",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "X-Gs2admin-Timestamp": timestamp,
            "X-Gs2admin-Signature": signature(self.key, timestamp, body),
        }
        if method == "POST":
            headers["Content-Type"] = "application/json"
            headers["Idempotency-Key"] = quote(self.ctx.key, safe="/:._-~")
        return headers

    def _body(self) -> bytes:
        """JSON in UTF-8; ``sentAt`` is Unix ms, versions are null where there is none."""
        ctx = self.ctx
        return json.dumps(
            {
                "project": ctx.project,
                "stage": ctx.stage,
                "microservice": ctx.microservice,
                "oldVersion": ctx.old_version,
                "newVersion": ctx.new_version,
                "phase": ctx.phase,
                "leg": ctx.leg,
                "undo": ctx.undo,
                "weight": ctx.weight,
                "colour": ctx.colour,
                "target": ctx.target,
                "rollout": ctx.rollout_number,
                "attempt": ctx.attempt,
                "key": ctx.key,
                "sentAt": int(clock.about() * 1000),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _first_lines(body: bytes, *, lines: int = 3, longest: int = 400) -> str:
    """The beginning of an answer as one harmless line."""
    found = []
    for raw in body.splitlines():
        if line := clean_line(raw).strip():
            found.append(line)
            if len(found) == lines:
                break
    return shortened(" / ".join(found), longest)


KIND = Http()
