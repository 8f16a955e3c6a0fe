"""bbolt databases, written from nested dictionaries."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = struct.Struct("<QHHI")
ELEMENT = 16

Tree = Mapping[bytes, Any]


def fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


class BoltWriter:
    """Writes a bbolt file: at most ``fanout`` keys per leaf, and small buckets inline."""

    def __init__(self, page_size: int = 4096, fanout: int = 20, inline: bool = True) -> None:
        self.page_size = page_size
        self.fanout = fanout
        self.inline = inline
        #: bytes of every page from 2 on; page 2 is the freelist
        self.pages = [self._page(2, 0x10, 0, b"")]

    def file(self, tree: Tree, transaction: int = 7) -> bytes:
        """The whole file; the newest meta is page 0 or 1 by the parity of the transaction."""
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
        """Write a bucket's pages; returns the number of its root page."""
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
        """Write a page and those that its body overflows to; returns its number."""
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
    """Write a bbolt file of this tree."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(BoltWriter(**options).file(tree))
