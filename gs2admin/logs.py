"""Structured logs: one JSON object per line on stdout, each with the id of the request or task it belongs to.

What never appears in them: secrets, request and response bodies, query strings, headers.
"""
from __future__ import annotations

import json
import logging
import logging.config
import os
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from gs2admin.unseen import replaced, suspect

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
HEADER = "X-Request-ID"
META = "HTTP_" + HEADER.upper().replace("-", "_")  # request.headers would look at all of them first
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET = ("/healthz", "/readyz", "/static/")

access = logging.getLogger("gs2admin.access")
_json = JsonEncoder(ensure_ascii=False).encode


class Formatter(JsonFormatter):
    """time, level, logger, message, request_id, and whatever the call gave as `extra`."""

    def __init__(self) -> None:
        # Django gives the whole request to some of its lines; its text holds the query string.
        super().__init__(reserved_attrs=[*_standard_attributes(), "request", "response"], json_ensure_ascii=False)

    def add_fields(self, log_data: dict, record: logging.LogRecord, message_dict: dict) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)
        log_data["message"] = record.getMessage()
        if REQUEST_ID.get():
            log_data["request_id"] = REQUEST_ID.get()

    def format(self, record: logging.LogRecord) -> str:
        """What a terminal would obey or not show is escaped, as JSON escapes it: a reader of the JSON gets it back."""
        plain = not (record.exc_info or record.exc_text or record.stack_info) and isinstance(record.msg, str)
        line = self._plain(record) if plain else super().format(record)
        return replaced(line, lambda char: json.dumps(char)[1:-1]) if suspect(line) else line

    def _plain(self, record: logging.LogRecord) -> str:
        """What the base class makes of a record without an exception, at a third of its cost: every request has such a line."""
        data = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
        }  # fmt: skip
        reserved = self._skip_fields
        for name, value in record.__dict__.items():
            if name not in reserved and name[:1] != "_":
                data[name] = value
        if request_id := REQUEST_ID.get():
            data["request_id"] = request_id
        return _json(data)


class FromOutside(logging.Filter):
    """What a client sent wrongly (a host name, too many fields, a broken form) is a warning: Django logs it as an error of ours,
    with a traceback, and so anybody could set the alarms off."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security.") and record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
            return logging.getLogger().isEnabledFor(logging.WARNING)
        return True


def _standard_attributes() -> list[str]:
    return [*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"]


def config(level: str = "INFO") -> dict:
    """The logging set-up, as dictConfig takes it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "gs2admin.logs.Formatter"}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json",
                                "filters": ["from outside"]}},
        "filters": {"from outside": {"()": "gs2admin.logs.FromOutside"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            # Every request has its line already; what remains here are crashes.
            "django.request": {"level": "ERROR"},
            # Three lines per task, and a heartbeat every two seconds.
            "django-q": {"level": "DEBUG" if level == "DEBUG" else "WARNING"},
            # Where they found keys; at DEBUG whole requests, signatures included.
            **{name: {"level": "WARNING"} for name in ("boto3", "botocore", "s3transfer", "urllib3")},
        },
    }


def configure(settings: dict) -> None:
    """Django's LOGGING_CONFIG: settings = {"level": "INFO"}."""
    logging.captureWarnings(True)
    # No line of ours has these, and each costs a question to the system.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.config.dictConfig(config(settings.get("level", "INFO")))


def sane_request_id(given: str) -> str:
    """The given id when it is harmless, else a new one (32 hex digits)."""
    return given if given and _SANE_ID.fullmatch(given) else os.urandom(16).hex()


class RequestLogMiddleware:
    """Gives every request an id (request.request_id, answered as X-Request-ID) and a line in the log.

    A line of a request that sets `request.quiet`, and of probes and static files, is at DEBUG.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        request.request_id = sane_request_id(request.META.get(META, ""))
        token = REQUEST_ID.set(request.request_id)
        try:
            response = self.get_response(request)
            response.headers.setdefault(HEADER, request.request_id)
            # Only when somebody has looked already: asking would cost a query.
            user = getattr(request, "_cached_user", None)
            write_access(
                request.method, request.path_info, response.status_code, request.META.get("REMOTE_ADDR", ""), began,
                quiet=getattr(request, "quiet", False), user_id=user.pk if user is not None else None,
            )  # fmt: skip
            return response
        finally:
            REQUEST_ID.reset(token)


def write_access(
    method: str, path: str, status: int, ip: str, began: float, *, quiet: bool = False, user_id: int | None = None
) -> None:
    """A request's line. ip: the client's (caller.py). began: by time.perf_counter(). quiet: at DEBUG, as for probes and files."""
    level = logging.DEBUG if quiet or path.startswith(_QUIET) else logging.INFO
    if access.isEnabledFor(level):
        ms = round((time.perf_counter() - began) * 1000, 1)
        facts = {"method": method, "path": path, "status": status, "ip": ip, "ms": ms}
        if user_id:
            facts["user_id"] = user_id
        # Not by access.log(), which looks for the line of code that it was called from.
        access.handle(access.makeRecord(access.name, level, __file__, 0, "%s %s %s", (method, path, status), None, extra=facts))
