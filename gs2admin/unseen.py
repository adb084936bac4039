"""Characters that cannot be seen or that reorder what is around them, shown as marks.

By Unicode category:
- marked: control characters (Cc) but tab and line feed, and a carriage return before a line feed; format characters (Cf:
  bidirectional marks, embeddings, overrides and isolates, zero width, byte order mark, soft hyphen, tags); line and paragraph
  separators (Zl, Zp); the other characters that Unicode calls ignorable or blank (fillers, grapheme joiner, variation
  selectors, braille blank); noncharacters.
- left alone, because text is written with them: number signs of Arabic and its neighbours (Cf, but drawn); a zero width joiner
  between emoji; a joiner or non-joiner between letters of a script that joins; one variation selector behind a character
  that has variants; the tags of a flag. Spaces of every width (Zs) and private use are drawn, or blank as they look.

Letters of any script, Arabic and Hebrew too, are never touched.
"""
from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# Code points that may need a mark, as ranges; tests/test_unseen.py compares them with Unicode's categories.
_RANGES = (
    (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164),
    (0xFDD0, 0xFDEF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    *((plane << 16 | 0xFFFE, plane << 16 | 0xFFFF) for plane in range(17)),
)
_SET = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _RANGES)
_ANY = re.compile(f"[{_SET}]")
# What is legitimate stands first, so that it is passed over: a flag of tags, and the end of a line.
_EACH = re.compile(f"\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{3,6}}\U000e007f|\r\n|[{_SET}]")
_JOINERS = "\u200c\u200d"
_ZWJ = "\u200d"
# Printable ASCII, tab and line feed: what is left of a page without them is short, and tells whether it needs a look.
_PLAIN = bytes([0x09, 0x0A, *range(0x20, 0x7F)])
# Unicode has no names for these.
_CONTROLS = (
    "NULL, START OF HEADING, START OF TEXT, END OF TEXT, END OF TRANSMISSION, ENQUIRY, ACKNOWLEDGE, BELL, "
    "BACKSPACE, TAB, LINE FEED, LINE TABULATION, FORM FEED, CARRIAGE RETURN, SHIFT OUT, SHIFT IN, DATA LINK ESCAPE, "
    "DEVICE CONTROL ONE, DEVICE CONTROL TWO, DEVICE CONTROL THREE, DEVICE CONTROL FOUR, NEGATIVE ACKNOWLEDGE, "
    "SYNCHRONOUS IDLE, END OF TRANSMISSION BLOCK, CANCEL, END OF MEDIUM, SUBSTITUTE, ESCAPE, FILE SEPARATOR, "
    "GROUP SEPARATOR, RECORD SEPARATOR, UNIT SEPARATOR"
)
_NAMES = dict(enumerate(_CONTROLS.split(", "))) | {0x7F: "DELETE"}


def suspect(text: str | bytes) -> bool:
    """Whether a text, or one in UTF-8, may need a mark. Quick: about 1 ns per byte of ASCII."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    rest = raw.translate(None, _PLAIN)
    return bool(rest) and _ANY.search(rest.decode("utf-8", "replace")) is not None


def shown(text: str) -> str:
    """The text with every character that cannot be seen as a mark: ␛ for control characters, else [U+202E]."""
    return replaced(text, mark) if suspect(text) else text


def replaced(text: str, by: Callable[[str], str]) -> str:
    """The text with every character that needs a mark replaced by by(character)."""
    def each(found: re.Match[str]) -> str:
        char = found[0]
        return char if len(char) > 1 or _belongs(text, found.start(), char) else by(char)

    return _EACH.sub(each, text)


def mark(char: str) -> str:
    """The mark of one character, as plain text."""
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return chr(0x2421 if code == 0x7F else 0x2400 + code)
    return f"[U+{code:04X}]"


def name_of(char: str) -> str:
    """Its number and name, for tooltips: "U+202E RIGHT-TO-LEFT OVERRIDE"."""
    code = ord(char)
    name = _NAMES.get(code) or unicodedata.name(char, "CONTROL CHARACTER" if code < 0xA0 else "UNNAMED CHARACTER")
    return f"U+{code:04X} {name}"


def _belongs(text: str, at: int, char: str) -> bool:
    """Whether the character at `at` is part of how its neighbours are written."""
    before, behind = text[at - 1 : at], text[at + 1 : at + 2]
    if char in _JOINERS:
        return (char == _ZWJ and _emoji(before) and _emoji(behind)) or (_joining(before) and _joining(behind))
    code = ord(char)
    if code in (0xFE0E, 0xFE0F):
        return bool(before) and (before in "0123456789#*" or _pictographic(before))
    if 0x180B <= code <= 0x180F and code != 0x180E:
        return "\u1820" <= before <= "\u18aa"
    if 0xFE00 <= code <= 0xFE0D or 0xE0100 <= code <= 0xE01EF:
        return bool(before) and unicodedata.category(before) in ("Lo", "Sm") and not _ANY.match(before)
    return False


def _pictographic(char: str) -> bool:
    return bool(char) and (unicodedata.category(char) in ("So", "Sm") or char in "\u203c\u2049\u3030\u303d") \
        and not _ANY.match(char)


def _emoji(char: str) -> bool:
    """Whether an emoji may begin or end so: a picture, its skin tone, or its variation selector. ⚕ and ♂ are So too."""
    return _pictographic(char) or char == "\ufe0f" or "\U0001f3fb" <= char <= "\U0001f3ff"


def _joining(char: str) -> bool:
    """A letter or sign of a script without cases, in which joiners decide about the shape of letters."""
    return bool(char) and unicodedata.category(char) in ("Lo", "Mn", "Mc") and ord(char) > 0x5FF and not _ANY.match(char)
