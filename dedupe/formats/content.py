"""The content of one regular file: its hash, and how much of it is zeros."""

from typing import Final

from blake3 import blake3

#: contents are compared with zeros in blocks of this size, counted from the start of the file
ZERO_BLOCK_BYTES: Final = 1 << 16
#: smallest file whose zeros are counted: zeros cost bytes worth a finding in large files only
ZEROS_FROM_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(1 << 20)


class Content:
    """Reads a content piece by piece; the same bytes give the same figures however they are cut."""

    def __init__(self) -> None:
        self._hasher = blake3()
        self._zero_bytes = 0
        #: bytes of the present block so far, and whether all of them are zero
        self._filled = 0
        self._is_zero = True
        self._size = 0

    def add(self, piece: memoryview) -> None:
        """Read the next bytes."""
        self._hasher.update(piece)
        start, end = 0, len(piece)
        self._size += end
        while start < end:
            stop = min(end, start + ZERO_BLOCK_BYTES - self._filled)
            # the ends tell nearly always, and need no copy
            self._is_zero = (
                self._is_zero
                and not piece[start]
                and not piece[stop - 1]
                and _ZEROS.startswith(piece[start:stop])
            )
            self._fill(stop - start)
            start = stop

    def add_zeros(self, size: int) -> None:
        """Read a hole of this many bytes."""
        while size > 0:
            piece = memoryview(_ZEROS)[:size]
            self.add(piece)
            size -= len(piece)

    def digest(self) -> bytes:
        """BLAKE3 of all bytes."""
        return self._hasher.digest()

    def zero_bytes(self) -> int | None:
        """Bytes in blocks of zeros; None if the file is too small to be counted."""
        if self._size < ZEROS_FROM_BYTES:
            return None
        return self._zero_bytes + (self._filled if self._is_zero else 0)

    def _fill(self, size: int) -> None:
        """Add bytes to the present block, and count it if it is full."""
        self._filled += size
        if self._filled == ZERO_BLOCK_BYTES:
            if self._is_zero:
                self._zero_bytes += ZERO_BLOCK_BYTES
            self._filled, self._is_zero = 0, True
