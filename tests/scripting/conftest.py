"""`lua(source, ...)` runs a script with small limits in one warm runner, and says how it ended."""
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from jobqueue.scripting.pool import Limits, Outcome, Runner

SMALL = Limits(wall_s=0.8, cpu_s=0.8, memory_mb=16, output_bytes=20_000, calls=5, result_chars=100_000)
# For tests that are about something else than time, on a busy machine.
PATIENT = replace(SMALL, wall_s=20, cpu_s=20)


@pytest.fixture(scope="session")
def small_runner() -> Iterator[Runner]:
    runner = Runner(1)
    yield runner
    runner.close()


@pytest.fixture
def lua(small_runner):
    """lua(source, args={...} or JSON text, **more of Runner.run)."""

    def run(source: str, args: object = None, **more: object) -> Outcome:
        text = args if isinstance(args, str) else json.dumps({} if args is None else args)
        more.setdefault("limits", SMALL)
        return small_runner.run(source=source, args=text, **more)

    return run


@pytest.fixture
def value(lua):
    """value("1 + 1"): what an expression (or a body with return) gives, through JSON."""

    def run(expression: str, args: object = None, **more: object) -> object:
        body = expression if "return" in expression else f"return {expression}"
        outcome = lua(f"result = {{ value = (function() {body} end)() }}", args, **more)
        assert outcome.status_code == 200, outcome
        return json.loads(outcome.result).get("value")

    return run


def error_of(outcome: Outcome) -> dict:
    """The one entry of a failed outcome's error list."""
    assert not outcome.succeeded, outcome
    [entry] = json.loads(outcome.result)
    assert set(entry) == {"component", "message", "code"}
    return entry
