"""The oracle gives the figures of docs/measures.md, and an outside unpacker the same stacks."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import oracle
import pytest
from builders import (
    Layer,
    directory,
    file,
    hardlink,
    image,
    members_of_case,
    opaque,
    symlink,
    whiteout,
    write_oci_layout,
)
from helpers.strategies import agreed_stacks, stacks, stores
from here import CASES
from hypothesis import HealthCheck, given, reject, settings
from oracle import Store

STACKS = json.loads((CASES / "stacks.json").read_text())
STORES = json.loads((CASES / "stores.json").read_text())
LAYERS = {name: members_of_case(layer) for name, layer in STORES["layers"].items()}
#: only as root does umoci keep owners
umoci = pytest.mark.skipif(
    shutil.which("umoci") is None or os.geteuid() != 0, reason="needs umoci and root"
)


def layers_of(case: dict[str, Any]) -> list[Layer]:
    """The layers of a case as members."""
    return [members_of_case(layer) for layer in case["layers"]]


class RefusedError(Exception):
    """The unpacker did not take the image."""


@contextmanager
def unpacked(layers: Sequence[Layer]) -> Iterator[Path]:
    """The root file system that umoci makes of the layers."""
    with tempfile.TemporaryDirectory() as folder:
        write_oci_layout(Path(folder, "layout"), [image(*layers, names="t")])
        command = ["umoci", "unpack", "--image", "layout:t", "bundle"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedError(done.stderr)
        yield Path(folder, "bundle", "rootfs")


def seen_on_disk(root: Path) -> tuple[dict[str, tuple[str, bytes]], int]:
    """Kind and content (or link target) by path; bytes of regular files, each inode once."""
    found: dict[str, tuple[str, bytes]] = {}
    sizes: dict[int, int] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = ("s", os.fsencode(os.readlink(path)))
            elif path.is_dir():
                found[key] = ("d", b"")
            else:
                found[key] = ("f", path.read_bytes())
                sizes[path.stat().st_ino] = path.stat().st_size
    return found, sum(sizes.values())


def assert_same(layers: Sequence[Layer], root: Path) -> None:
    """Check that the unpacked tree has the oracle's names, kinds, contents and live bytes."""
    told = oracle.stack(layers)
    found, live_bytes = seen_on_disk(root)
    # a directory that no layer lists (any more) exists on disk if something is or was below it;
    # it is not in the merged view
    above = {name for layer in layers for it in layer for name in oracle.ancestors(it.path)}
    for name in above - set(told.merged):
        if found.get(name, ("",))[0] == "d":
            del found[name]
    assert sorted(found) == list(told.merged)
    assert found == {
        path: (seen.kind, seen.content or os.fsencode(seen.link))
        for path, seen in told.view.items()
    }
    assert live_bytes == told.live_bytes


@pytest.mark.parametrize("case", STACKS, ids=lambda case: case["name"])
def test_the_oracle_gives_the_figures_of_the_stacks(case: dict[str, Any]) -> None:
    """Every figure of cases/stacks.json is the oracle's."""
    told, expect = oracle.stack(layers_of(case)), case["expect"]
    rows = [asdict(row) for row in told.shadowed]
    for row in rows:
        del row["changed_fields"]
    assert rows == expect["shadowed"]
    assert list(told.merged) == expect["merged"]
    assert told.content_bytes == expect["content_bytes"]
    assert told.live_bytes == expect["live_bytes"]
    assert told.shadowed_bytes == expect["shadowed_bytes"]


@pytest.mark.parametrize("case", STORES["stores"], ids=lambda case: case["name"])
def test_the_oracle_gives_the_figures_of_the_stores(case: dict[str, Any]) -> None:
    """Every figure of cases/stores.json is the oracle's."""
    images, expect = case["images"], case["expect"]
    totals = oracle.totals(LAYERS, images)
    assert {name: totals[name] for name in expect["totals"]} == expect["totals"]
    for name, figures in expect["images"].items():
        told = oracle.stack([LAYERS[layer] for layer in images[name]])
        assert told.live_bytes == figures["live_bytes"]
        assert told.shadowed_bytes == figures["shadowed_bytes"]
        for granularity in ("unpacked", "content"):
            units = oracle.units(LAYERS, images, granularity)
            share = oracle.attributed(units, images)[name]
            assert oracle.exclusive(units, {name}) == figures["exclusive"][granularity]
            assert share == Fraction(figures["attributed_exact"][granularity])


@pytest.mark.parametrize(
    ("layers", "rows", "merged"),
    [
        pytest.param(
            [
                (file("a", "1"),),
                (file("a", "1", 0o755, 9, 1, 2, {"user.x": b"y"}),),
            ],
            [("a", "metadata_only", 0, 1, ("mode", "uid", "gid", "mtime", "xattrs"))],
            "a",
            id="all fields that differ are named, in one order",
        ),
        pytest.param(
            [(file("d/x", "1"),), (symlink("d", "e"), directory("d"))],
            [("d/x", "replaced", 0, 1, ())],
            "d",
            id="a superseded entry hides what is below it",
        ),
        pytest.param(
            [(file("a", "1"),), (file("a", "22"), file("a", "1", mtime=9))],
            [("a", "metadata_only", 0, 1, ("mtime",)), ("a", "superseded", 1, 1, ())],
            "a",
            id="of several entries of the path the last is compared",
        ),
        pytest.param(
            [(file("a", "1"), file("b", "1")), (hardlink("a", "b"),)],
            [("a", "unchanged", 0, 1, ())],
            "a b",
            id="a link is resolved before it is compared",
        ),
        pytest.param(
            [(file("a", "1"),), (hardlink("a", "c"),)],
            [("a", "replaced", 0, 1, ())],
            "",
            id="a dangling link hides the entry at its path",
        ),
        pytest.param(
            [(file("a", "1"), hardlink("b", "a"), hardlink("c", "b")), (whiteout("a"),)],
            [],
            "b c",
            id="a link to a link is a name of the same inode",
        ),
        pytest.param(
            [(symlink("a", "x"), hardlink("b", "a"))],
            [],
            "a b",
            id="a link to a symlink is a symlink",
        ),
        pytest.param(
            [(hardlink("b", "a"), file("a", "1"))],
            [],
            "a",
            id="a link to a later member is dangling",
        ),
        pytest.param(
            [(file("a", "1"), hardlink("b", "a")), (file("b", "22"), whiteout("a"))],
            [("a", "deleted", 0, 1, ())],
            "b",
            id="of two names hidden by one layer the smallest path says the cause",
        ),
        pytest.param(
            [(file("d/e/x", "1"),), (opaque("d/e"), whiteout("d"))],
            [("d/e/x", "opaque", 0, 1, ())],
            "",
            id="the nearest ancestor says the cause",
        ),
        pytest.param(
            [(file("d/x", "1"),), (opaque("d"), whiteout("d"), symlink("d", "e"))],
            [("d/x", "deleted", 0, 1, ())],
            "d",
            id="at one ancestor a whiteout comes before an opaque mark and an entry",
        ),
        pytest.param(
            [(file("d", "1"),), (opaque("d"),)],
            [],
            "d",
            id="an opaque mark hides nothing but what is below",
        ),
        pytest.param(
            [(file("d", "1"),), (whiteout("d/x"),)],
            [],
            "d",
            id="a whiteout implies no parent directory",
        ),
    ],
)
def test_the_oracle_follows_each_rule(
    layers: list[Layer], rows: list[tuple[Any, ...]], merged: str
) -> None:
    """Rules of docs/measures.md that no case shows: path, cause, positions, fields."""
    told = oracle.stack(layers)
    found = [
        (row.path, row.cause, row.added_position, row.hidden_position, row.changed_fields)
        for row in told.shadowed
    ]
    assert found == rows
    assert list(told.merged) == merged.split()


def test_rounded_shares_keep_the_sum() -> None:
    """Bytes left over go to the largest remainders, and among equals by name."""
    shares = {"i": Fraction(4, 3), "j": Fraction(4, 3), "k": Fraction(7, 3)}
    assert oracle.rounded(shares) == {"i": 2, "j": 1, "k": 2}


def test_a_file_that_one_place_shows_is_not_dead() -> None:
    """A layer that is held twice has a dead file only if both places hide it."""
    layers = {"a": (file("a", "1"),), "b": (whiteout("a"),)}
    assert oracle.dead_bytes(layers, {"i": ["a", "b"]}) == 1
    assert oracle.dead_bytes(layers, {"i": ["a", "b", "a"]}) == 0


@given(stacks())
def test_every_file_is_live_or_shadowed(layers: tuple[Layer, ...]) -> None:
    """Every regular file is live or has one row, and the rows sum to the shadowed bytes."""
    told = oracle.stack(layers)
    assert told.content_bytes == sum(map(oracle.layer_bytes, layers))
    assert told.shadowed_bytes == sum(row.size_bytes for row in told.shadowed)
    assert len(told.shadowed) == len(told.hidden)
    assert all(row.added_position <= row.hidden_position for row in told.shadowed)


@given(stacks())
def test_an_upper_layer_does_not_change_rows_below(layers: tuple[Layer, ...]) -> None:
    """What a stack has hidden is hidden in the same way under further layers."""
    lower, whole = oracle.stack(layers[:-1]), oracle.stack(layers)
    assert lower.hidden.items() <= whole.hidden.items()


@given(stores())
def test_shares_and_partitions_add_up(store: Store) -> None:
    """Shares, rounded shares and the rows of a partition each sum to the total."""
    for granularity in ("unpacked", "content", "layers"):
        units = oracle.units(store.layers, store.images, granularity)
        shares = oracle.attributed(units, store.images)
        total = oracle.total(units)
        assert sum(shares.values()) == sum(oracle.rounded(shares).values()) == total
        assert oracle.exclusive(units, set(store.images)) == total
        groups = {image: {"even" if int(image[1:]) % 2 == 0 else "odd"} for image in store.images}
        rows = oracle.partition(units, groups)
        assert rows.total() == total
        evens = {image for image in store.images if groups[image] == {"even"}}
        assert rows["even"] == oracle.exclusive(units, evens)


@pytest.mark.tools
@umoci
@pytest.mark.parametrize("case", STACKS, ids=lambda case: case["name"])
def test_umoci_unpacks_the_cases_as_the_oracle_does(case: dict[str, Any]) -> None:
    """Umoci's root file system has the merged names and live bytes of each case."""
    if case["name"] == "implied directory over file":
        with pytest.raises(RefusedError, match="not a directory"), unpacked(layers_of(case)):
            pass
        return
    with unpacked(layers_of(case)) as root:
        assert_same(layers_of(case), root)


@pytest.mark.tools
@umoci
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(agreed_stacks())
def test_umoci_unpacks_random_stacks_as_the_oracle_does(layers: tuple[Layer, ...]) -> None:
    """Umoci's root file system is the oracle's view, for stacks that both read alike."""
    try:
        with unpacked(layers) as root:
            assert_same(layers, root)
    except RefusedError:
        reject()
