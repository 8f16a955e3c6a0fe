"""A layer read once, to its end: entries, the blob's digest and the diff ID in the same pass."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dedupe.errors import LayerError
from dedupe.formats.compression import MAGIC_BYTES, Readable, compression_of, decompressed
from dedupe.formats.streams import RangeReader
from dedupe.formats.tar import FileRange, TarReader
from dedupe.host.files import open_below
from dedupe.host.objects import ObjectStream
from dedupe.layers.batches import Batches, Emit
from dedupe.layers.listing import list_layer
from dedupe.layers.streams import CHUNK_BYTES, HashedStream, PrefetchStream
from dedupe.layers.unpacked import read_unpacked
from dedupe.model.entries import LayerFacts
from dedupe.model.images import BlobRef, LayerRef, ListedRef, ObjectRef, TreeRef

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: a second thread costs more than it saves for smaller blobs
THREAD_MIN_BYTES = 8 << 20


def read_layer(ref: LayerRef, emit: Emit, advance: Callable[[int], None]) -> LayerFacts:
    """Read one layer; ``emit`` takes batches of rows, ``advance`` counts of bytes as they are read.

    Raises LayerError or SourceError if it cannot be read to its end; rows emitted before must then
    be dropped.
    """
    match ref:
        case BlobRef() | ObjectRef():
            with _opened(ref, advance) as blob:
                return _read_stream(blob, emit)
        case TreeRef():
            return read_unpacked(ref, emit, advance)
        case ListedRef(tree):
            return list_layer(tree, emit)


def blob_digest(ref: BlobRef | ObjectRef, advance: Callable[[int], None]) -> str:
    """The digest of a blob's bytes as stored, without a look at what is in them.

    Raises LayerError or SourceError if it cannot be read to its end.
    """
    with _opened(ref, advance) as blob:
        return blob.finish()


@contextlib.contextmanager
def _opened(ref: BlobRef | ObjectRef, advance: Callable[[int], None]) -> "Iterator[_Blob]":
    if isinstance(ref, ObjectRef):
        yield _Blob(ObjectStream(ref), ref.size, advance)
        return
    descriptor = open_below(ref.root, ref.parts)
    try:
        if ref.outer is None:
            size = ref.size if ref.size >= 0 else os.fstat(descriptor).st_size
            yield _Blob(FileRange(descriptor, ref.offset, size), size, advance)
            return
        with open(descriptor, "rb", closefd=False) as raw:
            stream = RangeReader(decompressed(raw, ref.outer))
            stream.skip_to(ref.offset)
            yield _Blob(stream, ref.size, advance)
    finally:
        os.close(descriptor)


class _Blob:
    """A blob's bytes as stored, hashed as they are read."""

    def __init__(self, stream: Readable, size: int, advance: Callable[[int], None]) -> None:
        self._stream = stream
        self._left = size
        self.size = size
        self._advance = advance
        self._hash = hashlib.sha256()
        self._head = b""
        self._head = self._pull(MAGIC_BYTES)
        self.compression = compression_of(self._head)

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            data = self._head if size < 0 else self._head[:size]
            self._head = self._head[len(data) :]
            return data
        return self._pull(size if size >= 0 else self._left)

    def readinto(self, buffer: "Buffer", /) -> int:
        """As ``read``, into a buffer of isal's."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _pull(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        self._hash.update(data)
        self._advance(len(data))
        return data

    def finish(self) -> str:
        """Read what the decompressor left unread; returns the digest of the whole blob.

        Raises LayerError ``blob-truncated``.
        """
        while self._pull(CHUNK_BYTES):
            pass
        if self._left:
            raise LayerError(
                f"truncated blob: expected {self.size} bytes, {self._left} are missing",
                "blob-truncated",
            )
        return "sha256:" + self._hash.hexdigest()


def _read_stream(blob: _Blob, emit: Emit) -> LayerFacts:
    stream = decompressed(blob, blob.compression)
    if blob.size < THREAD_MIN_BYTES:
        return _read_tar(blob, stream, emit)
    ahead = PrefetchStream(stream)
    try:
        return _read_tar(blob, ahead, emit)
    finally:
        ahead.stop()


def _read_tar(blob: _Blob, stream: Readable, emit: Emit) -> LayerFacts:
    tar = HashedStream(stream, hashed=blob.compression is not None)
    reader = TarReader(tar, hash_content=True)
    batches = Batches(emit)
    for member in reader:
        batches.add(member)
    batches.finish()
    digest = blob.finish()
    return LayerFacts(
        # an uncompressed tar is its own blob
        diff_id=tar.digest() or digest,
        digest=digest,
        compression=blob.compression,
        compressed_bytes=blob.size,
        tar_bytes=tar.size,
        content_bytes=batches.content_bytes,
        entries=batches.entries,
        files=batches.files,
        trailing_bytes=reader.trailing_bytes,
    )
