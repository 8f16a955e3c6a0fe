"""Members of layers: what a tar can say about one path."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, repr=False)
class Member:
    """One tar member: its meaning (path, kind), and its spelling in the tar (name, records).

    ``path`` is the cleaned path; for a whiteout it is the path that is hidden, for an opaque mark
    the directory. Bytes that are not UTF-8 are surrogates in it (``os.fsdecode``).
    """

    path: str
    #: f file, d directory, s symlink, h hard link, w whiteout, o opaque directory, c b p devices
    kind: str
    content: bytes = b""
    target: str = ""
    mode: int = 0o644
    #: whole seconds, and the nanoseconds above them
    mtime: int = 1
    nanos: int = 0
    uid: int = 0
    gid: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    #: the name in the tar, if it is not the path
    name: bytes | None = None
    #: the type flag in the tar, if it is not that of the kind
    flag: bytes | None = None
    #: the size in the header, if it is not that of the content
    size: int | None = None
    #: further pax records, written before this member
    records: tuple[tuple[str, bytes], ...] = ()

    def __repr__(self) -> str:
        """The call that makes this member, without arguments that have their default."""
        makers = {
            "f": file,
            "d": directory,
            "s": symlink,
            "h": hardlink,
            "w": whiteout,
            "o": opaque,
        }
        made, arguments = Member(self.path, self.kind), [repr(self.path)]
        if maker := makers.get(self.kind):
            made = maker(self.path, self.target) if self.kind in "sh" else maker(self.path)
            arguments += [repr(self.target)] * (self.kind in "sh")
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value != getattr(made, name):
                shown = {"mode": oct, "xattrs": lambda pairs: repr(dict(pairs))}.get(name, repr)
                arguments.append(f"{name}={shown(value)}")
        named = maker.__name__ if maker else f"Member<{self.kind}>"
        return f"{named}({', '.join(arguments)})"


Layer = tuple[Member, ...]


def file(
    path: str,
    content: bytes | str = b"",
    mode: int = 0o644,
    mtime: int = 1,
    uid: int = 0,
    gid: int = 0,
    xattrs: Mapping[str, bytes] | None = None,
    **spelling: Any,
) -> Member:
    """A regular file; ``spelling`` may be any other field of Member."""
    data = content.encode() if isinstance(content, str) else content
    fields = {"mode": mode, "mtime": mtime, "uid": uid, "gid": gid, "xattrs": xattrs}
    return Member(path, "f", data, **_plain(fields | spelling))


def directory(path: str, mode: int = 0o755, mtime: int = 1, **fields: Any) -> Member:
    """A directory; ``fields`` may be any other field of Member."""
    return Member(path, "d", mode=mode, mtime=mtime, **_plain(fields))


def symlink(path: str, target: str, mode: int = 0o777, mtime: int = 1, **fields: Any) -> Member:
    """A symbolic link."""
    return Member(path, "s", target=target, mode=mode, mtime=mtime, **_plain(fields))


def hardlink(path: str, target: str, **fields: Any) -> Member:
    """Another name of the file at ``target``, a path from the root."""
    return Member(path, "h", target=target, **_plain(fields))


def whiteout(path: str, **fields: Any) -> Member:
    """A mark that hides ``path`` of lower layers."""
    return Member(path, "w", **{"mode": 0, "mtime": 0, **_plain(fields)})


def opaque(path: str, **fields: Any) -> Member:
    """A mark that hides what lower layers have below the directory ``path``."""
    return Member(path, "o", **{"mode": 0, "mtime": 0, **_plain(fields)})


def device(path: str, kind: str = "c", major: int = 1, minor: int = 3, **fields: Any) -> Member:
    """A character (c) or block (b) device, or a FIFO (p)."""
    return Member(path, kind, device=(major, minor), **_plain(fields))


def raw(name: bytes, flag: bytes = b"0", content: bytes = b"", **fields: Any) -> Member:
    """A member with exactly this name and type flag, which a tool would not write."""
    path = name.decode("utf-8", "surrogateescape").strip("/")
    return Member(path, "raw", content, name=name, flag=flag, **_plain(fields))


def members_of_case(case: Iterable[Sequence[Any]]) -> Layer:
    """The members of a layer in cases/*.json: [path, kind, content or target, mode, mtime]."""
    layer = []
    for path, kind, text, mode, mtime in case:
        content, target = (text.encode(), "") if kind == "f" else (b"", text)
        layer.append(Member(path, kind, content, target, mode, mtime))
    return tuple(layer)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Mappings as pairs, since members are hashed: xattrs sorted, records in their order."""
    pairs = {
        "xattrs": tuple(sorted(dict(fields.get("xattrs") or {}).items())),
        "records": tuple(dict(fields.get("records") or {}).items()),
    }
    return fields | pairs
