"""Streams between a layer's source and the tar reader: hashed, and read ahead by a thread."""

import hashlib
import queue
import threading

from dedupe.formats.compression import Readable
from dedupe.layers.batches import MAX_TAR_BYTES, too_large

#: bytes per piece from disk to hash to tar; larger ones fall out of the processor's cache
CHUNK_BYTES = 1 << 20
#: pieces between the threads
_QUEUE_CHUNKS = 8


class HashedStream:
    """An uncompressed tar that is hashed as it is read; reading raises LayerError if too large.

    ``hashed=False`` leaves hashing to the stream below, for a tar that is its own blob.
    """

    def __init__(self, stream: Readable, *, hashed: bool = True) -> None:
        self._stream = stream
        self._hash = hashlib.sha256() if hashed else None
        #: bytes that were read
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; nothing at the end."""
        data = self._stream.read(size)
        if self._hash is not None:
            self._hash.update(data)
        self.size += len(data)
        if self.size > MAX_TAR_BYTES:
            raise too_large()
        return data

    def digest(self) -> str | None:
        """Digest of what was read; None without hashing."""
        return "sha256:" + self._hash.hexdigest() if self._hash is not None else None


class PrefetchStream:
    """A stream that a thread reads ahead, so that decompression and hashing overlap.

    Errors of the stream are raised by ``read``.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_QUEUE_CHUNKS)
        self._stopped = threading.Event()
        self._rest = b""
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; nothing at the end."""
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
        # raised again by the thread that reads
        except BaseException as error:
            self._queue.put(error)
