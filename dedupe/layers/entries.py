"""Members of a tar become entries of a layer: paths are cleaned, whiteouts recognised.

Source: OCI image-spec layer.md, "Whiteouts"; docs/catalog.md says where stores differ.
"""

import base64
import json
from collections.abc import Iterator

from dedupe.formats.tar import GLOBAL, Member
from dedupe.layers.own_links import OwnLinks
from dedupe.model.entries import EntryColumns, Kind
from dedupe.model.paths import path_text

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
#: names of files that AUFS keeps for itself begin so; they are not content of the image
_AUFS = b".wh..wh."
#: xattrs that mark whiteouts and opaque directories for overlayfs and fuse-overlayfs: a layer that
#: has them may hide files from containers
_OVERLAY = (b"trusted.overlay.", b"user.overlay.", b"user.fuseoverlayfs.")
#: longer names cannot be unpacked on Linux
_MAX_COMPONENT_BYTES = 255
_MAX_PATH_BYTES = 4096

#: the largest number of the catalog's columns; base-256 numbers can be larger
_LARGEST = 2**63 - 1

_KINDS = {
    b"0": Kind.FILE.value,
    b"1": Kind.HARDLINK.value,
    b"2": Kind.SYMLINK.value,
    b"3": Kind.CHARACTER.value,
    b"4": Kind.BLOCK.value,
    b"5": Kind.DIRECTORY.value,
    b"6": Kind.FIFO.value,
}
# Kind.FILE.value would be looked up for every entry, of which there are millions
_FILE = Kind.FILE.value
_HARDLINK = Kind.HARDLINK.value
_SYMLINK = Kind.SYMLINK.value
_DIRECTORY = Kind.DIRECTORY.value
_CHARACTER = Kind.CHARACTER.value
_IGNORED = Kind.IGNORED.value
#: kinds of most entries
_PLAIN = (_FILE, _DIRECTORY, _SYMLINK)
_DEVICES = (_CHARACTER, Kind.BLOCK.value)
#: marks and ignored members write nothing themselves
_WITHOUT_ENTRY = (_IGNORED, Kind.WHITEOUT.value, Kind.OPAQUE.value)


def clean(name: bytes) -> tuple[bytes, bool]:
    """A member's path from the image's root, and whether ``..`` was cleaned away.

    All unpackers do the same: the name is taken from the root, ``.`` and doubled slashes are
    dropped, and ``..`` stops at the root. The root itself is the empty path.
    """
    # no component is '.' or '..', nor empty
    if b"/." not in name and b"//" not in name and name[:1] != b".":
        return name.strip(b"/"), False
    parts: list[bytes] = []
    climbed = False
    for part in name.split(b"/"):
        if part == b"..":
            climbed = True
            if parts:
                parts.pop()
        elif part and part != b".":
            parts.append(part)
    return b"/".join(parts), climbed


def add_entry(
    columns: EntryColumns,
    number: int,
    member: Member,
    flag: str | None = None,
    *,
    links: OwnLinks | None = None,
    literal: bool = False,
) -> int:
    """Append a member as an entry; returns the bytes of content that it adds to the layer.

    ``flag`` is what the reader of the member found odd about it. ``links`` are those that earlier
    members of the tar wrote; None if the member is from a folder, in which nothing is below a link.
    ``literal`` says that names never mark whiteouts: that folder has other marks for them.
    """
    kind, path, link, flags = _interpreted(member, links, literal=literal)
    if links is not None:
        _write(links, kind, path, link)
    if flag:
        flags.insert(0, flag)
    raw = member.name
    # nearly all entries are files and directories with short names: asking for no flag costs time
    if (
        kind not in _PLAIN
        or member.xattrs
        or len(path) > _MAX_COMPONENT_BYTES
        or raw[-1:] == b"/"
        or not (-_LARGEST <= member.mtime_ns <= _LARGEST)
        or member.uid > _LARGEST
        or member.gid > _LARGEST
    ):
        flags.extend(_flags(member, kind, path, link))
    is_file = kind == _FILE
    size = member.size if is_file else 0
    columns.member.append(number)
    columns.path.append(path_text(path))
    columns.kind.append(kind)
    columns.size_bytes.append(size)
    columns.stored_bytes.append(
        member.stored_size if is_file and member.stored_size != size else None
    )
    columns.mode.append(member.mode)
    columns.uid.append(min(member.uid, _LARGEST))
    columns.gid.append(min(member.gid, _LARGEST))
    columns.mtime_ns.append(max(-_LARGEST, min(member.mtime_ns, _LARGEST)))
    columns.link.append(path_text(link) if link is not None else None)
    columns.device.append(f"{member.devmajor}:{member.devminor}" if kind in _DEVICES else None)
    columns.xattrs.append(_xattrs_text(member.xattrs) if member.xattrs else None)
    columns.content_hash.append(member.content_hash if is_file else None)
    columns.zero_bytes.append(member.zero_bytes if is_file else None)
    columns.raw_name.append(raw if raw.strip(b"/").removeprefix(b"./") != path else None)
    columns.flags.append(",".join(flags) if flags else None)
    return size


def is_unread(columns: EntryColumns) -> bool:
    """Whether the last entry is a file whose content is here, but was not read."""
    return columns.kind[-1] == _FILE and "overlay-metacopy" not in (columns.flags[-1] or "")


def _interpreted(
    member: Member, links: OwnLinks | None, *, literal: bool
) -> tuple[str, bytes, bytes | None, list[str]]:
    """Kind, path and link of the entry, and flags of its names."""
    path, climbed = clean(member.name)
    kind = _KINDS.get(member.typeflag, _IGNORED)
    flags = ["dotdot"] if climbed else []
    if links is not None:
        path, odd = links.through(path)
        if odd:
            flags.append(odd)
    if kind == _IGNORED:
        flags.append("pax-global-header" if member.typeflag == GLOBAL else "unknown-type")
    elif not path and kind != _DIRECTORY:
        kind = _IGNORED
        flags.append("root-not-directory")
    link: bytes | None = None
    marked = _whiteout(path) if not literal and _WHITEOUT in path else None
    if marked is not None:
        kind, path, odd = marked
        if odd:
            flags.append(odd)
    elif kind == _SYMLINK:
        link = member.linkname
    elif kind == _HARDLINK:
        link, target_flags = _hard_link_target(member.linkname, links)
        flags += [flag for flag in target_flags if flag not in flags]
    return kind, path, link, flags


def _hard_link_target(name: bytes, links: OwnLinks | None) -> tuple[bytes, list[str]]:
    """Path of the target, and flags of its name."""
    target, climbed = clean(name)
    flags = ["dotdot"] if climbed else []
    if links is not None:
        target, odd = links.through(target)
        if odd:
            flags.append(odd)
    return target, flags


def _write(links: OwnLinks, kind: str, path: bytes, link: bytes | None) -> None:
    """Keep the links of the layer as they are after this entry."""
    if kind in _WITHOUT_ENTRY:
        return
    target = links.target_at(link) if link is not None and kind == _HARDLINK else link
    if target is not None:
        # a hard link to a symbolic link is that link too
        links.add(path, target)
    else:
        links.replace(path, is_folder=kind == _DIRECTORY)


def _whiteout(path: bytes) -> tuple[str, bytes, str | None] | None:
    """Kind, the path that is hidden, and a flag if unpackers disagree; None for other names."""
    *parents, base = path.split(b"/")
    if any(part.startswith(_AUFS) for part in parents):
        return _IGNORED, path, "aufs-metadata"
    if not base.startswith(_WHITEOUT):
        return None
    parent = b"/".join(parents)
    if base == _OPAQUE:
        return Kind.OPAQUE.value, parent, None if parent else "opaque-root"
    if base.startswith(_AUFS):
        return _IGNORED, path, "aufs-metadata"
    name = base[len(_WHITEOUT) :]
    if name in (b"", b".", b".."):
        return _IGNORED, path, "invalid-whiteout"
    return Kind.WHITEOUT.value, (parent + b"/" + name if parent else name), None


def _flags(member: Member, kind: str, path: bytes, link: bytes | None) -> Iterator[str]:
    """What stores or tools may treat in another way than the specification does."""
    if kind == _CHARACTER and member.devmajor == member.devminor == 0:
        yield "overlay-whiteout-hazard"
    if len(path) > _MAX_COMPONENT_BYTES and (
        len(path) > _MAX_PATH_BYTES or max(map(len, path.split(b"/"))) > _MAX_COMPONENT_BYTES
    ):
        yield "name-too-long"
    if member.xattrs and any(name.startswith(_OVERLAY) for name in member.xattrs):
        yield "overlay-xattr-in-tar"
    if not (
        -_LARGEST <= member.mtime_ns <= _LARGEST
        and member.uid <= _LARGEST
        and member.gid <= _LARGEST
    ):
        yield "number-out-of-range"
    if kind == _FILE and member.name[-1:] == b"/":
        yield "trailing-slash"
    if kind == _HARDLINK and link is not None and (link + b"/").startswith(path + b"/"):
        yield "link-below-itself"


def _xattrs_text(xattrs: dict[bytes, bytes]) -> str:
    """JSON of names and base64 values in one form only: equal sets have equal text."""
    return json.dumps(
        {path_text(name): base64.b64encode(value).decode() for name, value in xattrs.items()},
        sort_keys=True,
        separators=(",", ":"),
    )
