"""The part of a stream that is in memory: one chunk, however long the stream is."""

import os
from collections.abc import Iterator
from typing import Final, Protocol, runtime_checkable

from dedupe.formats.tar_headers import BLOCK_BYTES, damaged

#: bytes asked for at once: below, calls dominate; above, chunks fall out of the cache
CHUNK_BYTES: Final = 1 << 20
#: where contents are skipped there is little more than headers to read
SKIPPING_CHUNK_BYTES: Final = 1 << 16


class Stream(Protocol):
    """Bytes in order."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        ...


@runtime_checkable
class SkippingStream(Protocol):
    """A stream that need not read what nobody wants."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        ...

    def skip(self, size: int, /) -> int:
        """Pass over ``size`` bytes; how many there were, fewer only at the end."""
        ...


class FileRange:
    """``size`` bytes of an open file from ``offset`` on; all that follow where size is None.

    It never moves the descriptor's own position, so that ranges of one file can share it.
    """

    def __init__(self, descriptor: int, offset: int = 0, size: int | None = None) -> None:
        self._descriptor = descriptor
        self._at = offset
        end = os.fstat(descriptor).st_size
        self._end = end if size is None else min(end, offset + size)

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, all that are left where it is negative; empty at the end."""
        left = max(self._end - self._at, 0)
        data = os.pread(self._descriptor, left if size < 0 else min(size, left), self._at)
        self._at += len(data)
        return data

    def skip(self, size: int, /) -> int:
        """Pass over ``size`` bytes; how many there were, fewer only at the end."""
        skipped = min(size, max(self._end - self._at, 0))
        self._at += skipped
        return skipped


class Window:
    """A chunk of a stream and a position in it.

    ``chunk``, ``view`` (of the chunk) and ``position`` are open to the reader, whose loop would
    otherwise spend its time in calls.
    """

    __slots__ = ("_base", "_chunk_bytes", "_skipping", "_stream", "chunk", "position", "view")

    def __init__(self, stream: Stream, *, may_skip: bool) -> None:
        self._stream = stream
        self._skipping = stream if may_skip and isinstance(stream, SkippingStream) else None
        self._chunk_bytes = SKIPPING_CHUNK_BYTES if self._skipping else CHUNK_BYTES
        self._base = 0
        self.position = 0
        self._hold(b"")

    def _hold(self, chunk: bytes) -> None:
        self.chunk = chunk
        self.view = memoryview(chunk)

    @property
    def offset(self) -> int:
        """Bytes of the stream before the position."""
        return self._base + self.position

    def block(self) -> bytes:
        """The next 512 bytes; fewer only at the end of the stream."""
        start = self.position
        end = start + BLOCK_BYTES
        if end > len(self.chunk):
            self._gather(BLOCK_BYTES)
            start, end = 0, min(BLOCK_BYTES, len(self.chunk))
        self.position = end
        return self.chunk[start:end]

    def whole_block(self) -> bytes:
        """The next 512 bytes; LayerError ``tar-truncated`` where there are fewer."""
        return self.take(BLOCK_BYTES)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, which the caller has found to be few enough for memory.

        Raises LayerError ``tar-truncated`` where there are fewer.
        """
        if self.position + size > len(self.chunk):
            self._gather(size)
            self._require(size, len(self.chunk))
        start = self.position
        self.position = start + size
        return self.chunk[start : self.position]

    def pieces(self, size: int) -> Iterator[memoryview]:
        """The next ``size`` bytes, a chunk at a time; LayerError ``tar-truncated`` as above."""
        left = size
        while left:
            start = self.position
            if start == len(self.chunk) and not self._advance():
                self._require(size, size - left)
            start = self.position
            piece = self.view[start : start + left]
            self.position += len(piece)
            left -= len(piece)
            yield piece

    def skip(self, size: int) -> None:
        """Pass over the next ``size`` bytes; LayerError ``tar-truncated`` as above."""
        there = min(size, len(self.chunk) - self.position)
        self.position += there
        if there < size and self._skipping is not None:
            skipped = self._skipping.skip(size - there)
            self._base += skipped
            self._require(size, there + skipped)
            return
        for _ in self.pieces(size - there):
            pass

    def rest(self) -> Iterator[bytes]:
        """All that follows, a chunk at a time."""
        while True:
            chunk = self.chunk[self.position :]
            self.position = len(self.chunk)
            yield chunk
            if not self._advance():
                return

    def _gather(self, size: int) -> None:
        """Have ``size`` bytes in the chunk from its start on; fewer only at the end."""
        parts = [self.chunk[self.position :]]
        have = len(parts[0])
        while have < size:
            part = self._stream.read(self._chunk_bytes)
            if not part:
                break
            parts.append(part)
            have += len(part)
        self._base += self.position
        self.position = 0
        self._hold(b"".join(parts))

    def _advance(self) -> bool:
        """Go to the next chunk, the present one being used up; False at the end."""
        chunk = self._stream.read(self._chunk_bytes)
        if not chunk:
            return False
        self._base += len(self.chunk)
        self.position = 0
        self._hold(chunk)
        return True

    def _require(self, size: int, found: int) -> None:
        if found < size:
            raise damaged(
                f"truncated: expected {size} bytes, found {found},", self.offset, "tar-truncated"
            )
