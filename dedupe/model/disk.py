"""Bytes of sources on disk: what each file and folder is, who needs it, and what removes it."""

from dataclasses import dataclass
from enum import StrEnum

from dedupe.model.identity import Inode


class PlaceKind(StrEnum):
    """What a place of a store is; docs/measures.md explains them."""

    #: a layer of an image, as a blob or unpacked
    LAYER = "layer"
    #: what a manifest names and is not an image: charts, models, signatures
    ARTIFACT = "artifact"
    ATTESTATION = "attestation"
    #: a build cache that a manifest names
    CACHE = "cache"
    #: the writable branch of a container
    CONTAINER = "container"
    #: what a container has printed
    LOG = "log"
    VOLUME = "volume"
    #: what the store's own builder keeps
    BUILD_CACHE = "build-cache"
    #: content of leases and unfinished transfers
    HELD = "held"
    #: an upload or a download that has not ended
    UPLOAD = "upload"
    TEMPORARY = "temporary"
    #: a blob or an unpacked layer that nothing references
    ORPHAN = "orphan"
    #: the store's own records; manifests and configs of images
    METADATA = "metadata"
    UNRECOGNISED = "unrecognised"


class PlaceForm(StrEnum):
    """How a place keeps a layer."""

    BLOB = "blob"
    #: the files of the layer alone
    TREE = "tree"
    #: the files of the layer and of all layers below it
    FULL_TREE = "full-tree"


class HolderKind(StrEnum):
    """What keeps a place from being removed."""

    IMAGE = "image"
    #: an artifact, an attestation or a build cache that a manifest names; its digest
    ARTIFACT = "artifact"
    CONTAINER = "container"
    BUILD_CACHE = "build-cache"
    LEASE = "lease"
    #: a name, a label or any other record of the store
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class PlaceHolder:
    """What keeps a place: once no holder is left, the store's own tools free it."""

    kind: HolderKind
    #: an image ID for an image; else the name or ID under which the store's tools know it
    name: str
    #: command of the store's own tools that removes the holder; empty if there is none, and for
    #: images and artifacts, whose commands are made when they are chosen
    release: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What a source knows of a place."""

    kind: PlaceKind
    #: who uses it, in the words of the store's tools: an image, container, volume, repository
    owner: str | None = None
    #: a layer's chain ID, a blob's digest, a container's ID, an upload's ID
    subject: str | None = None
    form: PlaceForm | None = None
    #: where several copies of one layer may be: containerd's namespace and snapshotter
    scope: str | None = None
    holders: tuple[PlaceHolder, ...] = ()
    #: command of the store's own tools that removes it; empty if there is none
    command: tuple[str, ...] = ()


#: what is known of a place of which nothing is known
UNRECOGNISED = PlaceFacts(PlaceKind.UNRECOGNISED)


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A file, or a folder without the places in it: a row of the table ``disk``.

    The places of all sources add up to the disk usage of what was scanned.
    """

    #: below the source's location, with slashes; empty for the location itself
    path: str
    facts: PlaceFacts
    #: disk usage, folders included
    allocated_bytes: int
    #: sizes of its regular files added up
    file_bytes: int
    #: number of its regular files
    files: int
    #: latest change of a file or folder in it, seconds since 1970; None if it has none
    changed: float | None = None
    #: its files that have names elsewhere too -> disk usage and size of each
    links: tuple[tuple[Inode, int, int], ...] = ()
