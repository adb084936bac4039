"""Every door called with valid, broken and hostile input, by the right caller, by nobody and by others: calls that schemathesis
makes of the OpenAPI document, and every route × verb × odd bodies. No answer may be a fault of ours or in another form than its
door's.

`BENCH_CALLS` is how many of each kind an operation gets, `BENCH_SEED` repeats a run.
"""
from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from django.db import connection

from bench.fuzzing import routes
from bench.fuzzing.documented import Documented, operations
from bench.fuzzing.judge import Answer, is_no_route
from bench.fuzzing.record import Record
from bench.fuzzing.wire import Call, Wire
from bench.fuzzing.world import RIGHT, build, known, samples
from bench.server import Server
from bench.world import PASSWORD, people

EACH = int(os.environ.get("BENCH_CALLS", "20"))
SEED = int(os.environ.get("BENCH_SEED", "1"))
THREADS, SLOW_S = 3, 10.0
_places = itertools.count(1)


class Caller:
    """Sends calls from a place each, so that wrong secrets of one are not the next one's; notes what comes back."""

    def __init__(self, server: Server, record: Record) -> None:
        self._server, self._record = server, record

    def all(self, phase: str, door: str, calls: Iterable[Call]) -> None:
        """Ask each."""
        wire = Wire(self._server.port)
        for call in calls:
            self.one(wire, phase, door, call)
        wire.close()

    def one(self, wire: Wire, phase: str, door: str, call: Call, judge: Any = None) -> Answer | None:
        """Ask one. judge(answer, seconds) -> what else is wrong."""
        number = next(_places)
        place = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        call = call._replace(headers={"X-Forwarded-For": place} | call.headers)
        try:
            answer, seconds = wire.ask(call)
        except (OSError, http.client.HTTPException) as problem:
            wire.close()
            self._record.no_answer(call, problem)
            return None
        more = judge(answer, seconds) if judge else []
        if seconds > SLOW_S:
            more.append("slow: longer than 10 s")
        self._record.note(phase, door, call, answer, seconds, more)
        return answer


def main() -> bool:
    """Prints the tables; True when nothing was wrong."""
    world, record = build(), Record()
    person = people(world.project, 1, "admin")[0]
    viewer = people(world.project, 1, "viewer")[0]
    with Server(dict(os.environ)) as server:
        caller = Caller(server, record)
        document = httpx.get(f"{server.url}/openapi.json", auth=(world.admin.client_id, world.secret), timeout=30).json()
        with ThreadPoolExecutor(THREADS) as threads:
            found = operations(document, world, samples(world), known(world))
            good = [_good(caller, each) for each in found]
            seen = list(threads.map(lambda each: _made(caller, each), found))
            names = known(world)
            list(threads.map(lambda route: caller.all("hostile", route.door, routes.calls(
                route, world, names, 2 * EACH, SEED, {})), routes.of_programs()))
            cookies = {who: _cookies(server, who, caller) for who in ("fuzz", person, viewer)}
            list(threads.map(lambda route: caller.all("pages", route.door, routes.calls(
                route, world, names, EACH + 10, SEED, cookies)), routes.of_pages()))
        _compare(document, found, good, seen, record)
        log = server.log.read_text(errors="replace")
    record.say(f"fuzz, {connection.vendor}, {EACH} calls of each kind per operation, seed {SEED}")
    for line in errors_of(log):
        record.wrong["an error in the log"].append(line)
        print(f"   WRONG: {line[:2_000]}")
    return not record.wrong


def errors_of(log: str) -> list[str]:
    """The lines at which an alarm would go off, one of each kind."""
    found = {}
    for line in log.splitlines():
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if said.get("level") in ("error", "critical") or "exc_info" in said:
                found.setdefault((said.get("logger"), said.get("message", "")[:40]), line)
        if line.startswith("Traceback"):
            found.setdefault(line, line)
    return list(found.values())


def _cookies(server: Server, who: str, caller: Caller) -> str:
    browser = server.sign_in(who, PASSWORD)
    browser.get("/account/password")
    found = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    browser.close()
    return found


def _good(caller: Caller, operation: Documented) -> tuple[str, int]:
    wire = Wire(caller._server.port)
    answer = caller.one(wire, "sample", operation.door, operation.good())
    wire.close()
    return operation.label, answer.status if answer else 0


def _made(caller: Caller, operation: Documented) -> tuple[Counter[int], int]:
    """Statuses of its calls, and how many of them met no method."""
    statuses, nowhere, wire = Counter(), 0, Wire(caller._server.port)
    for call, case, prepared in operation.made(EACH, SEED):
        def judge(answer: Answer, seconds: float, call=call, case=case, prepared=prepared) -> list[str]:
            more = operation.broken_promises(case, prepared, answer, seconds)
            if operation.guarded and answer.status < 300 and call.who not in (RIGHT, "viewer", "other project"):
                more.append(f"let in: {call.who}")
            return more

        answer = caller.one(wire, "document", operation.door, call, judge)
        if answer:
            statuses[answer.status] += 1
            nowhere += is_no_route(operation.door, answer)
    wire.close()
    return statuses, nowhere


def _compare(document: dict, found: list[Documented], good: list, seen: list, record: Record) -> None:
    """The document with the doors: every route of programs is in it, and each of its operations is there."""
    held = {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs}
    have = {(route.verb, route.path.replace("{+", "{")) for route in routes.of_programs()}
    for verb, path in sorted(have - held):
        record.wrong["not in the document"].append(f"{verb} {path}")
    for operation, (statuses, nowhere) in zip(found, seen, strict=True):
        if statuses and nowhere == sum(statuses.values()):
            record.wrong["in the document, but there is no such method"].append(operation.label)
    never = [f"{label} ({status})" for label, status in good if status >= 400]
    print(f"   {len(held)} operations in the document, {len(have)} routes of programs; {len(good) - len(never)} samples accepted;"
          f" refused: {', '.join(never)}")

