"""What strict readers of JSON expect: whole numbers without a point, lists that stay lists."""
from __future__ import annotations

import json

import pytest

METHODS = {"freeze": ("get_stage",)}
# Lua, as it is written, as it is written by a script that keeps whole floats.
NUMBERS = [
    ("10/2", "5", "5.0"), ("-10/2", "-5", "-5.0"), ("7/2", "3.5", "3.5"), ("0.0", "0", "0.0"), ("-0.0", "0", "-0.0"),
    ("2^31", "2147483648", "2147483648.0"), ("1e15", "1000000000000000", "1e+15"), ("-1e15", "-1000000000000000", "-1e+15"),
    ("2^53 - 1", "9007199254740991", "9007199254740991.0"), ("-(2^53 - 1)", "-9007199254740991", "-9007199254740991.0"),
    ("2^53", "9007199254740992.0", "9007199254740992.0"), ("-(2^53)", "-9007199254740992.0", "-9007199254740992.0"),
    ("2^63", "9.223372036854776e+18", "9.223372036854776e+18"), ("1e300", "1e+300", "1e+300"), ("5e-324", "4.94065645841247e-324", None),
    ("0.1 + 0.2", "0.30000000000000004", "0.30000000000000004"), ("100 * 1.1", "110.00000000000001", "110.00000000000001"),
    ("math.maxinteger", "9223372036854775807", "9223372036854775807"), ("math.mininteger", "-9223372036854775808", None),
    ("3 // 1", "3", "3"), ("3.0 // 1", "3", "3.0"), ("2^0.5 * 2^0.5", "2.0000000000000004", None), ("math.floor(2.5)", "2", "2"),
    ("args.f", "4", "4.0"), ("args.e", "2000", "2000.0"), ("args.i", "9007199254740993", "9007199254740993"),
]  # fmt: skip
ARGS = '{"f":4.0,"e":2e3,"i":9007199254740993}'


def written(lua, expression: str, keep: bool) -> list[str]:
    """A number as it leaves a script: in the result, in a call, in a transaction, as JSON text."""
    sent: list[str] = []

    def call(_service: str, _method: str, text: str) -> tuple[int, str]:
        sent.append(text)
        return 200, text

    source = (
        f"local n = {expression} local got = gs2('freeze').get_stage{{n = n}} "
        "local act = transaction.service('jobQueue').acquire.push{n = n} "
        "result = { n = n, deep = {{ n }}, act = act.request, text = util.table_to_json{n = n}.result, back = got.result }"
    )
    outcome = lua(source, ARGS, call=call, methods=METHODS, keep_whole_floats=keep)
    found = json.loads(outcome.result, parse_int=str, parse_float=str)
    bare = [json.loads(text, parse_int=str, parse_float=str)["n"] for text in (*sent, found["act"], found["text"])]
    return [found["n"], found["deep"][0][0], found["back"]["n"], *bare]


@pytest.mark.parametrize(("expression", "plainly", "kept"), NUMBERS)
def test_whole_floats_are_written_as_integers_unless_the_script_keeps_them(lua, expression, plainly, kept):
    assert set(written(lua, expression, keep=False)) == {plainly}
    assert set(written(lua, expression, keep=True)) == {kept or plainly}


# Lua, printed, printed by a script that keeps whole floats.
PRINTED = [
    ("10/2", "5", "5.0"), ("10/2, 'x', -0.0", "5\tx\t0", "5.0\tx\t-0.0"), ("7/2", "3.5", "3.5"), ("1e15", "1000000000000000", "1e+15"),
    ("tostring(10/2) .. '!'", "5!", "5.0!"), ("('%s of %s'):format(4/2, 'x')", "2 of x", "2.0 of x"), ("('%5.1f|%d'):format(2.0, 2.0)", "  2.0|2", "  2.0|2"),
    ("('%-4s|%%s'):format(3.0)", "3   |%s", "3.0 |%s"), ("1/0, -1/0", "inf\t-inf", "inf\t-inf"), ("1e300", "1e+300", "1e+300"),
    # Lua's own way of joining, which nothing can change.
    ("'' .. 10/2", "5.0", "5.0"), ("math.type(10/2), 10/2 == 5", "float\ttrue", "float\ttrue"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "plainly", "kept"), PRINTED)
def test_print_writes_numbers_as_the_result_does(lua, expression, plainly, kept):
    assert lua(f"print({expression})").output == [plainly]
    assert lua(f"print({expression})", keep_whole_floats=True).output == [kept]


def test_what_one_script_keeps_is_not_kept_by_the_next(lua):
    for keep, text in ((True, "5.0"), (False, "5"), (True, "5.0")):
        assert lua("result = 10/2", keep_whole_floats=keep).result == text


# What a script does, and the value that comes of it; args.some is [1,2], args.none [], args.deep {"a":[[]],"o":{}}.
LISTS = [
    ("return util.list()", []), ("return util.list{}", []), ("return util.array{}", []), ("return util.list{1, 2}", [1, 2]),
    ("local t = util.list{1} table.remove(t) return t", []), ("local t = util.list() t[1] = 'x' t[1] = nil return t", []),
    ("local t = util.list() table.insert(t, 1) return t", [1]), ("local t = {} return util.list(t) == t", True),
    ("return { a = { b = util.list() } }", {"a": {"b": []}}), ("return { util.list(), { util.list() } }", [[], [[]]]),
    ("return args.none", []), ("return args.deep", {"a": [[]], "o": {}}), ("table.remove(args.some) table.remove(args.some) return args.some", []),
    ("args.some[1], args.some[2] = nil, nil return args.some", []), ("args.some[1] = nil return args.some", [None, 2]),
    ("for i = #args.some, 1, -1 do args.some[i] = nil end return { x = args.some }", {"x": []}),
    ("table.sort(args.some, function(a, b) return a > b end) return args.some", [2, 1]), ("args.none[1] = 5 return args.none", [5]),
    ("return util.json_to_table('[]').result", []), ("local t = util.json_to_table('[[7]]').result table.remove(t[1]) return t", [[]]),
    ("return util.json_to_table(util.table_to_json(util.list()).result).result", []), ("return util.split('a', 'b').result", ["a"]),
    ("local t = gs2('freeze').get_stage().result.items return t", []), ("return {}", {}), ("return { x = {} }", {"x": {}}),
    ("local t = util.list() t.x = 1 return t", {"x": 1}), ("local t = util.list() t[100000] = 1 return t", {"100000": 1}),
    ("return setmetatable(args.some, { __index = { y = 1 } })", [1, 2]), ("return getmetatable(args.some)", "list"),
    ("return setmetatable(args.none, nil)", {}), ("return setmetatable(args.some, {}).x == nil and rawlen(args.some)", 2),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), LISTS)
def test_a_list_stays_a_list_when_nothing_is_left_in_it(value, body, expected):
    sent = []

    def call(_service: str, _method: str, text: str) -> tuple[int, str]:
        sent.append(text)
        return 200, '{"items":[]}'

    args = '{"some":[1,2],"none":[],"deep":{"a":[[]],"o":{}}}'
    assert value(body, args, call=call, methods=METHODS) == expected
    assert value(f"local v = (function() {body} end)() gs2('freeze').get_stage{{ v = v }} return true", args, call=call, methods=METHODS)
    assert json.loads(sent[-1]) == {"v": expected}


@pytest.mark.parametrize("given", ["3", "'x'", "true", "print", "util.null"])
def test_only_a_table_can_be_a_list(lua, given):
    outcome = lua(f"util.list({given})")
    assert outcome.status_code == 500 and "util.list needs a table" in outcome.result
