"""A blob read once, to its end: entries, the blob's digest and the diff ID in the same pass."""

import hashlib
import os
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from dedupe.errors import LayerError
from dedupe.formats.compression import MAGIC_BYTES, Readable, compression_of, decompressed
from dedupe.formats.streams import RangeReader
from dedupe.formats.tar import FileRange, TarReader
from dedupe.host.files import open_below
from dedupe.host.objects import ObjectStream
from dedupe.layers.batches import MAX_TAR_BYTES, Batches, Emit
from dedupe.layers.unpacked import read_unpacked
from dedupe.model.images import BlobRef, LayerRef, ObjectRef, TreeRef
from dedupe.model.rows import LayerFacts

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: pieces that go from disk to hash to tar; larger ones fall out of the processor's cache
CHUNK_BYTES = 1 << 20
#: smaller blobs are done before a second thread would pay
THREAD_MIN_BYTES = 8 << 20
#: pieces between the threads
_QUEUE_CHUNKS = 8


def read_layer(ref: LayerRef, emit: Emit, advance: Callable[[int], None]) -> LayerFacts:
    """Read one layer; ``emit`` gets batches of rows, ``advance`` bytes as they are read.

    Raises LayerError or SourceError where it cannot be read to its end; rows emitted before that
    are of no use.
    """
    match ref:
        case BlobRef():
            return _read_blob(ref, emit, advance)
        case ObjectRef():
            return _read(_Blob(ObjectStream(ref), ref.size, advance), emit)
        case TreeRef():
            return read_unpacked(ref, emit, advance)


def _read_blob(ref: BlobRef, emit: Emit, advance: Callable[[int], None]) -> LayerFacts:
    descriptor = open_below(ref.root, ref.parts)
    try:
        if ref.outer is None:
            size = ref.size if ref.size >= 0 else os.fstat(descriptor).st_size
            return _read(_Blob(FileRange(descriptor, ref.offset, size), size, advance), emit)
        with open(descriptor, "rb", closefd=False) as raw:
            stream = RangeReader(decompressed(raw, ref.outer))
            stream.skip_to(ref.offset)
            return _read(_Blob(stream, ref.size, advance), emit)
    finally:
        os.close(descriptor)


class _Blob:
    """A blob's bytes as stored, hashed as they pass."""

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
        """As ``read``, into a buffer that isal brings along."""
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
        """Digest of the whole blob, whatever the decompressor left unread."""
        while self._pull(CHUNK_BYTES):
            pass
        if self._left:
            raise LayerError(
                f"truncated blob: expected {self.size} bytes, {self._left} are missing",
                "blob-truncated",
            )
        return "sha256:" + self._hash.hexdigest()


class _Tar:
    """The uncompressed tar, hashed as it passes; one that is its own blob is hashed there."""

    def __init__(self, stream: Readable, *, hashed: bool) -> None:
        self._stream = stream
        self._hash = None if hashed else hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        if self._hash is not None:
            self._hash.update(data)
        self.size += len(data)
        if self.size > MAX_TAR_BYTES:
            raise LayerError(f"decompresses to more than {MAX_TAR_BYTES} bytes", "layer-too-large")
        return data

    def diff_id(self, digest: str) -> str:
        """Of the whole tar, whose blob has this digest."""
        return digest if self._hash is None else "sha256:" + self._hash.hexdigest()


class _Ahead:
    """A stream read by a thread of its own, so that decompression and hashing overlap."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_QUEUE_CHUNKS)
        self._stopped = threading.Event()
        self._rest = b""
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def read(self, size: int = -1, /) -> bytes:
        if not self._rest and not self._ended:
            item = self._queue.get()
            if isinstance(item, BaseException):
                self._ended = True
                raise item
            self._ended = not item
            self._rest = item
        data = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(data) :]
        return data

    def stop(self) -> None:
        """End the thread, whether or not the stream was read to its end."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.01)
            except queue.Empty:
                self._thread.join(0.01)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                data = self._stream.read(CHUNK_BYTES)
                self._queue.put(data)
                if not data:
                    return
        # handed to the reader, which raises it
        except BaseException as error:
            self._queue.put(error)


def _read(blob: _Blob, emit: Emit) -> LayerFacts:
    stream = decompressed(blob, blob.compression)
    plain = blob.compression is None
    if blob.size < THREAD_MIN_BYTES:
        return _facts(blob, _Tar(stream, hashed=plain), emit)
    ahead = _Ahead(stream)
    try:
        return _facts(blob, _Tar(ahead, hashed=plain), emit)
    finally:
        ahead.stop()


def _facts(blob: _Blob, tar: _Tar, emit: Emit) -> LayerFacts:
    reader = TarReader(tar, hash_content=True)
    batches = Batches(emit)
    for member in reader:
        batches.add(member)
    batches.finish()
    digest = blob.finish()
    return LayerFacts(
        diff_id=tar.diff_id(digest),
        digest=digest,
        compression=blob.compression,
        compressed_bytes=blob.size,
        tar_bytes=tar.size,
        content_bytes=batches.content_bytes,
        entries=batches.entries,
        files=batches.files,
        trailing_bytes=reader.trailing_bytes,
    )
