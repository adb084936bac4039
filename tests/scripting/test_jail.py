"""Behind the sandbox of Lua is a jail of the kernel: native code in a runner reaches nothing, and is ended when it tries."""
from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from jobqueue.scripting import jail, process
from jobqueue.scripting.pool import Limits, Runner
from tests.scripting import probes
from tests.scripting.conftest import error_of

PLACE = Path(jail.__file__).parent
ON_X86 = os.uname().machine == "x86_64"


@pytest.mark.skipif(not ON_X86, reason="the probes are written in x86_64's numbers")
@pytest.mark.parametrize("user", ["ordinary", "root"])
def test_native_code_reaches_nothing(user):
    if os.getuid() and user == "root":
        pytest.skip("needs root")
    number = jail.NOBODY if user == "ordinary" and os.getuid() == 0 else 0
    done = subprocess.run([sys.executable, "-I", probes.__file__, str(PLACE), str(number)], env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    fine = found["calls"].pop("reads memory, the clock and chance")
    assert fine == "reached"
    assert {name: end for name, end in found["calls"].items() if end != "SIGSYS"} == {}
    assert len(found["calls"]) == len(probes.CALLS)
    walls = found["walls"]
    assert walls["privs"] == "1" and int(walls["caps"], 16) == 0
    # A container may forbid new networks; then the process says so, and the filter refuses sockets all the same.
    assert walls["own network"] == walls["another network"]
    if user == "root":
        assert walls["own network"]


# ── the filter, read by a machine of our own ────────────────────────────────────────────────────────────────
def verdict(code: bytes, arch: int, number: int, *given: int) -> bool:
    """Whether the filter lets a call through."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *(given + (0,) * 6)[:6])
    lines = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    at = loaded = 0
    while True:
        op, yes, no, value = lines[at]
        at += 1
        if op == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif op == 0x15:
            at += yes if loaded == value else no
        elif op == 0x45:
            at += yes if loaded & value else no
        else:
            return value == 0x7FFF0000


@pytest.mark.parametrize("machine", sorted(jail.MACHINES))
def test_the_filter_lets_through_what_is_named_and_nothing_else(machine):
    arch, column, _ = jail.MACHINES[machine]
    for allowed in (jail.RUNNER, jail.READER):
        code = jail.program(machine, allowed)
        numbers = {pair[column]: name for name, pair in jail.NUMBERS.items() if name in allowed and pair[column] is not None}
        good = {"mmap": (0, 4096, 3, 0x22), "prlimit64": (0, 0)}
        for number in range(600):
            name = numbers.get(number)
            assert verdict(code, arch, number, *good.get(name, ())) == (name is not None), (number, name)
        assert not any(verdict(code, other, number) for other in (0, arch ^ 1, 0x40000003) for number in numbers)
        assert not any(verdict(code, arch, number | 0x40000000) for number in numbers)
    number = {name: pair[column] for name, pair in jail.NUMBERS.items()}
    for protection in range(16):
        assert verdict(code, arch, number["mmap"], 0, 1, protection, 0x20) == (not protection & 4)
        assert verdict(code, arch, number["mprotect"], 0, 1, protection) == (not protection & 4)
    assert not verdict(code, arch, number["mmap"], 0, 1, 3, 0x02), "a file"
    assert not verdict(code, arch, number["prlimit64"], 1, 0) and not verdict(code, arch, number["prlimit64"], 0, 7)
    assert not verdict(code, arch, number["clock_gettime"], ~1234 << 3 & 0xFFFFFFFF)


def test_a_machine_that_is_unknown_says_so_and_runs_scripts(monkeypatch, caplog):
    monkeypatch.setattr(process, "_told", set())
    monkeypatch.setattr(process, "CHILD", PLACE / "child.py")
    process._tell_once("")
    assert not caplog.records
    for _ in range(3):
        process._tell_once("system calls are not filtered on riscv64")
    assert [record.getMessage() for record in caplog.records] == [
        "scripts run behind limits alone: system calls are not filtered on riscv64"
    ]
    monkeypatch.setattr(jail.os, "uname", lambda: os.uname_result(("Linux", "x", "6", "1", "riscv64")))
    assert jail.filter_calls(jail.RUNNER) == "system calls are not filtered on riscv64"


# ── a script that gets through to native code ───────────────────────────────────────────────────────────────
BROKEN = """
import os, sys, time
sys.path.insert(0, {place!r})
import child
child.HERE = {place!r}
child.harden = {harden}
def host(self, operation, given, inner=child.Runner._host):
    if operation == child.KNOWN and given[0] == b"evil":
        {act}
    return inner(self, operation, given)
child.Runner._host = host
child.main()
"""


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """broken(act): a runner in which gs2("evil") does that."""
    made: list[Runner] = []

    def make(act: str, harden: str = "child.harden") -> Runner:
        path = tmp_path / "child.py"
        path.write_text(BROKEN.format(place=str(PLACE), act=act, harden=harden))
        path.chmod(0o644)
        monkeypatch.setattr(process, "CHILD", path)
        made.append(Runner(1))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


def test_a_script_that_breaks_out_is_ended_with_a_sentence_and_the_next_one_is_unharmed(broken, caplog):
    runner = broken("os.getppid()")
    outcome = runner.run(source="print('before') gs2('evil') result = {}")
    assert outcome.status_code == 500 and error_of(outcome)["code"] == "script.execution.forbidden"
    assert error_of(outcome)["message"].startswith("the script reached for something outside its sandbox")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert runner.run(source="result = { a = 1 }").result == '{"a":1}'


@pytest.mark.parametrize("act", ["raise MemoryError", "bytes(10**12)", "x = [bytes(10**6) for _ in range(10**6)]"])
def test_memory_that_python_lacks_is_told_as_memory(broken, act):
    runner = broken(act)
    assert error_of(runner.run(source="gs2('evil')"))["code"] == "script.execution.memory"
    assert runner.run(source="result = { a = 1 }").result == '{"a":1}'


def test_a_runner_that_the_kernel_killed_for_memory_is_told_as_memory(broken, monkeypatch):
    runner = broken("os.kill(os.getpid(), 9)", harden="lambda *_: ''")
    runner.run(source="result = {}")
    [made] = runner._all
    monkeypatch.setattr(process, "oom_kills", lambda: made.oom_kills + 1)
    assert error_of(runner.run(source="gs2('evil')"))["code"] == "script.execution.memory"


def test_the_kernels_count_is_read():
    assert process.oom_kills() >= 0 and "oom_kill " in Path("/proc/vmstat").read_text()


TOO_MUCH = {
    "repeat": "s = ('x'):rep(1e9)", "repeat beyond any number": "s = ('xx'):rep(math.maxinteger)",
    "repeat with separator": "s = ('x'):rep(math.maxinteger, 'yy')", "table": "t = {} for i = 1, 1e9 do t[i] = i end",
    "keys": "t = {} for i = 1, 1e9 do t['k' .. i] = i end", "tables": "t = {} while true do t = { t } end",
    "concatenation": "s = 'x' while true do s = s .. s end",
    "concat": "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(99999) end s = table.concat(t)",
    "concat of one": "local s = ('x'):rep(1e6) s = table.concat(setmetatable({}, { __index = function() return s end }), '', 1, 1e6)",
    "gsub": "s = 'x' while true do s = s:gsub('.', '%0%0') end", "upper": "local s = ('x'):rep(9e6) s = s:upper() .. s:lower()",
    "format": "s = ('x'):rep(6e6) s = string.format('%s%s%s', s, s, s)", "pack": "s = string.pack('s8s8', ('x'):rep(8e6), ('x'):rep(8e6))",
    "closures": "local t = {} while true do t[#t + 1] = function() return t end end", "unpack": "t = table.pack(table.unpack({}, 1, 999000))",
    "json": "local t = {} for i = 1, 400000 do t[i] = i end s = util.table_to_json(t)", "split": "util.split(('.'):rep(5e6), '.')",
    "read json": "util.json_to_table('[' .. ('0,'):rep(3e6) .. '0]')", "result": "result = {} for i = 1, 1e9 do result[i] = ('x'):rep(99) .. i end",
    "in a metamethod": "local t = setmetatable({}, { __index = function() return ('x'):rep(1e9) end }) s = t.x",
    "in tostring": "print(setmetatable({}, { __tostring = function() return ('x'):rep(1e9) end }))",
    "in a comparator": "table.sort({ 3, 2, 1 }, function() s = ('x'):rep(1e9) end)",
    "after much output": "for i = 1, 90 do print(('y'):rep(99)) end s = ('x'):rep(1e9)", "in fail": "fail(400, ('x'):rep(1e9))",
    "globals": "for i = 1, 1e9 do _G['g' .. i] = i end", "in a closing variable": "local x <close> = setmetatable({}, { __close = function() s = ('x'):rep(1e9) end })",
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_MUCH)
def test_an_end_by_memory_says_memory(lua, name):
    outcome = lua(TOO_MUCH[name], limits=Limits(wall_s=20, cpu_s=20, memory_mb=16, output_bytes=20_000, result_chars=100_000))
    assert outcome.status_code == 500 and error_of(outcome)["code"] == "script.execution.memory", outcome.result[:300]
    assert lua("result = { a = 1 }").result == '{"a":1}'


def test_a_killed_runner_is_still_told_as_one(broken):
    from jobqueue.scripting.pool import RunnerDied

    runner = broken("os.kill(os.getpid(), 9)", harden="lambda *_: ''")
    with pytest.raises(RunnerDied, match=str(-signal.SIGKILL)):
        runner.run(source="gs2('evil')")
