"""An archive file as a holder of files: docker-archive, OCI archive, or a layer's tar.

One pass over the headers indexes the members. Their bytes are read later, as ranges of the file. If
the file is compressed as a whole, it is decompressed again for that.
"""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from dedupe.errors import LayerError, SourceError
from dedupe.formats.compression import MAGIC_BYTES, compression_of, decompressed
from dedupe.formats.documents import MAX_CONFIG_BYTES
from dedupe.formats.streams import RangeReader
from dedupe.formats.tar import FileRange, TarReader, looks_like_tar
from dedupe.host.files import open_below
from dedupe.model.images import BlobRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import HeldFile, OnFailure

#: links to follow from one name; docker and podman link a layer's file to at most one other
_MAX_HOPS = 8
#: bytes of documents of a compressed archive that are kept in memory
_MAX_KEPT_BYTES = 64 << 20


class ArchiveHolder:
    """Members of an archive file by cleaned name; the last one of a name counts, as in docker."""

    def __init__(self, path: Path, compression: str | None) -> None:
        """Index the members; raises SourceError with the code of the tar reader or decompressor."""
        self.path = path
        self.compression = compression
        #: size of the archive file
        self.size_bytes = 0
        #: name -> (offset, size)
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        self._documents: dict[int, bytes] | None = None
        #: names of more than one member
        self.repeated: list[str] = []
        self._index()

    def read_file(self, name: str, limit: int) -> bytes:
        """Read a small member.

        Raises SourceError ``blob-missing``, ``link-outside``, ``document-too-large``, or
        ``not-json`` for a member of a compressed archive that is not a JSON document.
        """
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
        """The range of the archive that holds this member.

        Raises SourceError ``blob-missing`` or ``link-outside``.
        """
        offset, size = self._range(name)
        return BlobRef(self.path, (), offset, size, self.compression)

    def has(self, name: str) -> bool:
        """Whether a regular file or a link has this name."""
        return name in self._files or name in self._links

    def is_folder(self, name: str) -> bool:
        """Whether a regular file or a link is below this name."""
        start = name + "/"
        return any(path.startswith(start) for path in (*self._files, *self._links))

    def list_files(self, folder: str, _on_failure: OnFailure | None = None) -> Iterator[HeldFile]:
        """List the regular files below ``folder``, or all, with their sizes."""
        start = f"{folder}/" if folder else ""
        for name, (_, size) in sorted(self._files.items()):
            if name.startswith(start):
                yield HeldFile(name, size)

    def _range(self, name: str) -> tuple[int, int]:
        """Offset and size of a member; links are followed."""
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
            self.size_bytes = os.fstat(descriptor).st_size
            if self.compression is None:
                stream = FileRange(descriptor, 0, self.size_bytes)
                self._add_members(TarReader(stream, hash_content=False))
            else:
                with open(descriptor, "rb", closefd=False) as raw:
                    plain = decompressed(raw, self.compression)
                    self._add_members(TarReader(plain, hash_content=False))
        except LayerError as error:
            raise SourceError(error.message, error.code) from error
        finally:
            os.close(descriptor)

    def _add_members(self, reader: TarReader) -> None:
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
        """Read all members that may be JSON documents in one pass; by offset."""
        wanted = sorted(
            (offset, size) for offset, size in self._files.values() if size <= MAX_CONFIG_BYTES
        )
        kept: dict[int, bytes] = {}
        total = 0
        descriptor = open_below(self.path, ())
        with open(descriptor, "rb") as raw:
            stream = RangeReader(decompressed(raw, self.compression))
            for offset, size in wanted:
                data = stream.read_range(offset, size)
                if data[:1] in (b"{", b"[") and total + size <= _MAX_KEPT_BYTES:
                    kept[offset] = data
                    total += size
        return kept


def open_archive(path: Path) -> ArchiveHolder | None:
    """Open the archive in this file; None if the file is not a tar, compressed or not.

    Raises SourceError ``empty-file``, or with the code of the tar reader or decompressor.
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
    # an empty tar consists of zeros
    if not looks_like_tar(head) and (head.strip(b"\0") or len(head) < MAGIC_BYTES):
        return None
    return ArchiveHolder(path, compression)


def _clean(name: bytes) -> str:
    return path_text(name).removeprefix("./").rstrip("/")
