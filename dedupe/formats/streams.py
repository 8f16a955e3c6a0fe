"""A stream that is read in ranges."""

from dedupe.errors import SourceError
from dedupe.formats.compression import Readable


class RangeReader:
    """A reader of ranges in a stream without seek, such as a decompressor."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._position = 0

    def skip_to(self, offset: int) -> None:
        """Read on to ``offset``, and drop what is read.

        Raises SourceError ``archive-order`` if the stream is past it, ``archive-truncated`` if the
        stream ends before it.
        """
        if offset < self._position:
            raise SourceError(
                f"offset {offset} is wanted, but {self._position} bytes were read already",
                "archive-order",
            )
        while self._position < offset:
            piece = self._stream.read(min(1 << 20, offset - self._position))
            if not piece:
                raise SourceError(f"the archive ends before offset {offset}", "archive-truncated")
            self._position += len(piece)

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes; empty at the end."""
        piece = self._stream.read(size)
        self._position += len(piece)
        return piece

    def read_range(self, offset: int, size: int) -> bytes:
        """Read ``size`` bytes from ``offset`` on; raises SourceError as ``skip_to`` does."""
        self.skip_to(offset)
        pieces = []
        while size:
            piece = self.read(size)
            if not piece:
                raise SourceError("the archive ends inside a member", "archive-truncated")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)
