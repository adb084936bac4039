"""Takes the pieces of a chunked body apart as they arrive (RFC 9112, section 7.1), as strictly as gunicorn does."""
from __future__ import annotations

import re
from collections.abc import Callable

from gunicorn.http.body import CHUNK_EXT_RE
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkExtension, InvalidChunkSize, LimitRequestHeaders
from gunicorn.http.message import Request

MAX_LINE = 4096
MAX_TRAILERS = 32 * 1024
# Each chunk costs time: so many may be small, and then they must hold so many bytes on the average.
SMALL_CHUNKS, AVERAGE = 10_000, 32
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*(;.*))?", re.DOTALL)


class ChunkDecoder:
    """write: gets the bytes of the body."""

    def __init__(self, request: Request, write: Callable[[bytes], None]) -> None:
        self.request, self.write = request, write
        self._buffer = bytearray()
        self._next: Callable[[], bool] = self._size
        self._left = 0
        self._chunks = self._bytes = 0
        self._rest: bytes | None = None

    def feed(self, data: bytes) -> bytes | None:
        """Returns what stands behind the end of the body, or None while that has not come. Raises ParseException."""
        self._buffer += data
        while self._next():
            pass
        return self._rest

    # Each of these takes one element and says what comes next. False: more bytes are needed, or the end was there.

    def _size(self) -> bool:
        end = self._buffer.find(b"\r\n", 0, MAX_LINE)
        if end < 0:
            if len(self._buffer) >= MAX_LINE or b"\n" in self._buffer:
                raise InvalidChunkSize(b"a line without its end")
            return False
        found = _SIZE.fullmatch(self._buffer, 0, end)
        if found is None:
            raise InvalidChunkSize(bytes(self._buffer[:end][:40]))
        if found[2] and (b"\r" in found[2] or not CHUNK_EXT_RE.fullmatch(found[2])):
            raise InvalidChunkExtension("invalid chunk extension")
        self._left = int(found[1], 16)
        del self._buffer[: end + 2]
        self._chunks += 1
        self._bytes += self._left
        if self._chunks > SMALL_CHUNKS and self._bytes < self._chunks * AVERAGE:
            raise InvalidChunkSize(b"too many small chunks")
        self._next = self._data if self._left else self._trailers
        return True

    def _data(self) -> bool:
        piece = bytes(self._buffer[: self._left])
        if piece:
            del self._buffer[: len(piece)]
            self._left -= len(piece)
            self.write(piece)
        if self._left:
            return False
        self._next = self._line_end
        return True

    def _line_end(self) -> bool:
        if not b"\r\n".startswith(self._buffer[:2]):
            raise ChunkMissingTerminator(bytes(self._buffer[:2]))
        if len(self._buffer) < 2:
            return False
        del self._buffer[:2]
        self._next = self._size
        return True

    def _trailers(self) -> bool:
        end = 0 if self._buffer[:2] == b"\r\n" else self._buffer.find(b"\r\n\r\n") + 2
        if end == 1:
            if len(self._buffer) > MAX_TRAILERS:
                raise LimitRequestHeaders("trailers")
            return False
        if end:
            self.request.trailers = self.request.parse_headers(bytes(self._buffer[: end - 2]), from_trailer=True)
        self._rest = bytes(self._buffer[end + 2 :])
        return False
