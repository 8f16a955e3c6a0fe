"""Two kinds of unpackers in plain Python: one that copies layer on layer, and overlay.

A copying unpacker (umoci, docker's and podman's vfs, containerd's native snapshotter) writes the
members of each layer into the tree that the layers below have left. Overlay unpacks each layer into
a folder of its own and shows the folders merged, the upper ones first.

Both follow symlinks in the directories above a name, but each only those that it has before it. A
directory that no member lists is 0755 and belongs to root. The tests compare both models with
umoci and podman.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from builders import Layer, Member

#: a loop of symlinks ends here, as in Linux
_MOST_LINKS = 40
_LOOK = ("kind", "mode", "uid", "gid", "xattrs")


class Refused(Exception):
    """The unpacker ends with an error instead of a tree."""


@dataclass(eq=False)
class Node:
    """One file of any kind, with all its names: two names of one node are hard links."""

    member: Member
    #: whether a member describes it; not so a directory that is only implied
    listed: bool = True
    children: dict[str, Node] = field(default_factory=dict)
    #: of overlay: lower directories at this path are not shown
    opaque: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a directory."""
        return self.member.kind == "d"


def copied(stack: Sequence[Layer], *, marks_make: bool = True) -> dict[str, tuple]:
    """What a copying unpacker shows; raises Refused.

    ``marks_make`` says whether a mark makes the directories above it. Of six unpackers only umoci
    does not make them.
    """
    root = _implied()
    for layer in stack:
        #: nodes of this layer: its own marks do not hide them
        own: set[Node] = set()
        for member in layer:
            if member.kind in "wo":
                _hide_below(root, member, own, make=marks_make)
            elif member.path:
                folder, name = _folder_of(root, member.path, own)
                own.add(_put(root, folder, name, member))
            elif member.kind == "d":
                root.member = member
    return _shown(root)


def overlaid(stack: Sequence[Layer]) -> dict[str, tuple]:
    """What overlay shows; raises Refused."""
    folders = []
    for layer in stack:
        root = _implied()
        for member in layer:
            _unpack_alone(root, member)
        folders.append(root)
    merged = _merged(folders[::-1])
    return _shown(merged) if merged is not None else {}


UNPACKERS = {"copying": copied, "overlay": overlaid}


def _implied() -> Node:
    return Node(Member("", "d", mode=0o755), listed=False)


def _hide_below(root: Node, mark: Member, own: set[Node], *, make: bool) -> None:
    """Remove what a mark hides of the lower layers; without such a directory it hides nothing."""
    path = f"{mark.path}/x".lstrip("/") if mark.kind == "o" else mark.path
    try:
        folder, name = _folder_of(root, path, own, make=make)
    except Refused:
        return
    if mark.kind == "o":
        _hide(folder, own)
    elif name in folder.children and not _hide(folder.children[name], own):
        del folder.children[name]


def _hide(node: Node, own: set[Node]) -> bool:
    """Remove what is not of this layer; whether something stays."""
    for name, child in list(node.children.items()):
        if not _hide(child, own):
            del node.children[name]
    return node in own or bool(node.children)


def _unpack_alone(root: Node, member: Member) -> None:
    """Write a member into the folder of its own layer; marks become those of overlay."""
    if not member.path and member.kind == "d":
        root.member = member
    elif member.kind == "o":
        folder, _ = _folder_of(root, f"{member.path}/x".lstrip("/"))
        folder.opaque = True
    elif member.path:
        folder, name = _folder_of(root, member.path)
        if member.kind == "w":
            folder.children.setdefault(name, Node(member))
            return
        made = _put(root, folder, name, member)
        if dict(member.xattrs).get("trusted.overlay.opaque") == b"y":
            made.opaque = True


def _put(root: Node, folder: Node, name: str, member: Member) -> Node:
    """Write an entry in place of what is there; a directory over a directory changes its look."""
    if member.kind == "h":
        inner, last = _folder_of(root, member.target, make=False)
        target = inner.children.get(last)
        if target is None or target.is_folder or target.member.kind == "w":
            raise Refused(f"{member.path} links to {member.target}")
        folder.children[name] = target
        return target
    old = folder.children.get(name)
    if member.kind == "d" and old is not None and old.is_folder:
        old.member, old.listed = member, True
        return old
    folder.children[name] = made = Node(member)
    return made


def _folder_of(
    root: Node, path: str, own: set[Node] | None = None, *, make: bool = True
) -> tuple[Node, str]:
    """The directory of a path, symlinks followed, and the last name; missing ones are made."""
    *above, name = path.split("/")
    todo = above[::-1]
    place = [root]
    links = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if len(place) > 1:
                place.pop()
            continue
        child = place[-1].children.get(part)
        if child is None or child.member.kind == "w":
            if not make:
                raise Refused(f"{path}: {part} is missing")
            child = place[-1].children[part] = _implied()
            if own is not None:
                own.add(child)
        if child.member.kind == "s":
            links += 1
            if links > _MOST_LINKS:
                raise Refused(f"{path}: too many symlinks")
            if child.member.target.startswith("/"):
                place = [root]
            todo += child.member.target.split("/")[::-1]
            continue
        if not child.is_folder:
            raise Refused(f"{path}: {part} is not a directory")
        place.append(child)
    return place[-1], name


def _merged(nodes: Sequence[Node]) -> Node | None:
    """What overlay shows of the entries of one path, the uppermost first."""
    top = nodes[0]
    if top.member.kind == "w" or (top.member.kind == "c" and top.member.device == (0, 0)):
        return None
    if not top.is_folder:
        return top
    folders: list[Node] = []
    for node in nodes:
        if not node.is_folder:
            break
        folders.append(node)
        if node.opaque:
            break
    shown = Node(top.member, top.listed)
    for name in {name for folder in folders for name in folder.children}:
        child = _merged([each.children[name] for each in folders if name in each.children])
        if child is not None:
            shown.children[name] = child
    return shown


def _shown(root: Node) -> dict[str, tuple]:
    """Look, content, link, mtime and names by path, without the root."""
    found: dict[str, Node] = {}
    todo = [("", root)]
    while todo:
        path, node = todo.pop()
        for name, child in node.children.items():
            place = f"{path}/{name}" if path else name
            found[place] = child
            todo.append((place, child))
    names: dict[Node, list[str]] = {}
    for path in sorted(found):
        names.setdefault(found[path], []).append(path)
    return {
        path: (
            *(getattr(node.member, name) for name in _LOOK),
            node.member.content,
            node.member.target if node.member.kind == "s" else "",
            (node.member.mtime, node.member.nanos) if node.listed else None,
            tuple(names[node]),
        )
        for path, node in found.items()
    }
