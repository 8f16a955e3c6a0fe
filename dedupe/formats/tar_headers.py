"""One tar header: 512 bytes of which each writer uses another dialect.

Names are cut at their first NUL and otherwise kept as bytes. Numbers are octal text, or base-256
where the first bit is set. Go's ``archive/tar`` reads the layers for docker, podman and
containerd, so where readers differ this one sides with Go.
"""

import struct
from dataclasses import dataclass
from typing import Final
from zlib import adler32

from dedupe.errors import LayerError

BLOCK_BYTES: Final = 512
ZERO_BLOCK: Final = bytes(BLOCK_BYTES)
NANOSECONDS: Final = 1_000_000_000
#: no field means more than a signed 64-bit number; Go refuses larger ones too
MAX_NUMBER: Final = (1 << 63) - 1

_USTAR = b"ustar\0"
_GNU = b"ustar "
# name mode uid gid size mtime checksum typeflag linkname magic (version uname gname) major minor
# prefix
_unpack = struct.Struct("100s8s8s8s12s12s8sc100s6s66x8s8s155s12x").unpack
_NUMBER_FIELDS = {
    "mode": slice(100, 108),
    "uid": slice(108, 116),
    "gid": slice(116, 124),
    "size": slice(124, 136),
    "mtime": slice(136, 148),
    "devmajor": slice(329, 337),
    "devminor": slice(337, 345),
}
_DEVICES = (b"3", b"4")
# a layer has few different modes, owners and times; what hostile ones add is dropped in bulk
_MAX_REMEMBERED = 8192


@dataclass(slots=True)
class Member:
    """One member of an archive: its header with all extended headers applied."""

    #: as the archive has it, not cleaned
    name: bytes
    #: one byte; ``0`` for every kind of regular file; ``5`` for every kind of directory; ``g`` for
    #: a global header, which is no file
    typeflag: bytes
    #: bytes a reader of the regular file sees, holes included; 0 for all other types
    size: int
    #: bytes of a regular file's content in the archive, without holes and sparse map; 0 for others
    stored_size: int
    #: where the stored content begins, in bytes from the start of the archive
    offset: int
    #: permission bits, at most 0o7777
    mode: int
    uid: int
    gid: int
    #: nanoseconds since 1970; times before 1677 or after 2262 become the last that fits 64 bits
    mtime_ns: int
    linkname: bytes
    devmajor: int
    devminor: int
    #: name to exact value; None where there are none
    xattrs: dict[bytes, bytes] | None
    #: BLAKE3 of what a reader of the regular file sees, if it was asked for
    content_hash: bytes | None


def damaged(what: str, offset: int, code: str) -> LayerError:
    """The error for what is wrong with the archive at this offset."""
    return LayerError(f"{what} at byte {offset} of the tar", code)


def looks_like_tar(block: bytes) -> bool:
    """Whether these bytes begin with a tar header, going by its checksum.

    An empty archive has none: its zero blocks are for the caller to accept.
    """
    return len(block) >= BLOCK_BYTES and has_valid_checksum(block[:BLOCK_BYTES])


def has_valid_checksum(block: bytes) -> bool:
    """Whether the block's bytes add up to its checksum field, read as signed or unsigned."""
    field = block[148:156]
    try:
        stored = numbers[field]
    except ValueError:
        return False
    # the low half of adler32 from 0 is a plain sum while that is below 65521: 256 * 255 is. It is
    # four times faster than sum(). The field itself counts as eight spaces
    total = (
        (adler32(block[:256], 0) & 0xFFFF)
        + (adler32(block[256:], 0) & 0xFFFF)
        - (adler32(field, 0) & 0xFFFF)
        + 256
    )
    return total == stored or _signed_sum(block) == stored


def _signed_sum(block: bytes) -> int:
    """The checksum of old writers whose C compilers had signed characters."""
    total: int = sum(struct.unpack("148b8x356b", block))
    return total + 256


class _Numbers(dict[bytes, int]):
    """Header fields already read, by their bytes; ValueError for those that are no number."""

    def __missing__(self, field: bytes) -> int:
        value = _base256(field) if field[0] & 0x80 else _octal(field)
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        self[field] = value
        return value


numbers: Final = _Numbers()


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    # int() alone would take 0o17, 1_7, +17 and -17 too
    if digits and not digits.isdigit():
        raise ValueError
    return int(digits or b"0", 8)


def _base256(field: bytes) -> int:
    bits = 8 * len(field) - 1
    value = int.from_bytes(field, "big") & ((1 << bits) - 1)
    if field[0] & 0x40:
        value -= 1 << bits
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise ValueError
    return value


def decimal(text: bytes) -> int:
    """A number of an extended header, maybe negative; ValueError where it is none."""
    digits = text.removeprefix(b"-")
    # the length first: int() of a million digits takes seconds
    if not digits.isdigit() or len(digits) > 32 or int(digits) > MAX_NUMBER:
        raise ValueError
    return int(text)


def stored_size_of(block: bytes, offset: int) -> int:
    """The size field of a header.

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
    """The error for a size that would send a reader backwards."""
    return damaged(f"expected a size, found {size},", offset, "tar-negative-size")


def member_of(block: bytes, offset: int) -> Member:
    """The member that this header alone describes; its content begins after ``offset`` + 512.

    ``size`` and ``stored_size`` are the header's size field, whatever the type.
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
    """The time, or the nearest that a signed 64-bit number has room for.

    Unpackers accept any time, and file systems clamp as well.
    """
    if -MAX_NUMBER <= nanoseconds <= MAX_NUMBER:
        return nanoseconds
    return MAX_NUMBER if nanoseconds > 0 else -MAX_NUMBER


def is_gnu(block: bytes) -> bool:
    """Whether the header is in the old GNU dialect, which alone has ``S`` members."""
    return block[257:263] == _GNU


def _prefixed(name: bytes, block: bytes) -> bytes:
    """The name behind the field that holds its folders, if this dialect has that field."""
    # star keeps times in the field's last bytes
    prefix = block[345:476] if block[508:512] == b"tar\0" else block[345:500]
    if block[257:263] != _USTAR and not _is_mistaken_prefix(block):
        return name
    return prefix.partition(b"\0")[0] + b"/" + name


def _is_mistaken_prefix(block: bytes) -> bool:
    """Whether a GNU header holds folders where it should hold times.

    Go before 1.8 wrote such headers, and Go still reads them so.
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
