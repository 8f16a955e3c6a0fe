"""An archive file as a holder: docker-archive, OCI archive, or a tar that is a layer itself.

One pass over the headers indexes the members. Their bytes are read later, as ranges of the file;
where the whole file is compressed, by decompressing it once more.
"""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from dedupe.errors import LayerError, SourceError
from dedupe.formats.compression import MAGIC_BYTES, Readable, compression_of, decompressed
from dedupe.formats.documents import MAX_CONFIG_BYTES
from dedupe.formats.tar import FileRange, TarReader, looks_like_tar
from dedupe.host.files import open_below
from dedupe.model.images import BlobRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import Failed

#: a layer's file is linked to from at most one other in what docker and podman write
_MAX_HOPS = 8
#: documents of a compressed archive that are kept in memory
_MAX_KEPT_BYTES = 64 << 20


class ArchiveHolder:
    """Members of an archive file by cleaned name; the last of a name wins, as in docker."""

    def __init__(self, path: Path, compression: str | None) -> None:
        self.path = path
        self.compression = compression
        #: name -> (offset, size)
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        self._documents: dict[int, bytes] | None = None
        #: names that more than one member has
        self.repeated: list[str] = []
        self._index()

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a small member."""
        offset, size = self._range(name)
        if size > limit:
            raise SourceError(
                f"{name}: {size} bytes, at most {limit} are read", "document-too-large"
            )
        if self.compression is not None:
            if self._documents is None:
                self._documents = self._read_documents()
            if offset in self._documents:
                return self._documents[offset]
            raise SourceError(f"{name}: expected a JSON document", "not-json")
        descriptor = open_below(self.path, ())
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)

    def blob(self, name: str) -> BlobRef:
        """The range of the archive that holds this member's bytes."""
        offset, size = self._range(name)
        return BlobRef(self.path, (), offset, size, self.compression)

    def has(self, name: str) -> bool:
        """Whether a member, or a link to one, has this name."""
        return name in self._files or name in self._links

    def listing(self, folder: str, _failed: Failed | None = None) -> Iterator[tuple[str, int]]:
        """Regular members below ``folder``."""
        for name, (_, size) in sorted(self._files.items()):
            if name.startswith(folder + "/"):
                yield name, size

    def _range(self, name: str) -> tuple[int, int]:
        current = name
        for _ in range(_MAX_HOPS):
            if current in self._files:
                return self._files[current]
            if current not in self._links:
                break
            current = self._links[current]
            if current.startswith("../") or current == "..":
                raise SourceError(f"{name}: a link that leaves the archive", "link-outside")
        raise SourceError(f"{name}: no such member in the archive", "blob-missing")

    def _index(self) -> None:
        descriptor = open_below(self.path, ())
        try:
            size = os.fstat(descriptor).st_size
            if self.compression is None:
                self._take_members(TarReader(FileRange(descriptor, 0, size), hash_content=False))
            else:
                with open(descriptor, "rb", closefd=False) as raw:
                    stream = decompressed(raw, self.compression)
                    self._take_members(TarReader(stream, hash_content=False))
        except LayerError as error:
            raise SourceError(error.message, error.code) from error
        finally:
            os.close(descriptor)

    def _take_members(self, reader: TarReader) -> None:
        for member in reader:
            name = _clean(member.name)
            if member.typeflag == b"0":
                if name in self._files:
                    self.repeated.append(name)
                self._links.pop(name, None)
                self._files[name] = (member.offset, member.stored_size)
            elif member.typeflag in (b"1", b"2"):
                target = path_text(member.linkname)
                if member.typeflag == b"2":
                    target = posixpath.join(posixpath.dirname(name), target)
                self._files.pop(name, None)
                # an absolute target counts as one that leaves the archive
                self._links[name] = ".." if target.startswith("/") else posixpath.normpath(target)

    def _read_documents(self) -> dict[int, bytes]:
        """Every member that may be a JSON document, by offset, in one pass."""
        wanted = sorted(
            (offset, size) for offset, size in self._files.values() if size <= MAX_CONFIG_BYTES
        )
        kept: dict[int, bytes] = {}
        total = 0
        descriptor = open_below(self.path, ())
        with open(descriptor, "rb") as raw:
            stream = RangeReader(decompressed(raw, self.compression))
            for offset, size in wanted:
                data = stream.range(offset, size)
                if data[:1] in (b"{", b"[") and total + size <= _MAX_KEPT_BYTES:
                    kept[offset] = data
                    total += size
        return kept


class RangeReader:
    """Ranges of a stream that only goes forward."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._position = 0

    def skip_to(self, offset: int) -> None:
        """Go on to ``offset``; raises SourceError where the stream is behind it or ends before."""
        if offset < self._position:
            raise SourceError(f"offset {offset} lies behind {self._position}", "archive-order")
        while self._position < offset:
            piece = self._stream.read(min(1 << 20, offset - self._position))
            if not piece:
                raise SourceError(f"the archive ends before offset {offset}", "archive-truncated")
            self._position += len(piece)

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes from here."""
        piece = self._stream.read(size)
        self._position += len(piece)
        return piece

    def range(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``."""
        self.skip_to(offset)
        pieces = []
        while size:
            piece = self.read(size)
            if not piece:
                raise SourceError("the archive ends in a member", "archive-truncated")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def open_archive(path: Path) -> ArchiveHolder | None:
    """The archive in this file; None where the file is no tar, compressed or not.

    Raises SourceError: ``empty-file``, a tar's error (``tar-truncated``), a decompressor's error.
    """
    descriptor = open_below(path, ())
    with open(descriptor, "rb") as raw:
        head = raw.read(MAGIC_BYTES)
        if not head:
            raise SourceError("empty file", "empty-file")
        compression = compression_of(head)
        if compression is not None:
            raw.seek(0)
            try:
                head = decompressed(raw, compression).read(MAGIC_BYTES)
            except LayerError as error:
                raise SourceError(error.message, error.code) from error
    # an empty tar is nothing but zeros
    if not looks_like_tar(head) and (head.strip(b"\0") or len(head) < MAGIC_BYTES):
        return None
    return ArchiveHolder(path, compression)


def _clean(name: bytes) -> str:
    return path_text(name).removeprefix("./").rstrip("/")
