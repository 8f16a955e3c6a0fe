"""Layers that commute show the same in both orders, whatever unpacks them."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from builders import (
    Layer,
    directory,
    file,
    hardlink,
    image,
    symlink,
    whiteout,
    write_oci_layout,
)
from helpers.judges import need
from helpers.strategies import loose_stacks, risky_stacks
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from oracle.orders import held_pairs, shared_directories
from oracle.unpackers import UNPACKERS, Refused, copied, overlaid

#: what a tool or a model shows: path -> kind, mode, owner, xattrs, content, link, mtime, names;
#: None if it refuses the image
View = dict[str, tuple] | None
#: mtimes above this are those of the unpacking: no layer has them
_NOW = 10**9
_MTIME = 7


def swapped(stack: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The stack with its two upper layers in the other order."""
    return (*stack[:-2], stack[-1], stack[-2])


def may_swap(stack: tuple[Layer, ...], grade: str) -> bool:
    """Whether the rules call the two upper layers commuting."""
    return (len(stack) - 2, len(stack) - 1) not in held_pairs(stack, grade)


def commutes(stack: tuple[Layer, ...]) -> bool:
    """Whether two layers on others commute, and are not the same layer."""
    return len(stack) > 2 and stack[-1] != stack[-2] and may_swap(stack, "equivalent")


#: stacks whose two upper layers commute
COMMUTING = (risky_stacks() | loose_stacks(4)).filter(commutes)


def modelled(unpacker: Callable[[tuple[Layer, ...]], dict[str, tuple]], stack: tuple) -> View:
    """What a model shows."""
    try:
        return unpacker(stack)
    except Refused:
        return None


def without_times(view: View, folders: set[str] | None = None) -> View:
    """The view without the mtimes of these folders (or of all), and of what was made just now."""
    if view is None:
        return None
    return {
        path: (
            *facts[:_MTIME],
            None
            if facts[0] == "d" and (folders is None or path in folders)
            else facts[_MTIME]
            if (facts[_MTIME] or (0, 0))[0] < _NOW
            else None,
            *facts[_MTIME + 1 :],
        )
        for path, facts in view.items()
    }


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(risky_stacks() | loose_stacks(4))
def test_layers_that_commute_unpack_alike_in_both_orders(stack: tuple[Layer, ...]) -> None:
    """Both kinds of unpackers show the same, or refuse both orders."""
    if len(stack) < 3:
        return
    for grade in ("identical", "equivalent"):
        if not may_swap(stack, grade):
            continue
        event(f"commutes, {grade}")
        free = shared_directories(stack) if grade == "equivalent" else set()
        for unpacker in UNPACKERS.values():
            today, other = modelled(unpacker, stack), modelled(unpacker, swapped(stack))
            assert without_times(today, free) == without_times(other, free)


# The ways in which orders that looked equal were not: the layers below, and two layers that have no
# path, mark or link target in common. Over them some unpacker shows another tree, or refuses.

LINKED: Layer = (directory("usr"), directory("usr/lib"), symlink("lib", "usr/lib"))
WAYS: dict[str, tuple[str, Layer, Layer, Layer]] = {
    "a path through a symlink of its own layer": (
        "copying",
        (),
        (directory("rr"), symlink("sy", "rr"), file("sy/x", "1")),
        (file("rr/x", "2"),),
    ),
    "a folder that one lists and the other implies": (
        "overlay",
        (),
        (directory("opt", mode=0o700, uid=5),),
        (file("opt/y"),),
    ),
    "a folder that a whiteout implies": (
        "overlay",
        (file("d/z"),),
        (directory("d", mode=0o700),),
        (whiteout("d/z"),),
    ),
    "a path through a symlink below": (
        "copying",
        LINKED,
        (file("lib/n", "1"),),
        (directory("usr"), directory("usr/lib"), file("usr/lib/n", "2")),
    ),
    "a folder in place of a symlink below": (
        "copying",
        LINKED,
        (directory("lib"),),
        (file("lib/y"),),
    ),
    "a whiteout through a symlink below": (
        "copying",
        LINKED,
        (whiteout("lib/z"),),
        (file("usr/lib/z"),),
    ),
    "a link through a symlink below": (
        "copying",
        (*LINKED, file("usr/lib/z", "1")),
        (hardlink("x", "lib/z"),),
        (directory("usr"), directory("usr/lib"), file("usr/lib/z", "2")),
    ),
    "an opaque directory by an xattr": (
        "overlay",
        (),
        (directory("d", xattrs={"trusted.overlay.opaque": b"y"}),),
        (directory("d/e"),),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_orders_that_some_unpacker_shows_differently_are_held(way: str) -> None:
    """The rules hold each pair, and the unpacker that is named shows why."""
    named, *layers = WAYS[way]
    stack = tuple(layers)
    for grade in ("identical", "equivalent"):
        assert not may_swap(stack, grade)
    views = [without_times(modelled(UNPACKERS[named], each)) for each in (stack, swapped(stack))]
    assert views[0] != views[1]


class Unpacked:
    """Trees that a real tool unpacks, as the models show them."""

    def __init__(self, tool: str, folder: Path) -> None:
        self._judge = need(tool)
        self._folder = folder
        self._numbers = count()

    def view(self, stack: tuple[Layer, ...]) -> View:
        """The tree of a stack."""
        scratch = self._folder / str(next(self._numbers))
        scratch.mkdir()
        write_oci_layout(scratch / "layout", [image(*stack, names="r/a:1")])
        try:
            with self._judge(scratch / "layout", "r/a:1", scratch) as root:
                found = tree(root)
        except (subprocess.CalledProcessError, AssertionError):
            return None
        shutil.rmtree(scratch)
        return found


_KINDS = {"d": stat.S_ISDIR, "f": stat.S_ISREG, "s": stat.S_ISLNK, "c": stat.S_ISCHR}


def tree(root: Path) -> dict[str, tuple]:
    """A folder as the models show it."""
    found: dict[str, tuple] = {}
    inodes: dict[int, list[str]] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            place = Path(folder) / name
            try:
                status = place.lstat()
            except FileNotFoundError:
                # overlay lists a whiteout in a directory that one layer alone has
                continue
            kind = next(kind for kind, matches in _KINDS.items() if matches(status.st_mode))
            path = str(place.relative_to(root))
            xattrs = (
                (name, os.getxattr(place, name, follow_symlinks=False))
                for name in sorted(os.listxattr(place, follow_symlinks=False))
            )
            found[path] = (
                kind,
                stat.S_IMODE(status.st_mode),
                status.st_uid,
                status.st_gid,
                tuple(xattrs),
                place.read_bytes() if kind == "f" else b"",
                os.readlink(place) if kind == "s" else "",
                divmod(status.st_mtime_ns, 10**9),
            )
            inodes.setdefault(status.st_ino, []).append(path)
    return {
        path: (*found[path], tuple(sorted(names))) for names in inodes.values() for path in names
    }


def comparable(view: View) -> View:
    """The view without what tools do not keep: mtimes of directories, overlay's own xattrs."""
    shown = without_times(view)
    return shown and {
        path: (
            *facts[:4],
            tuple(pair for pair in facts[4] if not pair[0].startswith("trusted.overlay.")),
            *facts[5:],
        )
        for path, facts in shown.items()
    }


def compared_with_model(tool: str, examples: int, folder: Path, model: Callable) -> list[int]:
    """Unpack random stacks in both orders; returns how many stacks could be compared.

    The tool shows what the model shows, or refuses the stack. If the layers commute, it shows the
    same in both orders, or refuses both.
    """
    unpacked = Unpacked(tool, folder)
    counted = [0, 0]

    @seed(1)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(risky_stacks() | COMMUTING)
    def compare(stack: tuple[Layer, ...]) -> None:
        views = [unpacked.view(each) for each in (stack, swapped(stack))]
        for each, view in zip((stack, swapped(stack)), views, strict=True):
            if view is not None:
                counted[0] += 1
                assert comparable(view) == comparable(modelled(model, each))
        if may_swap(stack, "equivalent"):
            counted[1] += 1
            free = shared_directories(stack)
            assert without_times(views[0], free) == without_times(views[1], free)

    compare()
    return counted


@pytest.mark.tools
def test_umoci_agrees_with_the_model_and_shows_both_orders_alike(tmp_path: Path) -> None:
    """Random stacks: umoci is a copying unpacker, but marks do not make directories."""

    def umoci(stack: tuple[Layer, ...]) -> dict[str, tuple]:
        return copied(stack, marks_make=False)

    compared, commuting = compared_with_model("umoci", 20, tmp_path, umoci)
    assert compared > 15
    assert commuting > 5


@pytest.mark.tools
@pytest.mark.slow
def test_podman_agrees_with_the_model_and_shows_both_orders_alike(tmp_path: Path) -> None:
    """Random stacks mounted by podman's overlay."""
    compared, commuting = compared_with_model("podman overlay", 5, tmp_path, overlaid)
    assert compared > 3
    assert commuting > 1
