"""Writers of containerd's store: bbolt files of nested dictionaries, and roots of images.

Nothing here imports dedupe.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from builders import Contents, Image

PAGE = struct.Struct("<QHHI")
ELEMENT = 16

Tree = Mapping[bytes, Any]


def fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


class BoltWriter:
    """A bbolt file: at most ``fanout`` keys a leaf, branches above them, small buckets inline."""

    def __init__(self, page_size: int = 4096, fanout: int = 20, inline: bool = True) -> None:
        self.page_size = page_size
        self.fanout = fanout
        self.inline = inline
        #: bytes of every page from 2 on; page 2 is the freelist
        self.pages = [self._page(2, 0x10, 0, b"")]

    def file(self, tree: Tree, transaction: int = 7) -> bytes:
        """The whole file; the newest meta is the page that the transaction's parity asks for."""
        root = self.bucket(tree)
        metas = {
            number: self.meta(number, root, number) for number in (transaction - 1, transaction)
        }
        pair = sorted(metas, key=lambda number: number % 2)
        return b"".join([*(metas[number] for number in pair), *self.pages])

    def meta(self, transaction: int, root: int, number: int) -> bytes:
        high_water = 2 + len(self.pages)
        body = struct.pack(
            "<IIIIQQQQQ", 0xED0CDAED, 2, self.page_size, 0, root, 0, 2, high_water, transaction
        )
        body += fnv1a(body).to_bytes(8, "little")
        return self._page(number % 2, 4, 0, body)

    def bucket(self, tree: Tree) -> int:
        """Write a bucket's pages; the number of its root."""
        items = []
        for key, value in sorted(tree.items()):
            if isinstance(value, Mapping):
                items.append((1, key, self._nested(value)))
            else:
                items.append((0, key, value))
        level = [
            (part[0][1] if part else b"", self.add(2, len(part), leaf_body(part)))
            for part in chunks(items, self.fanout) or [[]]
        ]
        while len(level) > 1:
            level = [
                (part[0][0], self.add(1, len(part), branch_body(part)))
                for part in chunks(level, max(2, self.fanout))
            ]
        return level[0][1]

    def add(self, flags: int, count: int, body: bytes) -> int:
        """Write a page with as many more as its body takes; its number."""
        number = 2 + len(self.pages)
        data = self._page(number, flags, count, body)
        self.pages += chunks(data, self.page_size)
        return number

    def _nested(self, tree: Tree) -> bytes:
        body = leaf_body([(0, key, tree[key]) for key in sorted(tree)]) if flat(tree) else b""
        if self.inline and flat(tree) and len(body) < self.page_size // 4:
            return bytes(16) + PAGE.pack(0, 2, len(tree), 0) + body
        return struct.pack("<QQ", self.bucket(tree), 0)

    def _page(self, number: int, flags: int, count: int, body: bytes) -> bytes:
        size = PAGE.size + len(body)
        more = max(0, -(-size // self.page_size) - 1)
        data = PAGE.pack(number, flags, count, more) + body
        return data + bytes(-len(data) % self.page_size)


def leaf_body(items: Sequence[tuple[int, bytes, bytes]]) -> bytes:
    """Elements, then keys and values in the same order."""
    heads, tail = b"", b""
    for position, (flags, key, value) in enumerate(items):
        start = (len(items) - position) * ELEMENT + len(tail)
        heads += struct.pack("<IIII", flags, start, len(key), len(value))
        tail += key + value
    return heads + tail


def branch_body(items: Sequence[tuple[bytes, int]]) -> bytes:
    heads, tail = b"", b""
    for position, (key, page) in enumerate(items):
        start = (len(items) - position) * ELEMENT + len(tail)
        heads += struct.pack("<IIQ", start, len(key), page)
        tail += key
    return heads + tail


def flat(tree: Tree) -> bool:
    return not any(isinstance(value, Mapping) for value in tree.values())


def chunks(items: Any, size: int) -> list[Any]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def write_bolt(path: Path, tree: Tree, **options: Any) -> None:
    """A bbolt file of this tree."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(BoltWriter(**options).file(tree))


CONTENT = "io.containerd.content.v1.content"
META = "io.containerd.metadata.v1.bolt/meta.db"
SNAPSHOTTER = "io.containerd.snapshotter.v1."


class ContainerdRoot:
    """A root of containerd, kept in memory until ``write``: what it means, not how it came."""

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
        self._section(namespace, b"images")[name.encode()] = record

    def add(self, image: Image, *, namespace: str = "default", cri: bool = False) -> dict[str, Any]:
        """Store an image under its names, as CRI if so; the descriptor of its manifest."""
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
    ) -> None:
        """One committed snapshot a layer; each holds one file that tells its position."""
        below = ""
        for position, chain in enumerate(image.chain_ids):
            below = self.snapshot(chain, below, namespace, snapshotter, kind=3)
            self.files[f"{self.folder(snapshotter)}/layer"] = str(position).encode()

    def snapshot(
        self, key: str, below: str, namespace: str, snapshotter: str = "overlayfs", kind: int = 2
    ) -> str:
        """Record a snapshot; its full name."""
        self._last += 1
        name = f"{namespace}/{self._last + 100}/{key}"
        records = self.snapshots.setdefault(snapshotter, {b"snapshots": {}, b"parents": {}})
        record = {b"id": varint(self._last), b"kind": bytes([kind]), b"createdat": bytes(15)}
        if below:
            record[b"parent"] = below.encode()
        if kind == 3:
            record[b"size"] = zigzag(4096)
        records[b"snapshots"][name.encode()] = record
        known = self._section(namespace, b"snapshots").setdefault(snapshotter.encode(), {})
        known[key.encode()] = {b"name": name.encode()}
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
        """Record a container whose snapshot has its ID for a key."""
        record: dict[bytes, Any] = {
            b"image": image.encode(),
            b"snapshotter": snapshotter.encode(),
            b"snapshotKey": container_id.encode(),
            b"runtime": {b"name": b"io.containerd.runc.v2"},
        }
        if labels:
            record[b"labels"] = {key.encode(): value.encode() for key, value in labels.items()}
        self._section(namespace, b"containers")[container_id.encode()] = record

    def write(self, **options: Any) -> None:
        """The folders as they are on a disk; options of BoltWriter."""
        for digest, blob in self.contents.blobs.items():
            write(self.root / CONTENT / "blobs" / digest.replace(":", "/"), blob)
        write(self.root / CONTENT / "ingest" / "abc" / "data", b"half of a blob")
        write_bolt(self.root / META, {b"v1": self.meta}, **options)
        for snapshotter, records in self.snapshots.items():
            database = self.root / f"{SNAPSHOTTER}{snapshotter}/metadata.db"
            write_bolt(database, {b"v1": records}, **options)
        for path, data in self.files.items():
            write(self.root / path, data)

    def _section(self, namespace: str, name: bytes) -> dict[bytes, Any]:
        section: dict[bytes, Any] = self.meta.setdefault(namespace.encode(), {}).setdefault(
            name, {}
        )
        return section


def write(path: Path, data: bytes) -> None:
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
