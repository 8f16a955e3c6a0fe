"""What containerd's garbage collection keeps, and which record keeps it.

The collection begins at images, containers, leases that have not expired, and content and snapshots
with the label ``containerd.io/gc.root``. Labels ``containerd.io/gc.ref.…`` of a record refer to
more content and snapshots of the same namespace, and a snapshot needs the one below it.
Source: containerd core/metadata/gc.go, its page on garbage collection.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from dedupe.errors import SourceError
from dedupe.sources.containerd.metadata import referred
from dedupe.sources.containerd.records import Lease, Metadata, Resource

#: pairs of a record and what it keeps: a hundred times what large hosts have
_MAX_KEPT = 5_000_000


class KeeperKind(Enum):
    """Kinds of records that the garbage collection begins at."""

    #: all names of one target in one namespace
    IMAGE = "image"
    CONTAINER = "container"
    LEASE = "lease"
    #: content or a snapshot with the label ``containerd.io/gc.root``
    LABEL = "label"


class Keeper(NamedTuple):
    """A record that keeps content and snapshots."""

    kind: KeeperKind
    namespace: str
    #: target's digest of an image, ID of a container or a lease, key of what has the label
    name: str
    #: of a snapshot that has the label
    snapshotter: str = ""


#: content and snapshots that have a record -> the records that keep them
Kept = Mapping[Resource, list[Keeper]]


def kept_by(
    metadata: Metadata,
    below: Mapping[Resource, Resource],
    also: Iterable[tuple[Keeper, Iterable[Resource]]],
) -> Kept:
    """What is kept, with what keeps it.

    ``below`` has snapshots and those below them as the snapshotters record it. ``also`` has what
    keeps content and snapshots without a record. Raises SourceError ``bolt-too-large`` if there is
    more than real hosts have.
    """
    found: dict[Resource, list[Keeper]] = {}
    count = 0
    others = ((keeper, resources, False) for keeper, resources in also)
    for keeper, roots, flat in (*_keepers(metadata), *others):
        seen: set[Resource] = set()
        pending = list(roots)
        while pending:
            one = pending.pop()
            if one in seen or one not in metadata.known:
                continue
            seen.add(one)
            found.setdefault(one, []).append(keeper)
            pending += [parents[one] for parents in (metadata.parents, below) if one in parents]
            if not flat:
                pending += metadata.refers.get(one, ())
        count += len(seen)
        if count > _MAX_KEPT:
            raise SourceError(f"records keep more than {_MAX_KEPT} blobs", "bolt-too-large")
    return found


def has_expired(lease: Lease, now: datetime) -> bool:
    """Whether the next garbage collection deletes the lease."""
    return lease.expires is not None and lease.expires < now


def _keepers(metadata: Metadata) -> Iterator[tuple[Keeper, Iterable[Resource], bool]]:
    """Each record with what it keeps itself, and whether that keeps nothing else by its labels."""
    images: dict[Keeper, list[Resource]] = {}
    for image in metadata.images:
        digest = str(image.target["digest"])
        keeper = Keeper(KeeperKind.IMAGE, image.namespace, digest)
        kept = images.setdefault(keeper, [Resource(image.namespace, "", digest)])
        kept += referred(image.namespace, image.labels)
    for keeper, resources in images.items():
        yield keeper, resources, False
    for container in metadata.containers:
        space = container.namespace
        keeper = Keeper(KeeperKind.CONTAINER, space, container.container_id)
        own = Resource(space, container.snapshotter, container.snapshot_key)
        yield keeper, [own, *referred(space, container.labels)], False
    for lease in metadata.leases:
        keeper = Keeper(KeeperKind.LEASE, lease.namespace, lease.lease_id)
        yield keeper, lease.resources, lease.flat
    for one in metadata.rooted:
        yield Keeper(KeeperKind.LABEL, one.namespace, one.key, one.snapshotter), [one], False
