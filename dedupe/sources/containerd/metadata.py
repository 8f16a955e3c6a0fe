"""What containerd's two kinds of database say: images and containers, and their snapshots.

``meta.db`` holds records a namespace; each snapshotter's ``metadata.db`` says in which folder a
snapshot lies. A snapshot's name there is ``<namespace>/<number>/<key>``, the key of a committed
one the chain ID of the layer that it unpacks.
Source: containerd core/metadata/buckets.go, core/snapshots/storage/bolt.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile, Bucket

METADATA = ("io.containerd.metadata.v1.bolt", "meta.db")
#: images, containers or snapshots of one root: a hundred times what large hosts have
MAX_RECORDS = 200_000
#: findings that still tell something new
_MAX_DAMAGES = 100
#: nothing that is shown or compared is longer
_MAX_TEXT_BYTES = 32768
_VERSION = b"v1"
_ACTIVE, _COMMITTED = b"\x02", b"\x03"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A name in a namespace, and the descriptor that it stands for."""

    namespace: str
    name: str
    #: as an entry of an index: digest, mediaType, size
    target: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container in a namespace; empty fields where the record has none."""

    namespace: str
    container_id: str
    image: str
    snapshotter: str
    snapshot_key: str
    labels: dict[str, str]


@dataclass(slots=True)
class Metadata:
    """Records of all namespaces, and what of them was damaged."""

    images: list[ImageRecord] = field(default_factory=list)
    containers: list[ContainerRecord] = field(default_factory=list)
    #: snapshotters that some namespace has snapshots of
    snapshotters: set[str] = field(default_factory=set)
    damages: list[SourceError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as its snapshotter keeps it."""

    namespace: str
    #: chain ID of a committed snapshot; whatever the client chose for an active one
    key: str
    #: name of the folder
    number: int
    committed: bool
    #: neither committed nor a view of what is
    writable: bool
    #: full name of the snapshot below; empty for the base
    parent: str
    #: disk usage when it was committed; 0 for an active one
    size: int


def read_metadata(file: BoltFile) -> Metadata:
    """All that can be read; damage ends one namespace's list, not the rest."""
    found = Metadata()
    try:
        root = file.bucket(_VERSION)
        namespaces = root.buckets() if root is not None else {}
    except SourceError as error:
        found.damages.append(error)
        return found
    for name, bucket in namespaces.items():
        if len(found.damages) >= _MAX_DAMAGES:
            break
        try:
            sections = bucket.buckets()
        except SourceError as error:
            found.damages.append(error)
            continue
        _take(found, found.images, _images(_text(name), sections.get(b"images")))
        _take(found, found.containers, _containers(_text(name), sections.get(b"containers")))
        _take(found, found.snapshotters, _snapshotters(sections.get(b"snapshots")))
    return found


def snapshots_in(file: BoltFile) -> Iterator[tuple[str, Snapshot]]:
    """Snapshots of one snapshotter with their full names.

    SourceError ``bolt-damaged`` or ``bolt-too-large`` ends them early.
    """
    for count, (name, record) in enumerate(_records(file.bucket(_VERSION, b"snapshots"))):
        if count == MAX_RECORDS:
            raise too_many()
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
    """Go's unsigned varint; 0 for what is none."""
    value = 0
    for position, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value
    return 0


def signed(data: bytes) -> int:
    """Go's signed (zig-zag) varint; 0 for what is none."""
    value = unsigned(data)
    return value >> 1 ^ -(value & 1)


def too_many() -> SourceError:
    """The error for a database that could fill the memory."""
    return SourceError(f"more than {MAX_RECORDS} records of a kind", "bolt-too-large")


def _take(found: Metadata, into: Any, records: Iterator[Any]) -> None:
    add = into.add if isinstance(into, set) else into.append
    try:
        for record in records:
            add(record)
            if len(into) > MAX_RECORDS:
                raise too_many()
    except SourceError as error:
        found.damages.append(error)


def _images(namespace: str, bucket: Bucket | None) -> Iterator[ImageRecord]:
    for name, record in _records(bucket):
        target = record.buckets().get(b"target")
        values = target.values() if target is not None else {}
        entry: dict[str, Any] = {
            "digest": _text(values.get(b"digest", b"")),
            "mediaType": _text(values.get(b"mediatype", b"")),
        }
        if b"size" in values:
            entry["size"] = signed(values[b"size"])
        yield ImageRecord(namespace, _text(name), entry)


def _containers(namespace: str, bucket: Bucket | None) -> Iterator[ContainerRecord]:
    for name, record in _records(bucket):
        values = record.values()
        labels = record.buckets().get(b"labels")
        yield ContainerRecord(
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
        # a snapshotter that was in use once leaves an empty bucket
        if next(iter(records), None) is not None:
            yield _text(name)


def _records(bucket: Bucket | None) -> Iterator[tuple[bytes, Bucket]]:
    for key, item in bucket or ():
        if isinstance(item, Bucket):
            yield key, item


def _text(data: bytes) -> str:
    return data[:_MAX_TEXT_BYTES].decode("utf-8", "surrogateescape")
