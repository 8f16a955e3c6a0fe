"""Read a tar header: 512 bytes, in one of the dialects that writers use.

Names are cut at their first NUL and otherwise kept as bytes. A number is octal text, or base-256 if
its first bit is set. Readers differ on some headers. This one follows Go's ``archive/tar``, with
which docker, podman and containerd read layers.
"""

import struct
from dataclasses import dataclass
from typing import Final
from zlib import adler32

from dedupe.errors import LayerError

BLOCK_BYTES: Final = 512
ZERO_BLOCK: Final = bytes(BLOCK_BYTES)
NANOSECONDS: Final = 1_000_000_000
#: the largest signed 64-bit number; Go refuses larger ones too
MAX_NUMBER: Final = (1 << 63) - 1

#: magic bytes of POSIX and of old GNU headers
_USTAR = b"ustar\0"
_GNU = b"ustar "
#: trailer of headers that star wrote, in the last four bytes
_STAR = b"tar\0"
#: name mode uid gid size mtime checksum typeflag linkname magic (version uname gname) major minor
#: prefix; those in parentheses are not read
_unpack = struct.Struct("100s8s8s8s12s12s8sc100s6s66x8s8s155s12x").unpack
#: fields in which an error message looks for the bad number
_NUMBER_FIELDS = {
    "mode": slice(100, 108),
    "uid": slice(108, 116),
    "gid": slice(116, 124),
    "size": slice(124, 136),
    "mtime": slice(136, 148),
    "devmajor": slice(329, 337),
    "devminor": slice(337, 345),
}
#: typeflags of character and block devices
_DEVICES = (b"3", b"4")
#: A number with this bit in its first byte is base-256, and negative if the next bit is set.
_BASE256_BIT, _SIGN_BIT = 0x80, 0x40
#: A real layer has few different modes, owners and times. The limit is for hostile ones.
_MAX_REMEMBERED = 8192


@dataclass(slots=True)
class Member:
    """A member of an archive: its header with all extended headers applied."""

    #: as in the archive, not normalised
    name: bytes
    #: one byte: ``0`` for every kind of regular file, ``5`` for every kind of directory, ``g`` for
    #: a global header
    typeflag: bytes
    #: bytes of a regular file, holes included; 0 for all other types
    size: int
    #: bytes of a regular file's content in the archive, without holes and sparse map; 0 for others
    stored_size: int
    #: bytes of the archive before the stored content
    offset: int
    #: permission bits, at most 0o7777
    mode: int
    uid: int
    gid: int
    #: nanoseconds since 1970; times before 1677 or after 2262 become the nearest that fits 64 bits
    mtime_ns: int
    linkname: bytes
    devmajor: int
    devminor: int
    #: name -> value; None if there are no extended attributes
    xattrs: dict[bytes, bytes] | None
    #: BLAKE3 of a regular file, holes read as zeros; None if contents are not hashed
    content_hash: bytes | None
    #: bytes of a large regular file in blocks of zeros or holes; None if they are not counted
    zero_bytes: int | None = None


def damaged(what: str, offset: int, code: str) -> LayerError:
    """The error for damage at this offset of the archive."""
    return LayerError(f"{what} at byte {offset} of the tar", code)


def looks_like_tar(block: bytes) -> bool:
    """Whether these bytes begin with a tar header whose checksum is right.

    False for an empty archive, which is only blocks of zeros.
    """
    return len(block) >= BLOCK_BYTES and has_valid_checksum(block[:BLOCK_BYTES])


def has_valid_checksum(block: bytes) -> bool:
    """Whether the sum of the block's bytes, unsigned or signed, is its checksum field."""
    field = block[148:156]
    try:
        stored = numbers[field]
    except ValueError:
        return False
    # The low half of adler32 that starts with 0 is the plain sum of the bytes, as long as that is
    # below 65521; 256 * 255 is. It is four times as fast as sum(). The checksum field itself is
    # counted as eight spaces, which add up to 256.
    total = (
        (adler32(block[:256], 0) & 0xFFFF)
        + (adler32(block[256:], 0) & 0xFFFF)
        - (adler32(field, 0) & 0xFFFF)
        + 256
    )
    return total == stored or _signed_sum(block) == stored


def _signed_sum(block: bytes) -> int:
    """Compute the checksum as old writers did whose C compilers had signed characters."""
    total: int = sum(struct.unpack("148b8x356b", block))
    return total + 256


class _Numbers(dict[bytes, int]):
    """A cache of numbers by the bytes of their field; raises ValueError for anything else."""

    def __missing__(self, field: bytes) -> int:
        value = _base256(field) if field[0] & _BASE256_BIT else _octal(field)
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        self[field] = value
        return value


numbers: Final = _Numbers()


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    # int() alone would also accept 0o17, 1_7, +17 and -17
    if digits and not digits.isdigit():
        raise ValueError
    return int(digits or b"0", 8)


def _base256(field: bytes) -> int:
    bits = 8 * len(field) - 1
    value = int.from_bytes(field, "big") & ((1 << bits) - 1)
    if field[0] & _SIGN_BIT:
        value -= 1 << bits
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise ValueError
    return value


def decimal(text: bytes) -> int:
    """Parse a number of an extended header, which may be negative; raises ValueError."""
    digits = text.removeprefix(b"-")
    # the length is checked first, because int() of a million digits takes seconds
    if not digits.isdigit() or len(digits) > 32 or int(digits) > MAX_NUMBER:
        raise ValueError
    return int(text)


def stored_size_of(block: bytes, offset: int) -> int:
    """Read the size field of a header.

    Raises LayerError ``tar-bad-number`` or ``tar-negative-size``.
    """
    try:
        size = numbers[block[124:136]]
    except ValueError:
        raise _bad_number(block, offset) from None
    if size < 0:
        raise negative_size(size, offset)
    return size


def negative_size(size: int, offset: int) -> LayerError:
    """The error for a negative size, which would make a reader go backwards."""
    return damaged(f"expected a size, found {size},", offset, "tar-negative-size")


def member_of(block: bytes, offset: int) -> Member:
    """Read a header at ``offset`` into a member; extended headers are not applied.

    ``size`` and ``stored_size`` are both the header's size field, whatever the type is.
    Raises LayerError ``tar-bad-number`` or ``tar-negative-size``.
    """
    name, mode, uid, gid, size, mtime, _, typeflag, link, magic, major, minor, prefix = _unpack(
        block
    )
    name = name.partition(b"\0")[0]
    if prefix[0] and magic[:5] == b"ustar":
        name = _prefixed(name, block)
    number = numbers
    try:
        size = number[size]
        member = Member(
            name,
            typeflag,
            size,
            size,
            offset + BLOCK_BYTES,
            number[mode] & 0o7777,
            number[uid],
            number[gid],
            clamped(number[mtime] * NANOSECONDS),
            link.partition(b"\0")[0] if link[0] else b"",
            0,
            0,
            None,
            None,
        )
        if typeflag in _DEVICES:
            member.devmajor = number[major]
            member.devminor = number[minor]
    except ValueError:
        raise _bad_number(block, offset) from None
    if size < 0:
        raise negative_size(size, offset)
    if member.uid < 0 or member.gid < 0:
        raise damaged(
            f"expected an owner, found uid {member.uid} and gid {member.gid},",
            offset,
            "tar-bad-number",
        )
    return member


def clamped(nanoseconds: int) -> int:
    """Return the time, or the nearest one that fits a signed 64-bit number.

    It is not an error, because unpackers accept any time and file systems clamp it too.
    """
    if -MAX_NUMBER <= nanoseconds <= MAX_NUMBER:
        return nanoseconds
    return MAX_NUMBER if nanoseconds > 0 else -MAX_NUMBER


def is_gnu(block: bytes) -> bool:
    """Whether the header is in the old GNU dialect, the only one with ``S`` members."""
    return block[257:263] == _GNU


def _prefixed(name: bytes, block: bytes) -> bytes:
    """Put the prefix field, which has the parent directories, before the name.

    Return the name alone if this dialect has no prefix field.
    """
    # star has two times in the last bytes of this field
    prefix = block[345:476] if block[508:512] == _STAR else block[345:500]
    if block[257:263] != _USTAR and not _is_mistaken_prefix(block):
        return name
    return prefix.partition(b"\0")[0] + b"/" + name


def _is_mistaken_prefix(block: bytes) -> bool:
    """Whether a GNU header has directories in the place of two times.

    Go before 1.8 wrote such headers, and Go still accepts them.
    """
    if not is_gnu(block) or block[156:157] == b"S":
        return False
    try:
        _ = numbers[block[345:357]], numbers[block[357:369]]
    except ValueError:
        return block[345:500].partition(b"\0")[0].isascii()
    return False


def _bad_number(block: bytes, offset: int) -> LayerError:
    for name, where in _NUMBER_FIELDS.items():
        try:
            _ = numbers[block[where]]
        except ValueError:
            return damaged(
                f"{name}: expected an octal number, found {block[where]!r},",
                offset,
                "tar-bad-number",
            )
    raise AssertionError("unreachable")
