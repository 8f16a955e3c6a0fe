"""Read a stream with one chunk of it in memory, however long the stream is."""

import os
from collections.abc import Iterator
from typing import Final, Protocol, runtime_checkable

from dedupe.formats.tar_headers import BLOCK_BYTES, damaged

#: Bytes of one read. With less, calls take most of the time; with more, chunks exceed the cache.
CHUNK_BYTES: Final = 1 << 20
#: if contents are skipped, little more than headers is read
SKIPPING_CHUNK_BYTES: Final = 1 << 16


class Stream(Protocol):
    """A stream of bytes, read in order."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; empty at the end."""
        ...


@runtime_checkable
class SkippingStream(Protocol):
    """A stream that can skip bytes without reading them."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; empty at the end."""
        ...

    def skip(self, size: int, /) -> int:
        """Skip ``size`` bytes, fewer at the end; return how many were skipped."""
        ...


class FileRange:
    """``size`` bytes of an open file from ``offset`` on; up to the file's end if None.

    The descriptor's own position is never moved, so ranges of one file can share a descriptor.
    """

    def __init__(self, descriptor: int, offset: int = 0, size: int | None = None) -> None:
        self._descriptor = descriptor
        self._position = offset
        end = os.fstat(descriptor).st_size
        self._end = end if size is None else min(end, offset + size)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes, or all that are left if negative; empty at the end."""
        left = max(self._end - self._position, 0)
        data = os.pread(self._descriptor, left if size < 0 else min(size, left), self._position)
        self._position += len(data)
        return data

    def skip(self, size: int, /) -> int:
        """Skip ``size`` bytes, fewer at the end; return how many were skipped."""
        skipped = min(size, max(self._end - self._position, 0))
        self._position += skipped
        return skipped


class Window:
    """A chunk of a stream and a position in it.

    TarReader uses ``chunk``, ``view`` (of the chunk) and ``position`` directly, and moves the
    position itself: in its loop, calls of methods would take most of the time.
    """

    __slots__ = ("_base", "_chunk_bytes", "_skipping", "_stream", "chunk", "position", "view")

    def __init__(self, stream: Stream, *, may_skip: bool) -> None:
        self._stream = stream
        self._skipping = stream if may_skip and isinstance(stream, SkippingStream) else None
        self._chunk_bytes = SKIPPING_CHUNK_BYTES if self._skipping else CHUNK_BYTES
        self._base = 0
        self.position = 0
        self._set_chunk(b"")

    def _set_chunk(self, chunk: bytes) -> None:
        self.chunk = chunk
        self.view = memoryview(chunk)

    @property
    def offset(self) -> int:
        """Bytes of the stream before the position."""
        return self._base + self.position

    def block(self) -> bytes:
        """Read the next 512 bytes; fewer only at the end of the stream."""
        start = self.position
        end = start + BLOCK_BYTES
        if end > len(self.chunk):
            self._gather(BLOCK_BYTES)
            start, end = 0, min(BLOCK_BYTES, len(self.chunk))
        self.position = end
        return self.chunk[start:end]

    def whole_block(self) -> bytes:
        """Read the next 512 bytes; raises LayerError ``tar-truncated`` if there are fewer."""
        return self.take(BLOCK_BYTES)

    def take(self, size: int) -> bytes:
        """Read the next ``size`` bytes; the caller has checked that they fit into memory.

        Raises LayerError ``tar-truncated`` if there are fewer.
        """
        if self.position + size > len(self.chunk):
            self._gather(size)
            self._require(size, len(self.chunk))
        start = self.position
        self.position = start + size
        return self.chunk[start : self.position]

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next ``size`` bytes in chunks.

        Raises LayerError ``tar-truncated`` if there are fewer.
        """
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
        """Skip the next ``size`` bytes; raises LayerError ``tar-truncated`` if there are fewer."""
        in_chunk = min(size, len(self.chunk) - self.position)
        self.position += in_chunk
        if in_chunk < size and self._skipping is not None:
            skipped = self._skipping.skip(size - in_chunk)
            self._base += skipped
            self._require(size, in_chunk + skipped)
            return
        for _ in self.pieces(size - in_chunk):
            pass

    def rest(self) -> Iterator[bytes]:
        """Yield the rest of the stream in chunks."""
        while True:
            chunk = self.chunk[self.position :]
            self.position = len(self.chunk)
            yield chunk
            if not self._advance():
                return

    def _gather(self, size: int) -> None:
        """Make a chunk of at least ``size`` bytes from the position on; fewer only at the end."""
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
        self._set_chunk(b"".join(parts))

    def _advance(self) -> bool:
        """Read the next chunk after the present one is used up; return False at the end."""
        chunk = self._stream.read(self._chunk_bytes)
        if not chunk:
            return False
        self._base += len(self.chunk)
        self.position = 0
        self._set_chunk(chunk)
        return True

    def _require(self, size: int, found: int) -> None:
        if found < size:
            raise damaged(
                f"truncated: expected {size} bytes, found {found},", self.offset, "tar-truncated"
            )
