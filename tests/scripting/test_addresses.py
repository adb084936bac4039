"""No text that a script can get or cause says where something lies in memory."""
from __future__ import annotations

import json
import re

import pytest

from tests.scripting.conftest import PATIENT

THINGS = {
    "table": "{}", "function": "function() end", "library function": "print", "C function": "string.rep", "table of a library": "string",
    "environment": "_G", "client": "gs2('freeze')", "method": "gs2('freeze').get_stage", "null": "util.null", "list": "util.array({})",
    "named table": "setmetatable({}, { __name = 'Named' })", "numbered name": "setmetatable({}, { __name = 5 })",
    "hidden metatable": "setmetatable({}, { __metatable = false })", "transaction": "transaction.service('x').acquire",
    "answer": "util.split('a', 'a')", "iterator": "pairs({})", "gmatch": "('x'):gmatch('.')",
}  # fmt: skip
WAYS = {
    "print": "print(x)", "print several": "print(1, x, x)", "tostring": "result = { s = tostring(x) }", "nested": "result = { s = { tostring(x) .. tostring({ x }) } }",
    "format": "print(string.format('%s', x))", "format with width": "print(('[%50s|%-9.30s]'):format(x, x))", "format of many": "print(('%d %s %s %%'):format(1, x, { x }))",
    "pointer": "print(string.format('%p', x))", "pointer with width": "print(('%-20p'):format(x))", "pointer of a text": "print(string.format('%p', 'text'), x)",
    "quoted": "print(string.format('%q', x))", "number": "print(string.format('%d', x))", "error": "error(x)", "error level 0": "error(x, 0)",
    "error of text": "error('so: ' .. tostring(x))", "assert": "assert(false, x)", "assert of text": "assert(nil, tostring(x))", "fail": "fail(400, x)",
    "fail status": "fail(x, x)", "concatenation": "return x .. 'y'", "concatenation the other way": "return 'y' .. x", "arithmetic": "return x + 1",
    "comparison": "return x < x", "comparison with a number": "return x < 1", "index": "return (1)[x]", "index of it": "return x.y.z", "call": "return x()",
    "length": "return #x", "unary": "return -x", "bits": "return x | 1", "key": "result = { [x] = 1 }", "value": "result = { x }", "json": "print(util.table_to_json({ x }).message)",
    "json key": "print(util.table_to_json({ [x] = 1 }).message)", "read": "print(util.json_to_table(x).message)", "split": "print(util.split(x, x).message)",
    "service": "gs2(x)", "call of a method": "print(gs2('freeze').get_stage(x).message, gs2('freeze').get_stage({ y = x }).message)",
    "method": "print(gs2('freeze')[x])", "http": "print(http.get(x).message)", "concat": "print(table.concat({ x }))", "rep": "print(('x'):rep(x))",
    "tonumber": "print(tonumber(x))", "tonumber with a base": "print(tonumber(x, 10))", "select": "print(select(x, 1))", "date": "print(os.date(x))", "time": "print(os.time({ year = x }))",
    "random": "print(math.random(x))", "sort": "table.sort({ x, {}, print })", "unpack": "print(table.unpack(x))", "char": "print(utf8.char(x))", "for": "for i = x, 2 do end",
    "metatable": "print(getmetatable(x))", "setmetatable": "print(setmetatable(x, x))", "tostring that gives it": "print(setmetatable({}, { __tostring = function() return x end }))",
    "tostring of it": "print(setmetatable({}, { __tostring = function() return tostring(x) end }))", "gsub": "print(('x'):gsub('x', x))", "gsub table": "print(('x'):gsub('x', { x = x }))",
    "close": "local y <close> = x", "transaction": "transaction.service(x)", "transaction action": "transaction.service('a').acquire.b({ x })", "type": "print(type(x), math.type(x))",
}  # fmt: skip
# Twelve digits of a hexadecimal number, as on every machine of 64 bits.
ADDRESS = re.compile(r"0x[0-9a-fA-F]{3,}|\b[0-9a-f]{8,16}\b|builtin")


@pytest.mark.parametrize("way", WAYS)
def test_no_way_tells_an_address(lua, way):
    for thing, made in THINGS.items():
        outcome = lua(
            f"local x = {made}\nlocal function f() {WAYS[way]} end\nlocal r = f() if r ~= nil then print(r) end",
            methods={"freeze": ("get_stage",)}, call=lambda *_: (200, "{}"), limits=PATIENT,
        )  # fmt: skip
        assert not ADDRESS.search(outcome.result + "\n".join(outcome.output)), (thing, outcome)


def test_what_is_shown_tells_things_apart_and_is_the_same_each_time(value):
    assert value(
        "local a, b = {}, {} return { tostring(a), tostring(b), tostring(a), tostring(print),"
        " ('%s'):format(a), tostring(setmetatable({}, { __name = 'Hero' })) }"
    ) == ["table: 1", "table: 2", "table: 1", "function: 3", "table: 1", "Hero: 4"]


@pytest.mark.parametrize("text, given, shown", [
    ("%d of %s", "1, 'x'", "1 of x"), ("%%p %5.1f|%-4s|%q", "1, 'a', 'b'", '%p   1.0|a   |"b"'), ("%s %s", "nil, true", "nil true"),
    ("%s %d %%s", "t, 5", "me 5 %s"), ("%x %c %i %a", "255, 65, 3, 1", "ff A 3 0x1p+0"),
])  # fmt: skip
def test_format_is_otherwise_as_it_was(lua, text, given, shown):
    source = f"local t = setmetatable({{}}, {{ __tostring = function() return 'me' end }}) print(string.format('{text}', {given}))"
    assert lua(source).output == [shown]


@pytest.mark.parametrize("source, sentence", [
    ("string.format('%d', {})", "bad argument #2 to 'format' (number expected, got table)"),
    ("string.format('%d', 'x')", "bad argument #2 to 'format' (number expected, got string)"),
    ("string.format('%s')", "bad argument #2 to 'format' (no value)"),
    ("string.format()", "bad argument #1 to 'format' (string expected, got nil)"),
    ("string.format('%p', {})", "string.format knows no %p: where something lies in memory is not told"),
])  # fmt: skip
def test_mistakes_are_told_in_luas_words(lua, source, sentence):
    [entry] = json.loads(lua(source).result)
    assert entry["message"] == f"line 1: {sentence}"
