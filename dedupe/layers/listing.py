"""A layer that a store keeps unpacked, listed: its entries without the contents of its files.

If the store kept tar-split data, the entries are those of the layer's tar: its headers are read,
and no file or folder of the layer. Else the folder is walked, and no file in it is opened. Nothing
is proven: neither that the tar has its diff ID, nor that the folder still has the files of the tar.
"""

from collections import deque
from collections.abc import Iterator

from dedupe.formats.tar import EMPTY_HASH, TarReader
from dedupe.formats.tar_window import Window
from dedupe.layers.batches import MAX_TAR_BYTES, Batches, Emit, too_large
from dedupe.layers.split import SplitPiece, headers_of, unusable
from dedupe.layers.unpacked import read_or_walk
from dedupe.model.entries import LayerFacts
from dedupe.model.images import TreeRef


def list_layer(ref: TreeRef, emit: Emit) -> LayerFacts:
    """List the layer in this folder.

    Raises LayerError or SourceError if it cannot be listed to its end.
    """
    return read_or_walk(ref, emit, lambda emit: _list_headers(ref, emit), _uncounted, listed=True)


class _Headers(Window):
    """The tar of tar-split data: its headers are in memory, and bodies of files are skipped unread.

    Raises LayerError ``split-unusable`` if a body is where a header should be, or is not as long as
    its header says.
    """

    __slots__ = ("_bodies", "_pieces", "_skipped")

    def __init__(self, pieces: Iterator[SplitPiece]) -> None:
        self._pieces = pieces
        #: position in the chunk, and size, of each body that is left out of it
        self._bodies: deque[tuple[int, int]] = deque()
        self._skipped = 0
        super().__init__(_Nothing(), may_skip=False)

    @property
    def offset(self) -> int:
        """Bytes of the tar before the position."""
        return super().offset + self._skipped

    def skip(self, size: int) -> None:
        """Skip the next ``size`` bytes: the body of a file, if there is one here, and padding."""
        bodies = self._bodies
        if self.position == len(self.chunk) and not bodies:
            self._advance()
        if bodies:
            place, body = bodies[0]
            if place < self.position or (place == self.position and body > size):
                raise unusable("a file is where a header is expected")
            if place == self.position:
                bodies.popleft()
                self._skipped += body
                size -= body
        if self.position + size <= len(self.chunk):
            self.position += size
        else:
            super().skip(size)

    def finish(self) -> None:
        """Check that no body is left, as one that was read as a header would be."""
        if self._bodies:
            raise unusable("a file is where a header is expected")

    def _gather(self, size: int) -> None:
        shift = self.position
        kept = self.chunk[shift:]
        bodies = deque((place - shift, body) for place, body in self._bodies)
        while len(kept) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            bodies.extend((len(kept) + place, body) for place, body in piece.bodies)
            kept += piece.headers
        self._base += shift
        self.position = 0
        self._set_chunk(kept)
        self._bodies = bodies
        if bodies and bodies[0][0] < size:
            raise unusable("a file is where a header is expected")

    def _advance(self) -> bool:
        self.finish()
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._base += len(self.chunk)
        self.position = 0
        self._set_chunk(piece.headers)
        self._bodies.extend(piece.bodies)
        return True


class _Nothing:
    """A stream without bytes: the window has its own."""

    def read(self, _size: int, /) -> bytes:
        """Nothing."""
        return b""


def _list_headers(ref: TreeRef, emit: Emit) -> LayerFacts:
    """The entries of the layer's tar, from the headers that tar-split data keeps."""
    window = _Headers(headers_of(ref))
    reader = TarReader(_Nothing(), hash_content=False, window=window)
    batches = Batches(emit, listed=True)
    for member in reader:
        if not member.size and member.typeflag == b"0":
            member.content_hash = EMPTY_HASH
        batches.add(member)
        if reader.total_bytes > MAX_TAR_BYTES:
            raise too_large()
    window.finish()
    # power failures leave empty files, which gzip reads as nothing without an error
    if not reader.total_bytes:
        raise unusable("it is empty")
    batches.finish()
    return LayerFacts(
        diff_id=None,
        digest=None,
        compression=None,
        compressed_bytes=None,
        tar_bytes=reader.total_bytes,
        content_bytes=batches.content_bytes,
        entries=batches.entries,
        files=batches.files,
        rows_digest=batches.rows_digest(),
        is_listed=True,
    )


def _uncounted(_count: int) -> None:
    """Count bytes that are read: none are."""
