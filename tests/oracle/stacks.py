"""Stacks of layers in plain Python: live and shadowed bytes, and what hid each file.

The definitions are in docs/measures.md. A stack is a list of layers, and a layer a sequence of
``builders.Member``. A view is a dict from path to inode, which each layer changes in the order of
its tar. It has only paths that a layer lists: implied directories have no bytes and no row.

A layer's whiteouts and opaque marks are applied first, wherever they are in the tar, and only to
the lower view. Then each entry is applied to the lower view and to the earlier entries of its own
layer, even if a later entry of the layer removes it again. Shadowed files are found at the end of
each layer, so all names that a file loses in one layer count as lost together.

Before all that, ``written`` gives each member the path to which it is written: a layer's own
symbolic links are followed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from builders import Layer, Member

FIELDS = ("mode", "uid", "gid", "mtime", "xattrs")


@dataclass(frozen=True, eq=False)
class Inode:
    """One file of any kind. Two inodes are never equal, whatever their names."""

    position: int
    index: int
    member: Member

    @property
    def size(self) -> int:
        """Logical bytes; only regular files have any."""
        return len(self.member.content) if self.regular else 0

    @property
    def regular(self) -> bool:
        """Whether its bytes count."""
        return self.member.kind == "f"

    @property
    def key(self) -> tuple[int, int]:
        """Position of its layer, and index of its member there."""
        return (self.position, self.index)


@dataclass(frozen=True, order=True)
class ShadowedFile:
    """A regular file that no container can read, and what hid it."""

    path: str
    size_bytes: int
    cause: str
    added_position: int
    hidden_position: int
    changed_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViewEntry:
    """What the merged view shows at one path."""

    kind: str
    size: int
    mode: int
    uid: int
    gid: int
    mtime: int
    link: str
    content: bytes
    xattrs: tuple[tuple[str, bytes], ...]
    #: all visible names of the file, sorted: hard links
    names: tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """The answers for one stack of layers."""

    content_bytes: int
    live_bytes: int
    shadowed_bytes: int
    #: ordered by path, then the position that added it, then its member's place in the tar
    shadowed: tuple[ShadowedFile, ...]
    #: paths of the merged view, sorted, without the root
    merged: tuple[str, ...]
    view: Mapping[str, ViewEntry]
    #: (position, path, target) of hard links without a target
    dangling: tuple[tuple[int, str, str], ...]
    #: each shadowed file by (position, index of its member)
    hidden: Mapping[tuple[int, int], ShadowedFile]
    #: the file, of whatever kind, at each name of the view
    inodes: Mapping[str, Inode]


def stack(layers: Sequence[Layer]) -> Stack:
    """Merge the layers, and find for every regular file whether it is live or what hid it."""
    view: dict[str, Inode] = {}
    inodes: list[Inode] = []
    hidden: dict[tuple[int, int], ShadowedFile] = {}
    dangling = []
    for position, layer in enumerate(map(written, layers)):
        lower = dict(view)
        for member in layer:
            if member.kind in "wo":
                _drop(view, member.path, itself=member.kind == "w")
        own: dict[str, Inode] = {}
        #: dangling hard links of this layer: a link to one does not lead to the lower file either
        dangling_names: set[str] = set()
        entries: list[tuple[str, Inode | None]] = []
        for index, member in enumerate(layer):
            if member.kind in "wo":
                continue
            inode: Inode | None
            if member.kind == "h":
                inode = (
                    None if member.target in dangling_names else _target(member.target, own, lower)
                )
                if inode is None:
                    dangling.append((position, member.path, member.target))
            else:
                inode = Inode(position, index, member)
                inodes.append(inode)
            entries.append((member.path, inode))
            dangling_names -= {member.path, *ancestors(member.path)}
            if inode is None or inode.member.kind != "d":
                dangling_names -= {
                    name for name in dangling_names if member.path in ancestors(name)
                }
            if inode is None:
                dangling_names.add(member.path)
            _put(own, member.path, inode)
            _put(view, member.path, inode)
        visible = set(view.values())
        for inode in inodes:
            if inode.regular and inode not in visible and inode.key not in hidden:
                hidden[inode.key] = _shadowed_file(inode, position, lower, layer, entries)

    content = sum(inode.size for inode in inodes)
    live = sum(inode.size for inode in set(view.values()))
    by_path = sorted(hidden, key=lambda key: (hidden[key].path, key))
    names: dict[Inode, list[str]] = {}
    for path in sorted(view):
        names.setdefault(view[path], []).append(path)
    return Stack(
        content_bytes=content,
        live_bytes=live,
        shadowed_bytes=content - live,
        shadowed=tuple(hidden[key] for key in by_path),
        merged=tuple(sorted(view.keys() - {""})),
        view={
            path: _view_entry(view[path], names[view[path]]) for path in sorted(view.keys() - {""})
        },
        dangling=tuple(dangling),
        hidden=hidden,
        inodes=view,
    )


class LoopError(Exception):
    """A path leads through more symbolic links than an unpacker follows."""


def written(layer: Layer) -> Layer:
    """The layer with each member's path, and each hard link's target, where it is on disk.

    Only links that earlier members of the layer wrote are followed, and never the last component.
    """
    links: dict[str, str] = {}
    found = []
    for member in layer:
        path = member.path
        if member.kind == "o":
            # the mark is a file in the directory
            path = _placed(f"{path}/mark".lstrip("/"), links).rpartition("/")[0]
        else:
            path = _placed(path, links)
        target = _placed(member.target, links) if member.kind == "h" else member.target
        found.append(replace(member, path=path, target=target))
        if member.kind in "wo":
            continue
        if member.kind == "h":
            target = links.get(target, "")
        if member.kind != "d":
            links = {name: to for name, to in links.items() if path not in ancestors(name)}
        links.pop(path, None)
        if member.kind == "s" or (member.kind == "h" and target):
            links[path] = target
    return tuple(found)


def _placed(path: str, links: Mapping[str, str]) -> str:
    """The path with the links of its directory followed; as it is if they form a loop."""
    folder, _, name = path.rpartition("/")
    try:
        folder = _followed("", folder, links, 0)
    except LoopError:
        return path
    return f"{folder}/{name}".lstrip("/")


def _followed(start: str, way: str, links: Mapping[str, str], hops: int) -> str:
    """Where ``way`` leads from the directory ``start``, whose path has no links."""
    if hops > 40:
        raise LoopError
    here = "" if way.startswith("/") else start
    for number, part in enumerate(way.split("/")):
        if part == "..":
            here = here.rpartition("/")[0]
        elif part not in ("", "."):
            name = f"{here}/{part}".lstrip("/")
            if name in links:
                rest = "/".join(way.split("/")[number + 1 :])
                return _followed(here, f"{links[name]}/{rest}", links, hops + 1)
            here = name
    return here


def ancestors(path: str) -> Iterator[str]:
    """The directories above a path, nearest first, the root last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _drop(view: dict[str, Inode], path: str, itself: bool = True) -> None:
    for name in list(view):
        if path in ancestors(name) or (itself and name == path):
            del view[name]


def _put(view: dict[str, Inode], path: str, inode: Inode | None) -> None:
    """Add an entry; a dangling hard link clears its place and leaves it empty."""
    for above in ancestors(path):
        if above in view and view[above].member.kind != "d":
            del view[above]
    if inode is None or inode.member.kind != "d":
        _drop(view, path)
    if inode is not None:
        view[path] = inode


def _target(path: str, own: Mapping[str, Inode], lower: Mapping[str, Inode]) -> Inode | None:
    """The target of a hard link: an earlier entry of its layer, else one of the lower view."""
    inode = own.get(path) or lower.get(path)
    return None if inode is None or inode.member.kind == "d" else inode


def _shadowed_file(
    inode: Inode,
    position: int,
    lower: Mapping[str, Inode],
    layer: Layer,
    entries: Sequence[tuple[str, Inode | None]],
) -> ShadowedFile:
    """The row of an inode that has lost its last name in the layer at this position."""
    if inode.position == position:
        path = min(name for name, named in entries if named is inode)
        return ShadowedFile(path, inode.size, "superseded", position, position)
    path = min(name for name, named in lower.items() if named is inode)
    cause, fields = _cause(inode, path, layer, entries)
    return ShadowedFile(path, inode.size, cause, inode.position, position, fields)


def _cause(
    inode: Inode, path: str, layer: Layer, entries: Sequence[tuple[str, Inode | None]]
) -> tuple[str, tuple[str, ...]]:
    """The first rule that applies, in the order of docs/measures.md, "What hides a file"."""
    same = [named for name, named in entries if name == path]
    if same:
        upper = same[-1]
        if upper is None or not upper.regular:
            return "replaced", ()
        if upper.member.content != inode.member.content:
            return "modified", ()
        fields = tuple(name for name in FIELDS if _field(upper, name) != _field(inode, name))
        return ("metadata_only" if fields else "unchanged"), fields
    whiteouts = {member.path for member in layer if member.kind == "w"}
    opaques = {member.path for member in layer if member.kind == "o"}
    others = {name for name, named in entries if named is None or named.member.kind != "d"}
    if path in whiteouts:
        return "deleted", ()
    for above in ancestors(path):
        if above in whiteouts:
            return "deleted", ()
        if above in opaques:
            return "opaque", ()
        if above in others:
            return "replaced", ()
    assert any(path in ancestors(name) for name, _ in entries)
    return "replaced", ()


def _field(inode: Inode, name: str) -> object:
    member = inode.member
    return (member.mtime, member.nanos) if name == "mtime" else getattr(member, name)


def _view_entry(inode: Inode, names: Sequence[str]) -> ViewEntry:
    it = inode.member
    return ViewEntry(
        it.kind,
        inode.size,
        it.mode,
        it.uid,
        it.gid,
        it.mtime,
        it.target,
        it.content,
        it.xattrs,
        tuple(names),
    )


def container(layers: Sequence[Layer], upper: Layer) -> dict[str, int]:
    """Figures of a container's layer over an image; each path is in it once, without links."""
    below = stack(layers)
    files = [member for member in upper if member.kind == "f"]
    copied = [
        member
        for member in files
        if member.path in below.view and below.view[member.path].kind == "f"
    ]
    marks = tuple(member for member in upper if member.kind in "wo")
    written = sum(len(member.content) for member in files)
    copied_up = sum(len(member.content) for member in copied)
    return {
        "upper_bytes": written,
        "copied_up_bytes": copied_up,
        "metadata_only_bytes": sum(
            len(member.content)
            for member in copied
            if below.view[member.path].content == member.content
        ),
        "new_bytes": written - copied_up,
        "hidden_bytes": below.live_bytes - stack([*layers, marks]).live_bytes,
        "deletions": len(marks),
        "container_cow_savings_bytes": below.live_bytes,
    }
