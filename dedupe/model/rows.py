"""Rows of a layer, as columns: by the million they are never objects."""

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What reading a layer's blob to its end has shown."""

    diff_id: str
    digest: str
    compression: str | None
    #: bytes of the blob as stored
    compressed_bytes: int
    tar_bytes: int
    content_bytes: int
    entries: int
    files: int
    #: bytes that follow the end mark of the tar and are not zero
    trailing_bytes: int
