"""The store of containerd."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builders.bolt import write_bolt
from builders.images import Image
from builders.layouts import Contents

CONTENT = "io.containerd.content.v1.content"
META = "io.containerd.metadata.v1.bolt/meta.db"
SNAPSHOTTER = "io.containerd.snapshotter.v1."


class ContainerdRoot:
    """A root of containerd, kept in memory until ``write``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents = Contents()
        #: v1 of meta.db
        self.meta: dict[bytes, Any] = {b"version": b"\x06"}
        #: snapshotter -> v1 of its metadata.db
        self.snapshots: dict[str, dict[bytes, Any]] = {}
        #: files of unpacked snapshots by their path below root
        self.files: dict[str, bytes] = {}
        self._last = 0

    def name(self, name: str, target: Mapping[str, Any], namespace: str = "default") -> None:
        """Give a name to a descriptor."""
        record = {
            b"createdat": bytes(15),
            b"target": {
                b"digest": target["digest"].encode(),
                b"mediatype": target["mediaType"].encode(),
                b"size": zigzag(target["size"]),
            },
        }
        self.section(namespace, b"images")[name.encode()] = record
        self.record(target["digest"], namespace)

    def record(self, digest: str, namespace: str) -> dict[bytes, Any] | None:
        """Record a blob in a namespace, and all that its labels refer to; None if it is not here.

        As containerd does, a document's labels refer to what the document names.
        """
        if digest not in self.contents.blobs:
            return None
        known = self.section(namespace, b"content").setdefault(b"blob", {})
        record: dict[bytes, Any] = known.setdefault(digest.encode(), {})
        if record:
            return record
        data = self.contents.blobs[digest]
        record[b"size"] = zigzag(len(data))
        document = json.loads(data) if data.startswith(b"{") else {}
        children = [document.get("config"), *(document.get("layers") or [])]
        children += document.get("manifests") or []
        labels = record.setdefault(b"labels", {})
        for number, child in enumerate(children):
            if isinstance(child, dict) and "digest" in child:
                self.record(child["digest"], namespace)
                labels[f"containerd.io/gc.ref.content.{number}".encode()] = child["digest"].encode()
        return record

    def add(self, image: Image, *, namespace: str = "default", cri: bool = False) -> dict[str, Any]:
        """Store an image under its names, and CRI's; returns the descriptor of its manifest."""
        target = self.contents.add_image(image)
        for name in image.names:
            self.name(name, target, namespace)
            if cri:
                self.name(f"{name.rpartition(':')[0]}@{target['digest']}", target, namespace)
        if cri:
            self.name(image.image_id, target, namespace)
        return target

    def unpack(
        self, image: Image, *, namespace: str = "default", snapshotter: str = "overlayfs"
    ) -> str:
        """Add one committed snapshot per layer, with a file that holds its position.

        Returns the full name of the topmost one.
        """
        below = ""
        for position, chain in enumerate(image.chain_ids):
            below = self.snapshot(chain, below, namespace, snapshotter, kind=3)
            self.files[f"{self.folder(snapshotter)}/layer"] = str(position).encode()
        config = self.record(image.image_id, namespace)
        if config is not None and image.chain_ids:
            label = f"containerd.io/gc.ref.snapshot.{snapshotter}"
            config[b"labels"][label.encode()] = image.chain_ids[-1].encode()
        return below

    def snapshot(
        self, key: str, below: str, namespace: str, snapshotter: str = "overlayfs", kind: int = 2
    ) -> str:
        """Record a snapshot; returns its full name."""
        self._last += 1
        name = f"{namespace}/{self._last + 100}/{key}"
        records = self.snapshots.setdefault(snapshotter, {b"snapshots": {}, b"parents": {}})
        record = {b"id": varint(self._last), b"kind": bytes([kind]), b"createdat": bytes(15)}
        if below:
            record[b"parent"] = below.encode()
        if kind == 3:
            record[b"size"] = zigzag(4096)
        records[b"snapshots"][name.encode()] = record
        known = self.section(namespace, b"snapshots").setdefault(snapshotter.encode(), {})
        known[key.encode()] = {b"name": name.encode()}
        if below:
            known[key.encode()][b"parent"] = below.partition("/")[2].partition("/")[2].encode()
        self.files[f"{self.folder(snapshotter)}/.keep"] = b""
        return name

    def folder(self, snapshotter: str = "overlayfs") -> str:
        """The folder of the snapshot that was recorded last."""
        last = f"{SNAPSHOTTER}{snapshotter}/snapshots/{self._last}"
        return last if snapshotter == "native" else f"{last}/fs"

    def container(
        self,
        container_id: str,
        image: str,
        *,
        namespace: str = "default",
        snapshotter: str = "overlayfs",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Record a container; the key of its snapshot is its ID."""
        record: dict[bytes, Any] = {
            b"image": image.encode(),
            b"snapshotter": snapshotter.encode(),
            b"snapshotKey": container_id.encode(),
            b"runtime": {b"name": b"io.containerd.runc.v2"},
        }
        if labels:
            record[b"labels"] = {key.encode(): value.encode() for key, value in labels.items()}
        self.section(namespace, b"containers")[container_id.encode()] = record

    def write(self, **options: Any) -> None:
        """Write the folders to disk; options are those of BoltWriter."""
        for digest, blob in self.contents.blobs.items():
            write(self.root / CONTENT / "blobs" / digest.replace(":", "/"), blob)
        write(self.root / CONTENT / "ingest" / "abc" / "data", b"half of a blob")
        write_bolt(self.root / META, {b"v1": self.meta}, **options)
        for snapshotter, records in self.snapshots.items():
            database = self.root / f"{SNAPSHOTTER}{snapshotter}/metadata.db"
            write_bolt(database, {b"v1": records}, **options)
        for path, data in self.files.items():
            write(self.root / path, data)

    def section(self, namespace: str, name: bytes) -> dict[bytes, Any]:
        """The records of one kind in a namespace."""
        section: dict[bytes, Any] = self.meta.setdefault(namespace.encode(), {}).setdefault(
            name, {}
        )
        return section


def write(path: Path, data: bytes) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def varint(value: int) -> bytes:
    """Go's unsigned varint."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def zigzag(value: int) -> bytes:
    """Go's signed varint."""
    return varint(value << 1 ^ value >> 63)
