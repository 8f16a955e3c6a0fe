"""bbolt files, read only: containerd and its kin keep names and labels in them.

A file is a copy-on-write B+tree of pages. Two meta pages take turns: the one with the higher
transaction whose checksum holds names the root. A writer never touches a page of the tree that
the newest meta names, so a copy of the file is sound where the newest transaction is the same
before and after copying; else the copy is made again. No lock is taken, since bbolt's writers
wait for the file's exclusive lock when they start and would hang on ours.

Whatever the bytes say, a walk costs no more than the file's size: a page is claimed by one bucket
for ever, elements of a page must not overlap, keys must ascend, and buckets kept inside a page
hold no buckets.
Source: go.etcd.io/bbolt, internal/common page.go, meta.go, bucket.go.
"""

import os
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.files import open_below

#: files in use have some megabytes; one is held in memory as a whole
MAX_BOLT_BYTES = 1 << 30
#: copies of a file that is written meanwhile, and the pause before each but the first
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.05
_COPY_BYTES = 8 << 20
#: branches above a leaf; a full file of MAX_BOLT_BYTES has less than ten
_MAX_DEPTH = 64
#: bbolt refuses longer keys
_MAX_KEY_BYTES = 32768

_MAGIC = 0xED0CDAED
_VERSION = 2
_PAGE_SIZES = tuple(1024 << shift for shift in range(7))
#: id, flags, count, overflow
_PAGE = struct.Struct("<QHHI")
#: magic, version, page size, flags, root, sequence, freelist, high water, transaction, checksum
_META = struct.Struct("<IIIIQQQQQQ")
_CHECKED_BYTES = 56
#: flags, position, key size, value size
_LEAF = struct.Struct("<IIII")
#: position, key size, page
_BRANCH = struct.Struct("<IIQ")
#: root page, sequence
_BUCKET = struct.Struct("<QQ")
_BRANCH_PAGE, _LEAF_PAGE = 1, 2
_IS_BUCKET = 1

KeyPath = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Meta:
    page_size: int
    root: int
    #: first page that was never in use
    high_water: int
    transaction: int


class BoltFile:
    """A sound copy of a bbolt file, in memory."""

    def __init__(self, name: str, data: bytes | bytearray) -> None:
        """Raises SourceError ``bolt-damaged`` where neither meta page is sound."""
        self.name = name
        self._data = data
        meta = _newest_meta(data)
        if meta is None:
            raise self.damaged("neither of the two meta pages is sound")
        self._meta = meta
        #: page -> bucket that it belongs to, and the first page of the run that it is in
        self._claims: dict[int, tuple[KeyPath, int]] = {}

    @classmethod
    def open(cls, root: Path, parts: Sequence[str]) -> "BoltFile":
        """Copy a file below ``root``, which a live program may be writing.

        Raises SourceError as ``open_below`` does, and ``bolt-damaged``, ``bolt-too-large``,
        ``bolt-changing``.
        """
        name = "/".join(parts)
        descriptor = open_below(root, parts)
        try:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    time.sleep(_PAUSE_SECONDS)
                data = _copy(descriptor, name)
                # metas lie at the file's start and were copied first
                before, after = _newest_meta(data), _newest_meta(_metas(descriptor))
                if before == after:
                    return cls(name, data)
        finally:
            os.close(descriptor)
        raise SourceError(
            f"{name}: changed each time that it was read, {_ATTEMPTS} times", "bolt-changing"
        )

    def bucket(self, *path: bytes) -> "Bucket | None":
        """The bucket of this path from the root; None where there is none."""
        found: Bucket | None = Bucket(self, (), self._meta.root, None)
        for key in path:
            if found is None:
                break
            found = found.buckets().get(key)
        return found

    def damaged(self, what: str) -> SourceError:
        """The error for bytes that no bbolt writes."""
        return SourceError(f"{self.name}: damaged: {what}", "bolt-damaged")

    def page(self, number: int, owner: KeyPath) -> tuple[int, int, memoryview]:
        """Flags, count of elements and bytes of a page with its overflow, for this bucket."""
        meta = self._meta
        if not 2 <= number < meta.high_water:
            raise self.damaged(f"page {number} is not in 2..{meta.high_water - 1}")
        start = number * meta.page_size
        if start + _PAGE.size > len(self._data):
            raise self.damaged(f"page {number} lies behind the end of the file")
        own, flags, count, overflow = _PAGE.unpack_from(self._data, start)
        if own != number:
            raise self.damaged(f"page {number} says that it is page {own}")
        end = start + (overflow + 1) * meta.page_size
        if number + overflow >= meta.high_water or end > len(self._data):
            raise self.damaged(f"page {number} with {overflow} more ends behind the file")
        for covered in range(number, number + overflow + 1):
            if self._claims.setdefault(covered, (owner, number)) != (owner, number):
                raise self.damaged(f"page {covered} is used more than once")
        return flags, count, memoryview(self._data)[start:end]


class Bucket:
    """Keys and values, in the order of the file; a value may be a bucket of its own."""

    def __init__(self, file: BoltFile, path: KeyPath, root: int, inline: memoryview | None) -> None:
        self._file = file
        self._path = path
        self._root = root
        #: the bucket's only page, where it is kept inside its parent's
        self._inline = inline

    def values(self) -> dict[bytes, bytes]:
        """All keys that are no buckets; raises SourceError ``bolt-damaged``."""
        return {key: item for key, item in self if isinstance(item, bytes)}

    def buckets(self) -> "dict[bytes, Bucket]":
        """All keys that are buckets; raises SourceError ``bolt-damaged``."""
        return {key: item for key, item in self if isinstance(item, Bucket)}

    def __iter__(self) -> "Iterator[tuple[bytes, bytes | Bucket]]":
        """Every key with its value, keys ascending; SourceError ``bolt-damaged`` ends it early."""
        last: bytes | None = None
        for key, item in self._items():
            if last is not None and key <= last:
                raise self._file.damaged("keys of a bucket that do not ascend")
            last = key
            yield key, item

    def _items(self) -> "Iterator[tuple[bytes, bytes | Bucket]]":
        if self._inline is not None:
            _, flags, count, _ = _PAGE.unpack_from(self._inline)
            if flags != _LEAF_PAGE:
                raise self._file.damaged(f"an inline bucket with flags {flags:#x}")
            yield from self._leaf(count, self._inline)
            return
        seen: set[int] = set()
        pages = [(self._root, 0)]
        while pages:
            number, depth = pages.pop()
            if number in seen or depth > _MAX_DEPTH:
                raise self._file.damaged(f"page {number} lies in a cycle")
            seen.add(number)
            flags, count, page = self._file.page(number, self._path)
            if flags == _BRANCH_PAGE:
                children = self._children(count, page)
                pages += [(child, depth + 1) for child in reversed(children)]
            elif flags == _LEAF_PAGE:
                yield from self._leaf(count, page)
            else:
                raise self._file.damaged(f"page {number} has flags {flags:#x}")

    def _children(self, count: int, page: memoryview) -> list[int]:
        self._check_count(count, page, _BRANCH.size)
        starts = range(_PAGE.size, _PAGE.size + count * _BRANCH.size, _BRANCH.size)
        return [_BRANCH.unpack_from(page, start)[2] for start in starts]

    def _leaf(self, count: int, page: memoryview) -> "Iterator[tuple[bytes, bytes | Bucket]]":
        self._check_count(count, page, _LEAF.size)
        # keys and values follow the elements in their order
        free = _PAGE.size + count * _LEAF.size
        for start in range(_PAGE.size, free, _LEAF.size):
            flags, position, key_size, value_size = _LEAF.unpack_from(page, start)
            key_start = start + position
            value_start = key_start + key_size
            end = value_start + value_size
            if key_size > _MAX_KEY_BYTES:
                raise self._file.damaged(f"a key of {key_size} bytes")
            if key_start < free or end > len(page):
                raise self._file.damaged(
                    f"an element at {key_start}..{end} of a page of {len(page)} bytes, "
                    f"of which {free} are taken"
                )
            free = end
            key = bytes(page[key_start:value_start])
            value = page[value_start:end]
            yield key, self._nested(key, value) if flags & _IS_BUCKET else bytes(value)

    def _nested(self, key: bytes, value: memoryview) -> "Bucket":
        if self._inline is not None:
            raise self._file.damaged("a bucket in an inline bucket")
        if len(value) < _BUCKET.size:
            raise self._file.damaged(f"a bucket of {len(value)} bytes")
        root, _ = _BUCKET.unpack_from(value)
        if root:
            return Bucket(self._file, (*self._path, key), root, None)
        page = value[_BUCKET.size :]
        if len(page) < _PAGE.size:
            raise self._file.damaged(f"an inline bucket of {len(value)} bytes")
        return Bucket(self._file, (*self._path, key), 0, page)

    def _check_count(self, count: int, page: memoryview, size: int) -> None:
        if _PAGE.size + count * size > len(page):
            raise self._file.damaged(f"{count} elements in a page of {len(page)} bytes")


def _copy(descriptor: int, name: str) -> bytearray:
    """The file's bytes, from its start to its end as it is now."""
    size = os.fstat(descriptor).st_size
    if size > MAX_BOLT_BYTES:
        raise SourceError(
            f"{name}: {size} bytes, at most {MAX_BOLT_BYTES} are read", "bolt-too-large"
        )
    data = bytearray(size)
    position = 0
    while position < size:
        piece = memoryview(data)[position : position + _COPY_BYTES]
        count = os.preadv(descriptor, [piece], position)
        if not count:
            raise SourceError(f"{name}: became shorter while it was read", "bolt-changing")
        position += count
    return data


def _metas(descriptor: int) -> bytes:
    """The start of the file, in which both meta pages lie whatever its page size."""
    return os.pread(descriptor, 2 * _PAGE_SIZES[-1], 0)


def _newest_meta(data: bytes | bytearray) -> _Meta | None:
    first = _meta_at(data, 0)
    sizes = (first.page_size,) if first else _PAGE_SIZES
    second = [_meta_at(data, size) for size in sizes]
    # where the first is lost, the second must lie where it says that it lies
    found = [
        meta
        for meta, size in zip(second, sizes, strict=True)
        if meta is not None and meta.page_size == size
    ]
    if first is not None:
        found.append(first)
    return max(found, key=lambda meta: meta.transaction, default=None)


def _meta_at(data: bytes | bytearray, page: int) -> _Meta | None:
    start = page + _PAGE.size
    if start + _META.size > len(data):
        return None
    magic, version, page_size, _, root, _, _, high_water, transaction, checksum = _META.unpack_from(
        data, start
    )
    if (magic, version) != (_MAGIC, _VERSION) or page_size not in _PAGE_SIZES:
        return None
    if checksum != fnv1a(data[start : start + _CHECKED_BYTES]):
        return None
    return _Meta(page_size, root, high_water, transaction)


def fnv1a(data: bytes | bytearray) -> int:
    """FNV-1a of 64 bits, the checksum of meta pages."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
