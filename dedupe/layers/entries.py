"""Members of a tar as entries of a layer: paths cleaned, whiteouts told from files.

Source: OCI image-spec layer.md, "Whiteouts"; what stores do at the edges is in docs/catalog.md.
"""

import base64
import json

from dedupe.formats.tar import GLOBAL, Member
from dedupe.model.paths import path_text
from dedupe.model.rows import EntryColumns, Kind

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
#: AUFS keeps its own files under names of this start; they are no content of the image
_AUFS = b".wh..wh."
#: what overlayfs and fuse-overlayfs keep their own marks in; a layer that ships them plants marks
_OVERLAY = (b"trusted.overlay.", b"user.overlay.", b"user.fuseoverlayfs.")
#: longer names cannot be unpacked on Linux
_MAX_COMPONENT_BYTES = 255
_MAX_PATH_BYTES = 4096

#: base-256 numbers can be larger than the catalog's columns
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
_FILE = Kind.FILE.value


def clean(name: bytes) -> tuple[bytes, bool]:
    """A member's path from the image's root, and whether ``..`` was cleaned away.

    As all unpackers do: the name is taken from the root, ``.`` and doubled slashes fall away, and
    ``..`` stops at the root. The root itself is the empty path.
    """
    if b"." not in name and b"//" not in name:
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
    literal: bool = False,
) -> int:
    """Append a member as an entry; returns the bytes of content that it adds to the layer.

    ``flag`` is what whoever read the member found odd about it; ``literal``, that a name which
    begins as a whiteout does is only a name, as in a folder that has other whiteouts.
    """
    raw = member.name
    path, climbed = clean(raw)
    kind = _KINDS.get(member.typeflag, Kind.IGNORED.value)
    flags = [flag] if flag else None
    if climbed:
        flags = [*(flags or ()), "dotdot"]
    link: str | None = None
    if kind == Kind.IGNORED.value:
        odd = "pax-global-header" if member.typeflag == GLOBAL else "unknown-type"
        flags = [*(flags or ()), odd]
    parent, _, base = path.rpartition(b"/")
    if not literal and _AUFS in path and _is_aufs(path):
        kind = Kind.IGNORED.value
        flags = [*(flags or ()), "aufs-metadata"]
    elif not literal and base.startswith(_WHITEOUT):
        kind, path, extra = _whiteout(parent, base, path)
        if extra:
            flags = [*(flags or ()), extra]
    elif kind == Kind.SYMLINK.value:
        link = path_text(member.linkname)
    elif kind == Kind.HARDLINK.value:
        target, target_climbed = clean(member.linkname)
        link = path_text(target)
        if target_climbed and not climbed:
            flags = [*(flags or ()), "dotdot"]
    device: str | None = None
    if kind in (Kind.CHARACTER.value, Kind.BLOCK.value):
        device = f"{member.devmajor}:{member.devminor}"
        if kind == Kind.CHARACTER.value and device == "0:0":
            flags = [*(flags or ()), "overlay-whiteout-hazard"]
    if len(path) > _MAX_COMPONENT_BYTES and (
        len(path) > _MAX_PATH_BYTES or max(map(len, path.split(b"/"))) > _MAX_COMPONENT_BYTES
    ):
        flags = [*(flags or ()), "name-too-long"]
    xattrs = member.xattrs
    if xattrs and any(name.startswith(_OVERLAY) for name in xattrs):
        flags = [*(flags or ()), "overlay-xattr-in-tar"]

    if not (-_LARGEST <= member.mtime_ns <= _LARGEST and max(member.uid, member.gid) <= _LARGEST):
        flags = [*(flags or ()), "number-out-of-range"]

    is_file = kind == _FILE
    if is_file and raw[-1:] == b"/":
        flags = [*(flags or ()), "trailing-slash"]
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
    columns.link.append(link)
    columns.device.append(device)
    columns.xattrs.append(_xattrs_text(xattrs) if xattrs else None)
    columns.content_hash.append(member.content_hash if is_file else None)
    columns.raw_name.append(raw if raw.strip(b"/").removeprefix(b"./") != path else None)
    columns.flags.append(",".join(flags) if flags else None)
    return size


def _is_aufs(path: bytes) -> bool:
    """Whether a component is a name of AUFS's own; only at the end may it be the opaque mark."""
    *parents, base = path.split(b"/")
    return any(part.startswith(_AUFS) for part in parents) or (
        base.startswith(_AUFS) and base != _OPAQUE
    )


def _whiteout(parent: bytes, base: bytes, path: bytes) -> tuple[str, bytes, str | None]:
    """Kind, the path that is hidden, and a flag for what unpackers do not agree on."""
    if base == _OPAQUE:
        return Kind.OPAQUE.value, parent, None if parent else "opaque-root"
    name = base[len(_WHITEOUT) :]
    if name in (b"", b".", b".."):
        return Kind.IGNORED.value, path, "invalid-whiteout"
    return Kind.WHITEOUT.value, (parent + b"/" + name if parent else name), None


def _xattrs_text(xattrs: dict[bytes, bytes]) -> str:
    """Canonical JSON of names and base64 values, so that equal sets have equal text."""
    return json.dumps(
        {path_text(name): base64.b64encode(value).decode() for name, value in xattrs.items()},
        sort_keys=True,
        separators=(",", ":"),
    )
