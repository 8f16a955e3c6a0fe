"""Which layers commute, and which orders that allows: docs/measures.md, "Layers that commute".

All paths of one layer are compared with all paths of the other, pair by pair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

from builders import Layer

from oracle.stacks import ViewEntry, ancestors
from oracle.stacks import stack as merged

#: role of a member by its kind; the tables below are in the order in which rules are looked up
MARKS = {"w": "whiteout", "o": "opaque"}
AT_PATH = {
    "whiteout": "whiteout",
    "opaque": "opaque",
    "target": "link target",
    "other": "same path",
}
BELOW = {
    "whiteout": "below a whiteout",
    "opaque": "below an opaque",
    "target": "below a link target",
    "other": "below a file",
}


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
    for it in layer:
        if it.kind == "d":
            look = (it.mode, it.uid, it.gid, it.xattrs)
            found.add(Name(it.path, "directory", look, it.mtime * 10**9 + it.nanos))
        else:
            found.add(Name(it.path, MARKS.get(it.kind, "other")))
        if it.kind == "h":
            found.add(Name(it.target, "target"))
    return found


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
    if one.path == other.path:
        if roles == {"directory"}:
            if one.look != other.look:
                yield "directory metadata"
            elif one.mtime != other.mtime:
                yield "directory mtime"
        elif roles not in ({"whiteout"}, {"target"}):
            yield next(rule for role, rule in AT_PATH.items() if role in roles)
    elif one.path in ancestors(other.path) and one.role != "directory":
        yield BELOW[one.role]
    elif other.path in ancestors(one.path) and other.role != "directory":
        yield BELOW[other.role]


def held_pairs(stack: Sequence[Layer], grade: str) -> list[tuple[int, int]]:
    """Pairs of positions (lower, upper) that may not swap in this grade."""
    return [
        (low, high)
        for high in range(len(stack))
        for low in range(high)
        if any(grade in ("identical", met.grade) for met in meetings(stack[low], stack[high]))
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
