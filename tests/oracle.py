"""docs/measures.md in plain Python: live and shadowed bytes, causes, accounting.

A stack is a list of layers, a layer a sequence of ``builders.Member``. Nothing is clever here: a
view is a dict from path to inode, and each layer changes it in the order of its tar. The view
holds only names that a layer lists, never implied directories, which have no bytes and no row.

A layer's whiteouts and opaque marks go first, wherever they stand, and touch the lower view only.
Then each entry acts on all that is below it and on all that its own layer has put there so far,
also an entry that a later member of the layer takes away again. Who died is asked at the end of
the layer, so the names that an inode loses in one layer all tie.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from builders import Layer, Member

FIELDS = ("mode", "uid", "gid", "mtime", "xattrs")


@dataclass(frozen=True, eq=False)
class Inode:
    """One file of whatever kind; it is the same only as itself, whatever its names."""

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
class Shadowed:
    """One regular file that no container can read, and what hid it."""

    path: str
    size_bytes: int
    cause: str
    added_position: int
    hidden_position: int
    changed_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """One name of the merged view."""

    kind: str
    size: int
    mode: int
    uid: int
    gid: int
    mtime: int
    link: str
    content: bytes
    xattrs: tuple[tuple[str, bytes], ...]
    #: all visible names of what is there, sorted: hard links
    names: tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """The answers for one stack of layers."""

    content_bytes: int
    live_bytes: int
    shadowed_bytes: int
    #: ordered by path, then the position that added it, then its member's place in the tar
    shadowed: tuple[Shadowed, ...]
    #: names that some layer lists, sorted, without the root
    merged: tuple[str, ...]
    view: Mapping[str, Seen]
    #: (position, path, target) of hard links whose target is nowhere
    dangling: tuple[tuple[int, str, str], ...]
    #: each shadowed file by (position, index of its member)
    hidden: Mapping[tuple[int, int], Shadowed]
    #: the file, of whatever kind, at each name of the view
    inodes: Mapping[str, Inode]


def stack(layers: Sequence[Layer]) -> Stack:
    """Merge the layers and say of every regular file whether it is live, or what hid it."""
    view: dict[str, Inode] = {}
    inodes: list[Inode] = []
    hidden: dict[tuple[int, int], Shadowed] = {}
    dangling = []
    for position, layer in enumerate(layers):
        lower = dict(view)
        for member in layer:
            if member.kind in "wo":
                _drop(view, member.path, itself=member.kind == "w")
        own: dict[str, Inode] = {}
        #: names of this layer that lead nowhere: what is below is no target of theirs
        void: set[str] = set()
        entries: list[tuple[str, Inode | None]] = []
        for index, member in enumerate(layer):
            if member.kind in "wo":
                continue
            inode: Inode | None
            if member.kind == "h":
                inode = None if member.target in void else _target(member.target, own, lower)
                if inode is None:
                    dangling.append((position, member.path, member.target))
            else:
                inode = Inode(position, index, member)
                inodes.append(inode)
            entries.append((member.path, inode))
            void -= {member.path, *ancestors(member.path)}
            if inode is None or inode.member.kind != "d":
                void -= {name for name in void if member.path in ancestors(name)}
            if inode is None:
                void.add(member.path)
            _put(own, member.path, inode)
            _put(view, member.path, inode)
        standing = set(view.values())
        for inode in inodes:
            if inode.regular and inode not in standing and inode.key not in hidden:
                hidden[inode.key] = _death(inode, position, lower, layer, entries)

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
        view={path: _seen(view[path], names[view[path]]) for path in sorted(view.keys() - {""})},
        dangling=tuple(dangling),
        hidden=hidden,
        inodes=view,
    )


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
    """What a hard link names: a name of its layer so far, else of the parent's view."""
    inode = own.get(path) or lower.get(path)
    return None if inode is None or inode.member.kind == "d" else inode


def _death(
    inode: Inode,
    position: int,
    lower: Mapping[str, Inode],
    layer: Layer,
    entries: Sequence[tuple[str, Inode | None]],
) -> Shadowed:
    """The row of an inode that has lost its last name in the layer at this position."""
    if inode.position == position:
        path = min(name for name, named in entries if named is inode)
        return Shadowed(path, inode.size, "superseded", position, position)
    path = min(name for name, named in lower.items() if named is inode)
    cause, fields = _cause(inode, path, layer, entries)
    return Shadowed(path, inode.size, cause, inode.position, position, fields)


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


def _seen(inode: Inode, names: Sequence[str]) -> Seen:
    it = inode.member
    return Seen(
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


# Stores. An image is a list of layer names. Layers are one where their members are equal, so the
# tuple of members stands for the diff ID, and a tuple of layers for the chain ID.

Layers = Mapping[str, Layer]
Images = Mapping[str, Sequence[str]]
#: each unit's weight, and the images that reference it
Units = dict[Hashable, tuple[int, frozenset[str]]]


def units(layers: Layers, images: Images, granularity: str = "unpacked") -> Units:
    """The units of a store: "unpacked" chains, "content" hashes, or "layers" by diff ID."""
    weights: dict[Hashable, int] = {}
    holders: dict[Hashable, set[str]] = {}
    for image, names in images.items():
        built = tuple(layers[name] for name in names)
        for position, layer in enumerate(built):
            found: list[tuple[Hashable, int]] = []
            if granularity == "unpacked":
                found = [(built[: position + 1], layer_bytes(layer))]
            elif granularity == "layers":
                found = [(layer, layer_bytes(layer))]
            else:
                found = [(it.content, len(it.content)) for it in layer if it.kind == "f"]
            for unit, weight in found:
                weights[unit] = weight
                holders.setdefault(unit, set()).add(image)
    return {unit: (weights[unit], frozenset(holders[unit])) for unit in weights}


def layer_bytes(layer: Layer) -> int:
    """``content_bytes`` of one layer."""
    return sum(len(member.content) for member in layer if member.kind == "f")


def total(found: Units) -> int:
    """The weight of all units, each once."""
    return sum(weight for weight, _ in found.values())


def exclusive(found: Units, chosen: Collection[str]) -> int:
    """What deleting all the chosen images frees."""
    return sum(weight for weight, holders in found.values() if holders <= set(chosen))


def attributed(found: Units, images: Collection[str]) -> dict[str, Fraction]:
    """Each image's share: every unit split evenly among the images that reference it."""
    shares = dict.fromkeys(images, Fraction(0))
    for weight, holders in found.values():
        for image in holders:
            shares[image] += Fraction(weight, len(holders))
    return shares


def rounded(shares: Mapping[str, Fraction]) -> dict[str, int]:
    """Whole bytes of the same sum, by largest remainder, ties in order of the keys."""
    whole = {image: int(share) for image, share in shares.items()}
    missing = int(sum(shares.values())) - sum(whole.values())
    by_remainder = sorted(shares, key=lambda image: (whole[image] - shares[image], image))
    for image in by_remainder[:missing]:
        whole[image] += 1
    return whole


def partition(found: Units, groups: Mapping[str, Collection[str]]) -> Counter[str]:
    """Bytes by group, "shared" where images of a unit have names in several; sums to the total."""
    rows: Counter[str] = Counter()
    for weight, holders in found.values():
        named = {group for image in holders for group in groups[image]}
        rows[named.pop() if len(named) == 1 else "shared"] += weight
    return rows


def totals(layers: Layers, images: Images) -> dict[str, int]:
    """The figures of a whole store."""
    stored = total(units(layers, images, "layers"))
    unpacked = total(units(layers, images, "unpacked"))
    unique = total(units(layers, images, "content"))
    naive = sum(layer_bytes(layers[name]) for names in images.values() for name in names)
    used = {layers[name] for names in images.values() for name in names}
    return {
        "images": len(images),
        "layers": len(used),
        "layer_bytes": stored,
        "unpacked_bytes": unpacked,
        "naive_bytes": naive,
        "unique_content_bytes": unique,
        "dead_bytes": dead_bytes(layers, images),
        "cow_savings_bytes": naive - unpacked,
        "position_loss_bytes": unpacked - stored,
        "duplicate_content_bytes": stored - unique,
        "orphan_bytes": sum(layer_bytes(layer) for layer in set(layers.values()) - used),
    }


def dead_bytes(layers: Layers, images: Images) -> int:
    """Bytes of (layer, member) that are shadowed wherever an image holds the layer."""
    dead: dict[tuple[Layer, int], bool] = {}
    for names in images.values():
        built = [layers[name] for name in names]
        hidden = stack(built).hidden
        for position, layer in enumerate(built):
            for index, member in enumerate(layer):
                if member.kind == "f":
                    key = (layer, index)
                    dead[key] = dead.get(key, True) and (position, index) in hidden
    return sum(len(layer[index].content) for (layer, index), is_dead in dead.items() if is_dead)


def container(layers: Sequence[Layer], upper: Layer) -> dict[str, int]:
    """What a writable branch, each path once and without hard links, holds over an image."""
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
