"""JSON laid out for reading: outside of its strings every token stays as it came, inside they are read."""
from __future__ import annotations

import json
import re
from html import unescape

import pytest

from gs2admin.json_text import tokens
from jobqueue.pages.pretty import LONGEST, lay_out, shown, shown_lines

TRICKY = [
    '{"id":9007199254740993,"rate":1.10,"big":123456789012345678901234567890,"e":2E+5,"neg":-0.0}',
    '{"b":1,"a":2,"b":3}', "[]", "{}", "[{}]", '{"a":[],"b":{}}', '  { "a" : [ 1 , 2 ] }  ', '"text"', "1e400",
    '{"k":"a \\" , : { [ \\\\"}', '["\\u0000","日本","\\ud800"]', '{"a":"line\\nbreak"}', "[1e3,1E3,1.0,0.10,-0,1e-7]",
]


def as_it_came(token: str, _depth: int) -> str:
    return token


def read(text: str) -> str:
    """What a person reads of the text."""
    return unescape(re.sub(r"<[^>]+>", "", shown(text, len(text)).html))


@pytest.mark.parametrize("text", TRICKY)
def test_only_blanks_between_tokens_change(text):
    laid, whole = lay_out(tokens(text), as_it_came)
    assert whole and tokens(laid) == tokens(text)
    assert lay_out(tokens(laid), as_it_came)[0] == laid, "laying out twice changes nothing"
    assert "".join(tokens(text)) == re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda found: found[1] or "", text)


def test_it_reads_as_people_write_json():
    assert read('{"a":[1,{"b":null}],"c":{}}') == '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": {}\n}'


READ = [
    ('"\\u7adc\\u306e\\u5263"', '"竜の剣"'), ('"\\ud83d\\ude00"', '"😀"'), ('"\\u0645\\u0631\\u062d\\u0628\\u0627"', '"مرحبا"'),
    ('"say \\"hi\\""', '"say "hi""'), ('"c:\\\\dir"', '"c:\\dir"'), ('"a\\/b"', '"a/b"'), ('"\\u003cb\\u003e & \\u0027"', '"<b> & \'"'),
    ('"one\\ntwo"', '"one\ntwo"'), ('"one\\r\\ntwo"', '"one\ntwo"'), ('"\\t|"', '"\t|"'), ('"\\u202e"', '"\u202e"'), ('"\\u0000"', '"\0"'),
    ('"\\ud800"', '"\\ud800"'), ('"\\udc00\\ud800"', '"\\udc00\\ud800"'), ('"\\\\u7adc"', '"\\u7adc"'), ('"\\\\\\\\"', '"\\\\"'),
    ('{"k\\u00e9y":1.10}', '{\n  "kéy": 1.10\n}'), ('{"a":"[1,2]"}', '{\n  "a": "[1,2]"\n}'), ('"{\\"a\\":1e3}"', '"{\n  "a": 1e3\n}"'),
    ('{"body":"{\\"t\\":\\"\\\\u7adc \\\\\\"x\\\\\\"\\"}"}', '{\n  "body": "{\n    "t": "竜 "x""\n  }"\n}'),
    ('"{\\"a\\": not json}"', '"{"a": not json}"'), ("竜 is no JSON: \\u7adc", None), ('{"a":1} <b>\\u7adc', None), ("\\u7adc", None),
    ("NaN", None), ("[01]", None), ("[1,]", None), ("{'a':1}", None), ('["\\x"]', None), ('["a\nb"]', None), ("[" * 9_000, None), ("", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ)
def test_strings_are_read_and_what_is_no_json_is_shown_as_it_is(text, expected):
    assert read(text) == (text if expected is None else expected)
    found = shown(text, len(text))
    assert found.stored == text and found.complete and found.raw == (text if found.is_read else "")
    assert found.is_read == (expected not in (None, text)), "the stored text stands beside it where it differs"


def test_nothing_in_a_string_looks_like_the_end_of_it():
    forged = json.dumps({"note": 'x",\n  "admin": "true', "plain": "y"})
    html = shown(forged, len(forged)).html
    assert '"<bdi class="gs-str">x",<span class="gs-lf" title="line feed"></span>\n  "admin": "true</bdi>"' in html
    assert '"plain": "y"' in html
    assert 'gs-lf--cr" title="carriage return, line feed"' in shown('"a\\r\\nb"', 8).html
    assert "<bdi>" in shown('"\\u0645"', 8).html, "text from right to left turns around nothing beside it"


@pytest.mark.parametrize("text", ['{"a":"<script>"}', '"\\u003cscript\\u003e&amp;"', "<b>", '["&lt;"]', '"{\\"<i>\\":\\"<u>\\"}"'])
def test_markup_in_a_text_is_text(text):
    assert set(re.findall(r"<[^>]*>", shown(text, len(text)).html + shown_lines(text, len(text)).html)) <= {'<bdi class="gs-str">', "</bdi>"}


def test_every_beginning_of_a_json_text_is_read_as_far_as_it_goes():
    text = '{"a":[1.5,true,"\\u7adc \\ud83d\\ude00 \\"q\\""],"b":{"c":null,"d":"\\\\"},"e":-1e+5}'
    for length in range(1, len(text)):
        found = shown(text[:length], len(text))
        assert not found.complete and found.html.startswith("{") and ("竜" in found.html) == (length >= 22), text[:length]
        assert found.html != text[:length] or length < 2, "it is laid out"
    assert shown("not json \\u7adc", 99).html == "not json \\u7adc"


def test_printed_lines_are_read_where_they_are_json():
    text = 'got \\u7adc\n{"a": "\\u7adc \\"x\\"",  "n": 1.10}\n"\\u5263"\n\n[1, \\u7adc]\n["\\u0645"]\r'
    found = shown_lines(text, len(text))
    lines = unescape(re.sub(r"<[^>]+>", "", found.html)).split("\n")
    assert lines == ["got \\u7adc", '{"a": "竜 "x"",  "n": 1.10}', '"剣"', "", "[1, \\u7adc]", '["م"]\r']
    assert found.is_read and found.raw == text
    assert not shown_lines("plain\nlines", 11).is_read
    assert "剣" in shown_lines('"\\u5263 and', 99).html, "the last line may be cut"


def test_a_text_that_nests_for_ever_stays_small():
    laid, whole = lay_out(tokens("[" * 60_000, cut=True), as_it_came)
    assert not whole and len(laid) < LONGEST + 1_000
    deep = '"' + "\\" * 40_000 + '"'
    assert read(deep) == '"' + "\\" * 20_000 + '"'


def test_the_beginning_of_a_long_text_says_that_it_is_one():
    text = json.dumps({"items": list(range(50_000))})
    found = shown(text[:10_000], len(text))
    assert not found.complete and found.long and found.size == len(text)
    assert shown("plain", 5).html == "plain" and shown("plain", 5).complete
    assert len(shown(text[:60_000], len(text)).raw) < 20_000
