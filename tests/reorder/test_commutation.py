"""Layers that commute may swap and show the same; layers that do not have a witness."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import oracle
import pytest
from builders import (
    Layer,
    Member,
    device,
    digest_of,
    directory,
    file,
    global_header,
    hardlink,
    image,
    opaque,
    symlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from helpers.examples import examples
from helpers.scanning import Silence, codes
from helpers.strategies import loose_stacks, stacks
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from oracle.orders import (
    Meeting,
    allowed_orders,
    held_pairs,
    meetings,
    merged_view,
    unproven,
)

from dedupe.model.paths import path_text
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog
from dedupe.store.session import Session

GRADES = ("identical", "equivalent")
#: (lower layer, upper layer) by diff ID -> grade, rule, lower path, upper path, meetings
Conflicts = dict[tuple[str, str], tuple[str, str, str | None, str | None, int]]
#: grade, rule, lower path, upper path
Witness = tuple[str, str, str | None, str | None]


def conflicts_of(folder: Path, built: Sequence[Sequence[Layer]]) -> Conflicts:
    """The conflicts that the catalog finds between layers of these images."""
    images = [image(*stack, names=f"i{number}") for number, stack in enumerate(built)]
    write_oci_layout(folder / "store", images, "none")
    found_images = discover([folder / "store"], Selection())
    outcome = scan_sources(found_images, Catalog(folder / "catalog"), Silence(), workers=1)
    # dangling links and repeated members are notes, not errors
    assert outcome.errors == 0, codes(outcome)
    answer = Session(folder / "catalog").ask(
        "SELECT lower_layer, upper_layer, grade, rule, lower_path, upper_path, paths FROM conflict"
    )
    found = {(row[0], row[1]): row[2:] for row in answer.rows}
    assert len(found) == len(answer.rows)
    return found


def key(layer: Layer) -> str:
    """The diff ID of a layer."""
    return digest_of(tar_of(layer))


def printed(path: str) -> str:
    """A path as the catalog prints it."""
    return path_text(os.fsencode(path))


def expected_conflicts(
    built: Sequence[Sequence[Layer]],
) -> dict[tuple[str, str], tuple[str, int, set[Witness]]]:
    """Grade, number of reasons in it, and all true witnesses of each pair that does not commute."""
    found: dict[tuple[str, str], tuple[str, int, set[Witness]]] = {}
    #: pair -> (rule, whether the paths are of the lower layer) -> most of them in one image, paths
    apart: dict[tuple[str, str], dict[tuple[str, bool], tuple[int, set[str]]]] = {}
    for stack in built:
        reasons = unproven(stack)
        for low, high in combinations(range(len(stack)), 2):
            pair = key(stack[low]), key(stack[high])
            met = meetings(stack[low], stack[high])
            if met:
                grade = min(each.grade for each in met)
                own = [each for each in met if each.grade == grade]
                found[pair] = grade, len(own), {_witness(each) for each in own}
            for position in (low, high):
                for rule, places in reasons[position].items():
                    known = apart.setdefault(pair, {}).get((rule, position == low), (0, set()))
                    paths = known[1] | {printed(path) for path, _ in places}
                    most = max(known[0], len(places))
                    apart[pair][rule, position == low] = most, paths
    for pair, by_rule in apart.items():
        count = sum(most for most, _ in by_rule.values())
        if count and found.get(pair, ("identical",))[0] == "identical":
            found[pair] = (
                "equivalent",
                count,
                {
                    ("equivalent", rule, *((path, None) if of_lower else (None, path)))
                    for (rule, of_lower), (_, paths) in by_rule.items()
                    for path in paths
                },
            )
    return found


def _witness(met: Meeting) -> Witness:
    """A meeting as the catalog has it."""
    return met.grade, met.rule, printed(met.lower_path), printed(met.upper_path)


# one scan per example would take longest, so each scan has many stacks
@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(loose_stacks() | stacks(tallest=5), min_size=4, max_size=12))
def test_conflicts_are_those_of_the_definition(built: list[tuple[Layer, ...]]) -> None:
    """The same pairs conflict in the same grade, and each witness is a true one."""
    expected = expected_conflicts(built)
    with tempfile.TemporaryDirectory() as folder:
        found = conflicts_of(Path(folder), built)
    assert found.keys() == expected.keys()
    for pair, (*witness, count) in found.items():
        grade, reasons, witnesses = expected[pair]
        assert (witness[0], count) == (grade, reasons)
        assert tuple(witness) in witnesses


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(loose_stacks() | stacks(tallest=5, largest=4), st.sampled_from(GRADES))
def test_every_allowed_order_shows_the_same(stack: tuple[Layer, ...], grade: str) -> None:
    """All linear extensions of the partial order have the same merged view."""
    orders = allowed_orders(stack, grade)
    event(f"{min(len(orders), 6)} orders or more" if len(orders) > 5 else f"{len(orders)} orders")
    today = merged_view(stack, grade)
    for order in orders:
        assert merged_view([stack[at] for at in order], grade) == today, order


@pytest.mark.parametrize("grade", GRADES)
def test_random_stacks_have_several_orders(grade: str) -> None:
    """Many random stacks have several orders, so the property above is not empty."""
    counts: list[int] = []

    @settings(max_examples=200, database=None, derandomize=True, deadline=None)
    @given(loose_stacks())
    def count(stack: tuple[Layer, ...]) -> None:
        counts.append(
            len({tuple(stack[at] for at in order) for order in allowed_orders(stack, grade)})
        )

    count()
    several = [orders for orders in counts if orders > 1]
    assert len(several) > len(counts) / 4
    assert sum(orders >= 6 for orders in several) > 10


def test_grades_differ_in_times_of_shared_folders() -> None:
    """In grade equivalent the mtime of a folder in both layers is that of the upper one."""
    stack = ((directory("d", mtime=1), file("d/x")), (directory("d", mtime=9), file("d/y")))
    assert allowed_orders(stack, "identical") == [(0, 1)]
    assert allowed_orders(stack, "equivalent") == [(0, 1), (1, 0)]
    assert merged_view(stack, "identical") != merged_view(stack[::-1], "identical")
    assert merged_view(stack, "equivalent") == merged_view(stack[::-1], "equivalent")


# One case per rule: the rule, one layer, the other layer, and a base over which their order
# makes a difference; None if the rule is stricter than the merged view.

_D = directory("d")
ODD = os.fsdecode(b"caf\xe9")
NO_BASE: Layer = ()

HELD: dict[str, tuple[str, Layer, Layer, Layer | None]] = {
    "two files": ("same path", (file("x", "1"),), (file("x", "2"),), NO_BASE),
    "the same file": ("same path", (file("x", "1"),), (file("x", "1"),), None),
    "file and folder": ("same path", (file("x"),), (directory("x"),), NO_BASE),
    "symlink and folder": ("same path", (symlink("x", "y"),), (directory("x"),), NO_BASE),
    "device and file": ("same path", (device("x"),), (file("x"),), NO_BASE),
    "two links": (
        "same path",
        (hardlink("x", "t"),),
        (hardlink("x", "u"),),
        (file("t", "1"), file("u", "2")),
    ),
    "mode of a folder": ("directory metadata", (_D,), (directory("d", mode=0o700),), NO_BASE),
    "owner of a folder": ("directory metadata", (_D,), (directory("d", uid=7),), NO_BASE),
    "group of a folder": ("directory metadata", (_D,), (directory("d", gid=7),), NO_BASE),
    "xattrs of a folder": (
        "directory metadata",
        (_D,),
        (directory("d", xattrs={"user.x": b"\x00"}),),
        NO_BASE,
    ),
    "mode and mtime": (
        "directory metadata",
        (_D,),
        (directory("d", mode=0o700, mtime=9),),
        NO_BASE,
    ),
    "mode of the root": (
        "directory metadata",
        (directory(""),),
        (directory("", mode=0o700),),
        None,
    ),
    "mtime of a folder": ("directory mtime", (_D,), (directory("d", mtime=9),), NO_BASE),
    "nanoseconds": ("directory mtime", (_D,), (directory("d", nanos=5),), None),
    "folder above": ("implied directory", (directory("d", mode=0o700),), (file("d/e/x"),), None),
    "folder above a whiteout": ("implied directory", (_D,), (whiteout("d/x"),), None),
    "folder above an opaque": ("implied directory", (_D,), (opaque("d/e"),), None),
    "folder above a header": (
        "implied directory",
        (directory("pax", uid=7),),
        (replace(global_header(comment=b"c"), name=b"pax/x", path="pax/x"),),
        None,
    ),
    "file named as a header": (
        "same path",
        (file("pax_global_header"),),
        (global_header(comment=b"c"),),
        None,
    ),
    "deleted file": ("whiteout", (file("x"),), (whiteout("x"),), NO_BASE),
    "deleted folder": ("whiteout", (directory("x"),), (whiteout("x"),), NO_BASE),
    "deleted target": ("whiteout", (hardlink("x", "t"),), (whiteout("t"),), (file("t"),)),
    "deleted and opaque": ("whiteout", (opaque("d"),), (whiteout("d"),), None),
    "opaque folder": ("opaque", (_D,), (opaque("d"),), None),
    "opaque and file": ("opaque", (file("d"),), (opaque("d"),), None),
    "opaque in both": ("opaque", (opaque("d"),), (opaque("d"),), None),
    "target that changes": (
        "link target",
        (hardlink("x", "t"),),
        (file("t", "2"),),
        (file("t", "1"),),
    ),
    "target made by a link": (
        "link target",
        (hardlink("x", "t"),),
        (hardlink("t", "u"),),
        (file("t", "1"), file("u", "2")),
    ),
    # podman and docker refuse such links; where overlay is mounted to unpack, the upper layer takes
    # the target with it, and the lower link is left as a file of its own
    "the same target": ("link target", (hardlink("x", "t"),), (hardlink("y", "t"),), None),
    "link of a link": ("link target", (hardlink("x", "t"),), (hardlink("y", "x"),), (file("t"),)),
    "below a file": ("below a file", (file("d/x"),), (file("d"),), NO_BASE),
    "far below a file": ("below a file", (file("d/e/f/x"),), (file("d"),), NO_BASE),
    "folder below a file": ("below a file", (directory("d/e"),), (file("d"),), NO_BASE),
    "below a symlink": ("below a file", (file("d/x"),), (symlink("d", "e"),), NO_BASE),
    "deleted below a file": ("below a file", (whiteout("d/x"),), (file("d"),), None),
    "target below a file": ("below a file", (hardlink("x", "d/t"),), (file("d"),), (file("d/t"),)),
    "below a link": ("below a file", (file("x/y"),), (hardlink("x", "t"),), (file("t"),)),
    "below a whiteout": ("below a whiteout", (file("d/e/x"),), (whiteout("d"),), NO_BASE),
    "deleted twice over": ("below a whiteout", (whiteout("d/x"),), (whiteout("d"),), None),
    "target below a whiteout": (
        "below a whiteout",
        (hardlink("x", "d/t"),),
        (whiteout("d"),),
        (file("d/t"),),
    ),
    "below an opaque": ("below an opaque", (file("d/e/x"),), (opaque("d"),), NO_BASE),
    "below an opaque root": ("below an opaque", (file("x"),), (opaque(""),), NO_BASE),
    "target below an opaque": (
        "below an opaque",
        (hardlink("x", "d/t"),),
        (opaque("d"),),
        (file("d/t"),),
    ),
    "below a target": ("below a link target", (file("t/x"),), (hardlink("h", "t"),), (file("t"),)),
    "bytes that are no text": ("same path", (file(ODD, "1"),), (file(ODD, "2"),), NO_BASE),
    "below bytes that are no text": (
        "below a whiteout",
        (file(f"{ODD}/x"),),
        (whiteout(ODD),),
        NO_BASE,
    ),
    "target of such bytes": (
        "link target",
        (hardlink("x", f"{ODD}/t"),),
        (file(f"{ODD}/t", "2"),),
        (file(f"{ODD}/t", "1"),),
    ),
    "backslash and newline": (
        "same path",
        (file("a\\\n/b", "1"),),
        (file("a\\\n/b", "2"),),
        NO_BASE,
    ),
}

#: targets of links: a link to nothing holds a layer
TARGETS: Layer = (file("t"), file("d/t"))

FREE: dict[str, tuple[Layer, Layer]] = {
    "other paths": ((file("x"),), (file("y"),)),
    "beside each other": ((file("d/x"),), (file("d/y"),)),
    "names that begin alike": ((file("d"),), (file("d.d/x"), file("de"))),
    "the same folder": ((_D, file("d/x")), (_D, file("d/y"))),
    "the same folder with xattrs": (
        (directory("d", mode=0o1777, uid=1, gid=2, xattrs={"user.x": b"1", "user.y": b"2"}),),
        (directory("d", mode=0o1777, uid=1, gid=2, xattrs={"user.x": b"1", "user.y": b"2"}),),
    ),
    "a folder above": ((directory("d", mode=0o700),), (directory("d", mode=0o700), file("d/x"))),
    "the root above": ((directory("", mode=0o700),), (file("x"), whiteout("y"), opaque("d"))),
    "the same header": ((global_header(comment=b"1"),), (global_header(comment=b"2"),)),
    "the same whiteout": ((whiteout("x"), file("a")), (whiteout("x"), file("b"))),
    "a folder above a whiteout": ((_D,), (_D, whiteout("d/x"))),
    "a folder above an opaque": ((_D,), (_D, opaque("d/e"))),
    "a folder that both imply": ((file("d/x"),), (whiteout("d/y"),)),
    "a folder above a target": ((_D,), (hardlink("x", "d/t"),)),
    "other bytes that are no text": ((file(ODD),), (file(os.fsdecode(b"caf\xe8")),)),
    "bytes and their printed form": ((file(ODD),), (file("caf\\xe9"),)),
}


@pytest.fixture(scope="module")
def conflicts(tmp_path_factory: pytest.TempPathFactory) -> Conflicts:
    """The conflicts of all cases, in both orders."""
    pairs = [(one, other) for _, one, other, _ in HELD.values()]
    free = [(TARGETS, *pair) for pair in FREE.values()]
    swapped = [(*base, b, a) for *base, a, b in (*pairs, *free)]
    return conflicts_of(tmp_path_factory.mktemp("cases"), [*pairs, *free, *swapped])


@pytest.mark.parametrize("case", HELD)
def test_a_rule_holds_two_layers_in_their_order(case: str, conflicts: Conflicts) -> None:
    """Each rule holds two layers in their order, whichever is the lower."""
    rule, one, other, _ = HELD[case]
    grade = "identical" if rule == "directory mtime" else "equivalent"
    for lower, upper in ((one, other), (other, one)):
        (truth,) = {_witness(met) for met in meetings(lower, upper)}
        assert truth[:2] == (grade, rule)
        assert conflicts[key(lower), key(upper)][:4] == truth


@pytest.mark.parametrize("case", [case for case in HELD if HELD[case][3] is not None])
def test_held_layers_show_something_else_if_swapped(case: str) -> None:
    """Over some base the two orders of a held pair have different views."""
    _, one, other, base = HELD[case]
    assert base is not None
    assert oracle.stack([base, one, other]).view != oracle.stack([base, other, one]).view


@pytest.mark.parametrize("case", FREE)
def test_layers_without_a_conflict_may_swap(case: str, conflicts: Conflicts) -> None:
    """Entries that both may have, or that do not meet, hold nothing."""
    one, other = FREE[case]
    for lower, upper in ((one, other), (other, one)):
        assert meetings(lower, upper) == []
        assert (1, 2) not in held_pairs((TARGETS, lower, upper), "identical")
        assert (key(lower), key(upper)) not in conflicts


# Layers that commute with no other layer of their image: the rule, the layers below, the layer, and
# the path that is the reason. ANY meets none of them.

ANY: Layer = (file("any"),)
LINKED: Layer = (directory("usr/lib"), symlink("lib", "usr/lib"))

APART: dict[str, tuple[str, Layer, Layer, str]] = {
    "file through a symlink": ("through a symlink", LINKED, (file("lib/x"),), "lib/x"),
    "folder through a symlink": ("through a symlink", LINKED, (directory("lib/d"),), "lib/d"),
    "far through a symlink": ("through a symlink", LINKED, (file("lib/a/b/c"),), "lib/a/b/c"),
    "whiteout through a symlink": ("through a symlink", LINKED, (whiteout("lib/z"),), "lib/z"),
    "opaque at a symlink": ("through a symlink", LINKED, (opaque("lib"),), "lib"),
    "target through a symlink": (
        "through a symlink",
        (*LINKED, file("lib/z")),
        (hardlink("x", "lib/z"),),
        "lib/z",
    ),
    "through another name of a symlink": (
        "through a symlink",
        (symlink("s", "usr"), hardlink("lib", "s")),
        (file("lib/y"),),
        "lib/y",
    ),
    "the folder comes too late": (
        "through a symlink",
        LINKED,
        (file("lib/x"), directory("lib")),
        "lib/x",
    ),
    "aufs metadata": ("unlike entry", (), (file(".wh..wh.plnk/1"),), ".wh..wh.plnk/1"),
    "whiteout without a name": ("unlike entry", (), (file("d/.wh."),), "d/.wh."),
    "redirect": (
        "unlike entry",
        (),
        (directory("d", xattrs={"trusted.overlay.redirect": b"e"}),),
        "d",
    ),
    "opaque by an xattr": (
        "unlike entry",
        (),
        (directory("d", xattrs={"user.overlay.opaque": b"y"}),),
        "d",
    ),
    "type that is unknown": ("unlike entry", (), (file("x", flag=b"V"),), "x"),
    "link to nothing": ("dangling link", (), (hardlink("x", "gone"),), "x"),
    "link to a folder": ("dangling link", (directory("d"),), (hardlink("x", "d"),), "x"),
    "link to a folder of its layer": (
        "dangling link",
        (),
        (directory("d"), hardlink("x", "d")),
        "x",
    ),
}


@pytest.fixture(scope="module")
def conflicts_with_any(tmp_path_factory: pytest.TempPathFactory) -> Conflicts:
    """The conflicts of all these cases, with ANY below the layer and above it."""
    cases = [(below, layer) for _, below, layer, _ in APART.values()] + list(TOGETHER.values())
    built = [
        stack for below, layer in cases for stack in ((below, ANY, layer), (below, layer, ANY))
    ]
    assert len({layer for _, layer in cases}) == len(cases)
    return conflicts_of(tmp_path_factory.mktemp("apart"), built)


@pytest.mark.parametrize("case", APART)
def test_a_layer_that_unpackers_show_differently_keeps_its_place(
    case: str, conflicts_with_any: Conflicts
) -> None:
    """It commutes with no layer, also not with one that has nothing in common with it."""
    rule, _, layer, path = APART[case]
    # a target behind a lower link is not there either: the link dangles
    reasons = 2 if case == "target through a symlink" else 1
    above = ("equivalent", rule, None, path, reasons)
    assert conflicts_with_any[key(ANY), key(layer)] == above
    assert conflicts_with_any[key(layer), key(ANY)] == ("equivalent", rule, path, None, reasons)


# The same without a reason: the layers below, and the layer.

TOGETHER: dict[str, tuple[Layer, Layer]] = {
    "a folder in place of a symlink": (LINKED, (directory("lib"), file("lib/x"))),
    "a whiteout in such a folder": (LINKED, (directory("lib"), whiteout("lib/z"))),
    "a new symlink": (LINKED, (symlink("lib", "opt"),)),
    "names that begin alike": (LINKED, (file("lib2/x"), file("li"))),
    "a symlink that comes later": ((), (file("s/x"), symlink("s", "rr"))),
    "a folder after a symlink": ((), (symlink("s", "rr"), directory("s"), file("s/x"))),
    "a link of its layer": ((), (file("t"), hardlink("x", "t"))),
    "a link to a lower file": ((file("t"),), (hardlink("x", "t"),)),
    "other xattrs": ((), (file("x", xattrs={"user.overlay": b"1", "trusted.x": b"2"}),)),
    "a device that overlay hides": ((), (device("x", major=0, minor=0),)),
    "a global header": ((), (global_header(comment=b"c"), file("x"))),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_other_layers_may_still_move(case: str, conflicts_with_any: Conflicts) -> None:
    """Entries that every unpacker shows the same in any order hold nothing."""
    layer = TOGETHER[case][1]
    assert (key(ANY), key(layer)) not in conflicts_with_any
    assert (key(layer), key(ANY)) not in conflicts_with_any


def test_a_symlink_above_a_layer_holds_it_by_its_paths_alone(tmp_path: Path) -> None:
    """Only a layer above the symlink goes through it."""
    one = (file("lib/x"),)
    found = conflicts_of(tmp_path, [(one, LINKED, ANY)])
    assert set(found) == {(key(one), key(LINKED))}
    assert found[key(one), key(LINKED)][:2] == ("equivalent", "below a file")


def test_a_pair_has_the_conflicts_of_all_its_images(tmp_path: Path) -> None:
    """A layer that goes through a symlink in one image keeps its order in the others too."""
    one = (file("lib/x"),)
    found = conflicts_of(tmp_path, [(ANY, one), (LINKED, ANY, one)])
    assert found[key(ANY), key(one)] == ("equivalent", "through a symlink", None, "lib/x", 1)
    assert (key(LINKED), key(ANY)) not in found


def test_a_rule_of_two_paths_comes_before_that_of_one(tmp_path: Path) -> None:
    """Of a pair that meets, the paths at which it meets are the evidence."""
    one, other = (hardlink("x", "gone"), file("y", "1")), (file("y", "2"),)
    found = conflicts_of(tmp_path, [(one, other)])
    assert found[key(one), key(other)] == ("equivalent", "same path", "y", "y", 1)
    folders = (directory("f"), hardlink("x", "gone")), (directory("f", mtime=9),)
    found = conflicts_of(tmp_path / "times", [folders])
    assert found[key(folders[0]), key(folders[1])] == (
        "equivalent",
        "dangling link",
        "x",
        None,
        1,
    )


def test_the_witness_is_of_the_stricter_grade(tmp_path: Path) -> None:
    """A mode is the witness rather than an mtime, and only meetings of its grade count."""
    lower: list[Member] = [directory(f"d{number}") for number in range(3)]
    upper = [directory("d0", mtime=9), directory("d1", mode=0o700), directory("d2", mtime=9)]
    found = conflicts_of(tmp_path, [(tuple(lower), tuple(upper))])
    assert found[key(tuple(lower)), key(tuple(upper))] == (
        "equivalent",
        "directory metadata",
        "d1",
        "d1",
        1,
    )


def test_the_witness_is_a_file_rather_than_a_folder(tmp_path: Path) -> None:
    """A file in both layers is the witness, not a folder that sorts before it."""
    lower = (directory("a"), file("b", "1"))
    upper = (directory("a", mode=0o700), file("b", "2"))
    found = conflicts_of(tmp_path, [(lower, upper)])
    assert found[key(lower), key(upper)] == ("equivalent", "same path", "b", "b", 2)


def test_only_layers_of_one_image_conflict(tmp_path: Path) -> None:
    """Two layers that no image holds together have no order to keep."""
    base, one, other = (file("b"),), (file("x", "1"),), (file("x", "2"),)
    assert conflicts_of(tmp_path, [(base, one), (base, other)]) == {}


def test_a_layer_at_two_positions_conflicts_with_itself(tmp_path: Path) -> None:
    """It meets itself by its files, not by its folders."""
    files, folders, between = (file("x"),), (_D,), (file("y"),)
    found = conflicts_of(tmp_path, [(files, between, files), (folders, between, folders)])
    assert found == {(key(files), key(files)): ("equivalent", "same path", "x", "x", 1)}


def test_only_conflicts_of_the_grade_are_counted(tmp_path: Path) -> None:
    """Mtimes of folders count only if nothing else keeps the layers in their order."""
    lower = (directory("d", mtime=1), directory("e", mtime=1), file("x", b"1"), file("y"))
    mtimes = (directory("d", mtime=2), directory("e", mtime=2))
    both = (*mtimes, file("y", b"2"), file("x", b"2"))
    found = conflicts_of(tmp_path, [[lower, mtimes], [lower, both]])
    assert found[key(lower), key(mtimes)][0] == "identical"
    assert found[key(lower), key(mtimes)][-1] == 2
    # of several conflicts the smallest path is the evidence
    assert found[key(lower), key(both)] == ("equivalent", "same path", "x", "x", 2)


def test_a_layer_with_paths_through_its_own_link_keeps_its_place(tmp_path: Path) -> None:
    """What is written through the link depends on the layers below it."""
    linked = (directory("usr/lib"), symlink("lib", "usr/lib"), file("lib/x", b"1"))
    other = (file("srv/y", b"2"),)
    ((pair, found),) = conflicts_of(tmp_path, [[other, linked]]).items()
    assert pair == (key(other), key(linked))
    assert found[:2] == ("equivalent", "through a symlink")
