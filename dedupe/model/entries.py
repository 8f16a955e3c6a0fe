"""Entries of a layer as columns, since objects for millions of rows would be too slow."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum


class Kind(StrEnum):
    """Kind of an entry."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "character"
    BLOCK = "block"
    FIFO = "fifo"
    #: hides its path, and all below it, in lower layers
    WHITEOUT = "whiteout"
    #: hides all below its path in lower layers
    OPAQUE = "opaque"
    #: in the tar, but not in any container: AUFS metadata, invalid whiteouts, unknown types
    IGNORED = "ignored"


@dataclass(slots=True)
class EntryColumns:
    """Entries of one layer in tar order, one list per column; docs/catalog.md explains them."""

    member: list[int] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    size_bytes: list[int] = field(default_factory=list)
    stored_bytes: list[int | None] = field(default_factory=list)
    mode: list[int] = field(default_factory=list)
    uid: list[int] = field(default_factory=list)
    gid: list[int] = field(default_factory=list)
    mtime_ns: list[int] = field(default_factory=list)
    link: list[str | None] = field(default_factory=list)
    device: list[str | None] = field(default_factory=list)
    xattrs: list[str | None] = field(default_factory=list)
    content_hash: list[bytes | None] = field(default_factory=list)
    zero_bytes: list[int | None] = field(default_factory=list)
    raw_name: list[bytes | None] = field(default_factory=list)
    flags: list[str | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.member)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The entries one by one; slow, for the few uses that need it."""
        return zip(*(getattr(self, each.name) for each in fields(self)), strict=True)


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What was computed and counted while a layer was read to its end."""

    #: None if a folder was walked, which has no tar
    diff_id: str | None
    #: None if no blob was read
    digest: str | None
    compression: str | None
    #: bytes of the blob as stored; None if no blob was read
    compressed_bytes: int | None
    #: None if a folder was walked
    tar_bytes: int | None
    content_bytes: int
    entries: int
    files: int
    #: bytes after the end mark of the tar, if any of them is not zero
    trailing_bytes: int = 0
    #: digest of the rows, which identifies them if there is no diff ID
    rows_digest: str | None = None
    #: bytes that the file system allocates to the folder that was read
    allocated_bytes: int | None = None
    #: whether entries were listed and no file was opened: nothing is proven
    is_listed: bool = False
    #: code and message of each note to report
    notes: tuple[tuple[str, str], ...] = ()


class Verified(StrEnum):
    """How far a layer's rows are proven to be those of the layer that was claimed."""

    #: the blob has the digest of the manifest, and its tar the claimed diff ID if there is one
    BLOB = "blob"
    #: the tar has the claimed diff ID, or none was claimed; no digest was claimed
    DIFF_ID = "diffid"
    #: the tar was rebuilt from tar-split data and a folder, and has the diff ID
    REBUILD = "rebuild"
    #: a folder was walked, the layer was only listed, or the digest or diff ID is not as claimed
    NONE = "none"
