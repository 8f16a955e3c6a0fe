"""containerd's databases: images and containers by namespace, and snapshots.

``meta.db`` has the records of each namespace. The ``metadata.db`` of a snapshotter has the folder
of each snapshot. A snapshot's full name there is ``<namespace>/<number>/<key>``; the key of a
committed snapshot is the chain ID of the layer that is unpacked in it.
Source: containerd core/metadata/buckets.go, core/snapshots/storage/bolt.go.
"""

import struct
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile, Bucket
from dedupe.sources.containerd.records import (
    ContainerdContainer,
    ContainerdImage,
    Ingest,
    Lease,
    Metadata,
    Resource,
    Snapshot,
)

METADATA = ("io.containerd.metadata.v1.bolt", "meta.db")
#: records of one kind in one root: a hundred times what large hosts have
MAX_RECORDS = 200_000
#: errors after which no more namespaces are read
_MAX_ERRORS = 100
#: names and labels are cut after this many bytes
_MAX_TEXT_BYTES = 32768
_VERSION = b"v1"
#: keeps what has it
ROOT_LABEL = "containerd.io/gc.root"
_EXPIRE_LABEL = "containerd.io/gc.expire"
_FLAT_LABEL = "containerd.io/gc.flat"
_CONTENT_LABEL = "containerd.io/gc.ref.content"
_SNAPSHOT_LABEL = "containerd.io/gc.ref.snapshot."
_ACTIVE, _COMMITTED = b"\x02", b"\x03"
#: a time as Go writes it: version, seconds since the year 1, nanoseconds; the zone follows
_TIME = struct.Struct(">BqI")
#: seconds from the year 1 to 1970
_YEAR_1970 = 62_135_596_800


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
        space, content = _text(name), sections.get(b"content")
        _add_records(found, found.images, _images(space, sections.get(b"images")))
        _add_records(found, found.containers, _containers(space, sections.get(b"containers")))
        _add_records(found, found.rooted, _content(found, space, content))
        _add_records(found, found.rooted, _snapshots(found, space, sections.get(b"snapshots")))
        _add_records(found, found.leases, _leases(space, sections.get(b"leases")))
        _add_records(found, found.ingests, _ingests(space, content))
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


def referred(namespace: str, labels: Mapping[str, str]) -> list[Resource]:
    """What labels of a record refer to."""
    found = []
    for name, value in labels.items():
        if name.startswith(_CONTENT_LABEL):
            found.append(Resource(namespace, "", value))
        elif name.startswith(_SNAPSHOT_LABEL):
            snapshotter = name.removeprefix(_SNAPSHOT_LABEL).partition("/")[0]
            found.append(Resource(namespace, snapshotter, value))
    return found


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


def _add_records(found: Metadata, into: list[Any], records: Iterator[Any]) -> None:
    try:
        for record in records:
            into.append(record)
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
        yield ContainerdImage(namespace, _text(name), entry, _labels(record))


def _containers(namespace: str, bucket: Bucket | None) -> Iterator[ContainerdContainer]:
    for name, record in _records(bucket):
        values = record.values()
        yield ContainerdContainer(
            namespace,
            _text(name),
            _text(values.get(b"image", b"")),
            _text(values.get(b"snapshotter", b"")),
            _text(values.get(b"snapshotKey", b"")),
            _labels(record),
        )


def _content(found: Metadata, namespace: str, content: Bucket | None) -> Iterator[Resource]:
    """Add records of content to ``found``; yields what a label keeps."""
    blobs = content.buckets().get(b"blob") if content is not None else None
    for digest, record in _records(blobs):
        one = Resource(namespace, "", _text(digest))
        labels = _labels(record)
        _add_known(found, one, "", labels)
        if ROOT_LABEL in labels:
            yield one


def _snapshots(found: Metadata, namespace: str, bucket: Bucket | None) -> Iterator[Resource]:
    """Add records of snapshots to ``found``; yields what a label keeps."""
    for name, records in _records(bucket):
        for key, record in _records(records):
            one = Resource(namespace, _text(name), _text(key))
            # a snapshotter that is not used any more leaves an empty bucket
            found.snapshotters.add(one.snapshotter)
            labels, values = _labels(record), record.values()
            _add_known(found, one, _text(values.get(b"name", b"")), labels)
            if values.get(b"parent"):
                found.parents[one] = Resource(*one[:2], _text(values[b"parent"]))
            if ROOT_LABEL in labels:
                yield one


def _add_known(found: Metadata, one: Resource, full_name: str, labels: Mapping[str, str]) -> None:
    # content and snapshots
    if len(found.known) >= 2 * MAX_RECORDS:
        raise _too_many()
    found.known[one] = full_name
    others = referred(one.namespace, labels)
    if others:
        found.refers[one] = others


def _leases(namespace: str, bucket: Bucket | None) -> Iterator[Lease]:
    for name, record in _records(bucket):
        sections, labels = record.buckets(), _labels(record)
        kept = [Resource(namespace, "", _text(key)) for key, _ in sections.get(b"content", ())]
        for snapshotter, keys in _records(sections.get(b"snapshots")):
            kept += [Resource(namespace, _text(snapshotter), _text(key)) for key, _ in keys]
        yield Lease(
            namespace,
            _text(name),
            _time(record.values().get(b"createdat", b"")),
            _expiry(labels.get(_EXPIRE_LABEL, "")),
            _FLAT_LABEL in labels,
            tuple(kept),
            frozenset(_text(ref) for ref, _ in sections.get(b"ingests", ())),
        )


def _ingests(namespace: str, content: Bucket | None) -> Iterator[Ingest]:
    bucket = content.buckets().get(b"ingests") if content is not None else None
    for ref, record in _records(bucket):
        yield Ingest(namespace, _text(ref), _text(record.values().get(b"ref", b"")))


def _labels(record: Bucket) -> dict[str, str]:
    labels = record.buckets().get(b"labels")
    values = labels.values() if labels is not None else {}
    return {_text(key): _text(value) for key, value in values.items()}


def _time(data: bytes) -> float | None:
    """Seconds since 1970 of a time as Go writes it; None if it is not one."""
    if len(data) < _TIME.size or data[0] not in (1, 2):
        return None
    _, seconds, nanoseconds = _TIME.unpack_from(data)
    # Go's zero is the year 1
    return float(seconds - _YEAR_1970 + nanoseconds / 1e9) if seconds else None


def _expiry(text: str) -> datetime | None:
    """When a lease ends; containerd ignores what it cannot parse."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _records(bucket: Bucket | None) -> Iterator[tuple[bytes, Bucket]]:
    for key, item in bucket or ():
        if isinstance(item, Bucket):
            yield key, item


def _text(data: bytes) -> str:
    return data[:_MAX_TEXT_BYTES].decode("utf-8", "surrogateescape")
