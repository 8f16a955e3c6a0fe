"""Which layers commute, and which orders that allows: docs/measures.md, "Layers that commute".

All paths of one layer are compared with all paths of the other, pair by pair. A layer with entries
that unpackers show differently commutes with none ("Orders and unpackers").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

from builders import Layer, Member

from oracle.stacks import ViewEntry, ancestors, written
from oracle.stacks import stack as merged

#: role of a member by its kind; the tables below are in the order in which rules are looked up
MARKS = {"w": "whiteout", "o": "opaque"}
AT_PATH = {
    "whiteout": "whiteout",
    "opaque": "opaque",
    "target": "link target",
    "other": "same path",
    "header": "same path",
}
BELOW = {
    "whiteout": "below a whiteout",
    "opaque": "below an opaque",
    "target": "below a link target",
    "other": "below a file",
    "header": "below a file",
}
#: xattrs that overlay takes for its own
OVERLAY = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.")


@dataclass(frozen=True)
class Name:
    """A path in a layer with its role; only directories have metadata here."""

    path: str
    role: str
    #: mode, owner and xattrs
    look: tuple = ()
    mtime: int = 0


@dataclass(frozen=True)
class Meeting:
    """A reason why two layers do not commute; ``grade`` is the weakest that it forbids."""

    grade: str
    rule: str
    lower_path: str
    upper_path: str


def names_of(layer: Layer) -> set[Name]:
    """All paths of a layer, with the targets of its hard links."""
    found = set()
    for it in written(layer):
        if it.flag == b"g":
            found.add(Name(it.path, "header"))
        elif unlike(it) and it.kind == "f":
            continue
        elif it.kind == "d":
            look = (it.mode, it.uid, it.gid, it.xattrs)
            found.add(Name(it.path, "directory", look, it.mtime * 10**9 + it.nanos))
        else:
            found.add(Name(it.path, MARKS.get(it.kind, "other")))
        if it.kind == "h":
            found.add(Name(it.target, "target"))
    listed = {name.path for name in found if name.role == "directory"}
    named = {name.path for name in found if name.role != "target"}
    implied = {above for path in named for above in ancestors(path)} - listed - {""}
    return found | {Name(path, "implied") for path in implied}


def meetings(lower: Layer, upper: Layer) -> list[Meeting]:
    """Every pair of names that keeps the layers in their order; empty if they commute."""
    return [
        Meeting(
            "identical" if rule == "directory mtime" else "equivalent", rule, one.path, other.path
        )
        for one, other in product(names_of(lower), names_of(upper))
        for rule in _rules(one, other)
    ]


def _rules(one: Name, other: Name) -> Iterator[str]:
    roles = {one.role, other.role}
    if "implied" in roles:
        if one.path == other.path and roles == {"implied", "directory"}:
            yield "implied directory"
    elif one.path == other.path:
        if roles == {"directory"}:
            if one.look != other.look:
                yield "directory metadata"
            elif one.mtime != other.mtime:
                yield "directory mtime"
        elif roles not in ({"whiteout"}, {"header"}):
            yield next(rule for role, rule in AT_PATH.items() if role in roles)
    elif one.path in ancestors(other.path) and one.role != "directory":
        yield BELOW[one.role]
    elif other.path in ancestors(one.path) and other.role != "directory":
        yield BELOW[other.role]


def unlike(it: Member) -> bool:
    """Whether some unpacker treats the member by a rule of its own: aufs metadata, overlay xattrs.

    No view has a member with such a name.
    """
    return (it.kind == "f" and any(part.startswith(".wh.") for part in it.path.split("/"))) or any(
        name.startswith(OVERLAY) for name, _ in it.xattrs
    )


def unproven(stack: Sequence[Layer]) -> list[dict[str, set[tuple[str, str]]]]:
    """For each layer, by rule, what keeps it from changing places with any other layer.

    A reason is a path of the layer, and the link that it goes through if it goes through one.
    """
    found: list[dict[str, set[tuple[str, str]]]] = []
    placed = [written(layer) for layer in stack]
    for layer, raw in zip(placed, stack, strict=True):
        moved = {
            (it.path, "own")
            for it, old in zip(layer, raw, strict=True)
            if (it.path, it.kind == "h" and it.target) != (old.path, old.kind == "h" and old.target)
        }
        reasons = {
            "through a symlink": moved
            | set(_through(layer, [link for low in placed[: len(found)] for link in low])),
            "unlike entry": {(it.path, "") for it in layer if unlike(it)},
            "dangling link": set(),
        }
        found.append(reasons)
    for number, (position, path, target) in enumerate(merged(stack).dangling):
        found[position]["dangling link"].add((path, f"{number} {target}"))
    return found


def _through(layer: Layer, below: Sequence[Member]) -> Iterator[tuple[str, str]]:
    """Names of the layer that go through a link: of the members below, or an earlier one of it."""
    for index, it in enumerate(layer):
        places = [(it.path, set(ancestors(it.path)))]
        if it.kind == "o":
            places[0][1].add(it.path)
        if it.kind == "h":
            places.append((it.target, set(ancestors(it.target))))
        for path, above in places:
            for link in below:
                listed = any(each.kind == "d" and each.path == link.path for each in layer[:index])
                if link.kind in "sh" and link.path in above and not listed:
                    yield path, link.path
            own = [
                number
                for number, link in enumerate(layer[:index])
                if link.kind in "sh" and link.path in above
            ]
            for number in own:
                listed = any(
                    each.kind == "d" and each.path == layer[number].path
                    for each in layer[number:index]
                )
                if not listed:
                    yield path, "own"


def held_pairs(stack: Sequence[Layer], grade: str) -> list[tuple[int, int]]:
    """Pairs of positions (lower, upper) that may not swap in this grade."""
    fixed = [any(reasons.values()) for reasons in unproven(stack)]
    return [
        (low, high)
        for high in range(len(stack))
        for low in range(high)
        if fixed[low]
        or fixed[high]
        or any(grade in ("identical", met.grade) for met in meetings(stack[low], stack[high]))
    ]


def allowed_orders(stack: Sequence[Layer], grade: str) -> list[tuple[int, ...]]:
    """All orders of the positions in which no held pair is swapped."""
    pairs = held_pairs(stack, grade)
    return [
        order
        for order in permutations(range(len(stack)))
        if all(order.index(low) < order.index(high) for low, high in pairs)
    ]


def merged_view(stack: Sequence[Layer], grade: str) -> dict[str, ViewEntry]:
    """The merged view as a grade compares it."""
    view = dict(merged(stack).view)
    if grade == "equivalent":
        for path in view.keys() & shared_directories(stack):
            if view[path].kind == "d":
                view[path] = replace(view[path], mtime=0)
    return view


def shared_directories(stack: Sequence[Layer]) -> set[str]:
    """Directories that several layers have."""
    carried = [{it.path for it in layer if it.kind == "d"} for layer in stack]
    return {
        path
        for number, one in enumerate(carried)
        for other in carried[:number]
        for path in one & other
    }
