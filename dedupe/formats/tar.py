"""Reading tar archives in one pass, as strictly as the tools that unpack layers.

Python's ``tarfile`` ends in silence at a damaged header, loops on a negative size and needs six
times as long. This reader tells every member or raises LayerError, holds one chunk of the stream
in memory whatever the archive says, and hashes contents as they pass by:

- ``tar_window``   the chunk of the stream that is in memory
- ``tar_headers``  a header's 512 bytes
- ``tar_pax``      extended headers
- ``tar_sparse``   files with holes
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from dedupe.errors import LayerError
from dedupe.formats.tar_headers import (
    BLOCK_BYTES,
    ZERO_BLOCK,
    Member,
    damaged,
    has_valid_checksum,
    looks_like_tar,
    member_of,
    stored_size_of,
)
from dedupe.formats.tar_pax import Records, apply_records, parse_records
from dedupe.formats.tar_sparse import SparseMap, bad_sparse, check_map, old_gnu_map, pax_map
from dedupe.formats.tar_window import CHUNK_BYTES, FileRange, SkippingStream, Stream, Window

__all__ = [
    "DEFAULT_LIMITS",
    "EMPTY_HASH",
    "GLOBAL",
    "FileRange",
    "Limits",
    "Member",
    "SkippingStream",
    "Stream",
    "TarReader",
    "looks_like_tar",
    "read_members",
]

#: BLAKE3 of no bytes
EMPTY_HASH: Final = blake3(b"").digest()
_ZEROS = bytes(CHUNK_BYTES)

_META = frozenset(b"xLK")
#: the type of a PAX global header
GLOBAL: Final = b"g"
_GLOBAL = GLOBAL[0]
_REGULAR = frozenset(b"0\x007S")
# Go and Python read no body after these, whatever the size field says
_HEADER_ONLY = frozenset(b"123456")
#: names of global headers are kept up to the longest path of Linux: nothing can act on longer ones
_MAX_NAME_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may ask of its reader."""

    #: far above any real layer; a catalog of more would not fit on a disk
    max_members: int = 20_000_000
    #: logical bytes of one sparse file
    max_file_size: int = 1 << 40
    #: zeros hashed for the holes of all sparse files of an archive: ten seconds' worth
    max_hole_bytes: int = 64 << 30
    #: one extended header or long name; Go's limit
    max_meta_bytes: int = 1 << 20


DEFAULT_LIMITS: Final = Limits()


def read_members(
    stream: Stream, *, hash_content: bool, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Member]:
    """The members of the archive that is the whole of ``stream``; see TarReader."""
    return iter(TarReader(stream, hash_content=hash_content, limits=limits))


class TarReader:
    """The members of a tar archive, in order, once.

    With ``hash_content`` every byte of the stream is read and regular files have their
    ``content_hash``; without, contents are skipped, by ``stream.skip`` if there is one. A member
    is given out when its whole body has been seen. A global header is a member of type ``GLOBAL``
    and changes no other. After the last member the stream is read to its end unless ``drain`` is
    off, so that a digest taken of it is complete.

    Iterating raises LayerError: ``not-a-tar``, ``tar-truncated``, ``tar-bad-checksum``,
    ``tar-lone-zero-block``, ``tar-bad-number``, ``tar-negative-size``, ``tar-bad-pax``,
    ``tar-pax-too-large``, ``tar-bad-sparse`` or ``tar-too-many-members``; and whatever the
    stream raises. No bytes at all are an empty archive, and the end mark may be missing.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        hash_content: bool,
        limits: Limits = DEFAULT_LIMITS,
        drain: bool = True,
    ) -> None:
        self._window = Window(stream, may_skip=not hash_content)
        self._hash_content = hash_content
        self._limits = limits
        self._drain = drain
        self._holes_left = limits.max_hole_bytes
        self._records: Records = {}
        self._forget()
        #: members given out
        self.member_count = 0
        #: non-zero bytes hidden after the end mark, known when the stream has been drained
        self.trailing_bytes = 0

    @property
    def total_bytes(self) -> int:
        """Bytes of the archive up to where reading has come; all of them in the end."""
        return self._window.offset

    def __iter__(self) -> Iterator[Member]:
        window = self._window
        hash_content = self._hash_content
        max_members = self._limits.max_members
        while (block := self._next_header()) is not None:
            flag = block[156]
            if flag in _META:
                self._read_meta(flag, block)
                continue
            member = member_of(block, window.offset - BLOCK_BYTES)
            records = self._records
            if self._has_overrides and flag != _GLOBAL:
                records = self._override(member)
            if flag == _GLOBAL:
                self._read_global(member)
            elif flag not in _REGULAR:
                self._skip_body(flag, member)
            elif not flag and member.name[-1:] == b"/":
                # a folder of v7, which had no type for it, nor a body. After "0" the slash means
                # nothing: Go has a regular file there, where GNU tar and Python have a folder
                member.typeflag = b"5"
                member.size = member.stored_size = 0
            elif sparse := self._sparse_map(block, member, records):
                self._read_sparse(member, sparse)
            else:
                member.typeflag = b"0"
                size = member.size
                if not hash_content:
                    window.skip(_padded(size))
                elif not size:
                    member.content_hash = EMPTY_HASH
                else:
                    start = window.position
                    end = start + _padded(size)
                    if end <= len(window.chunk):
                        member.content_hash = blake3(window.view[start : start + size]).digest()
                        window.position = end
                    else:
                        member.content_hash = self._hash_long(size)
            self.member_count += 1
            if self.member_count > max_members:
                raise LayerError(
                    f"more than {max_members} members in the tar", "tar-too-many-members"
                )
            yield member
        if self._drain:
            self._read_rest()

    def _next_header(self) -> bytes | None:
        """The next header, its checksum right; None at the end of the archive."""
        block = self._window.block()
        if len(block) == BLOCK_BYTES and has_valid_checksum(block):
            return block
        if block and block != ZERO_BLOCK:
            raise self._no_header(block)
        if block:
            self._check_second_zero_block()
        if self._extends_next:
            raise damaged(
                "expected a member after its extended header, found the end,",
                self._window.offset,
                "tar-truncated",
            )
        return None

    def _no_header(self, block: bytes) -> LayerError:
        offset = self._window.offset - len(block)
        if not offset:
            return LayerError("expected a tar header, found something else", "not-a-tar")
        if len(block) < BLOCK_BYTES:
            return damaged(
                f"truncated: expected a header of {BLOCK_BYTES} bytes, found {len(block)},",
                offset,
                "tar-truncated",
            )
        return damaged(
            f"header: checksum field {block[148:156]!r} is not the sum of its bytes,",
            offset,
            "tar-bad-checksum",
        )

    def _check_second_zero_block(self) -> None:
        """Go takes one zero block at the very end, and refuses one before anything else."""
        offset = self._window.offset
        second = self._window.block()
        if 0 < len(second) < BLOCK_BYTES and not second.strip(b"\0"):
            raise damaged(
                f"truncated: expected a block of zeros, found {len(second)} bytes,",
                offset,
                "tar-truncated",
            )
        if second and second != ZERO_BLOCK:
            raise damaged(
                "expected a second block of zeros, found other bytes",
                offset,
                "tar-lone-zero-block",
            )

    def _read_meta(self, flag: int, block: bytes) -> None:
        """Keep what an extended header or a long name says about the member that follows."""
        offset = self._window.offset - BLOCK_BYTES
        data = self._meta_body(stored_size_of(block, offset), offset)
        if flag == 0x78:  # x
            self._records = parse_records(data, offset)
        elif flag == 0x4C:  # L
            self._long_name = data.partition(b"\0")[0]
        else:
            self._long_link = data.partition(b"\0")[0]
        self._has_overrides = self._extends_next = True

    def _meta_body(self, size: int, offset: int) -> bytes:
        if size > self._limits.max_meta_bytes:
            raise damaged(
                f"extended header of {size} bytes, at most {self._limits.max_meta_bytes} are read,",
                offset,
                "tar-pax-too-large",
            )
        return self._window.take(_padded(size))[:size]

    def _read_global(self, member: Member) -> None:
        """Read a global header as a member of its own, which is what Go makes of it.

        Its records count for no other member, whatever POSIX says: docker, podman, containerd and
        umoci all read tars by Go. Its name counts: they take one that begins with ``.wh.`` for a
        whiteout. All other records are checked for their form and dropped. So is what was said
        before it about the next member, as in Go.
        """
        self._forget()
        offset = member.offset - BLOCK_BYTES
        name = parse_records(self._meta_body(member.size, offset), offset).get(b"path")
        if name and len(name) <= _MAX_NAME_BYTES:
            member.name = name
        member.linkname = b""
        member.size = member.stored_size = 0

    def _override(self, member: Member) -> Records:
        """Apply all that was said about the member before its header; its records."""
        records = self._records
        if records:
            apply_records(member, records, member.offset - BLOCK_BYTES)
        # above the records, as in Go; no writer has both
        if self._long_name:
            member.name = self._long_name
        if self._long_link:
            member.linkname = self._long_link
        self._forget()
        return records

    def _forget(self) -> None:
        self._records = {}
        self._long_name = b""
        self._long_link = b""
        self._extends_next = False
        self._has_overrides = False

    def _skip_body(self, flag: int, member: Member) -> None:
        """Pass over what belongs to a member that is no regular file."""
        if flag not in _HEADER_ONLY:
            self._window.skip(_padded(member.size))
        member.size = member.stored_size = 0

    def _hash_long(self, size: int) -> bytes:
        """The hash of a content that goes beyond the chunk, and pass over its padding."""
        hasher = blake3()
        for piece in self._window.pieces(size):
            hasher.update(piece)
        self._window.skip(-size % BLOCK_BYTES)
        return hasher.digest()

    def _sparse_map(self, block: bytes, member: Member, records: Records) -> SparseMap | None:
        """The map of a file with holes, read and checked; None for all other files."""
        if block[156] != 0x53 and not records:
            return None
        offset = member.offset - BLOCK_BYTES
        next_block = self._window.whole_block
        if block[156] == 0x53:  # S
            sparse = old_gnu_map(block, member.size, next_block, offset)
        elif (found := pax_map(records, member.size, next_block, offset)) is not None:
            sparse = found
        else:
            return None
        if name := records.get(b"GNU.sparse.name"):
            member.name = name
        check_map(sparse, self._limits.max_file_size, offset)
        return sparse

    def _read_sparse(self, member: Member, sparse: SparseMap) -> None:
        """Hash or pass over the body of a file with holes, its map being read."""
        stored = sparse.stored_size
        member.offset = self._window.offset
        member.typeflag = b"0"
        if self._hash_content:
            self._holes_left -= sparse.hole_bytes
            if self._holes_left < 0:
                raise bad_sparse(
                    f"holes add up to more than {self._limits.max_hole_bytes} bytes", member.offset
                )
            member.content_hash = self._hash_sparse(sparse)
            self._window.skip(-stored % BLOCK_BYTES)
        else:
            self._window.skip(_padded(stored))
        member.size = sparse.size
        member.stored_size = stored

    def _hash_sparse(self, sparse: SparseMap) -> bytes:
        hasher = blake3()
        at = 0
        for start, length in sparse.segments:
            _hash_zeros(hasher, start - at)
            for piece in self._window.pieces(length):
                hasher.update(piece)
            at = start + length
        _hash_zeros(hasher, sparse.size - at)
        return hasher.digest()

    def _read_rest(self) -> None:
        """Read what follows the end mark: zeros that fill a tape's record, or hidden bytes."""
        for chunk in self._window.rest():
            # comparing is fast and nearly always enough; counting zeros is not fast
            if len(chunk) > len(_ZEROS) or chunk != _ZEROS[: len(chunk)]:
                self.trailing_bytes += len(chunk) - chunk.count(0)


def _padded(size: int) -> int:
    return (size + BLOCK_BYTES - 1) & -BLOCK_BYTES


def _hash_zeros(hasher: blake3, size: int) -> None:
    while size > 0:
        step = min(size, CHUNK_BYTES)
        hasher.update(memoryview(_ZEROS)[:step])
        size -= step
