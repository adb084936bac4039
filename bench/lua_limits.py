"""How soon hostile scripts are stopped: the very scripts that tests/scripting holds the runner to, with their times."""
from __future__ import annotations

import time

from bench.report import spread, table
from jobqueue.scripting.pool import Limits, Runner
from tests.scripting.test_escapes import ATTEMPTS
from tests.scripting.test_limits import BOMBS, LOOPS

LIMITS = Limits(wall_s=1, cpu_s=1, memory_mb=16, output_bytes=20_000, calls=100, result_chars=100_000)
CATCHING = ("pcall", "coroutine", "__close", "__gc", "tostring", "gsub", "comparator")
AFTER = "result = { leaked = leaked, text = ('x'):rep(2) }"


def groups() -> dict[str, dict[str, str]]:
    """What is tried, by kind."""
    caught = {name: source for name, source in LOOPS.items() if any(word in name for word in CATCHING)}
    patterns = {name: source for name, source in BOMBS.items() if "pattern" in name or "gsub" in name}
    repeats = {name: source for name, source in BOMBS.items() if "string.rep" in name}
    deep = {name: source for name, source in BOMBS.items() if "recurs" in name or "deep" in name or "nest" in name}
    rest = {name: source for name, source in BOMBS.items() if name not in patterns | repeats | deep}
    attempts = {name: f"local got = (function() {body} end)() if got == nil then fail(400, 'nothing') end"
                for name, body in ATTEMPTS.items()}
    return {
        "endless loops": {name: source for name, source in LOOPS.items() if name not in caught},
        "endless loops inside what catches errors": caught,
        "string.rep": repeats, "patterns": patterns, "deep recursion": deep, "memory and the rest": rest, "escapes": attempts,
    }  # fmt: skip


def measure() -> bool:
    """Print the table; True when each was stopped within twice the limit and left the next script unharmed."""
    runner, rows, bad = Runner(1), [], []
    for kind, sources in groups().items():
        times = []
        for name, source in sources.items():
            began = time.perf_counter()
            outcome = runner.run(
                source="leaked = 1\n" + source, limits=LIMITS, methods={"slow": ("call",), "freeze": ("get_stage",)},
                call=lambda *_: (200, "{}"),
            )  # fmt: skip
            times.append(time.perf_counter() - began)
            after = runner.run(source=AFTER, limits=LIMITS).result
            if outcome.succeeded or times[-1] > 2 * LIMITS.wall_s or after != '{"text":"xx"}':
                bad.append(f"{kind}, {name}: {outcome.status_code} after {times[-1]:.2f} s, the next script said {after}")
        if times:
            rows.append([kind, len(times), *spread(times, 2)])
    runner.close()
    table(
        f"Scripts that do not want to end, with a limit of {LIMITS.wall_s} s and {LIMITS.memory_mb} MB: s until each was stopped",
        ["", "scripts", "p50", "p95", "p99", "max"], rows,
    )  # fmt: skip
    for text in bad:
        print("WRONG:", text)
    return not bad
