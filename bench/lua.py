"""What a trivial Lua script costs: in our runner, in a reused Lua state (unsafe), and in a new Python process (slow); and
how soon hostile ones are stopped."""
from __future__ import annotations

import json
import subprocess
import sys
import time

from bench.lua_limits import measure
from bench.report import spread, table

SOURCE = "result = { ok = true, n = args.n + 1 }"
CALLS = "local c = gs2('freeze') for i = 1, 10 do c.get_stage({ stageName = 'dev' }) end result = {}"
METHODS = {"freeze": ("get_stage",)}
FRESH = "from lupa import lua54; lua = lua54.LuaRuntime(); lua.execute('args = {n = 41} ' + '''" + SOURCE + "''')"


def main() -> bool:
    """Print the table; True when every script gave its result."""
    from jobqueue.scripting.pool import Runner

    runner = Runner(1)
    began = time.perf_counter()
    good = runner.run(source=SOURCE, args='{"n":0}').succeeded
    first_ms = (time.perf_counter() - began) * 1000
    [process] = runner._all
    rows = []
    for name, source, count in (
        ("our runner", SOURCE, 6000),
        ("our runner, empty script", "", 6000),
        ("our runner, script printing and using every library", "print(math.random(6)) " + SOURCE, 3000),
        ("our runner, 10 calls of gs2()", CALLS, 1500),
    ):
        times = []
        for warm in (True, False):
            times.clear()
            child, ours, began = process.cpu_s(), time.process_time(), time.perf_counter()
            for number in range(count // 10 if warm else count):
                start = time.perf_counter()
                outcome = runner.run(
                    source=source, args=f'{{"n":{number}}}', user_id="user-0001", methods=METHODS, call=_answer
                )
                times.append((time.perf_counter() - start) * 1e6)
                good &= outcome.succeeded and (source is not SOURCE or json.loads(outcome.result)["n"] == number + 1)
            took = time.perf_counter() - began
        rows.append(
            [name, f"{count / took:,.0f}", f"{(process.cpu_s() - child) / count * 1e6:.0f}",
             f"{(time.process_time() - ours) / count * 1e6:.0f}", *spread(times, 0)]
        )  # fmt: skip
    runner.close()
    rows.append(["one Lua state used again (leaks between scripts)", *_reused()])
    rows.append(["a new Python process", *_fresh()])
    table(
        "A trivial Lua script, one after the other (microseconds)",
        ["", "scripts/s", "CPU in runner", "CPU in worker", "p50", "p95", "p99", "max"],
        rows,
    )
    print(f"   start of a runner with its first script: {first_ms:.0f} ms")
    return measure() and good


def _answer(*_: str) -> tuple[int, str]:
    return 200, '{"item":{}}'


def _reused(count: int = 6000) -> list[str]:
    from lupa import lua54

    lua = lua54.LuaRuntime()
    times = []
    used, began = time.process_time(), time.perf_counter()
    for number in range(count):
        start = time.perf_counter()
        lua.globals().args = lua.table_from(json.loads(f'{{"n":{number}}}'))
        lua.execute(SOURCE)
        json.dumps(dict(lua.globals().result))
        times.append((time.perf_counter() - start) * 1e6)
    took = time.perf_counter() - began
    return [f"{count / took:,.0f}", "-", f"{(time.process_time() - used) / count * 1e6:.0f}", *spread(times, 0)]


def _fresh(count: int = 20) -> list[str]:
    times = []
    began = time.perf_counter()
    for _ in range(count):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", FRESH], check=True)
        times.append((time.perf_counter() - start) * 1e6)
    return [f"{count / (time.perf_counter() - began):,.0f}", "-", "-", *spread(times, 0)]
