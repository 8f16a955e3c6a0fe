"""Records of containerd's databases."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from dedupe.errors import SourceError


class Resource(NamedTuple):
    """A content blob or a snapshot in a namespace."""

    namespace: str
    #: empty for content
    snapshotter: str
    #: digest of content, key of a snapshot
    key: str


@dataclass(frozen=True, slots=True)
class ContainerdImage:
    """A name in a namespace, and the descriptor of its target."""

    namespace: str
    name: str
    #: in the form of an index entry: digest, mediaType, size
    target: dict[str, Any]
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class ContainerdContainer:
    """A container in a namespace; fields that the record lacks are empty."""

    namespace: str
    container_id: str
    image: str
    snapshotter: str
    snapshot_key: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease in a namespace: a client that pulls or builds keeps with it what it has so far."""

    namespace: str
    lease_id: str
    #: seconds since 1970; None if the record does not say
    created: float | None
    #: when it ends; None if it does not end by itself
    expires: datetime | None
    #: whether what it keeps keeps nothing itself but the snapshots below
    flat: bool
    resources: tuple[Resource, ...]
    #: names of transfers
    ingests: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ingest:
    """A transfer into the content store that has not ended."""

    namespace: str
    ref: str
    #: name under which the content store knows it, from which the name of its folder is made
    backend_ref: str


@dataclass(slots=True)
class Metadata:
    """Records of all namespaces, and the errors of reading them."""

    images: list[ContainerdImage] = field(default_factory=list)
    containers: list[ContainerdContainer] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    ingests: list[Ingest] = field(default_factory=list)
    #: snapshotters with snapshots in any namespace
    snapshotters: set[str] = field(default_factory=set)
    #: content and snapshots that have a record -> full name of a snapshot; empty for content
    known: dict[Resource, str] = field(default_factory=dict)
    #: content and snapshots with the label ``containerd.io/gc.root``
    rooted: list[Resource] = field(default_factory=list)
    #: content or snapshot -> what its labels refer to
    refers: dict[Resource, list[Resource]] = field(default_factory=dict)
    #: snapshot -> the snapshot below it
    parents: dict[Resource, Resource] = field(default_factory=dict)
    errors: list[SourceError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot in a snapshotter's database."""

    namespace: str
    #: chain ID of a committed snapshot; any text for an active one
    key: str
    #: name of the folder
    number: int
    committed: bool
    #: neither committed nor a read-only view
    writable: bool
    #: full name of the snapshot below; empty for the lowest one
    parent: str
    #: disk usage when it was committed; 0 for an active one
    size: int
