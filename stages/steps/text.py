"""Makes bytes of others into lines of text that are safe to store and to show."""

import re
from collections.abc import Iterator

#: A longer line is split into several, never cut off. Bytes.
MAX_LINE_BYTES = 16 * 1024

# Terminal sequences (ECMA-48), in their 7-bit and 8-bit forms. Every body excludes the characters that begin or end
# another sequence and is possessive, so that matching is linear whatever the input.
_SEQUENCES = re.compile(
    r"""
      (?: \x1b\[ | \x9b ) [0-?]*+ [ -/]*+ [@-~]                    # CSI: colours, cursor, screen
    | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] )                     # OSC (links, titles), DCS, SOS, PM, APC …
      [^\x07\x1b\x90\x98\x9c-\x9f]*+ (?: \x07 | \x1b\\ | \x9c )    # … with their payload, when they are closed
    | \x1b [ -/]++ [0-~]                                           # character sets
    | \x1b [0-~]                                                   # two-character ones, unclosed introducers too
    """,
    re.VERBOSE,
)
_LINE_BREAKS = re.compile("[\n\r\x0b\x0c\x85\u2028\u2029]+")
# C0 but for the tab, DEL, C1; then what would reorder the text around it (bidirectional overrides and isolates).
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean_line(raw: bytes | str) -> str:
    """One line as harmless text: no escape sequence, control character, NUL or invalid code point survives.

    Bytes are read as UTF-8, what is not becomes U+FFFD. Tabs stay; a line break inside becomes one space. The text of
    an unclosed sequence stays, so that nothing can be hidden by it. ANSI escapes in shown logs: CVE-2021-3377.
    """
    line = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else _SURROGATES.sub("\ufffd", raw)
    if line.isascii() and line.isprintable():
        return line
    line = _SEQUENCES.sub("", line)
    line = _LINE_BREAKS.sub(" ", line)
    return _CONTROLS.sub("", line)


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters; a longer text ends with "…". For what others wrote and is quoted within a sentence."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


class LineSplitter:
    """Cuts a stream of bytes into lines at LF, CR LF and CR; holds at most one unfinished line in memory.

    A lone CR ends a line too: the states of a progress bar are lines, nothing of them is lost.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._rest = b""
        self._skip_lf = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that are complete now, without their line ends."""
        if self._skip_lf and data:
            self._skip_lf = False
            data = data.removeprefix(b"\n")
        if not data:
            return
        self._skip_lf = data.endswith(b"\r")
        lines = (self._rest + data).splitlines(keepends=True)
        self._rest = b"" if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            *full, last = self._pieces(line.removesuffix(b"\n").removesuffix(b"\r"))
            yield from full
            yield last
        *full, self._rest = self._pieces(self._rest)
        yield from full

    def close(self) -> Iterator[bytes]:
        """The last line, when the stream ended without a line end."""
        rest, self._rest = self._rest, b""
        if rest:
            yield rest

    def _pieces(self, line: bytes) -> Iterator[bytes]:
        start = 0
        while len(line) - start > self._max:
            end = _cut_before(line, start, start + self._max)
            yield line[start:end]
            start = end
        yield line[start:]


def _cut_before(line: bytes, start: int, end: int) -> int:
    """The last place not after ``end`` where neither a character nor a short escape sequence is torn apart."""
    escape = line.rfind(b"\x1b", max(start + 1, end - 32), end)
    if escape > 0 and re.fullmatch(rb"\x1b(?:\[[0-?]*[ -/]*)?", line[escape:end]):
        return escape
    for place in range(end, max(start, end - 4), -1):
        if line[place] & 0xC0 != 0x80:
            return place
    return end
