"""JSON in and out: nothing is rounded, and nothing makes it crash."""
from __future__ import annotations

import json

import pytest

from tests.scripting.conftest import error_of

SAME = [
    '{"a":1,"b":[1,2,{"c":"d"}]}',
    "[9007199254740993,9223372036854775807,-9223372036854775808,0,-1]",
    "[0.1,1e+300,2.5e-08,0.30000000000000004,123456789.123,9007199254740992.0,-9007199254740992.0]",
    "[1,null,3]",
    "[null]",
    '{"empty":[],"object":{}}',
    "[[],{},[[]]]",
    '{"":"","a b":"\\"\\\\\\n\\u0000\\u001f/"}',
    '["\u65e5\u672c\u8a9e","\U0001f600"]',
    "[true,false]",
]


@pytest.mark.parametrize("text", SAME)
def test_what_comes_in_goes_out_unchanged(lua, text):
    assert lua("result = args", text).result == text


def test_a_number_longer_than_64_bits_keeps_its_digits_as_a_text(lua):
    long = lua("result = args", "[18446744073709551616,-9223372036854775809]")
    assert long.result == '["18446744073709551616","-9223372036854775809"]'


def test_texts_of_digits_become_numbers_unless_told_otherwise(lua):
    text = '{"a":"123","b":"007","c":"0","d":"12345678901234567890123","e":"1.5","f":"-4","g":""}'
    assert lua("result = args", text).result == text.replace('"123"', "123").replace('"0"', "0")
    assert lua("result = args", text, disable_number_strings=True).result == text


def test_null_in_an_object_is_absent(lua):
    assert lua("result = { absent = args.a == nil, rest = args }", '{"a":null,"b":1}').result == '{"absent":true,"rest":{"b":1}}'


def test_null_in_a_list_keeps_its_place(value):
    assert value("#args == 3 and args[2] == util.null and tostring(args[2])", "[1,null,3]") == "null"
    assert value("{1, nil, 3}") == [1, None, 3]
    assert value("{ x = util.null }") == {"x": None}


def test_empty_tables_are_objects_unless_marked(value):
    assert value("{ {}, util.array(), util.array({}) }") == [{}, [], []]


def test_mixed_tables_are_objects_with_text_keys(value):
    assert value("{ 1, 2, x = 3 }") == {"1": 1, "2": 2, "x": 3}
    assert value("{ [10] = 'a', [-1] = 'b' }") == {"10": "a", "-1": "b"}


def test_keys_are_sorted_so_that_equal_tables_read_equal(lua):
    assert lua("result = { c = 1, a = 2, b = 3, B = 4 }").result == '{"B":4,"a":2,"b":3,"c":1}'


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("(function() local t = {} t.t = t return t end)()", "contains itself"),
        ("(function() local t = {} t[1] = t t[2] = t return t end)()", "contains itself"),
        ("0/0", "NaN"),
        ("1/0", "infinity"),
        ("-1/0", "infinity"),
        ("print", "function"),
        ("'\\255'", "UTF-8"),
        ("{ ['\\192\\128'] = 1 }", "UTF-8"),
        ("{ [true] = 1 }", "boolean"),
        ("{ [1.5] = 1 }", "float"),
        ("{ [1] = 1, ['1'] = 2 , x = 3 }", "twice"),
    ],
)
def test_what_is_no_json_is_refused_with_a_sentence(lua, expression, word):
    outcome = lua(f"result = {{ value = {expression} }}")
    assert outcome.status_code == 500
    assert error_of(outcome)["code"] == "script.execution.result" and word in error_of(outcome)["message"]


def test_tables_a_hundred_deep_are_written_and_deeper_ones_refused(lua):
    source = "result = {} local t = result for i = 2, args.n do t.x = {} t = t.x end"
    assert lua(source, {"n": 100}).succeeded
    assert lua(source, {"n": 101}).status_code == 500
    assert lua("result = args", "[" * 100 + "]" * 100).succeeded
    assert lua("result = args", "[" * 101 + "]" * 101).status_code == 400


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1,", "[1,]", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", "01", "-", "1.", ".5", "1e", "+1", "nul", "tru", "NaN",
     "Infinity", '"a', '"\\x"', '"\\u12"', '"\n"', "1e999", "[1] 2", "[1}", "'a'", "\ufeff{}", "0x10", "1_0", "--1"],
)  # fmt: skip
def test_arguments_that_are_no_json_are_400(lua, text):
    with pytest.raises(json.JSONDecodeError):
        json.loads(text if text not in ("NaN", "Infinity", "1e999") else "")
    outcome = lua("result = args", text)
    assert outcome.status_code == 400 and error_of(outcome)["code"] == "script.args.error.invalid"


def test_white_space_and_escapes_are_read(lua):
    text = ' {\t"a" :\r\n[ 1 , 2 ] , "b":"\\u00e9\\ud83d\\ude00\\/\\b\\f" } '
    assert json.loads(lua("result = args", text).result) == json.loads(text)


def test_half_a_surrogate_pair_becomes_a_replacement_character(lua):
    assert json.loads(lua("result = args", r'["\ud800","\udc00x","\ud800\u0041"]').result) == ["�", "�x", "�A"]


def test_a_metatable_cannot_reach_into_the_writer(lua):
    source = (
        "local loud = { __index = function() error('index') end, __len = function() return 5 end,"
        " __eq = function() error('eq') end, __pairs = function() error('pairs') end,"
        " __tostring = function() error('tostring') end, __name = 'x' }"
        " result = { a = setmetatable({ 1 }, loud), b = setmetatable({}, loud) }"
    )
    assert lua(source).result == '{"a":[1],"b":{}}'


def test_large_arguments_and_results_pass_unharmed(lua):
    from jobqueue.scripting.pool import Limits

    text = json.dumps({"rows": [{"id": n, "name": f"player {n}"} for n in range(60_000)]}, separators=(",", ":"))
    assert 2_000_000 < len(text) < 5_242_880
    assert lua("result = args", text, limits=Limits()).result == text
    big = lua("result = ('x'):rep(5242878)", limits=Limits())
    assert len(big.result) == 5_242_880
    assert lua("result = ('x'):rep(5242879)", limits=Limits()).status_code == 500
