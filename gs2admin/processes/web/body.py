"""The body of a request as it arrives, until the application can have it whole."""
from __future__ import annotations

import io

from gunicorn.http.body import ChunkedReader
from gunicorn.http.message import Request

from gs2admin.processes.web.chunks import ChunkDecoder
from gs2admin.processes.web.spool import Room, Spool


class Intake:
    """limit: so many bytes are taken; of a longer body the application gets so many and a byte, and refuses that itself.

    owner: whose share of the room it takes. request.body is what the application reads, once `feed` said that it is there.
    whole: whether another request may follow.
    """

    def __init__(self, request: Request, limit: int, room: Room, owner: str) -> None:
        self.request, self.limit = request, limit
        self.whole = True
        self._spool = Spool(room, owner)
        self._chunks: ChunkDecoder | None = None
        self._left = 0
        if isinstance(request.body.reader, ChunkedReader):
            self._chunks = ChunkDecoder(request, self._spool.write)
        else:
            self._left = request.body.reader.length
        self.too_long = self._left > limit

    def feed(self, data: bytes) -> bytes | None:
        """Returns what stands behind the body, or None while more of it is to come.

        Raises OSError (no room, disk full), ParseException (its chunks are none).
        """
        if self._chunks is not None:
            return self._feed_chunks(data)
        piece, rest = data[: self._left], data[self._left :]
        self._left -= len(piece)
        if self._left == 0 and self._spool.size == 0:
            self.request.body = io.BytesIO(piece)  # the usual case: it came at once
            return rest
        self._spool.write(piece)
        return None if self._left else self._done(rest)

    def refuse(self) -> None:
        """It is too long: the application sees that by its length, and need not have it."""
        self.whole = False
        self.request.body = io.BytesIO()

    def close(self) -> None:
        """Let go of the body."""
        if self.request.body is not None and hasattr(self.request.body, "close"):
            self.request.body.close()
        self._spool.close()

    def _feed_chunks(self, data: bytes) -> bytes | None:
        rest = self._chunks.feed(data)
        if rest is None and self._spool.size > self.limit:
            self.whole = False
            rest = b""
        return None if rest is None else self._done(rest)

    def _done(self, rest: bytes) -> bytes:
        self.request.body = self._spool.reader()
        return rest
