"""What the answer of a metrics server says: the values of its series, or why they cannot be judged.

The answer is that of GET /api/v1/query_range: {"status", "data": {"resultType": "matrix", "result": [{"metric", "values":
[[seconds, "text"], …]}]}, "warnings", "infos"} (prometheus.io, HTTP API). Thanos and Mimir say in `warnings` that stores did
not answer, VictoriaMetrics in `isPartial`.
"""
from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from stages.steps.text import clean_line, shortened

# As Go prints numbers. float() would take "1_000", "١" and " 1 " as well.
_NUMBER = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf(?:inity)?|[nN]a[nN])", re.ASCII)
# The one remark that says nothing about the data: the name of the metric does not end as those of counters do.
_HARMLESS = "metric might not be a counter"
TYPES = {
    "vector": "values of one moment", "scalar": "one number without a series", "string": "a text",
    "streams": "lines of a log",
}
LONGEST = 300


class Missing(Exception):
    """The data is not there, or not all of it; it may come later. str() is the end of a sentence."""


class Unreadable(Exception):
    """This is no answer that can be judged, now or later. str() is the end of a sentence."""


@dataclass(frozen=True)
class Series:
    """The values of one series over the interval, at least one and none of them NaN. labels: as Prometheus writes them."""

    labels: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Answer:
    """At least one series. remarks: what the server noted that does not concern the data."""

    series: tuple[Series, ...]
    remarks: tuple[str, ...] = ()


def read(body: bytes, *, several: bool) -> Answer:
    """The answer in that body. several: whether more than one series may be there.

    Raises Missing for no series, NaN, and whatever the server warns of; Unreadable for all that is not such an answer.
    """
    answer = _object(_parsed(body), "the answer")
    if answer.get("status") != "success":
        raise Unreadable(error_of(body) or f"the status is {_quoted(answer.get('status'))}, not success")
    data = _object(answer.get("data"), "data")
    kind = data.get("resultType")
    if kind != "matrix":
        what = f" ({TYPES[kind]})" if isinstance(kind, str) and kind in TYPES else ""
        raise Unreadable(f"the type of the result is {_quoted(kind)}{what}, not matrix (values over time)")
    rows = _list(data.get("result"), "result")
    remarks = _remarks(answer)
    if not rows:
        raise Missing("the query has no series")
    if len(rows) > 1 and not several:
        raise Unreadable(
            f"the query has {len(rows)} series and one is needed: put them together in the query, such as with sum() or max(), "
            "or let the worst series decide"
        )
    return Answer(tuple(_series(row) for row in rows), remarks)


def error_of(body: bytes) -> str:
    """What an answer with "status": "error" says, as the end of a sentence; "" for any other body."""
    try:
        answer = _parsed(body)
    except Unreadable:
        return ""
    if not isinstance(answer, dict) or answer.get("status") != "error":
        return ""
    said = [_text(answer[name]) for name in ("errorType", "error") if answer.get(name)]
    return f"the server says {': '.join(said) or 'error, and nothing more'}"


def _parsed(body: bytes) -> Any:
    if not body.strip():
        raise Unreadable("the answer is empty")
    try:
        return json.loads(body)
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None
    except ValueError:
        packed = body.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))
        begins = "which is compressed" if packed else f"which begins {_quoted(clean_line(body[:200]))}"
        raise Unreadable(f"the answer is not JSON, {begins}") from None


def _remarks(answer: dict[str, Any]) -> tuple[str, ...]:
    """The harmless remarks. Raises Missing for every other one: what the server left out is not judged."""
    if answer.get("isPartial"):
        raise Missing("the server says that the answer is partial")
    said = [_text(each) for name in ("warnings", "infos") for each in _texts(answer.get(name))]
    if wrong := [text for text in said if _HARMLESS not in text]:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise Missing(f"the server warns: {wrong[0]}{more}")
    return tuple(said[:5])


def _texts(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given] if given else []


def _series(row: Any) -> Series:
    row = _object(row, "a series")
    labels = _labels(row.get("metric"))
    if row.get("histograms"):
        raise Unreadable("the result holds histograms: make numbers of them in the query, such as with histogram_quantile()")
    values = [_value(pair) for pair in _list(row.get("values"), "the values of a series")]
    where = f" of {labels}" if labels else ""
    if not values:
        raise Missing(f"the series{where} has no values")
    nans = sum(map(math.isnan, values))
    if nans:
        raise Missing(f"{nans} of {len(values)} values{where} {'is' if nans == 1 else 'are'} NaN, which is no number "
                      "(nothing was divided by nothing?)")
    return Series(labels, tuple(values))


def _value(pair: Any) -> float:
    if not isinstance(pair, list) or len(pair) != 2 or isinstance(pair[0], bool) or not isinstance(pair[0], int | float):
        raise Unreadable(f"{_quoted(pair)} is not a time and a value")
    given = pair[1]
    if isinstance(given, str) and _NUMBER.fullmatch(given):
        return float(given)
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            return float(given)
        except OverflowError:
            return math.inf if given > 0 else -math.inf
    raise Unreadable(f"the value {_quoted(given)} is no number")


def _labels(given: Any) -> str:
    if not isinstance(given, dict) or not given:
        return ""
    name = _text(given.get("__name__", ""))
    pairs = ", ".join(f'{_text(key)}="{_text(value)}"' for key, value in sorted(given.items()) if key != "__name__")
    return shortened(f"{name}{{{pairs}}}" if pairs else name, LONGEST)


def _object(given: Any, what: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Unreadable(f"{what} is {_kind(given)}, not an object")
    return given


def _list(given: Any, what: str) -> list[Any]:
    if not isinstance(given, list):
        raise Unreadable(f"{what} is {_kind(given)}, not a list")
    return given


def _kind(given: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "missing"}
    return names.get(type(given), "a number")


def _text(given: Any) -> str:
    try:
        return shortened(clean_line(given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)), LONGEST)
    except RecursionError:
        return "…"


def _quoted(given: Any) -> str:
    return shortened(f'"{_text(given)}"' if isinstance(given, str) else _text(given), 60)
