"""Layers that commute may swap and show the same; layers that do not have a witness."""

import os
import tempfile
from collections.abc import Sequence
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
from oracle.orders import Meeting, allowed_orders, meetings, merged_view

from dedupe.model.paths import path_text
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog
from dedupe.store.session import Session

GRADES = ("identical", "equivalent")
#: (lower layer, upper layer) by diff ID -> grade, rule, lower path, upper path, meetings
Conflicts = dict[tuple[str, str], tuple[str, str, str, str, int]]


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


def expected_conflict(
    lower: Layer, upper: Layer
) -> tuple[str, int, set[tuple[str, str, str, str]]] | None:
    """Grade, number of meetings in it, and all true witnesses; None if the layers commute."""
    found = meetings(lower, upper)
    if not found:
        return None
    grade = min(met.grade for met in found)
    own = [met for met in found if met.grade == grade]
    return grade, len(own), {_witness(met) for met in own}


def _witness(met: Meeting) -> tuple[str, str, str, str]:
    """A meeting as the catalog has it."""
    return met.grade, met.rule, printed(met.lower_path), printed(met.upper_path)


# one scan per example would take longest, so each scan has many stacks
@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(loose_stacks() | stacks(tallest=5), min_size=4, max_size=12))
def test_conflicts_are_those_of_the_definition(built: list[tuple[Layer, ...]]) -> None:
    """The same pairs conflict in the same grade, and each witness is a true one."""
    expected = {
        (key(stack[low]), key(stack[high])): expected_conflict(stack[low], stack[high])
        for stack in built
        for high in range(len(stack))
        for low in range(high)
    }
    with tempfile.TemporaryDirectory() as folder:
        found = conflicts_of(Path(folder), built)
    assert found.keys() == {pair for pair, truth in expected.items() if truth}
    for pair, (*witness, count) in found.items():
        truth = expected[pair]
        assert truth is not None
        grade, meeting, witnesses = truth
        assert (witness[0], count) == (grade, meeting)
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

FREE: dict[str, tuple[Layer, Layer]] = {
    "other paths": ((file("x"),), (file("y"),)),
    "beside each other": ((file("d/x"),), (file("d/y"),)),
    "names that begin alike": ((file("d"),), (file("d.d/x"), file("de"))),
    "the same folder": ((_D, file("d/x")), (_D, file("d/y"))),
    "the same folder with xattrs": (
        (directory("d", mode=0o1777, uid=1, gid=2, xattrs={"user.x": b"1", "user.y": b"2"}),),
        (directory("d", mode=0o1777, uid=1, gid=2, xattrs={"user.x": b"1", "user.y": b"2"}),),
    ),
    "a folder above": ((directory("d", mode=0o700),), (file("d/e/x"),)),
    "the root above": ((directory("", mode=0o700),), (file("x"), whiteout("y"), opaque("d"))),
    "the same whiteout": ((whiteout("x"), file("a")), (whiteout("x"), file("b"))),
    "a folder above a whiteout": ((_D,), (whiteout("d/x"),)),
    "a folder above an opaque": ((_D,), (opaque("d/e"),)),
    "the same target": ((hardlink("x", "t"),), (hardlink("y", "t"),)),
    "a folder above a target": ((_D,), (hardlink("x", "d/t"),)),
    "other bytes that are no text": ((file(ODD),), (file(os.fsdecode(b"caf\xe8")),)),
    "bytes and their printed form": ((file(ODD),), (file("caf\\xe9"),)),
}


@pytest.fixture(scope="module")
def conflicts(tmp_path_factory: pytest.TempPathFactory) -> Conflicts:
    """The conflicts of all cases, in both orders."""
    pairs = [(one, other) for _, one, other, _ in HELD.values()] + list(FREE.values())
    return conflicts_of(tmp_path_factory.mktemp("cases"), [*pairs, *((b, a) for a, b in pairs)])


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
        assert (key(lower), key(upper)) not in conflicts


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
