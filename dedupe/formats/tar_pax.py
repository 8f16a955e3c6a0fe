"""Read extended headers of POSIX tar: records ``length key=value`` that override a header."""

import binascii
from typing import Final
from urllib.parse import unquote_to_bytes

from dedupe.errors import LayerError
from dedupe.formats.tar_headers import (
    NANOSECONDS,
    Member,
    clamped,
    damaged,
    decimal,
    negative_size,
)

Records = dict[bytes, bytes]

#: the map of a file with holes, in sparse form 0.1
SPARSE_MAP: Final = b"GNU.sparse.map"
#: Sparse form 0.0 repeats these two alternately. Of any other key the last record counts.
_SPARSE_SEGMENT = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
#: keys whose values are names, in which NUL is not allowed
_NAMES = (b"path", b"linkpath", b"GNU.sparse.name")
#: prefixes of the keys of extended attributes
_SCHILY = b"SCHILY.xattr."
_LIBARCHIVE = b"LIBARCHIVE.xattr."
_XATTRS = (_SCHILY, _LIBARCHIVE)
#: the last byte of a record
_NEWLINE = ord("\n")


def parse_records(data: bytes, offset: int) -> Records:
    """Parse the records of one extended header; ``offset`` is its place in the archive.

    The segments of sparse form 0.0 are joined into one record as in form 0.1.
    Raises LayerError ``tar-bad-pax``.
    """
    records: Records = {}
    segments: list[bytes] = []
    start, end = 0, len(data)
    while start < end:
        space = data.find(b" ", start, start + 10)
        length = data[start:space]
        if space < 0 or not length.isdigit():
            raise _bad_record("expected a record's length", data[start : start + 10], offset)
        stop = start + int(length)
        # a length that ends before the key is refused: with 0 the loop would never end
        equals = data.find(b"=", space, stop - 1) if stop > space else -1
        if stop > end or equals < 0 or data[stop - 1] != _NEWLINE:
            raise _bad_record(
                "expected a record of the length that it states", data[start : start + 40], offset
            )
        key = data[space + 1 : equals]
        value = data[equals + 1 : stop - 1]
        if not key or b"\0" in key or (key in _NAMES and b"\0" in value):
            raise _bad_record(
                "expected a key, and no NUL in keys and names", data[start : start + 40], offset
            )
        if key in _SPARSE_SEGMENT:
            if key != _SPARSE_SEGMENT[len(segments) % 2] or b"," in value:
                raise _bad_record("expected offset and numbytes alternately", key, offset)
            segments.append(value)
        else:
            records[key] = value
        start = stop
    if segments:
        records[SPARSE_MAP] = b",".join(segments)
    return records


def _bad_record(expected: str, found: bytes, offset: int) -> LayerError:
    return damaged(f"extended header: {expected}, found {found!r},", offset, "tar-bad-pax")


def apply_records(member: Member, records: Records, offset: int) -> None:
    """Replace values of the member's header by those of the records.

    A ``size`` record sets both ``size`` and ``stored_size``. If a record is empty, the header's
    value stays. ``hdrcharset`` is ignored, because names are kept as bytes.
    Raises LayerError ``tar-bad-number``, ``tar-negative-size`` or ``tar-bad-pax``.
    """
    get = records.get
    try:
        if value := get(b"mtime"):
            member.mtime_ns = _nanoseconds(value)
        if value := get(b"path"):
            member.name = value
        if value := get(b"linkpath"):
            member.linkname = value
        if value := get(b"uid"):
            member.uid = _owner(value)
        if value := get(b"gid"):
            member.gid = _owner(value)
        if value := get(b"size"):
            member.size = member.stored_size = decimal(value)
    except ValueError:
        raise damaged(
            f"extended header: expected a number, found {value!r},", offset, "tar-bad-number"
        ) from None
    if member.size < 0:
        raise negative_size(member.size, offset)
    for key in records:
        if key.startswith(_XATTRS):
            member.xattrs = _xattrs(records, offset)
            break


def _owner(text: bytes) -> int:
    value = decimal(text)
    if value < 0:
        raise ValueError
    return value


def _nanoseconds(text: bytes) -> int:
    """Parse decimal seconds exactly; decimals after the ninth are dropped, as in Go."""
    seconds, _, fraction = text.partition(b".")
    if fraction and not fraction.isdigit():
        raise ValueError
    whole = decimal(seconds)
    rest = int(fraction[:9].ljust(9, b"0"))
    # the sign is taken from the text, because the whole part of -0.5 is 0
    return clamped(whole * NANOSECONDS + (-rest if text.startswith(b"-") else rest))


def _xattrs(records: Records, offset: int) -> dict[bytes, bytes]:
    """Collect extended attributes; an empty value is kept (overlay's ``metacopy`` has one).

    bsdtar writes each attribute twice, with both prefixes. That of SCHILY is used, because its
    value is not encoded.
    """
    found: dict[bytes, bytes] = {}
    for key, value in records.items():
        if key.startswith(_LIBARCHIVE):
            found[unquote_to_bytes(key[len(_LIBARCHIVE) :])] = _from_base64(value, offset)
    for key, value in records.items():
        if key.startswith(_SCHILY):
            name = key[len(_SCHILY) :]
            # GNU tar escapes "=" and "%" in names; names of other writers never have "="
            if b"%" in name:
                name = name.replace(b"%3D", b"=").replace(b"%25", b"%")
            found[name] = value
    return found


def _from_base64(text: bytes, offset: int) -> bytes:
    unpadded = text.rstrip(b"=")
    try:
        return binascii.a2b_base64(unpadded + b"=" * (-len(unpadded) % 4), strict_mode=True)
    except binascii.Error:
        raise _bad_record("expected base64", text[:40], offset) from None
