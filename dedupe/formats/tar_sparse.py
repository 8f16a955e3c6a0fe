"""Files with holes: where the stored bytes of one belong.

GNU tar has four forms. The oldest is a member of type ``S`` whose map is in the header and in
blocks after it; pax forms 0.0 and 0.1 have the map in the extended header, form 1.0 has it as
text in front of the content.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dedupe.errors import LayerError
from dedupe.formats.tar_headers import BLOCK_BYTES, MAX_NUMBER, damaged, is_gnu, numbers
from dedupe.formats.tar_pax import SPARSE_MAP, Records

#: text of form 1.0's map, as in Go since it was found to read any amount into memory
_MAX_MAP_BYTES: Final = 1 << 20
#: the shortest segment of that text has four bytes, "0\n0\n"
_MAX_SEGMENTS: Final = _MAX_MAP_BYTES // 4

NextBlock = Callable[[], bytes]


@dataclass(slots=True)
class SparseMap:
    """A file with holes."""

    #: bytes with the holes
    size: int
    #: (offset in the file, bytes) of what is stored, in the order in which it is stored
    segments: list[tuple[int, int]]
    #: bytes without the holes
    stored_size: int
    #: bytes of the member's body that the map takes before the content
    map_bytes: int = 0

    @property
    def hole_bytes(self) -> int:
        """Bytes that are not stored, and read as zero."""
        return self.size - self.stored_size


def old_gnu_map(block: bytes, stored_size: int, next_block: NextBlock, offset: int) -> SparseMap:
    """The map of an ``S`` member, reading the blocks that continue it.

    Raises LayerError ``tar-bad-sparse``.
    """
    if not is_gnu(block):
        raise bad_sparse("expected a GNU header for a file with holes", offset)
    try:
        size = numbers[block[483:495]]
        flat, ended = _old_gnu_entries(block, 386, 4)
        more = block[482]
        while more:
            block = next_block()
            if not ended:
                entries, ended = _old_gnu_entries(block, 0, 21)
                flat += entries
            if len(flat) > 2 * _MAX_SEGMENTS:
                raise bad_sparse(f"more than {_MAX_SEGMENTS} segments", offset)
            more = block[504]
    except ValueError:
        raise bad_sparse("expected octal numbers in the map", offset) from None
    return SparseMap(size, _pairs(flat), stored_size)


def _old_gnu_entries(block: bytes, start: int, count: int) -> tuple[list[int], bool]:
    """Offsets and lengths by turns, and whether an empty entry ended them."""
    flat: list[int] = []
    for at in range(start, start + 24 * count, 24):
        if not block[at] or not block[at + 12]:
            return flat, True
        flat += numbers[block[at : at + 12]], numbers[block[at + 12 : at + 24]]
    return flat, False


def pax_map(
    records: Records, stored_size: int, next_block: NextBlock, offset: int
) -> SparseMap | None:
    """The map that extended headers announce, form 1.0's read from the body; None without one.

    A form that nobody knows is a plain file, as Go has it.
    Raises LayerError ``tar-bad-sparse``.
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
            raise bad_sparse(f"the map has no end within {len(text)} bytes", offset)
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


def check_map(sparse: SparseMap, max_size: int, offset: int) -> None:
    """Raise LayerError ``tar-bad-sparse`` unless the map describes a file.

    Its segments ascend without overlap inside the file, hold what is stored, no more and no
    less, and the file is no larger than ``max_size`` bytes.
    """
    if not 0 <= sparse.size <= min(max_size, MAX_NUMBER):
        raise bad_sparse(
            f"expected a file of at most {max_size} bytes, found {sparse.size}", offset
        )
    at = stored = 0
    for start, length in sparse.segments:
        if start < at or length < 0:
            raise bad_sparse(
                f"expected a segment from {at} on, found {length} bytes from {start} on", offset
            )
        at = start + length
        stored += length
    if at > sparse.size:
        raise bad_sparse(f"segments end at {at}, the file at {sparse.size}", offset)
    if stored != sparse.stored_size:
        raise bad_sparse(f"segments have {stored} bytes, {sparse.stored_size} are stored", offset)


def bad_sparse(what: str, offset: int) -> LayerError:
    """The error for a file with holes that is none, or too large to read."""
    return damaged(f"sparse file: {what},", offset, "tar-bad-sparse")
