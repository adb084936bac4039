"""Marks in finished HTML, so that no template and no tag can forget them; see gs2admin.unseen for which characters.

- In text: a span with the character's name as its tooltip. Where markup is not allowed (options, titles, drawings) and in
  attributes that people read: the mark as text.
- The values of fields, links and other attributes stay as they are, byte by byte, because they are sent back; beside a
  field with such a value stands what it holds.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from itertools import count

from gs2admin.text import shortened
from gs2admin.unseen import mark, name_of, replaced, shown, suspect

_TOKEN = re.compile(r"""<!--.*?-->|<(/?)([a-zA-Z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.S)
_READ = re.compile(
    r"""(\s(?:title|alt|placeholder|label|aria-label|aria-description|aria-valuetext|data-say|hx-confirm)=)("[^"]*"|'[^']*')""",
    re.I,
)
_VALUE = re.compile(r"""\svalue=("[^"]*"|'[^']*')""", re.I)
_HIDDEN = re.compile(r"""\stype=["'](?:hidden|submit|button|checkbox|radio)["']""", re.I)
# In these a browser takes no markup.
_BARE = frozenset({"title", "option", "svg"})
_RAW = frozenset({"script", "style", "textarea"})
# So many lines or names are said beside a field, and so many characters of a line.
_NAMED, _LINE = 5, 200
# So many marks of a page have a tooltip. A span is a hundred times as long as what it stands for, a bare mark a few times.
_SPANS = 2_000


def marked(text: str) -> str:
    """A text as HTML: escaped, with marks."""
    html = escape(text)
    return replaced(html, _span) if suspect(html) else html


def mark_html(body: bytes) -> bytes:
    """A page, or a part of one, in UTF-8, with marks; the same object when it needs none."""
    if not suspect(body):
        return body
    html = body.decode("utf-8", "replace")
    out: list[str] = []
    bare: list[str] = []
    raw, began, at = "", 0, 0
    left = count(_SPANS, -1)

    def by(char: str) -> str:
        return _span(char) if next(left) > 0 else mark(char)

    for tag in _TOKEN.finditer(html):
        closing, name = tag[1] == "/", (tag[2] or "").lower()
        if raw and not (closing and name == raw):
            continue  # what looks like a tag inside of a textarea
        text = html[at : tag.start()]
        at = tag.end()
        if raw:
            out += [text, tag[0]]
            if raw == "textarea":
                out.append(_note(html[began : tag.start()], lines=True))
            raw = ""
            continue
        out.append(_text(text, bool(bare), by))
        out.append(_tag(tag[0], name))
        if closing:
            if bare and bare[-1] == name:
                bare.pop()
        elif name in _RAW:
            raw, began = name, at
        elif name in _BARE:
            bare.append(name)
    rest = html[at:]
    out.append(rest if raw else _text(rest, bool(bare), by))
    return "".join(out).encode()


def _text(text: str, bare: bool, by: Callable[[str], str]) -> str:
    if not text or not suspect(text):
        return text
    return replaced(text, mark if bare else by)


def _span(char: str) -> str:
    return f'<span class="gs-unseen" data-char="{ord(char):x}" title="{name_of(char)}">{mark(char)}</span>'


def _tag(tag: str, name: str) -> str:
    if not suspect(tag):
        return tag
    tag = _READ.sub(lambda found: found[1] + shown(found[2]), tag)
    if name == "input" and not _HIDDEN.search(tag):
        value = _VALUE.search(tag)
        return tag + _note(value[1][1:-1]) if value else tag
    return tag


def _note(html: str, *, lines: bool = False) -> str:
    """What a field holds that cannot be seen: of one line the names, of several lines these lines with marks."""
    if not suspect(html):
        return ""
    text = unescape(html)
    if not lines:
        found: dict[str, None] = {}
        replaced(text, lambda char: found.setdefault(name_of(char)) or "")
        said = [escape(name) for name in found]
    else:
        # A browser takes no notice of a line feed at the beginning.
        numbered = enumerate(text.removeprefix("\r").removeprefix("\n").split("\n"), 1)
        said = [
            f"<code>{number}: {marked(shortened(line, _LINE))}</code>" for number, line in numbered if shown(line) != line
        ]
    if not said:
        return ""
    more = f", and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return f'<small class="gs-unseen-note">Holds what cannot be seen: {", ".join(said[:_NAMED])}{more}</small>'
