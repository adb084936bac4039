"""Ways out that were tried. None may succeed, whatever the script is told."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.scripting.conftest import error_of

# Each returns something only when it got somewhere.
ATTEMPTS = {
    "python": "return python or lupa or python_builtins",
    "python through _G": "for k, v in pairs(_G) do if type(v) == 'userdata' or type(v) == 'thread' then return k end end",
    "userdata anywhere": "local seen = {} local function walk(t) if seen[t] then return end seen[t] = true"
    " for k, v in next, t do if type(v) == 'userdata' or type(v) == 'thread' then return k end"
    " if type(v) == 'table' then local f = walk(v) if f then return f end end end"
    " local m = getmetatable(t) if type(m) == 'table' then return walk(m) end end return walk(_G)",
    "load": "return load and load('return 1')",
    "loadstring": "return loadstring or dofile or loadfile or require",
    "package": "return package or debug or io",
    "os": "return os.execute or os.getenv or os.exit or os.remove or os.rename or os.tmpname or os.setlocale",
    "string.dump": "return string.dump or ('').dump",
    "bytecode": "return load and load('\\27Lua', 'x', 'b')",
    "collectgarbage": "return collectgarbage or warn",
    "coroutine": "return coroutine or pcall or xpcall",
    "string metatable": "local m = getmetatable('') return type(m) == 'table' or nil",
    "string metatable by setmetatable": "return setmetatable('', {})",
    "string methods replaced": "string.find = function() return 1 end string.sub = nil string.format = nil string.byte = nil"
    " table.concat = nil table.sort = nil utf8.len = nil math.type = nil next = nil return nil",
    "__metatable of our objects": "local m = getmetatable(util.null) return type(m) == 'table' or nil",
    "null changed": "util.null.x = 1 return true",
    "client changed": "local m = getmetatable(gs2('freeze')) return type(m) == 'table' or nil",
    "function environment": "return setfenv or getfenv or _ENV.load",
    "upvalues": "return debug and debug.getupvalue(print, 1)",
    "__gc": "setmetatable({}, {__gc = function() print('ran') end}) return true",
    "error object": "local t = setmetatable({}, {__index = _G, __tostring = function() return load end}) error(t)",
    "__close sees the error": "local seen local x <close> = setmetatable({}, {__close = function(_, e) _G.seen = e end})"
    " fail(200, 'x')",
    "other service": "return gs2('secret').get().result",
    "dunder method": "return gs2('freeze').__class__().result or gs2('freeze').__init__().result or gs2('freeze')['']().result",
    "method with a zero byte": "return gs2('freeze')['get_stage\\0evil']().result or gs2('freeze\\0x').get_stage().result",
    "service and method glued": "return gs2('freeze get_stage')['']().result or gs2('freeze\\nget_stage')['']().result",
    "http": "local r = http.get('file:///etc/passwd') return r.result",
    "tostring of a client": "return tostring(gs2('freeze')):match('object at')",
    "rawset on clients": "local c = gs2('freeze') rawset(c, 'x', 1) return getmetatable(c) ~= 'client' or nil",
    "select with negatives": "return select(-1, nil)",
    "huge format": "return string.format('%1000000000s', 'x')",
    "format of a pointer": "return string.format('%p', 'x') and nil",
    "unpack beyond": "return table.unpack({}, math.maxinteger - 1, math.maxinteger)",
    "number as a text": "return ('x'):rep(-1) ~= '' or nil",
    "goto out": "return load and load('goto out')",
    "date": "return os.date('%n%t' .. ('%%'):rep(10)) and nil",
    "random state": "math.randomseed({}) return nil",
}
METHODS = {"freeze": ("get_stage",)}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_escape_gets_nowhere(lua, name):
    source = f"local got = (function() {ATTEMPTS[name]} end)() result = {{ got = got ~= nil and type(got) or nil }}"
    outcome = lua(source, methods=METHODS, call=lambda *_: (200, "{}"))
    if outcome.succeeded:
        assert "got" not in json.loads(outcome.result), outcome
    else:
        error_of(outcome)
    assert "ran" not in outcome.output
    after = lua("n = 0 for w in ('a b'):gmatch('%a') do n = n + 1 end result = { n = n, j = util.table_to_json({1}).result }")
    assert after.result == '{"j":"[1]","n":2}'


def test_a_script_that_is_bytecode_is_refused(lua):
    assert lua("\x1bLua\x54\x00").status_code == 400


def test_what_looks_like_a_frame_is_only_text(lua):
    forged = r"'\1\0\0\0D' .. '\255\255\255\127' .. ('\0'):rep(64) .. 'C\6\0\9\0freezeget_stage{}'"
    outcome = lua(f"print({forged}) print('\\nD') result = {{ x = 'D\\0' .. ('\\0'):rep(40) }} result.y = 'R' ", methods=METHODS)
    assert outcome.succeeded and json.loads(outcome.result)["y"] == "R"
    assert lua(f"fail(404, {forged})").status_code == 404
    assert lua(
        "r = gs2('freeze').get_stage({ x = 'C' .. ('\\0'):rep(99) }) result = r.result",
        methods=METHODS, call=lambda s, m, p: (200, p),
    ).succeeded  # fmt: skip


def test_the_lists_of_methods_are_the_parents_not_the_scripts(lua):
    asked = []
    lua("gs2('freeze').get_stage({})", methods=METHODS, call=lambda *a: (asked.append(a), (200, "{}"))[1])
    assert lua("result = { gs2('freeze').get_stage({}).statusCode }", methods={}).result == "[404]"
    assert len(asked) == 1


def test_the_runner_holds_nothing_of_the_project(lua, small_runner, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "must not be seen")
    lua("result = {}")
    [process] = small_runner._idle
    pid = process.process.pid
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    if os.getuid() == 0:
        assert "Uid:\t65534\t65534\t65534\t65534" in status and "CapEff:\t0000000000000000" in status
        names = {line.split("=")[0] for line in Path(f"/proc/{pid}/environ").read_text().split("\0") if line}
        assert names == {"TZ", "LC_ALL", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES"}
        links = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
        assert sorted(link.split(":")[0] for link in links) == ["/dev/null", "/dev/null", "/dev/null", "socket"]
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert "django" not in maps and "psycopg" not in maps and "_ssl" not in maps
    assert os.getsid(pid) == pid
    limits = Path(f"/proc/{pid}/limits").read_text()
    # Four files are open, so no other file and no socket can be.
    for name, value in (("Max file size", "0"), ("Max core file size", "0"), ("Max processes", "0"), ("Max open files", "4")):
        [line] = [line for line in limits.splitlines() if line.startswith(name)]
        assert line[len(name) :].split()[:2] == [value, value], line
