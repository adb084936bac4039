"""For `bench.requests`: the WSGI application in this process, asked with requests as they stand on a socket.

Reads {name: [request, …]} as JSON from stdin, writes {name: statements per request} or, with --profile, {name: text}.
"""
from __future__ import annotations

import cProfile
import io
import json
import os
import pstats
import sys
import tempfile
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

TOP = 25


def environ_of(data: bytes) -> dict[str, Any]:
    """What gunicorn would hand to the application."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    verb, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    found = {
        "REQUEST_METHOD": verb, "RAW_URI": target, "PATH_INFO": unquote(path, "latin-1"), "QUERY_STRING": query,
        "SCRIPT_NAME": "", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.url_scheme": "http", "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.version": (1, 0), "CONTENT_LENGTH": str(len(body)),
    }  # fmt: skip
    for name, _, value in (line.partition(":") for line in lines):
        name = name.upper().replace("-", "_")
        found[name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"] = value.strip()
    return found


def call(application: Callable, data: bytes) -> None:
    """One request. Raises RuntimeError for an answer that is no success."""
    said: list[str] = []
    parts = application(environ_of(data), lambda status, headers, exc_info=None: said.append(status))
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    if not said[0].startswith("200"):
        raise RuntimeError(f"{data.splitlines()[0]!r}: {said[0]} {body[:300]!r}")


def count_statements() -> Callable[[], int]:
    """Count what reaches the database from here on, of every connection that is made from now on."""
    from django.conf import settings

    if settings.ON_SQLITE:
        from django.db.backends.signals import connection_created

        seen: list[str] = []
        connection_created.connect(lambda connection, **_: connection.connection.set_trace_callback(seen.append), weak=False)
        return lambda: len(seen)
    import psycopg

    lines = tempfile.TemporaryFile("r+")  # noqa: SIM115  as long as the process
    made = psycopg.Connection.__init__

    def traced(self: Any, pgconn: Any, *more: Any, **named: Any) -> None:
        pgconn.trace(lines.fileno())
        made(self, pgconn, *more, **named)

    def count() -> int:
        words = (line.split("\t") for line in os.pread(lines.fileno(), 1 << 30, 0).decode(errors="replace").splitlines())
        return sum(word[1:2] == ["F"] and word[3] in ("Query", "Execute") for word in words)

    psycopg.Connection.__init__ = traced
    return count


def main(profile: bool) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # log lines go to a file, as they do elsewhere
    counted = count_statements()
    from gs2admin.wsgi import application

    asked = {name: [data.encode("latin-1") for data in each] for name, each in json.loads(sys.stdin.read()).items()}
    found: dict[str, Any] = {}
    for name, each in asked.items():
        call(application, each[0])  # warms up
        before = counted()
        if not profile:
            for data in each[1:]:
                call(application, data)
            found[name] = (counted() - before) / (len(each) - 1)
            continue
        profiler = cProfile.Profile()
        for data in each[1:]:
            profiler.enable()
            call(application, data)
            profiler.disable()
        text = io.StringIO()
        stats = pstats.Stats(profiler, stream=text).strip_dirs()
        stats.sort_stats("tottime").print_stats(TOP)
        stats.sort_stats("cumulative").print_stats(TOP * 2)
        found[name] = text.getvalue()
    print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main("--profile" in sys.argv)
