r"""JSON text as people read it, and how to find in it what they read.

Every character of a JSON string can be written in several ways: 竜 or \u7adc or \u7ADC, " as \" or \u0022, / as \/, 😀 as
\ud83d\ude00. JSON inside of a string is escaped once more for each string around it: \\u7adc, \\\". Reading changes nothing
outside of strings, so a number or a key that comes twice stays as it came.
"""
from __future__ import annotations

import re

_ESCAPE = re.compile(
    r'\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(["\\/bfnrt]))'
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LETTER = {char: letter for letter, char in _SHORT.items()}

# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────


def read_string(inside: str) -> str:
    """What the inside of a JSON string says. What is no escape of JSON, and half of a surrogate pair, stays as it is."""
    return _ESCAPE.sub(_read, inside) if "\\" in inside else inside


def _read(found: re.Match[str]) -> str:
    high, low, code, letter = found.groups()
    if letter:
        return _SHORT.get(letter, letter)
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    number = int(code, 16)
    return found[0] if 0xD800 <= number <= 0xDFFF else chr(number)


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────

_BODY = r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*'
_TOKEN = re.compile(
    rf'[ \t\r\n]*({_BODY}"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![-+.0-9eE])|true\b|false\b|null\b|[{{}}\[\],:])'
)
_END = re.compile(r"[ \t\r\n]*\Z")
# How a text may end whose rest is missing: in a string, in one of its escapes, in a number or a word.
_CUT = re.compile(
    rf'[ \t\r\n]*({_BODY}(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?|-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]*)?|-'
    r'|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)\Z'
)
# What may come: a value, a value or ], a key or }, a key, a colon, a comma or the end of what it is in, nothing.
_VALUE, _ITEM, _MEMBER, _KEY, _COLON, _BEHIND, _NOTHING = range(7)


def tokens(text: str, *, cut: bool = False) -> list[str] | None:
    """The tokens of a JSON text as they came, without the blanks between them; None when it is no JSON text.

    cut: the text is the beginning of a longer one, so it may end anywhere; its last token may be a part of one.
    """
    found: list[str] = []
    inside: list[str] = []
    at, due = 0, _VALUE
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            break
        token, at = match[1], match.end()
        due = _next(token[0], due, inside)
        if due is None:
            return None
        found.append(token)
    if _END.match(text, at):
        return found if found and (cut or due == _NOTHING) else None
    rest = _CUT.match(text, at) if cut else None
    if rest is None or due in (_COLON, _BEHIND, _NOTHING) or (due in (_KEY, _MEMBER) and rest[1][0] != '"'):
        return None
    return [*found, rest[1]]


def _next(first: str, due: int, inside: list[str]) -> int | None:
    """What may come behind a token that begins so; None where it may not stand. Keeps `inside`: the brackets that are open."""
    if first == "," or first == ":":
        if due != (_BEHIND if first == "," else _COLON):
            return None
        return _VALUE if first == ":" or inside[-1] == "[" else _KEY
    if first == "}" or first == "]":
        opened, empty = ("{", _MEMBER) if first == "}" else ("[", _ITEM)
        if not inside or inside.pop() != opened or due not in (_BEHIND, empty):
            return None
        return _BEHIND if inside else _NOTHING
    if due in (_KEY, _MEMBER):
        return _COLON if first == '"' else None
    if due not in (_VALUE, _ITEM):
        return None
    if first == "{" or first == "[":
        inside.append(first)
        return _MEMBER if first == "{" else _ITEM
    return _BEHIND if inside else _NOTHING


_STRINGS = re.compile(rf'({_BODY})("?)')


def read_line(text: str, *, cut: bool = False, nested: int = 4) -> str:
    """A JSON text with its strings as they are read, otherwise as it came; any other text unchanged.

    cut: as of tokens(). nested: so deep is JSON read that stands in strings.
    """
    if "\\" not in text or tokens(text, cut=cut) is None:
        return text

    def read(found: re.Match[str]) -> str:
        inside = read_string(found[1][1:])
        if nested and inside[:1] in ("{", "["):
            inside = read_line(inside, cut=not found[2], nested=nested - 1)
        return f'"{inside}{found[2]}'

    return _STRINGS.sub(read, text)


# ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────

# A backslash as it is stored: itself, or as a string around it may write it.
_ONE = r"(?:\\|u005[cC])"
_RUN = r"\\(?:\\|u005[cC])"
_PLAIN = re.compile(r"[0-9A-Za-z]{2,}")
_TWO_WAYS = re.compile(r"\\[bfnrt]")
_BLANKS = re.compile(r"([:,])\s+")
# So many characters are looked for by themselves: the less usual ones, as far as their numbers tell.
_LOOKS = 4


def compact(text: str) -> str:
    """The text without the blanks of a layout: "a": 1 is stored as "a":1 too."""
    return _BLANKS.sub(r"\1", text)


def pattern(text: str) -> str:
    r"""A regular expression, for Python and PostgreSQL, of every way in which JSON may write the text, however deep in strings.

    An escape in the text fits as it is, and as what it says: for \u7adc also 竜.
    It takes a time that grows with the length of what is searched: no two repetitions stand side by side.
    """
    read = read_string(text)
    # In c:\\new there may be a line feed or an n behind a backslash; \\u7adc fits wherever what it says does.
    return "|".join(_expression(each) for each in dict.fromkeys((read, text) if _TWO_WAYS.search(text) else (read,)))


def _expression(text: str) -> str:
    parts: list[str] = []
    behind_run = False
    for run, char in re.findall(r"(\\+)|([^\\])", text, re.DOTALL):
        if run:
            # At the beginning as many as are asked for, whatever stands before them; else a run is taken whole.
            parts.append(f"{_RUN}{{{len(run) - 1},}}" if parts else f"{_ONE}{{{len(run)}}}")
        else:
            parts.append(_ways(char, "" if behind_run else f"{_RUN}*" if parts else _ONE, bare=behind_run or not parts))
        behind_run = bool(run)
    return "".join(parts)


def _ways(char: str, before: str, *, bare: bool) -> str:
    """The ways to write one character. before: of the backslashes of an escape. bare: they are no part of the match."""
    code = ord(char)
    high, low = 0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF)
    escaped = [_hex(code) if code < 0x10000 else f"{_hex(high)}{_RUN}*{_hex(low)}"]
    if char in _LETTER:
        escaped.append(_LETTER[char])
    if not code:  # no database holds it as it is
        return f"{before}{escaped[0]}"
    itself = char if char.isalnum() or code > 0x7F or char <= " " else f"\\{char}"
    if char in '"/' and not bare:
        itself = rf"\\*{itself}"
    return f"(?:{itself}|{before}(?:{'|'.join(escaped)}))"


def _hex(code: int) -> str:
    return "u" + "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in f"{code:04x}")


def needles(text: str) -> list[tuple[str, str]]:
    """Pairs; one of each pair stands in everything that `pattern` fits: for a quick look before it.

    The hexadecimal digits may be there in the other case.
    """
    others = sorted({char for char in text if ord(char) > 0x7F}, reverse=True)[:_LOOKS]
    found = []
    for char in others:
        code = ord(char)
        found.append((char, f"u{code if code < 0x10000 else 0xD800 + (code - 0x10000 >> 10):04x}"))
    longest = max(_PLAIN.findall(text), key=len, default="")
    return [*found, (longest, "u00")] if longest else found
