"""JSON text laid out for reading, token by token: what is between the blanks stays exactly as it came.

Never parsed and printed again: a player's id of 19 digits, 1.10, a key that comes twice and the order of keys are
facts that support looks at.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

DEEPEST = 40
LONGEST = 400_000
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[-+.0-9eE]+|true|false|null|[{}\[\],:]', re.DOTALL)
_BLANK = re.compile(r"[ \t\r\n]*")
_CLOSES = {"{": "}", "[": "]"}


@dataclass(frozen=True)
class Shown:
    """text: for a <pre>. size: characters of the whole. complete: nothing is left out."""

    text: str
    size: int
    complete: bool

    @property
    def long(self) -> bool:
        """Whether it is better folded."""
        return self.text.count("\n") > 30


def lay_out(text: str) -> tuple[str, bool]:
    """The text with line breaks and indents between its tokens, and whether all of it was taken.

    What is no JSON token ends the layout; the rest follows as it is (the end of a text that was cut, for one).
    """
    out: list[str] = []
    depth = length = 0
    at = _BLANK.match(text, 0).end()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            out.append(text[at:])
            break
        token = found[0]
        at = _BLANK.match(text, found.end()).end()
        if token in "{[":
            if text[at : at + 1] == _CLOSES[token]:
                token, at = token + _CLOSES[token], _BLANK.match(text, at + 1).end()
            else:
                depth += 1
                token += _line(depth)
        elif token in "}]":
            depth = max(0, depth - 1)
            token = _line(depth) + token
        elif token == ",":
            token += _line(depth)
        elif token == ":":
            token = ": "
        out.append(token)
        length += len(token)
        if length > LONGEST:
            return "".join(out), False
    return "".join(out), True


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, DEEPEST)


def shown(head: str, size: int) -> Shown:
    """The beginning of a text of `size` characters, laid out if it begins like a JSON object or list."""
    if head.lstrip()[:1] not in ("{", "["):
        return Shown(head, size, len(head) >= size)
    text, all_taken = lay_out(head)
    return Shown(text, size, all_taken and len(head) >= size)
