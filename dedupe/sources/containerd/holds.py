"""What containerd's garbage collection keeps: content and snapshots that something refers to.

It begins at images, containers, leases, and content and snapshots with the label
``containerd.io/gc.root``. Labels ``containerd.io/gc.ref.…`` of a record refer to more of them. A
lease that has expired counts as one that holds, since only the collection knows the time.
Source: containerd core/metadata/gc.go, its page on garbage collection.
"""

from dataclasses import dataclass, field

from dedupe.model.identity import Digest, is_digest
from dedupe.sources.containerd.metadata import Metadata, SnapshotKey


@dataclass(slots=True)
class Held:
    """Content and snapshots that the garbage collection keeps."""

    content: set[Digest] = field(default_factory=set)
    snapshots: set[SnapshotKey] = field(default_factory=set)


def held_by(metadata: Metadata) -> Held:
    """All that the records of these namespaces lead to."""
    held = Held()
    seen: set[Digest | SnapshotKey] = set()
    pending = list(metadata.roots)
    while pending:
        one = pending.pop()
        if one in seen:
            continue
        seen.add(one)
        if isinstance(one, tuple):
            held.snapshots.add(one)
        elif is_digest(one):
            held.content.add(one)
        pending += metadata.refers.get(one, ())
    return held
