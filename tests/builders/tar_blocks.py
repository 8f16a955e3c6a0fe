"""Tars block by block: headers with exact bytes, also those that no tool writes."""

from typing import Any

END = bytes(1024)


def header(
    name: bytes = b"f",
    size: int | bytes = 0,
    flag: bytes = b"0",
    *,
    magic: bytes = b"ustar\x0000",
    signed: bool = False,
    **fields: bytes,
) -> bytes:
    """A header with exactly these fields, and the right checksum."""
    block = bytearray(512)
    places = {
        "mode": 100,
        "uid": 108,
        "gid": 116,
        "mtime": 136,
        "link": 157,
        "major": 329,
        "minor": 337,
        "prefix": 345,
        "sparse": 386,
        "more": 482,
        "real": 483,
        "star": 508,
    }
    octal = size if isinstance(size, bytes) else b"%011o\0" % size
    for at, value in [(0, name), (124, octal), (156, flag), (257, magic)]:
        block[at : at + len(value)] = value
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    block[148:156] = b" " * 8
    total = sum(byte - 256 * (signed and byte > 127) for byte in block)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def padded(data: bytes) -> bytes:
    """The data filled up to whole blocks."""
    return data + bytes(-len(data) % 512)


def member(name: bytes = b"f", data: bytes = b"", flag: bytes = b"0", **fields: Any) -> bytes:
    """A header and its body."""
    return header(name, len(data), flag, **fields) + padded(data)


def record(key: bytes, value: bytes) -> bytes:
    """A record of an extended header; its length includes its own digits."""
    body = b" " + key + b"=" + value + b"\n"
    length = next(n for n in range(len(body) + 1, len(body) + 9) if len(str(n)) + len(body) == n)
    return str(length).encode() + body


def pax(*records: tuple[bytes, bytes], flag: bytes = b"x") -> bytes:
    """An extended header of these records."""
    return member(b"PaxHeaders/f", b"".join(record(*one) for one in records), flag)


def base256(value: int, width: int) -> bytes:
    """A number in base-256, which GNU uses if octal digits do not fit."""
    return (
        bytes([0x80 if value >= 0 else 0xFF])
        + value.to_bytes(8 * width // 8, "big", signed=True)[1:]
    )
