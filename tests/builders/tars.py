"""Layer tars, with each member exactly as it is given."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from builders.compression import compress
from builders.members import Member, raw

BLOCK = 512
#: tar type flags of the kinds that have an entry of their own
_FLAGS = {"f": b"0", "h": b"1", "s": b"2", "c": b"3", "b": b"4", "d": b"5", "p": b"6"}


def tar_of(
    members: Iterable[Member], *, dialect: str = "pax", trailer: int = 2, pad: int = 0
) -> bytes:
    """A tar of the members in their order, with nothing added, merged or checked.

    What does not fit into a ustar header is, by ``dialect``, in "pax" records or in "gnu" long
    names and base-256 numbers. Xattrs and nanoseconds are pax records in both. ``trailer`` is
    the number of zero blocks at the end; the tar is filled to a multiple of ``pad`` bytes.
    """
    out = bytearray()
    for member in members:
        out += _spelt(member, dialect)
    out += bytes(BLOCK * trailer)
    if pad:
        out += bytes(-len(out) % pad)
    return bytes(out)


def global_header(**records: bytes) -> Member:
    """A PAX global header of these records, named as ``git archive`` names it."""
    body = b"".join(pax_record(key, value) for key, value in records.items())
    return raw(b"pax_global_header", b"g", body)


def write_bare_tar(path: Path, tar: bytes, compression: str = "none") -> None:
    """Write a layer or a root file system to a file, without a config."""
    path.write_bytes(compress(tar, compression))


def _spelt(member: Member, dialect: str) -> bytes:
    name, link = _name(member), _encoded(member.target)
    flag = member.flag or _FLAGS.get(member.kind, b"0")
    size = len(member.content) if member.size is None else member.size
    numbers = {"uid": member.uid, "gid": member.gid, "size": size, "mtime": member.mtime}
    records = list(member.records)
    records += [(f"SCHILY.xattr.{key}", value) for key, value in member.xattrs]
    before = b""
    if member.nanos:
        total = member.mtime * 10**9 + member.nanos
        sign, seconds, nanos = "-" if total < 0 else "", *divmod(abs(total), 10**9)
        records.append(("mtime", f"{sign}{seconds}.{nanos:09}".encode()))
    if dialect == "gnu":
        for long, kind in ((link, b"K"), (name, b"L")):
            if len(long) > 100:
                before += _header(b"././@LongLink", b"", kind, 0, {"size": len(long) + 1}, (0, 0))
                before += _blocks(long + b"\0")
    else:
        if len(name) > 100:
            records.append(("path", name))
        if len(link) > 100:
            records.append(("linkpath", link))
        for key, value in numbers.items():
            if not 0 <= value < 8 ** (7 if key in {"uid", "gid"} else 11):
                numbers[key] = 0
                if key != "mtime" or not member.nanos:
                    records.append((key, str(value).encode()))
    if records:
        body = b"".join(pax_record(key, value) for key, value in records)
        before += _header(
            b"PaxHeaders/" + name[-80:], b"", b"x", 0o644, {"size": len(body)}, (0, 0)
        )
        before += _blocks(body)
    header = _header(name, link, flag, member.mode, numbers, member.device)
    return before + header + _blocks(member.content)


def _name(member: Member) -> bytes:
    if member.name is not None:
        return member.name
    path = _encoded(member.path)
    if member.kind == "d":
        return path + b"/" if path else b"./"
    if member.kind == "o":
        return (path + b"/" if path else b"") + b".wh..wh..opq"
    if member.kind == "w":
        above, slash, last = path.rpartition(b"/")
        return above + slash + b".wh." + last
    return path


def _header(
    name: bytes,
    link: bytes,
    flag: bytes,
    mode: int,
    numbers: Mapping[str, int],
    node: tuple[int, int],
) -> bytes:
    fields = [
        name[:100].ljust(100, b"\0"),
        _number(mode, 8),
        _number(numbers.get("uid", 0), 8),
        _number(numbers.get("gid", 0), 8),
        _number(numbers.get("size", 0), 12),
        _number(numbers.get("mtime", 0), 12),
        b" " * 8,
        flag,
        link[:100].ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        _number(node[0], 8),
        _number(node[1], 8),
    ]
    block = bytearray(b"".join(fields).ljust(BLOCK, b"\0"))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _number(value: int, width: int) -> bytes:
    """Octal digits, or base-256 if they do not fit."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    spelt = bytearray(value.to_bytes(width, "big", signed=True))
    spelt[0] |= 0x80
    return bytes(spelt)


def pax_record(key: str, value: bytes) -> bytes:
    """A pax record; the length at its start includes itself."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _blocks(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
