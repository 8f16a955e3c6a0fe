"""containerd's databases: images and containers by namespace, and snapshots.

``meta.db`` has the records of each namespace. The ``metadata.db`` of a snapshotter has the folder
of each snapshot. A snapshot's full name there is ``<namespace>/<number>/<key>``; the key of a
committed snapshot is the chain ID of the layer that is unpacked in it.
Source: containerd core/metadata/buckets.go, core/snapshots/storage/bolt.go.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile, Bucket
from dedupe.model.identity import Digest

METADATA = ("io.containerd.metadata.v1.bolt", "meta.db")
#: records of one kind in one root: a hundred times what large hosts have
MAX_RECORDS = 200_000
#: errors after which no more namespaces are read
_MAX_ERRORS = 100
#: names and labels are cut after this many bytes
_MAX_TEXT_BYTES = 32768
_VERSION = b"v1"
_ROOT_LABEL = b"containerd.io/gc.root"
_CONTENT_LABEL = b"containerd.io/gc.ref.content"
_SNAPSHOT_LABEL = b"containerd.io/gc.ref.snapshot."
#: namespace, snapshotter and key of a snapshot
SnapshotKey = tuple[str, str, str]
_ACTIVE, _COMMITTED = b"\x02", b"\x03"


@dataclass(frozen=True, slots=True)
class ContainerdImage:
    """A name in a namespace, and the descriptor of its target."""

    namespace: str
    name: str
    #: in the form of an index entry: digest, mediaType, size
    target: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContainerdContainer:
    """A container in a namespace; fields that the record lacks are empty."""

    namespace: str
    container_id: str
    image: str
    snapshotter: str
    snapshot_key: str
    labels: dict[str, str]


@dataclass(slots=True)
class Metadata:
    """Records of all namespaces, and the errors of reading them."""

    images: list[ContainerdImage] = field(default_factory=list)
    containers: list[ContainerdContainer] = field(default_factory=list)
    #: snapshotters with snapshots in any namespace
    snapshotters: set[str] = field(default_factory=set)
    #: content and snapshots that are kept for themselves
    roots: list[Digest | SnapshotKey] = field(default_factory=list)
    #: content or snapshot -> what is kept because of it
    refers: dict[Digest | SnapshotKey, list[Digest | SnapshotKey]] = field(default_factory=dict)
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


def read_metadata(file: BoltFile) -> Metadata:
    """Read all records; an error ends the list of one namespace, not the others."""
    found = Metadata()
    try:
        root = file.bucket(_VERSION)
        namespaces = root.buckets() if root is not None else {}
    except SourceError as error:
        found.errors.append(error)
        return found
    for name, bucket in namespaces.items():
        if len(found.errors) >= _MAX_ERRORS:
            break
        try:
            sections = bucket.buckets()
        except SourceError as error:
            found.errors.append(error)
            continue
        _add_records(found, found.images, _images(_text(name), sections.get(b"images")))
        _add_records(found, found.containers, _containers(_text(name), sections.get(b"containers")))
        _add_records(found, found.snapshotters, _snapshotters(sections.get(b"snapshots")))
        _add_records(found, found.roots, _roots(found, _text(name), sections))
    return found


def snapshots_in(file: BoltFile) -> Iterator[tuple[str, Snapshot]]:
    """Full name and record of each snapshot of one snapshotter.

    Raises SourceError ``bolt-damaged`` or ``bolt-too-large``.
    """
    for count, (name, record) in enumerate(_records(file.bucket(_VERSION, b"snapshots"))):
        if count == MAX_RECORDS:
            raise _too_many()
        values = record.values()
        namespace, _, rest = _text(name).partition("/")
        yield (
            _text(name),
            Snapshot(
                namespace,
                rest.partition("/")[2],
                unsigned(values.get(b"id", b"")),
                values.get(b"kind") == _COMMITTED,
                values.get(b"kind") == _ACTIVE,
                _text(values.get(b"parent", b"")),
                signed(values.get(b"size", b"")),
            ),
        )


def unsigned(data: bytes) -> int:
    """Decode Go's unsigned varint; 0 if it is not one."""
    value = 0
    for position, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value
    return 0


def signed(data: bytes) -> int:
    """Decode Go's signed (zig-zag) varint; 0 if it is not one."""
    value = unsigned(data)
    return value >> 1 ^ -(value & 1)


def _too_many() -> SourceError:
    """The error for a database that is too large to keep in memory."""
    return SourceError(f"more than {MAX_RECORDS} records of a kind", "bolt-too-large")


def _add_records(found: Metadata, into: Any, records: Iterator[Any]) -> None:
    add = into.add if isinstance(into, set) else into.append
    try:
        for record in records:
            add(record)
            if len(into) > MAX_RECORDS:
                raise _too_many()
    except SourceError as error:
        # a damaged page may be read for several kinds of records
        if error.message not in {known.message for known in found.errors}:
            found.errors.append(error)


def _images(namespace: str, bucket: Bucket | None) -> Iterator[ContainerdImage]:
    for name, record in _records(bucket):
        target = record.buckets().get(b"target")
        values = target.values() if target is not None else {}
        entry: dict[str, Any] = {
            "digest": _text(values.get(b"digest", b"")),
            "mediaType": _text(values.get(b"mediatype", b"")),
        }
        if b"size" in values:
            entry["size"] = signed(values[b"size"])
        yield ContainerdImage(namespace, _text(name), entry)


def _containers(namespace: str, bucket: Bucket | None) -> Iterator[ContainerdContainer]:
    for name, record in _records(bucket):
        values = record.values()
        labels = record.buckets().get(b"labels")
        yield ContainerdContainer(
            namespace,
            _text(name),
            _text(values.get(b"image", b"")),
            _text(values.get(b"snapshotter", b"")),
            _text(values.get(b"snapshotKey", b"")),
            {
                _text(key): _text(value)
                for key, value in (labels.values() if labels is not None else {}).items()
            },
        )


def _snapshotters(bucket: Bucket | None) -> Iterator[str]:
    for name, records in _records(bucket):
        # a snapshotter that is not used any more leaves an empty bucket
        if next(iter(records), None) is not None:
            yield _text(name)


def _roots(
    found: Metadata, namespace: str, sections: Mapping[bytes, Bucket]
) -> Iterator[Digest | SnapshotKey]:
    """What is kept for itself in a namespace; adds what refers to what to ``found``."""
    for image in found.images:
        if image.namespace == namespace:
            yield Digest(image.target["digest"])
    for container in found.containers:
        if container.namespace == namespace:
            yield (namespace, container.snapshotter, container.snapshot_key)
            labels = {key.encode(): text.encode() for key, text in container.labels.items()}
            yield from _labelled(namespace, labels)
    content = sections.get(b"content")
    blobs = content.buckets().get(b"blob") if content is not None else None
    for digest, record in _records(blobs):
        labels = _labels(record)
        _refer(found, Digest(_text(digest)), _labelled(namespace, labels))
        if _ROOT_LABEL in labels:
            yield Digest(_text(digest))
    for snapshotter, snapshots in _records(sections.get(b"snapshots")):
        for key, record in _records(snapshots):
            one = (namespace, _text(snapshotter), _text(key))
            labels, parent = _labels(record), _text(record.values().get(b"parent", b""))
            above = [(namespace, _text(snapshotter), parent)] if parent else []
            _refer(found, one, [*above, *_labelled(namespace, labels)])
            if _ROOT_LABEL in labels:
                yield one
    for _, lease in _records(sections.get(b"leases")):
        yield from _leased(namespace, lease)


def _leased(namespace: str, lease: Bucket) -> Iterator[Digest | SnapshotKey]:
    kinds = lease.buckets()
    for digest, _ in kinds.get(b"content", ()):
        yield Digest(_text(digest))
    for snapshotter, keys in _records(kinds.get(b"snapshots")):
        for key, _ in keys:
            yield (namespace, _text(snapshotter), _text(key))


def _labelled(namespace: str, labels: Mapping[bytes, bytes]) -> Iterator[Digest | SnapshotKey]:
    """What labels of a record refer to."""
    for name, value in labels.items():
        if name.startswith(_CONTENT_LABEL):
            yield Digest(_text(value))
        elif name.startswith(_SNAPSHOT_LABEL):
            snapshotter = name.removeprefix(_SNAPSHOT_LABEL).partition(b"/")[0]
            yield (namespace, _text(snapshotter), _text(value))


def _labels(record: Bucket) -> dict[bytes, bytes]:
    labels = record.buckets().get(b"labels")
    return labels.values() if labels is not None else {}


def _refer(
    found: Metadata, one: Digest | SnapshotKey, others: Iterable[Digest | SnapshotKey]
) -> None:
    found.refers.setdefault(one, []).extend(others)


def _records(bucket: Bucket | None) -> Iterator[tuple[bytes, Bucket]]:
    for key, item in bucket or ():
        if isinstance(item, Bucket):
            yield key, item


def _text(data: bytes) -> str:
    return data[:_MAX_TEXT_BYTES].decode("utf-8", "surrogateescape")
