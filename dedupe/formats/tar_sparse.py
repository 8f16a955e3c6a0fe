"""Read the maps of files with holes: which parts of such a file are stored.

GNU tar has four forms. The oldest is a member of type ``S`` with the map in the header and in
blocks after it. Pax forms 0.0 and 0.1 have the map in the extended header. Form 1.0 has it as text
before the content.
Source: GNU tar's manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dedupe.errors import LayerError
from dedupe.formats.tar_headers import BLOCK_BYTES, MAX_NUMBER, damaged, is_gnu, numbers
from dedupe.formats.tar_pax import SPARSE_MAP, Records

#: Text of form 1.0's map. Go has the same limit; before, a map could fill all memory.
_MAX_MAP_BYTES: Final = 1 << 20
#: the shortest segment in that text has four bytes: "0\n0\n"
_MAX_SEGMENTS: Final = _MAX_MAP_BYTES // 4

# Layout of the old form. A header has four entries, and a block that continues it has 21. Each ends
# with a byte that is not 0 if another block follows.
_ENTRIES_IN_HEADER, _HEADER_ENTRIES_START, _HEADER_CONTINUES = 4, 386, 482
_ENTRIES_IN_BLOCK, _BLOCK_CONTINUES = 21, 504
_REAL_SIZE_FIELD = slice(483, 495)
#: an offset and a length, each a number of 12 bytes
_ENTRY_BYTES, _NUMBER_BYTES = 24, 12

#: reads the block of the archive that follows
NextBlock = Callable[[], bytes]


@dataclass(slots=True)
class SparseMap:
    """The map of a file with holes."""

    #: bytes of the file, holes included
    size: int
    #: (offset in the file, bytes) of each stored part, in the order of the archive
    segments: list[tuple[int, int]]
    #: bytes of the stored parts
    stored_size: int
    #: bytes of the map in the member's body, before the content
    map_bytes: int = 0

    @property
    def hole_bytes(self) -> int:
        """Bytes of the holes, which are not stored and read as zeros."""
        return self.size - self.stored_size


def old_gnu_map(block: bytes, stored_size: int, next_block: NextBlock, offset: int) -> SparseMap:
    """Read the map of an ``S`` member from its header and the blocks that continue it.

    Raises LayerError ``tar-bad-sparse``, and ``tar-truncated`` by ``next_block``.
    """
    if not is_gnu(block):
        raise bad_sparse("expected a GNU header for a file with holes", offset)
    try:
        size = numbers[block[_REAL_SIZE_FIELD]]
        flat, ended = _old_gnu_entries(block, _HEADER_ENTRIES_START, _ENTRIES_IN_HEADER)
        more = block[_HEADER_CONTINUES]
        while more:
            block = next_block()
            if not ended:
                entries, ended = _old_gnu_entries(block, 0, _ENTRIES_IN_BLOCK)
                flat += entries
            if len(flat) > 2 * _MAX_SEGMENTS:
                raise bad_sparse(f"more than {_MAX_SEGMENTS} segments", offset)
            more = block[_BLOCK_CONTINUES]
    except ValueError:
        raise bad_sparse("expected octal numbers in the map", offset) from None
    return SparseMap(size, _pairs(flat), stored_size)


def _old_gnu_entries(block: bytes, start: int, count: int) -> tuple[list[int], bool]:
    """Return offsets and lengths alternately, and whether an empty entry ended them."""
    flat: list[int] = []
    for at in range(start, start + _ENTRY_BYTES * count, _ENTRY_BYTES):
        middle = at + _NUMBER_BYTES
        if not block[at] or not block[middle]:
            return flat, True
        flat += numbers[block[at:middle]], numbers[block[middle : at + _ENTRY_BYTES]]
    return flat, False


def pax_map(
    records: Records, stored_size: int, next_block: NextBlock, offset: int
) -> SparseMap | None:
    """Read the map that a member's records announce; return None if they announce none.

    The map of form 1.0 is read from the body. A file of an unknown form is read as a plain file,
    as in Go. Raises LayerError ``tar-bad-sparse``, and ``tar-truncated`` by ``next_block``.
    """
    version = records.get(b"GNU.sparse.major", b""), records.get(b"GNU.sparse.minor", b"")
    has_map = b"GNU.sparse.size" in records or SPARSE_MAP in records
    try:
        if version == (b"1", b"0"):
            return _map_in_body(records, stored_size, next_block, offset)
        if version in ((b"0", b"0"), (b"0", b"1")) or (version == (b"", b"") and has_map):
            return _map_in_header(records, stored_size, offset)
    except ValueError:
        raise bad_sparse("expected decimal numbers in the map", offset) from None
    return None


def _map_in_header(records: Records, stored_size: int, offset: int) -> SparseMap:
    text = records.get(SPARSE_MAP, b"")
    flat = [_natural(number) for number in text.split(b",")] if text else []
    count = records.get(b"GNU.sparse.numblocks")
    if len(flat) % 2 or (count is not None and 2 * _natural(count) != len(flat)):
        raise bad_sparse(f"expected {count!r} segments, found {len(flat) / 2:g}", offset)
    return SparseMap(_real_size(records), _pairs(flat), stored_size)


def _map_in_body(
    records: Records, stored_size: int, next_block: NextBlock, offset: int
) -> SparseMap:
    text = bytearray()
    lines = 0
    wanted: int | None = None
    while wanted is None or lines < wanted:
        if len(text) + BLOCK_BYTES > min(stored_size, _MAX_MAP_BYTES):
            raise bad_sparse(f"the map does not end within {len(text)} bytes", offset)
        block = next_block()
        text += block
        lines += block.count(b"\n")
        if wanted is None and lines:
            wanted = 1 + 2 * _natural(bytes(text).partition(b"\n")[0])
    flat = [_natural(number) for number in bytes(text).split(b"\n")[1:wanted]]
    return SparseMap(_real_size(records), _pairs(flat), stored_size - len(text), len(text))


def _real_size(records: Records) -> int:
    return _natural(records.get(b"GNU.sparse.realsize") or records.get(b"GNU.sparse.size") or b"")


def _natural(text: bytes) -> int:
    if not text.isdigit() or len(text) > 32:
        raise ValueError
    return int(text)


def _pairs(flat: list[int]) -> list[tuple[int, int]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def check_map(sparse: SparseMap, max_bytes: int, offset: int) -> None:
    """Raise LayerError ``tar-bad-sparse`` unless the map describes a file.

    Its segments must ascend, not overlap, be inside the file, and add up to the stored bytes. The
    file has at most ``max_bytes`` bytes.
    """
    if not 0 <= sparse.size <= min(max_bytes, MAX_NUMBER):
        raise bad_sparse(
            f"expected a file of at most {max_bytes} bytes, found {sparse.size}", offset
        )
    end = stored = 0
    for start, length in sparse.segments:
        if start < end or length < 0:
            raise bad_sparse(
                f"expected a segment from byte {end} on, found {length} bytes from byte {start} on",
                offset,
            )
        end = start + length
        stored += length
    if end > sparse.size:
        raise bad_sparse(f"segments end at byte {end}, the file at {sparse.size}", offset)
    if stored != sparse.stored_size:
        raise bad_sparse(
            f"segments have {stored} bytes, but {sparse.stored_size} are stored", offset
        )


def bad_sparse(what: str, offset: int) -> LayerError:
    """The error for a file with holes that is damaged, or too large to read."""
    return damaged(f"sparse file: {what},", offset, "tar-bad-sparse")
