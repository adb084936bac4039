"""What a step prints, as emitted lines, up to a limit."""

from collections.abc import Callable

from .base import NOTE
from .text import LineSplitter, clean_line

#: What one step may print, in bytes and lines; what follows is dropped, and a note says so. Empty lines cost rows too.
MAX_BYTES = 20_000_000
MAX_LINES = 100_000


class StepOutput:
    """Feeds bytes of several streams to ``emit(text, stream)``, line by line, at the pace of ``emit``."""

    def __init__(self, emit: Callable[[str, str], None], *, max_bytes: int = MAX_BYTES, max_lines: int = MAX_LINES) -> None:
        self._emit = emit
        self._bytes_left = self._max_bytes = max_bytes
        self._lines_left = self._max_lines = max_lines
        self._splitters: dict[str, LineSplitter] = {}
        self._dropped = 0

    def feed(self, stream: str, data: bytes) -> None:
        """Emit the lines that ``data`` completes. Holds at most one unfinished line per stream."""
        if self._dropped:
            self._dropped += len(data)
            return
        kept, over = data[: self._bytes_left], data[self._bytes_left :]
        self._bytes_left -= len(kept)
        splitter = self._splitters.setdefault(stream, LineSplitter())
        for line in splitter.feed(kept):
            self._line(line, stream)
        if over:
            self._finish_lines()
            self._start_dropping(len(over))

    def close(self) -> None:
        """Emit the last unfinished lines, and how much was dropped."""
        self._finish_lines()
        if self._dropped:
            self._emit(f"{self._dropped:,} bytes of further output were not kept.", NOTE)

    def _finish_lines(self) -> None:
        splitters, self._splitters = self._splitters, {}
        for stream, splitter in splitters.items():
            for line in splitter.close():
                self._line(line, stream)

    def _line(self, line: bytes, stream: str) -> None:
        if self._dropped:
            self._dropped += len(line) + 1
        elif self._lines_left == 0:
            self._start_dropping(len(line) + 1)
        else:
            self._lines_left -= 1
            self._emit(clean_line(line), stream)

    def _start_dropping(self, size: int) -> None:
        first, self._dropped = not self._dropped, self._dropped + size
        if first:
            self._emit(
                f"This step has printed more than {self._max_bytes / 1e6:,.3g} MB or {self._max_lines:,} lines:"
                " what follows is not kept.",
                NOTE,
            )
