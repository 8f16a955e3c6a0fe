"""Read tar archives in one pass, as strictly as the tools that unpack layers.

Python's ``tarfile`` stops without an error at a damaged header, never ends on a negative size, and
takes six times as long. This reader yields every member or raises LayerError. It has one chunk of
the stream in memory, whatever the archive says, and hashes contents while it reads them. Its parts:

- ``tar_window``   the chunk of the stream that is in memory
- ``tar_headers``  the 512 bytes of a header
- ``tar_pax``      extended headers
- ``tar_sparse``   files with holes
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from dedupe.errors import LayerError
from dedupe.formats.content import ZEROS_FROM_BYTES, Content
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

#: typeflag of a PAX global header
GLOBAL: Final = b"g"
#: typeflags that members get in place of older or special ones of the same meaning
_FILE, _DIRECTORY = b"0", b"5"
# Typeflags as numbers, as an index into a header gives them. Sources: POSIX.1 pax, "ustar
# Interchange Format"; GNU tar's manual, "Basic Tar Format".
_GLOBAL_HEADER = GLOBAL[0]
_PAX_HEADER = ord("x")
_GNU_LONG_NAME = ord("L")
_GNU_LONG_LINK = ord("K")
_GNU_SPARSE = ord("S")
#: headers that describe the member after them
_EXTENSIONS = frozenset((_PAX_HEADER, _GNU_LONG_NAME, _GNU_LONG_LINK))
#: regular files: plain, of v7 (NUL), contiguous, with holes
_REGULAR = frozenset((ord("0"), 0, ord("7"), _GNU_SPARSE))
#: links, devices, directories and FIFOs: Go and Python read no body after them, whatever their size
#: field says
_HEADER_ONLY = frozenset(b"123456")
#: the longest path of Linux; a longer name of a global header is ignored, as nothing can unpack it
_MAX_NAME_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what an archive may cost its reader."""

    #: far more than any real layer has; a catalog of more would not fit on a disk
    max_members: int = 20_000_000
    #: size of one sparse file, holes included
    max_file_bytes: int = 1 << 40
    #: holes of all sparse files of an archive, which are hashed as zeros: about ten seconds
    max_hole_bytes: int = 64 << 30
    #: one extended header or long name; the same limit as in Go
    max_meta_bytes: int = 1 << 20


DEFAULT_LIMITS: Final = Limits()


def read_members(
    stream: Stream, *, hash_content: bool, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Member]:
    """Yield the members of the archive in ``stream``, with the errors of TarReader."""
    return iter(TarReader(stream, hash_content=hash_content, limits=limits))


class TarReader:
    """The members of a tar archive, in order; they can be read once.

    With ``hash_content`` every byte of the stream is read, and regular files have a
    ``content_hash``. Without it contents are skipped, with ``stream.skip`` if the stream has it.
    A member is yielded when its whole body has been read. A global header is a member of type
    ``GLOBAL`` and changes no other member. If ``drain`` is on, the stream is read to its end after
    the last member, so that a digest that the stream computes is complete. ``window`` reads the
    stream if that takes more than reading it in order.

    Iterating raises LayerError: ``not-a-tar``, ``tar-truncated``, ``tar-bad-checksum``,
    ``tar-lone-zero-block``, ``tar-bad-number``, ``tar-negative-size``, ``tar-bad-pax``,
    ``tar-pax-too-large``, ``tar-bad-sparse`` or ``tar-too-many-members``; and what the stream
    raises. An empty stream is an empty archive, and the end mark may be missing.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        hash_content: bool,
        limits: Limits = DEFAULT_LIMITS,
        drain: bool = True,
        window: Window | None = None,
    ) -> None:
        self._window = window or Window(stream, may_skip=not hash_content)
        self._hash_content = hash_content
        self._limits = limits
        self._drain = drain
        self._holes_left = limits.max_hole_bytes
        self._records: Records = {}
        self._reset_overrides()
        #: members yielded so far
        self.member_count = 0
        #: bytes after the end mark that are not zero; counted when the stream has been drained
        self.trailing_bytes = 0

    @property
    def total_bytes(self) -> int:
        """Bytes of the archive read or skipped so far."""
        return self._window.offset

    def __iter__(self) -> Iterator[Member]:
        window = self._window
        hash_content = self._hash_content
        max_members = self._limits.max_members
        while (block := self._next_header()) is not None:
            flag = block[156]
            if flag in _EXTENSIONS:
                self._read_extension(flag, block)
                continue
            member = member_of(block, window.offset - BLOCK_BYTES)
            records = self._records
            if self._has_overrides and flag != _GLOBAL_HEADER:
                records = self._apply_overrides(member)
            if flag == _GLOBAL_HEADER:
                self._read_global(member)
            elif flag not in _REGULAR:
                self._skip_body(flag, member)
            elif not flag and member.name[-1:] == b"/":
                # v7 had no type for directories and marked them with a slash; they have no body.
                # With type "0" the slash means nothing to Go, whose reading we follow: a regular
                # file. GNU tar and Python take it for a directory.
                member.typeflag = _DIRECTORY
                member.size = member.stored_size = 0
            elif sparse := self._sparse_map(block, member, records):
                self._read_sparse(member, sparse)
            else:
                member.typeflag = _FILE
                size = member.size
                if not hash_content:
                    window.skip(_padded(size))
                elif not size:
                    member.content_hash = EMPTY_HASH
                else:
                    start = window.position
                    end = start + _padded(size)
                    if end <= len(window.chunk) and size < ZEROS_FROM_BYTES:
                        member.content_hash = blake3(window.view[start : start + size]).digest()
                        window.position = end
                    else:
                        self._hash_long(member)
            self.member_count += 1
            if self.member_count > max_members:
                raise LayerError(
                    f"more than {max_members} members in the tar", "tar-too-many-members"
                )
            yield member
        if self._drain:
            self._read_rest()

    def _next_header(self) -> bytes | None:
        """Read the next header and check its sum; return None at the end of the archive."""
        block = self._window.block()
        if len(block) == BLOCK_BYTES and has_valid_checksum(block):
            return block
        if block and block != ZERO_BLOCK:
            raise self._header_error(block)
        if block:
            self._check_second_zero_block()
        if self._extends_next:
            raise damaged(
                "expected a member after an extended header, found the end of the archive,",
                self._window.offset,
                "tar-truncated",
            )
        return None

    def _header_error(self, block: bytes) -> LayerError:
        """The error for a block that is not a header."""
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
        """Raise LayerError unless the end mark is two zero blocks, or one at the end of the stream.

        Go requires the same.
        """
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

    def _read_extension(self, flag: int, block: bytes) -> None:
        """Keep what an extended header or a long name says about the next member."""
        offset = self._window.offset - BLOCK_BYTES
        data = self._extension_body(stored_size_of(block, offset), offset)
        if flag == _PAX_HEADER:
            self._records = parse_records(data, offset)
        elif flag == _GNU_LONG_NAME:
            self._long_name = data.partition(b"\0")[0]
        else:
            self._long_link = data.partition(b"\0")[0]
        self._has_overrides = self._extends_next = True

    def _extension_body(self, size: int, offset: int) -> bytes:
        if size > self._limits.max_meta_bytes:
            raise damaged(
                f"extended header of {size} bytes, at most {self._limits.max_meta_bytes} are read,",
                offset,
                "tar-pax-too-large",
            )
        return self._window.take(_padded(size))[:size]

    def _read_global(self, member: Member) -> None:
        """Read a global header as a member of its own, as Go does.

        POSIX applies its records to all later members. Go does not, and docker, podman, containerd
        and umoci all read tars with Go. They do use its name: if it begins with ``.wh.``, it is a
        whiteout. All other records are checked for their form and dropped. Extended headers before
        it are dropped too, as in Go.
        """
        self._reset_overrides()
        offset = member.offset - BLOCK_BYTES
        name = parse_records(self._extension_body(member.size, offset), offset).get(b"path")
        if name and len(name) <= _MAX_NAME_BYTES:
            member.name = name
        member.linkname = b""
        member.size = member.stored_size = 0

    def _apply_overrides(self, member: Member) -> Records:
        """Apply the extended headers before the member to it, and return their records."""
        records = self._records
        if records:
            apply_records(member, records, member.offset - BLOCK_BYTES)
        # long names override records, as in Go; no writer makes both for one member
        if self._long_name:
            member.name = self._long_name
        if self._long_link:
            member.linkname = self._long_link
        self._reset_overrides()
        return records

    def _reset_overrides(self) -> None:
        """Drop what extended headers said about the next member."""
        self._records = {}
        self._long_name = b""
        self._long_link = b""
        self._extends_next = False
        self._has_overrides = False

    def _skip_body(self, flag: int, member: Member) -> None:
        """Skip the body of a member that is not a regular file."""
        if flag not in _HEADER_ONLY:
            self._window.skip(_padded(member.size))
        member.size = member.stored_size = 0

    def _hash_long(self, member: Member) -> None:
        """Hash a content that is large or does not end in the present chunk; skip its padding."""
        content = Content()
        for piece in self._window.pieces(member.size):
            content.add(piece)
        self._window.skip(-member.size % BLOCK_BYTES)
        member.content_hash, member.zero_bytes = content.digest(), content.zero_bytes()

    def _sparse_map(self, block: bytes, member: Member, records: Records) -> SparseMap | None:
        """Read and check the map of a file with holes; return None for all other files."""
        if block[156] != _GNU_SPARSE and not records:
            return None
        offset = member.offset - BLOCK_BYTES
        next_block = self._window.whole_block
        if block[156] == _GNU_SPARSE:
            sparse = old_gnu_map(block, member.size, next_block, offset)
        elif (found := pax_map(records, member.size, next_block, offset)) is not None:
            sparse = found
        else:
            return None
        if name := records.get(b"GNU.sparse.name"):
            member.name = name
        check_map(sparse, self._limits.max_file_bytes, offset)
        return sparse

    def _read_sparse(self, member: Member, sparse: SparseMap) -> None:
        """Hash or skip the body of a file with holes, whose map has been read."""
        stored = sparse.stored_size
        member.offset = self._window.offset
        member.typeflag = _FILE
        if self._hash_content:
            self._holes_left -= sparse.hole_bytes
            if self._holes_left < 0:
                raise bad_sparse(
                    f"holes add up to more than {self._limits.max_hole_bytes} bytes", member.offset
                )
            content = self._sparse_content(sparse)
            member.content_hash, member.zero_bytes = content.digest(), content.zero_bytes()
            self._window.skip(-stored % BLOCK_BYTES)
        else:
            self._window.skip(_padded(stored))
        member.size = sparse.size
        member.stored_size = stored

    def _sparse_content(self, sparse: SparseMap) -> Content:
        content = Content()
        end = 0
        for start, length in sparse.segments:
            content.add_zeros(start - end)
            for piece in self._window.pieces(length):
                content.add(piece)
            end = start + length
        content.add_zeros(sparse.size - end)
        return content

    def _read_rest(self) -> None:
        """Read what follows the end mark, and count the bytes that are not zero.

        Writers fill the last record of a tape with zeros; other bytes are hidden data.
        """
        for chunk in self._window.rest():
            # comparing is fast and nearly always enough; counting is slow
            if len(chunk) > len(_ZEROS) or chunk != _ZEROS[: len(chunk)]:
                self.trailing_bytes += len(chunk) - chunk.count(0)


def _padded(size: int) -> int:
    """Round up to whole blocks."""
    return (size + BLOCK_BYTES - 1) & -BLOCK_BYTES
