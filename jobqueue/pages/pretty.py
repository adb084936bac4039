"""Texts of jobs laid out for reading. JSON: its tokens with line breaks and indents, its strings as people read them.

Never parsed and printed again: a player's id of 19 digits, 1.10, a key that comes twice and the order of keys are
facts that support looks at. What is no JSON is shown as it is. The stored text is kept beside it.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from html import escape

from django.utils.safestring import SafeString

from gs2admin.json_text import read_string, tokens

DEEPEST = 40
LONGEST = 400_000
# So much of the stored text stands on a page beside what is read of it.
RAW = 16_384
# JSON in a string is laid out too, and JSON in a string of that one.
NESTED = 4
_CLOSES = {"{": "}", "[": "]"}
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]")
# In a string these could be taken for its end, or for a line of the layout.
_MISLEADING = re.compile('["\n]')
# Marks for the ends of lines in a string; the stylesheet draws them, so that nobody copies them.
_LINE_ENDS = {
    "\r\n": '<span class="gs-lf gs-lf--cr" title="carriage return, line feed"></span>\n',
    "\n": '<span class="gs-lf" title="line feed"></span>\n',
}


@dataclass(frozen=True)
class Shown:
    """html: for a <pre>. stored: the text as it is stored, or its beginning. size: characters of the whole.

    complete: nothing is left out. is_read: html says something else than stored. is_json: the whole is one JSON text.
    """

    html: SafeString
    stored: str
    size: int
    complete: bool
    is_read: bool
    is_json: bool = False

    @cached_property
    def long(self) -> bool:
        """Whether it is better folded."""
        return self.html.count("\n") > 30

    @property
    def raw(self) -> str:
        """What stands beside it as it is stored; empty where that is the same."""
        return self.stored[:RAW] if self.is_read else ""

    @property
    def raw_complete(self) -> bool:
        """Whether that is all."""
        return self.size <= RAW and len(self.stored) >= self.size


def lay_out(found: list[str], string: Callable[[str, int], str], depth: int = 0) -> tuple[str, bool]:
    """JSON tokens with line breaks and indents, and whether all of them were taken.

    string(token, depth): what a string becomes. depth: of the first token.
    """
    out: list[str] = []
    length = place = 0
    while place < len(found):
        token = found[place]
        place += 1
        first = token[0]
        if first == '"':
            token = string(token, depth)
        elif first in "{[":
            if found[place : place + 1] == [_CLOSES[first]]:
                token += found[place]
                place += 1
            else:
                depth += 1
                token += _line(depth)
        elif first in "}]":
            depth -= 1
            token = _line(depth) + token
        elif first == ",":
            token += _line(depth)
        elif first == ":":
            token = ": "
        out.append(token)
        length += len(token)
        if length > LONGEST:
            return "".join(out), False
    return "".join(out), True


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, DEEPEST)


def read(token: str, depth: int = 0, level: int = 0) -> str:
    """A string token as HTML that is read; the last one of a text that was cut has no end."""
    whole = len(token) > 1 and token[-1] == '"' and (token[-2] != "\\" or tokens(token) is not None)
    text = read_string(token[1:-1] if whole else token[1:])
    end = '"' if whole else ""
    if whole and level < NESTED and text[:1] in ("{", "[") and '"' in text:
        inner = tokens(text)
        if inner is not None:
            return f'"{lay_out(inner, lambda each, at: read(each, at, level + 1), depth)[0]}"'
    html = escape(text, quote=False)
    misleading = _MISLEADING.search(text)
    if misleading:
        html = re.sub("\r?\n", lambda end: _LINE_ENDS[end[0]], html)
    if misleading or _RIGHT_TO_LEFT.search(text):
        html = f'<bdi class="gs-str">{html}</bdi>' if misleading else f"<bdi>{html}</bdi>"
    return f'"{html}{end}'


def shown(head: str, size: int) -> Shown:
    """The beginning of a text of `size` characters: JSON laid out and read, anything else as it is."""
    found = tokens(head, cut=len(head) < size)
    if found is None:
        return Shown(SafeString(escape(head, quote=False)), head, size, len(head) >= size, False)
    html, all_taken = lay_out(found, read)
    return Shown(SafeString(html), head, size, all_taken and len(head) >= size, html != head, True)


def shown_lines(head: str, size: int) -> Shown:
    """The beginning of printed lines: a line that is JSON is read, in its line; any other is as it is."""
    lines = head.split("\n")
    out = [_printed(line, cut=len(head) < size and place == len(lines)) for place, line in enumerate(lines, 1)]
    html = "\n".join(out)
    return Shown(SafeString(html), head, size, len(head) >= size, html != escape(head, quote=False))


def _printed(line: str, *, cut: bool) -> str:
    found = tokens(line, cut=cut) if "\\" in line and line.lstrip()[:1] in ('"', "{", "[") else None
    if found is None:
        return escape(line, quote=False)
    at, out = 0, []
    for token in found:
        start = line.index(token, at)
        out += [line[at:start], read(token, level=NESTED) if token[0] == '"' else token]
        at = start + len(token)
    return "".join([*out, line[at:]])
