"""Read bbolt files, in which containerd and similar tools keep names and labels.

A file is a copy-on-write B+tree of pages. There are two meta pages, written alternately. A meta
page is sound if its checksum is right; of the sound ones, the one with the higher transaction has
the number of the root page. A writer never changes a page of that tree. So a copy of the file is
sound if the newest transaction is the same before and after copying; if not, the file is copied
again. No lock is taken: bbolt's writers wait for the exclusive lock when they start, so a lock of
ours would block them.

Reading costs no more than the file's size, whatever the bytes say: a page belongs to one bucket
only, elements of a page must not overlap, keys must ascend, and a bucket that is kept inside a page
("inline") has no buckets in it.
Source: go.etcd.io/bbolt, internal/common page.go, meta.go, bucket.go.
"""

import os
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dedupe.errors import SourceError
from dedupe.host.store_root import StoreRoot

#: Real files have a few megabytes. The whole file is held in memory.
MAX_BOLT_BYTES = 1 << 30
#: A file that changes while it is copied is copied again: this often, with this pause in between.
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.05
_COPY_BYTES = 8 << 20
#: branch pages above a leaf; even a file of MAX_BOLT_BYTES has fewer than ten
_MAX_DEPTH = 64
#: bbolt refuses longer keys (MaxKeySize)
_MAX_KEY_BYTES = 32768

_MAGIC = 0xED0CDAED
_VERSION = 2
_PAGE_SIZES = tuple(1024 << shift for shift in range(7))
#: header of a page: id, flags, count of elements, overflow (how many more pages it covers)
_PAGE = struct.Struct("<QHHI")
#: meta page: magic, version, page size, flags, root, sequence, freelist, high water, transaction,
#: checksum
_META = struct.Struct("<IIIIQQQQQQ")
#: bytes of a meta page that its checksum covers: all before the checksum
_CHECKED_BYTES = 56
#: element of a leaf page: flags, position, key size, value size
_LEAF = struct.Struct("<IIII")
#: element of a branch page: position, key size, page
_BRANCH = struct.Struct("<IIQ")
#: value of a bucket: root page (0 if inline), sequence
_BUCKET = struct.Struct("<QQ")
#: flags of a page
_BRANCH_PAGE, _LEAF_PAGE = 1, 2
#: flag of a leaf element whose value is a bucket
_IS_BUCKET = 1

KeyPath = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Meta:
    page_size: int
    root: int
    #: number of the first page that was never used
    high_water: int
    transaction: int


class BoltFile:
    """A sound copy of a bbolt file in memory."""

    def __init__(self, name: str, data: bytes | bytearray) -> None:
        """Raises SourceError ``bolt-damaged`` if neither meta page is sound."""
        self.name = name
        self._data = data
        meta = _newest_meta(data)
        if meta is None:
            raise self.damaged("neither of the two meta pages is sound")
        self._meta = meta
        #: page number -> path of the bucket that uses it, and the page whose overflow covers it
        self._claims: dict[int, tuple[KeyPath, int]] = {}

    @classmethod
    def open(cls, root: StoreRoot, parts: Sequence[str]) -> "BoltFile":
        """Copy a file below ``root``; another program may be writing it.

        Raises SourceError as ``StoreRoot.open`` does, and ``bolt-damaged``, ``bolt-too-large`` or
        ``bolt-changing``.
        """
        name = "/".join(parts)
        descriptor = root.open(parts)
        try:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    time.sleep(_PAUSE_SECONDS)
                data = _copy(descriptor, name)
                # the copy begins with the meta pages, so its metas are those before copying
                before, after = _newest_meta(data), _newest_meta(_metas(descriptor))
                if before == after:
                    return cls(name, data)
        finally:
            os.close(descriptor)
        raise SourceError(
            f"{name}: read {_ATTEMPTS} times, and it changed each time", "bolt-changing"
        )

    def bucket(self, *path: bytes) -> "Bucket | None":
        """Return the bucket at this path from the root, or None.

        Raises SourceError ``bolt-damaged``.
        """
        found: Bucket | None = Bucket(self, (), self._meta.root, None)
        for key in path:
            if found is None:
                break
            found = found.buckets().get(key)
        return found

    def damaged(self, what: str) -> SourceError:
        """The error for bytes that bbolt never writes."""
        return SourceError(f"{self.name}: damaged: {what}", "bolt-damaged")

    def page(self, number: int, owner: KeyPath) -> tuple[int, int, memoryview]:
        """Return flags, count of elements, and bytes of a page with its overflow.

        ``owner`` is the path of the bucket that the page belongs to. Raises SourceError
        ``bolt-damaged`` if the page is not inside the file, or a part of it is used already.
        """
        meta = self._meta
        if not 2 <= number < meta.high_water:
            raise self.damaged(f"page {number} is not in 2..{meta.high_water - 1}")
        start = number * meta.page_size
        if start + _PAGE.size > len(self._data):
            raise self.damaged(f"page {number} begins after the end of the file")
        own, flags, count, overflow = _PAGE.unpack_from(self._data, start)
        if own != number:
            raise self.damaged(f"page {number} has the number {own} in its header")
        end = start + (overflow + 1) * meta.page_size
        if number + overflow >= meta.high_water or end > len(self._data):
            raise self.damaged(f"page {number} with {overflow} more ends after the end of the file")
        for covered in range(number, number + overflow + 1):
            if self._claims.setdefault(covered, (owner, number)) != (owner, number):
                raise self.damaged(f"page {covered} is used more than once")
        return flags, count, memoryview(self._data)[start:end]


class Bucket:
    """Keys and values in the order of the file; a value may be another bucket."""

    def __init__(self, file: BoltFile, path: KeyPath, root: int, inline: memoryview | None) -> None:
        self._file = file
        self._path = path
        self._root = root
        #: the bucket's only page, if it is kept inside a page of its parent
        self._inline = inline

    def values(self) -> dict[bytes, bytes]:
        """Return all keys whose value is bytes; raises SourceError ``bolt-damaged``."""
        return {key: item for key, item in self if isinstance(item, bytes)}

    def buckets(self) -> "dict[bytes, Bucket]":
        """Return all keys whose value is a bucket; raises SourceError ``bolt-damaged``."""
        return {key: item for key, item in self if isinstance(item, Bucket)}

    def __iter__(self) -> "Iterator[tuple[bytes, bytes | Bucket]]":
        """Yield every key with its value, keys ascending; raises SourceError ``bolt-damaged``."""
        last: bytes | None = None
        for key, item in self._items():
            if last is not None and key <= last:
                raise self._file.damaged("keys of a bucket do not ascend")
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
                raise self._file.damaged(f"page {number} is reached twice, or is too deep")
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
        # keys and values follow the elements, in the same order; below ``free`` all bytes are taken
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
                    f"an element at bytes {key_start} to {end} of a page of {len(page)} bytes, "
                    f"of which the first {free} are taken"
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
    """Read the file from its start to its present end.

    Raises SourceError ``bolt-too-large``, or ``bolt-changing`` if the file becomes shorter.
    """
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
    """Read the start of the file, which has both meta pages whatever the page size is."""
    return os.pread(descriptor, 2 * _PAGE_SIZES[-1], 0)


def _newest_meta(data: bytes | bytearray) -> _Meta | None:
    first = _meta_at(data, 0)
    sizes = (first.page_size,) if first else _PAGE_SIZES
    second = [_meta_at(data, size) for size in sizes]
    # if the first is damaged, the page size is unknown: the second must be where its own field says
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
    """Compute the checksum of meta pages: 64-bit FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
