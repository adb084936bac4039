"""Answers of a metrics server, and what each means for a metric: judged by hand, beside the answer.

ANSWERS: (name, how the metric decides, the answer or the answers of canary and base, the verdict). A verdict is "good", "bad",
or why there is none: "missing: …" and "unreadable: …" with a part of the sentence.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Raw:
    """One HTTP answer. how: "whole", "cut" (closed before its announced end) or "silent" (nothing is sent)."""

    body: bytes
    status: int = 200
    how: str = "whole"
    headers: tuple[tuple[str, str], ...] = ()


def answer(*series: list[Any], kind: str = "matrix", **more: Any) -> Raw:
    """A successful answer with these series: each the texts of its values; of the types but matrix the result as it is."""
    result = list(series)
    if kind == "matrix":
        result = [
            {"metric": {"pod": f"p{place}"}, "values": [[1_700_000_000 + 15 * at, text] for at, text in enumerate(texts)]}
            for place, texts in enumerate(series)
        ]
    return Raw(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode())


def body(value: Any, **more: Any) -> Raw:
    """Any JSON."""
    return Raw(json.dumps(value).encode(), **more)


def text(value: str, **more: Any) -> Raw:
    """Any text."""
    return Raw(value.encode(), **more)


def error(status: int, kind: str, sentence: str) -> Raw:
    """An error as Prometheus answers it."""
    return body({"status": "error", "errorType": kind, "error": sentence}, status=status)


LOW = {"better": "lower", "threshold": 0.05}
HIGH = {"better": "higher", "threshold": 0.95}
WORSE = {"series": "worst"}
# With a base the threshold is percent: at most 10 % more errors, or at most 10 % fewer sales.
LOW_BASE = {"better": "lower", "threshold": 10}
HIGH_BASE = {"better": "higher", "threshold": 10}
SUCCESS = {"status": "success"}
MATRIX = {"resultType": "matrix"}

NUMBERS = [
    ("all within", LOW, answer(["0.01", "0.02"]), "good"),
    ("exactly the limit", LOW, answer(["0.05", "0.05", "0.05"]), "good"),
    ("just over it", LOW, answer(["0.0501"]), "bad"),
    ("+Inf among good ones", LOW, answer(["0.01", "+Inf", "+Inf", "+Inf"]), "bad"),
    ("one +Inf of many", LOW, answer(["0"] * 30 + ["+Inf"]), "bad"),
    ("+Inf alone", LOW, answer(["+Inf"]), "bad"),
    ("Inf without a sign", LOW, answer(["Inf"]), "bad"),
    ("-Inf alone is lower than any limit", LOW, answer(["-Inf"]), "good"),
    ("-Inf does not hide what is bad", LOW, answer(["-Inf", "0.5"]), "bad"),
    ("-Inf beside good ones", LOW, answer(["-Inf", "0.01"]), "good"),
    ("+Inf and -Inf", LOW, answer(["-Inf", "+Inf"]), "bad"),
    ("too large for a float", LOW, answer(["1e999"]), "bad"),
    ("large, and their sum is too large", LOW, answer(["1e308", "1e308"]), "bad"),
    ("negative", LOW, answer(["-3"]), "good"),
    ("as JSON numbers", LOW, body({**SUCCESS, "data": {**MATRIX, "result": [{"metric": {}, "values": [[1, 0.01]]}]}}), "good"),
    ("a JSON number of 400 digits", LOW,
     body({**SUCCESS, "data": {**MATRIX, "result": [{"metric": {}, "values": [[1, 10**400]]}]}}), "bad"),
    ("higher: all within", HIGH, answer(["0.99", "0.96"]), "good"),
    ("higher: below", HIGH, answer(["0.99", "0.8"]), "bad"),
    ("higher: -Inf among good ones", HIGH, answer(["0.99", "-Inf"]), "bad"),
    ("higher: -Inf alone", HIGH, answer(["-Inf"]), "bad"),
    ("higher: +Inf is above any limit", HIGH, answer(["+Inf"]), "good"),
    ("higher: +Inf does not hide what is bad", HIGH, answer(["+Inf", "0.1"]), "bad"),
]
ABSENT = [
    ("no series", LOW, answer(), "missing: no series"),
    ("a series without values", LOW, answer([]), "missing: has no values"),
    ("NaN alone", LOW, answer(["NaN"]), "missing: 1 of 1 values"),
    ("NaN among good ones", LOW, answer(["0.01", "NaN", "NaN"]), "missing: 2 of 3 values"),
    ("NaN beside +Inf", LOW, answer(["+Inf", "NaN"]), "missing: 1 of 2 values"),
    ("higher: NaN", HIGH, answer(["0.99", "NaN"]), "missing: NaN"),
    ("NaN as JSON does not have it", LOW, text(
        '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,NaN]]}]}}'), "missing: NaN"),
    ("a warning", LOW, answer(["0.01"], warnings=["fetch from store 10.0.0.7: deadline exceeded"]), "missing: deadline exceeded"),
    ("a warning that is a text", LOW, answer(["0.01"], warnings="one store is away"), "missing: one store is away"),
    ("a partial answer", LOW, answer(["0.01"], isPartial=True), "missing: partial"),
    ("a remark about left out data", LOW, answer(["0.01"], infos=["PromQL info: ignored histograms"]), "missing: ignored histograms"),
    ("a warning beside no series", LOW, answer(warnings=["no store answered"]), "missing: no store answered"),
    ("a harmless remark", LOW, answer(["0.01"], infos=['PromQL info: metric might not be a counter, name "errors"']), "good"),
    ("no warning", LOW, answer(["0.01"], warnings=[], infos=None, isPartial=False), "good"),
]
SERIES = [
    ("two series", LOW, answer(["0.01"], ["0.9"]), "unreadable: 2 series"),
    ("two good series", LOW, answer(["0.01"], ["0.01"]), "unreadable: 2 series"),
    ("the worst of two", LOW | WORSE, answer(["0.01"], ["0.09"]), "bad"),
    ("whose mean would be good", LOW | WORSE, answer(["0.0"], ["0.0"], ["0.0"], ["0.06"]), "bad"),
    ("all good", LOW | WORSE, answer(["0.01"], ["0.04"]), "good"),
    ("higher: the worst of two", HIGH | WORSE, answer(["0.99"], ["0.5"]), "bad"),
    ("one of them +Inf", LOW | WORSE, answer(["0.01"], ["+Inf"]), "bad"),
    ("one of them NaN", LOW | WORSE, answer(["0.01"], ["NaN"]), 'missing: {pod="p1"}'),
    ("one of them empty", LOW | WORSE, answer(["0.01"], []), 'missing: {pod="p1"} has no values'),
    ("one series is the worst", LOW | WORSE, answer(["0.01"]), "good"),
]
BASES = [
    ("as much worse as allowed", LOW_BASE, (answer(["110"]), answer(["100"])), "good"),
    ("more", LOW_BASE, (answer(["111"]), answer(["100"])), "bad"),
    ("both nothing", LOW_BASE, (answer(["0"]), answer(["0"])), "good"),
    ("from nothing to something", LOW_BASE, (answer(["0.1"]), answer(["0"])), "bad"),
    ("from nothing to less", LOW_BASE, (answer(["-1"]), answer(["0"])), "good"),
    ("higher: from nothing to less", HIGH_BASE, (answer(["-1"]), answer(["0"])), "bad"),
    ("higher: fewer, as allowed", HIGH_BASE, (answer(["90"]), answer(["100"])), "good"),
    ("higher: too few", HIGH_BASE, (answer(["89"]), answer(["100"])), "bad"),
    ("+Inf against a number", LOW_BASE, (answer(["+Inf", "1"]), answer(["1"])), "bad"),
    ("+Inf against +Inf", LOW_BASE, (answer(["+Inf"]), answer(["+Inf"])), "bad"),
    ("a number against +Inf", LOW_BASE, (answer(["1"]), answer(["+Inf"])), "missing: +Inf at times"),
    ("higher: a number against -Inf", HIGH_BASE, (answer(["1"]), answer(["-Inf", "1"])), "missing: -Inf at times"),
    ("an empty base", LOW_BASE, (answer(["1"]), answer()), "missing: of what it is compared with, the query has no series"),
    ("a base of NaN", LOW_BASE, (answer(["1"]), answer(["NaN"])), "missing: of what it is compared with, 1 of 1"),
    ("a warned base", LOW_BASE, (answer(["1"]), answer(["1"], warnings=["partial"])), "missing: of what it is compared with"),
    ("a base of two series", LOW_BASE, (answer(["1"]), answer(["1"], ["2"])), "unreadable: of what it is compared with, the query"),
    ("the worst against the best", LOW_BASE | WORSE, (answer(["1"], ["2"]), answer(["1"], ["2"])), "bad"),
    ("all as the base", LOW_BASE | WORSE, (answer(["1"], ["1"]), answer(["1"], ["1"])), "good"),
    ("an empty canary", LOW_BASE, (answer(), answer(["1"])), "missing: the query has no series"),
    ("a base that is down", LOW_BASE, (answer(["1"]), text("", status=503)), "unreadable: of what it is compared with"),
]
WRONG = [
    ("a vector", LOW, answer({"metric": {}, "value": [1, "0.01"]}, kind="vector"), 'unreadable: "vector" (values of one moment)'),
    ("a scalar", LOW, answer(1, "0.01", kind="scalar"), 'unreadable: "scalar" (one number'),
    ("a string", LOW, answer(1, "ok", kind="string"), 'unreadable: "string" (a text)'),
    ("lines of a log", LOW, answer(kind="streams"), 'unreadable: "streams" (lines of a log)'),
    ("no type", LOW, body({**SUCCESS, "data": {"result": []}}), "unreadable: type of the result is null"),
    ("a native histogram", LOW, body({**SUCCESS, "data": {**MATRIX, "result": [
        {"metric": {}, "histograms": [[1, {"count": "4", "sum": "1"}]]}]}}), "unreadable: histograms"),
    ("a value that is a word", LOW, answer(["ok"]), 'unreadable: the value "ok" is no number'),
    ("an empty value", LOW, answer([""]), 'unreadable: the value "" is no number'),
    ("a value with a separator", LOW, answer(["1_0"]), 'unreadable: the value "1_0"'),
    ("no value", LOW, answer([None]), "unreadable: the value null"),
    ("true", LOW, answer([True]), "unreadable: the value true"),
    ("a pair of one", LOW, body({**SUCCESS, "data": {**MATRIX, "result": [{"metric": {}, "values": [[1]]}]}}), "unreadable: [1] is not"),
    ("no values", LOW, body({**SUCCESS, "data": {**MATRIX, "result": [{"metric": {}}]}}), "unreadable: values of a series is missing"),
    ("a series that is a text", LOW, body({**SUCCESS, "data": {**MATRIX, "result": ["x"]}}), "unreadable: a series is a text"),
    ("a result that is an object", LOW, body({**SUCCESS, "data": {**MATRIX, "result": {}}}), "unreadable: result is an object"),
    ("no data", LOW, body(SUCCESS), "unreadable: data is missing"),
    ("another JSON", LOW, body({"health": "ok"}), "unreadable: the status is null"),
    ("a list", LOW, body([1]), "unreadable: the answer is a list"),
    ("null", LOW, body(None), "unreadable: the answer is missing"),
    ("a page", LOW, text("<html><title>Sign in</title>"), 'unreadable: not JSON, which begins "<html>'),
    ("nothing at all", LOW, text(""), "unreadable: the answer is empty"),
    ("blanks", LOW, text(" \n "), "unreadable: the answer is empty"),
    ("half a JSON", LOW, text('{"status":"succ'), "unreadable: not JSON"),
    ("compressed", LOW, Raw(b"\x1f\x8b\x08\x00abc"), "unreadable: not JSON, which is compressed"),
    ("no UTF-8", LOW, Raw(b'{"status": "\xff"}'), "unreadable: not JSON"),
    ("nested 20,000 times", LOW, text("[" * 20_000), "unreadable: nested too deeply"),
    ("control characters and half a pair", LOW, body({"status": "error", "error": "a\u0000b\ud800c\u202ed"}), "unreadable: says ab\ufffdcd"),
    ("an error with status 200", LOW, error(200, "execution", "too many samples"), "unreadable: execution: too many samples"),
    ("an error in the query", LOW, error(400, "bad_data", "parse error: no }"), "unreadable: 400: the server says bad_data: parse error"),
    ("a server that is too busy", LOW, error(503, "timeout", "query timed out"), "unreadable: 503: the server says timeout"),
    ("not found", LOW, text("404 page not found", status=404), "unreadable: answered 404: 404 page not found"),
    ("forbidden", LOW, text("", status=403), "unreadable: answered 403"),
    ("a right answer with a wrong status", LOW, Raw(answer(["0.01"]).body, status=500), "unreadable: answered 500"),
    ("no content", LOW, text("", status=204), "unreadable: answered 204"),
    ("a redirect", LOW, text("", status=302, headers=(("Location", "/login"),)), "unreadable: answered 302, a redirect"),
    ("huge", LOW, answer(["0.01"] * 9000), "unreadable: longer than 64 KiB"),
    ("cut off", LOW, Raw(answer(["0.01"]).body, how="cut"), "unreadable: did not come to its end"),
    ("silence", LOW, Raw(b"", how="silent"), "unreadable: no answer within"),
]
ANSWERS = NUMBERS + ABSENT + SERIES + BASES + WRONG
