"""Rows of a layer, as columns: by the million they are never objects."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum


class Kind(StrEnum):
    """What a member of a layer is."""

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
    #: in the tar, but never in a container: AUFS metadata, invalid whiteouts, unknown types
    IGNORED = "ignored"


@dataclass(slots=True)
class EntryColumns:
    """Entries of one layer in tar order, one list a column; docs/catalog.md describes them."""

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
    raw_name: list[bytes | None] = field(default_factory=list)
    flags: list[str | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.member)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The same a row at a time, for the few uses that need it."""
        return zip(*(getattr(self, each.name) for each in fields(self)), strict=True)


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What reading a layer to its end has shown."""

    #: None where a folder was walked, which has no tar
    diff_id: str | None
    #: None where no blob was read
    digest: str | None
    compression: str | None
    #: bytes of the blob as stored; None where no blob was read
    compressed_bytes: int | None
    #: None where a folder was walked
    tar_bytes: int | None
    content_bytes: int
    entries: int
    files: int
    #: bytes that follow the end mark of the tar and are not zero
    trailing_bytes: int = 0
    #: digest of the rows themselves, where there is no diff ID to know them by
    rows_digest: str | None = None
    #: bytes that the file system gives to the folder that was read
    allocated_bytes: int | None = None
    #: what a reader should be told, code and message each
    notes: tuple[tuple[str, str], ...] = ()


class Verified(StrEnum):
    """How far a layer's rows are proven to be those of the layer that they are kept for."""

    #: the blob has the digest that a manifest names, and its tar the diff ID
    BLOB = "blob"
    #: the tar has the diff ID that is claimed, or names itself
    DIFF_ID = "diffid"
    #: the tar was made again from tar-split data and a folder, and has the diff ID
    REBUILD = "rebuild"
    #: a folder was walked, or the bytes are not what is claimed
    NONE = "none"
