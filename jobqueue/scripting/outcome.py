"""What a script may use, and how it ended. No Django in here."""
from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """wall_s, cpu_s: seconds; memory_mb: MiB of Lua memory; output_bytes: printed; calls: of gs2(); result_chars: of its JSON."""

    wall_s: float = 5
    cpu_s: float = 5
    memory_mb: int = 64
    output_bytes: int = 1_000_000
    calls: int = 100
    result_chars: int = 5_242_880


@dataclass(slots=True)
class Outcome:
    """How a script ended.

    status_code: 200; the first argument of fail(); 400 (it does not parse, or its arguments are not JSON); 500 (a Lua
    error, or a limit on memory, output, calls or result); 504 (time). result: JSON text; of the global `result` after
    success, else a list of {component, message, code}. retry: False only after fail(status, message, false).
    output: printed lines. execute_ms, cpu_ms: floats, of the script alone. memory_bytes: in use at its end, garbage
    included. transaction: JSON text of {transactionId, verifyActions, consumeActions, acquireActions}, or None.
    random_status: {seed, used: [{category, used}]}: give it `seed` to replay the run.
    """

    status_code: int
    result: str
    retry: bool = True
    output: list[str] = field(default_factory=list)
    execute_ms: float = 0.0
    cpu_ms: float = 0.0
    memory_bytes: int = 0
    transaction: str | None = None
    random_status: dict = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """True for a 2xx status."""
        return 200 <= self.status_code < 300


class RunnerDied(Exception):
    """The runner ended in the middle of a script, and not because of a limit: how the script ended is unknown."""


class RunnersBusy(Exception):
    """All runners of this process are busy and stayed so; the script was not started."""


def failure(status: int, code: str, sentence: str, **more: object) -> Outcome:
    """An outcome that is an error, with its one-entry error list."""
    text = json.dumps([{"component": "script", "message": sentence, "code": code}], ensure_ascii=False)
    return Outcome(status_code=status, result=text, **more)
