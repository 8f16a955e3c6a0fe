"""An image whose layers swapped is unpacked by umoci to the same tree."""

import os
import stat
from pathlib import Path

import pytest
from builders import (
    Layer,
    directory,
    file,
    hardlink,
    image,
    opaque,
    symlink,
    whiteout,
    write_oci_layout,
)
from helpers.judges import need, tree_below
from oracle.orders import allowed_orders, shared_directories

XATTRS = {"user.note": b"\x00\xff"}

BASE: Layer = (
    directory("", mtime=5),
    directory("etc", mtime=5),
    file("etc/one", "1", mtime=5),
    file("etc/two", "22", mtime=5),
    directory("old", mtime=5),
    file("old/gone", "g", mtime=5),
    directory("opt", mode=0o750, uid=3, mtime=5),
    directory("srv", mode=0o2775, gid=8, mtime=5),
)
MODEL: Layer = (
    directory("opt", mode=0o750, uid=3, mtime=5),
    directory("opt/model", mtime=7),
    file("opt/model/weights", b"w" * 4000, mtime=7, xattrs=XATTRS),
    hardlink("opt/model/again", "opt/model/weights"),
    whiteout("etc/one"),
)
TOOLS: Layer = (
    directory("opt", mode=0o750, uid=3, mtime=5),
    directory("opt/tools", mode=0o700, uid=9, mtime=8),
    file("opt/tools/run", "#!", mode=0o4755, mtime=8),
    symlink("opt/tools/latest", "run", mtime=8),
    hardlink("opt/tools/two", "etc/two"),
    whiteout("etc/one"),
)
CONF: Layer = (
    directory("srv", mode=0o2775, gid=8, mtime=5),
    opaque("old"),
    file("srv/conf", "c", uid=7, mtime=9, nanos=250),
)
#: like CONF, in a folder with another mtime
LATER: Layer = (directory("srv", mode=0o2775, gid=8, mtime=6), file("srv/later", "l", mtime=6))


def tree(root: Path, without: set[str]) -> dict[str, tuple]:
    """The tree with mtimes (but those of some folders), xattrs and names of one file."""
    found = {}
    inodes: dict[int, list[str]] = {}
    for path, facts in {"": (), **tree_below(root)}.items():
        place = root / path
        status = place.lstat()
        is_folder = stat.S_ISDIR(status.st_mode)
        inodes.setdefault(status.st_ino, []).append(path)
        xattrs = tuple(
            (name, os.getxattr(place, name, follow_symlinks=False))
            for name in sorted(os.listxattr(place, follow_symlinks=False))
        )
        mtime = None if is_folder and path in without else status.st_mtime_ns
        found[path] = (*facts, xattrs, mtime)
    return {
        path: (*facts, tuple(sorted(names)))
        for names in inodes.values()
        for path, facts in ((path, found[path]) for path in names)
    }


def unpacked(stack: list[Layer], tmp_path: Path, without: set[str]) -> dict[str, tuple]:
    """The tree that umoci unpacks from a stack."""
    name = "localhost/orders:1"
    layout = tmp_path / f"layout{len(list(tmp_path.iterdir()))}"
    write_oci_layout(layout, [image(*stack, names=name)])
    with need("umoci")(layout, name, tmp_path) as root:
        return tree(root, without)


@pytest.mark.tools
@pytest.mark.parametrize("grade", ["identical", "equivalent"])
def test_every_allowed_order_unpacks_to_one_tree(grade: str, tmp_path: Path) -> None:
    """Kinds, modes, owners, links, xattrs, contents and mtimes are equal, as the grade says."""
    stack = [BASE, MODEL, TOOLS, CONF, LATER]
    orders = allowed_orders(stack, grade)
    # only the layer that shares a folder with it may be below it; others delete from the base
    assert len(orders) == {"identical": 12, "equivalent": 30}[grade]
    without = shared_directories(stack) if grade == "equivalent" else set()
    today = unpacked(stack, tmp_path, without)
    assert {"opt/model/weights", "opt/tools/two", "srv/later"} <= today.keys()
    assert not {"etc/one", "old/gone"} & today.keys()
    for order in orders[1:]:
        assert unpacked([stack[at] for at in order], tmp_path, without) == today, order


@pytest.mark.tools
def test_an_order_that_is_not_allowed_unpacks_to_another_tree(tmp_path: Path) -> None:
    """Another order unpacks to another tree, even if only the mtime of a folder differs."""
    stack = [BASE, MODEL, TOOLS, CONF, LATER]
    swapped = [BASE, MODEL, TOOLS, LATER, CONF]
    one, other = unpacked(stack, tmp_path, set()), unpacked(swapped, tmp_path, set())
    assert {path for path in one if one[path] != other.get(path)} == {"srv"}
