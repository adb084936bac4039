"""JSON laid out for reading: every token stays as it came."""
from __future__ import annotations

import json
import re

import pytest

from jobqueue.pages.pretty import LONGEST, lay_out, shown

TRICKY = [
    '{"id":9007199254740993,"rate":1.10,"big":123456789012345678901234567890,"e":2E+5,"neg":-0.0}',
    '{"b":1,"a":2,"b":3}', "[]", "{}", "[{}]", '{"a":[],"b":{}}', '  { "a" : [ 1 , 2 ] }  ', '"text"', "1e400",
    '{"k":"a \\" , : { [ \\\\"}', '["\\u0000","日本","\\ud800"]', '{"a":"line\\nbreak"}',
]


def bare(text: str) -> str:
    """The text without blanks outside of its strings."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda found: found[1] or "", text)


@pytest.mark.parametrize("text", TRICKY)
def test_only_blanks_between_tokens_change(text):
    laid, whole = lay_out(text)
    assert whole and bare(laid) == bare(text)
    assert lay_out(laid)[0] == laid, "laying out twice changes nothing"


def test_it_reads_as_people_write_json():
    assert lay_out('{"a":[1,{"b":null}],"c":{}}')[0] == (
        '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": {}\n}'
    )


@pytest.mark.parametrize("text", ['{"a": tru', "not json", '{"a":1} trailing <b>', '["cut in the mid', "[1,2"])
def test_what_is_no_json_or_was_cut_is_shown_as_it_is(text):
    assert bare(lay_out(text)[0]) == bare(text)


def test_a_text_that_nests_for_ever_stays_small():
    laid, whole = lay_out("[" * 60_000)
    assert not whole and len(laid) < LONGEST + 1_000


def test_the_beginning_of_a_long_text_says_that_it_is_one():
    text = json.dumps({"items": list(range(50_000))})
    found = shown(text[:10_000], len(text))
    assert not found.complete and found.long and found.size == len(text)
    assert shown("plain", 5).text == "plain" and shown("plain", 5).complete
