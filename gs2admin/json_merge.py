"""Changes a part of JSON text and leaves the rest as it was written: numbers, order and escapes of other members stay."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_DECODER = json.JSONDecoder()
_BLANKS = " \t\n\r"


def merged(text: str, patch: dict[str, Any]) -> str:
    """The text of an object with the patch in it (RFC 7396): null takes a member away, an object is merged, else it replaces.

    text: JSON text; what is no object counts as an empty one. Raises ValueError for what is not JSON.
    """
    members = list(_members(text))
    for key, value in patch.items():
        old = [raw for name, raw in members if name == key]
        if value is None:
            members = [member for member in members if member[0] != key]
            continue
        new = merged(old[-1] if old else "{}", value) if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)
        if not old:
            members.append((key, new))
            continue
        # Of a member that stands twice the last one counts; it is changed where the first one stood.
        place = next(index for index, member in enumerate(members) if member[0] == key)
        members = [member for index, member in enumerate(members) if member[0] != key or index == place]
        members[place] = (key, new)
    return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {raw}" for key, raw in members) + "}"


def is_object(text: str) -> bool:
    """Whether it is the JSON text of an object. Raises ValueError for what is not JSON."""
    return isinstance(json.loads(text), dict)


def _members(text: str) -> Iterator[tuple[str, str]]:
    """(key, text of the value) of an object, in order; nothing of anything else."""
    if not is_object(text):
        return
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, at = _DECODER.raw_decode(text, begin)
        yield key, text[begin:at]
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    """The place of the next character that is no blank."""
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
