"""JSON's ways to write a text: each is read as the same, and found by the same words."""
from __future__ import annotations

import json
import re
import time

import pytest

from gs2admin.json_text import compact, needles, pattern, read_line, read_string, tokens

VALID = [
    "1", "-0", "0.10", "1e3", "1E+3", "-1.5e-7", "true", "false", "null", '""', '"a"', "[]", "{}", " [ ] ", "[[],{}]", '{"a":{"b":[1,"c",null]}}',
    '{"a":1,"a":2}', '"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\"\\\\"', "[1,2\t,\r\n3]", '"\u2028\x7f"', "[" * 50 + "]" * 50, '"\\ud800"',
]  # fmt: skip
INVALID = [
    "", " ", "{", "[", "]", "}", "[1,", "[1,]", "[,1]", '{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', "{a:1}", "{1:2}", "01", "-", "+1", "1.", ".5", "1e", "1e+", "--1", "1 2",
    "nul", "truex", "TRUE", "NaN", "Infinity", '"a', "'a'", '"\\x"', '"\\u12"', '"\\', '"\n"', '"\x00"', "[1}", '{"a":1]', '{"a" 1}', "[1 2]", '["a":1]', "\ufeff1", "0x10", "1_0",
    '""""', ":", ",", '{"a":1}}', "[1]]", "1,2", "-01", "1.e3",
]  # fmt: skip


@pytest.mark.parametrize("text", VALID)
def test_tokens_of_what_python_reads_as_json(text):
    json.loads(text)
    assert json.loads("".join(tokens(text))) == json.loads(text)
    for length in range(1, len(text)):
        if text[:length].strip():
            assert tokens(text[:length], cut=True) is not None, text[:length]


@pytest.mark.parametrize("text", INVALID)
def test_no_tokens_of_what_is_no_json(text):
    with pytest.raises(ValueError):
        json.loads(text, parse_constant=lambda word: int("no"))
    assert tokens(text) is None


@pytest.mark.parametrize("text", ["x", "[1 2", '{"a" 1', "{1", "[}", '"a" "', "[01", '["\\x', "tru e", "[1]]", '{"a":1,2', "}"])
def test_a_beginning_that_no_json_text_has(text):
    assert tokens(text, cut=True) is None


# ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = [
    "竜の剣", 'say "hi"', "c:\\dir", "c:\\new\\table", "\\\\server\\share", "مرحبا بالعالم", "שלום", "สวัสดี", "नमस्ते", "Привет", "Γειά σου", "안녕하세요",
    "😀", "👩‍⚕️ ok", "x😀y", "a/b", "https://e.example/?a=1&b=2", "it's <b>", "100%_*.+?^$|(){}[]", "tab\there", "line\nnext", "é", "e\u0301", "\u202eevil",
    '"', "\\", "\\\\", '\\"', '"\\', '{"a":1}', '"name":"竜"', "\x7f", "a\u2028b", "#-~ &", "Sword", " leading", "\x01",
]  # fmt: skip


def upper(text: str) -> str:
    return re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda found: found[0].upper(), text)


def written(text: str, levels: int = 3) -> set[str]:
    """Every way in which encoders write the text into a string, and that into strings again."""
    found = {text}
    for level in range(levels):
        inner = set()
        for each in found:
            plain, ascii_only = json.dumps(each, ensure_ascii=False)[1:-1], json.dumps(each)[1:-1]
            html = re.sub(r"[<>&'+/]", lambda char: f"\\u{ord(char[0]):04x}", ascii_only)
            every = "".join(json.dumps(char)[1:-1] if char > "\x7f" else f"\\u{ord(char):04x}" for char in each)
            mixed = "".join(json.dumps(char, ensure_ascii=place % 2 == 0)[1:-1] for place, char in enumerate(each))
            inner |= {plain, ascii_only, upper(ascii_only), plain.replace("/", "\\/"), html, upper(html), mixed}
            if not level:  # nobody escapes the letters of an escape
                inner.add(every)
        found |= inner if len(found) < 40 else set(sorted(inner)[:200])
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_found_in_every_way_in_which_json_writes_it(text):
    finds = re.compile(pattern(text))
    for each in written(text):
        assert finds.search(f'{{"k":"x{each}y"}}'), each
        for pair in needles(read_string(text)):
            assert any(needle.lower() in each.lower() for needle in pair), (pair, each)
    for other in ("", "{}", '{"k":"x"}', '{"k":"\\u7adc\\u306e\\u5f13"}', "c:/dir", "sayhi", "\\\\ud83d"):
        assert not finds.search(other) or text in json.dumps(other), other


@pytest.mark.parametrize(("typed", "stored"), [
    ("\\u7adc\\u306e\\u5263", "竜の剣"), ("\\u7ADC\\u306E", "竜の剣"), ("\\u7adc", '"\\u7ADC"'), ("\\ud83d\\ude00", "😀"), ('say \\"hi\\"', 'say "hi"'),
    ('say \\"hi\\"', 'say \\u0022hi\\u0022'), ("c:\\\\dir", '"c:\\\\dir"'), ("a\\/b", "a/b"), ("a/b", "a\\/b"), ("\\\\u7adc", "\\\\\\\\u7adc"), ("one\\ntwo", '"one\\ntwo"'),
    ("\\u0000", '"\\u0000"'), ("\\ud800", '"\\ud800"'), ("\\ud800", '"\\uD800"'),
])  # fmt: skip
def test_the_escaped_form_finds_the_other_ones(typed, stored):
    assert re.search(pattern(typed), stored, re.IGNORECASE)


def test_blanks_of_the_layout_need_not_be_there():
    assert compact('"a": 1,\n  "b"') == '"a":1,"b"' and compact("a, b : c") == "a,b :c"


def test_a_search_takes_a_time_that_grows_with_the_text():
    """Milliseconds for what takes minutes by a careless expression."""
    longs = ["\\" * 100_000, '\\"' * 50_000, "\\u005c" * 16_000, "a\\" * 50_000, '"' * 100_000, "\\u7adc" * 16_000]
    for text in ("竜の弓", 'a\\"b', '\\\\"x', '""', "\\", 'a\\\\b"c', '"x'):
        finds = re.compile(pattern(text))
        for long in longs:
            began = time.process_time()
            finds.search(f"a{long}z")
            assert time.process_time() - began < 0.5


@pytest.mark.parametrize(("text", "said"), [
    ('{"a": "\\u7adc", "n": 1.10}', '{"a": "竜", "n": 1.10}'), ('["say \\"hi\\""]', '["say "hi""]'), ("no \\u7adc", "no \\u7adc"), ('"cut \\u7adc', '"cut 竜'),
    ('{"a":"{\\"b\\":\\"\\\\u7adc\\\\n\\"}"}', '{"a":"{"b":"竜\n"}"}'), ('["\\ud83d\\ude00","\\ud83d', '["😀","\\ud83d'), ('["x\\', '["x\\'), ('{"\\u7adc":[', '{"竜":['),
])  # fmt: skip
def test_a_line_is_read_with_its_blanks_and_its_numbers(text, said):
    assert read_line(text, cut=True) == said
