"""Whatever a script does, it is stopped within twice the limit, and the next script is unharmed and in a fresh state."""
from __future__ import annotations

import threading
import time

import pytest

from tests.scripting.conftest import PATIENT, SMALL, error_of

FOREVER = "while true do end"
LOOPS = {
    "plain": FOREVER,
    "goto": "::again:: goto again",
    "repeat": "repeat until false",
    "tail call": "local function f() return f() end f()",
    "huge for": "for i = 1, math.maxinteger do end",
    "empty iterator": "for _ in function() return 1 end do end",
    "comparator": f"table.sort({{3, 2, 1}}, function() {FOREVER} end)",
    "gsub callback": f"('abc'):gsub('.', function() {FOREVER} end)",
    "__index": f"local t = setmetatable({{}}, {{__index = function() {FOREVER} end}}) return t.x",
    "__index chain": "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
    "__newindex": f"setmetatable({{}}, {{__newindex = function() {FOREVER} end}}).x = 1",
    "__call": f"setmetatable({{}}, {{__call = function() {FOREVER} end}})()",
    "__concat": f"local x = setmetatable({{}}, {{__concat = function() {FOREVER} end}}) .. 'x'",
    "__eq": f"local m = {{__eq = function() {FOREVER} end}} local x = setmetatable({{}}, m) == setmetatable({{}}, m)",
    "__len": f"local x = #setmetatable({{}}, {{__len = function() {FOREVER} end}})",
    "__tostring": f"tostring(setmetatable({{}}, {{__tostring = function() {FOREVER} end}}))",
    "__tostring in print": f"print(setmetatable({{}}, {{__tostring = function() {FOREVER} end}}))",
    "__tostring in error": f"error(setmetatable({{}}, {{__tostring = function() {FOREVER} end}}))",
    "__pairs": f"pairs(setmetatable({{}}, {{__pairs = function() {FOREVER} end}}))",
    "__close": f"local x <close> = setmetatable({{}}, {{__close = function() {FOREVER} end}})",
    "__close after an error": f"local x <close> = setmetatable({{}}, {{__close = function() {FOREVER} end}}) error('x')",
    "__close after fail": f"local x <close> = setmetatable({{}}, {{__close = function() {FOREVER} end}}) fail(400, 'x')",
    "__close after the limit": "local function f() local x <close> = setmetatable({}, {__close = f}) while true do end end f()",
    "many __close after the limit": f"local m = {{__close = function() {FOREVER} end}}"
    f" local function f(n) if n == 0 then {FOREVER} end"
    " local x <close> = setmetatable({}, m) f(n - 1) end f(150)",
    "globals": f"setmetatable(_G, {{__index = function() {FOREVER} end}}) return nothing",
    "pcall": f"pcall(function() {FOREVER} end) {FOREVER}",
    "xpcall": f"xpcall(function() {FOREVER} end, function() {FOREVER} end) {FOREVER}",
    "coroutine.wrap": f"coroutine.wrap(function() {FOREVER} end)()",
    "coroutine.resume": f"while true do coroutine.resume(coroutine.create(function() {FOREVER} end)) end",
    "__gc": f"setmetatable({{}}, {{__gc = function() {FOREVER} end}})",
    "__gc later": f"local m = {{}} setmetatable({{}}, m) m.__gc = function() {FOREVER} end"
    " local t = {{}} for i = 1, 1e9 do t[1] = {} end",
    "calls that are slow": "while true do gs2('slow').call() end",
}
BOMBS = {
    "table": "local t = {} for i = 1, 1e12 do t[i] = i end",
    "global table": "t = {} for i = 1, 1e12 do t[i] = ('x'):rep(100) .. i end",
    "concatenation": "s = 'x' while true do s = s .. s end",
    "string.rep": "s = ('x'):rep(1e9)",
    "string.rep beyond all": "s = ('x'):rep(1e18)",
    "string.rep with separator": "s = (''):rep(1e12, 'x')",
    "string.rep of nothing": "s = (''):rep(1e15) while true do end",
    "pattern with backtracking": "string.find(('a'):rep(300), ('.-'):rep(20) .. 'b')",
    "pattern gmatch": "for _ in (('a'):rep(300)):gmatch(('.-'):rep(20) .. 'b') do end",
    "pattern gsub": "(('a'):rep(300)):gsub(('a-'):rep(20) .. 'b', '')",
    "pattern %b and %f": "(('('):rep(3e5)):find(('%b()'):rep(3) .. 'x') while true do end",
    "gsub that grows": "s = 'x' while true do s = s:gsub('.', '%0%0') end",
    "string.format": "s = '' while true do s = s .. string.format('%99.99f', 1) end",
    "string.format huge width": "string.format('%999999999d', 1)",
    "string.pack": "string.pack('c2147483647', 'x')",
    "string.pack padding": "string.pack('!16 c2000000000 i16', 'x', 1)",
    "table.concat": "table.concat(setmetatable({}, {__index = function() return 'xxxxxxxxxxxxxxxx' end}), '', 1, 1e15)",
    "table.concat of nothing": "table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, 1e15)",
    "table.move": "table.move({}, 1, 1e15, 2)",
    "table.move in steps": "while true do table.move({}, 1, 9e6, 2) end",
    "table.insert": "table.insert(setmetatable({}, {__len = function() return 1e15 // 1 | 0 end}), 1, 'x')",
    "table.remove": "table.remove(setmetatable({}, {__len = function() return 1e15 // 1 | 0 end}), 1)",
    "table.unpack": "table.unpack({}, 1, 1e8)",
    "table.unpack in steps": "local t = {} while true do t[#t + 1] = table.pack(table.unpack({}, 1, 1e5)) end",
    "table.sort": "table.sort(setmetatable({}, {__len = function() return 2e9 // 1 | 0 end}), function() return true end)",
    "table.pack": "local t = {} while true do t = table.pack(t, t, t) t[4] = {('x'):rep(9999)} end",
    "recursion": "local function f() return 1 + f() end f()",
    "recursion with arguments": "local function f(...) return f(1, ...) end f()",
    "recursion through __index": "local t = {} setmetatable(t, {__index = function(_, k) return t[k .. 'x'] end}) return t.x",
    "recursion through tostring": "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) print(t)",
    "nested text": "local t = {} t[1] = t util.table_to_json(t) local s = ('['):rep(1e6) util.json_to_table(s) while true do end",
    "json of a tree of itself": "local t = {1} for i = 1, 60 do t = {t, t} end util.table_to_json(t)",
    "split": "util.split(('.'):rep(5e6), '.')",
    "closures": "local t = {} while true do t[#t + 1] = function() return t end end",
    "random": "while true do math.random(1, 5) end",
    "date": "while true do os.date(('%c'):rep(1e5)) end",
    "utf8": "while true do utf8.char(table.unpack({}, 1, 0)) utf8.len(('x'):rep(1e6)) end",
    "output": "while true do print(('x'):rep(100)) end",
    "empty output": "while true do print() end",
    "one huge line": "print(('x'):rep(1e6))",
    "error message": "error(('x'):rep(1e7))",
    "error message again": "local s = ('x'):rep(1e6) fail(400, s .. s .. s .. s)",
    "select": "while true do select('#', table.unpack({}, 1, 2e5)) end",
}


def _slow(_service, _method, _params):
    threading.Event().wait(0.3)  # a call of a service that takes its time
    return 200, "{}"


@pytest.mark.parametrize("name", [*LOOPS, *BOMBS])
def test_it_is_stopped_in_time_and_the_next_script_is_unharmed(lua, name):
    source = LOOPS.get(name) or BOMBS[name]
    began = time.monotonic()
    outcome = lua("leaked = 1 string.leaked = 1 math.floor = nil\n" + source, methods={"slow": ("call",)}, call=_slow)
    took = time.monotonic() - began
    assert outcome.status_code in (400, 500, 504), outcome
    assert took < SMALL.wall_s * 2, f"took {took:.2f} s"
    after = lua("result = { leaked = leaked, inside = string.leaked, floor = math.floor(2.5), text = ('x'):rep(2) }")
    assert after.result == '{"floor":2,"text":"xx"}'


def test_a_loop_is_told_with_its_line(lua):
    entry = error_of(lua("local x = 1\nwhile true do\nend"))
    assert entry["code"] == "script.execution.timeout"
    assert entry["message"].endswith("at line 2") or entry["message"].endswith("at line 3")


def test_memory_is_told_as_memory_and_what_was_printed_is_kept(lua):
    outcome = lua("print('so far') t = {} for i = 1, 1e12 do t[i] = ('x'):rep(100) .. i end", limits=PATIENT)
    assert error_of(outcome)["code"] == "script.execution.memory" and outcome.output == ["so far"]


def test_much_garbage_is_no_memory_trouble(lua):
    assert lua("for i = 1, 200 do local s = ('x'):rep(1000000 + i) end", limits=PATIENT).succeeded


def test_output_is_told_as_output_and_kept_up_to_the_limit(lua):
    outcome = lua("while true do print('0123456789') end")
    assert error_of(outcome)["code"] == "script.execution.output"
    assert 15_000 < sum(len(line) + 1 for line in outcome.output) <= SMALL.output_bytes


def test_calls_beyond_the_limit_end_the_script(lua):
    asked = []
    outcome = lua("for i = 1, 99 do gs2('s').m({}) end", methods={"s": ("m",)}, call=lambda *a: (asked.append(a), (200, "{}"))[1])
    assert error_of(outcome)["code"] == "script.execution.calls" and len(asked) == SMALL.calls


def test_nothing_can_be_called_after_the_end(lua):
    asked = []
    source = "local x <close> = setmetatable({}, {__close = function() gs2('s').m({}) end}) fail(400, 'over')"
    assert lua(source, methods={"s": ("m",)}, call=lambda *a: (asked.append(a), (200, "{}"))[1]).status_code == 400
    assert asked == []


def test_a_huge_answer_of_a_call_is_a_memory_error_and_no_crash(lua):
    huge = '{"x":"' + "y" * 20_000_000 + '"}'
    outcome = lua("r = gs2('s').m({})", methods={"s": ("m",)}, call=lambda *_: (200, huge), limits=PATIENT)
    assert error_of(outcome)["code"] == "script.execution.memory"


def test_arguments_larger_than_the_memory_are_a_memory_error(lua):
    assert error_of(lua("result = args", '"' + "x" * 17_000_000 + '"', limits=PATIENT))["code"] == "script.execution.memory"


def test_a_result_longer_than_its_limit_is_refused(lua):
    assert lua(f"result = ('x'):rep({SMALL.result_chars - 2})").succeeded
    assert lua(f"result = ('\u00e9'):rep({SMALL.result_chars - 2})").succeeded
    assert error_of(lua(f"result = ('x'):rep({SMALL.result_chars - 1})"))["code"] == "script.execution.result"


def test_time_spent_waiting_counts_as_time_not_as_cpu(lua):
    outcome = lua("while true do gs2('slow').call() end", methods={"slow": ("call",)}, call=_slow)
    assert error_of(outcome)["message"].startswith("the script took too long")
