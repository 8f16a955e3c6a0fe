"""Layers with several parents, bases, and near twins: SQL against plain Python."""

import json
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from builders import file, image
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scan_images
from helpers.strategies import images_of, stores
from hypothesis import HealthCheck, given, settings
from oracle import Store

from dedupe.store.session import Session

Pairs = dict[frozenset[str], tuple[int, int, int, int]]


def contents(stack: tuple) -> dict[bytes, int]:
    """Size by content of the files of a stack."""
    return {it.content: len(it.content) for layer in stack for it in layer if it.kind == "f"}


def twins(session: Session, similarity: float = 0.0, gain: int = 0, widest: int = 64) -> list[dict]:
    """Rows of pairs of images with much in common."""
    return session.rows("usage/twins", similarity=similarity, gain_bytes=gain, widest=widest)


def pairs_of(store: Store) -> Pairs:
    """Bytes of union, common, already shared, and shared layers, per pair with common content."""
    found: Pairs = {}
    for (one, left), (other, right) in combinations(store.stacks.items(), 2):
        common = contents(left).keys() & contents(right).keys()
        size = sum(map(len, common))
        if size:
            same = [a == b for a, b in zip(left, right, strict=False)]
            shared = [*same, False].index(False)
            sharing = sum(contents(left[:shared]).values())
            union = sum((contents(left) | contents(right)).values())
            found[frozenset((one, other))] = (union, size, sharing, shared)
    return found


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(store=stores(most_images=6))
def test_kinship_of_random_stores_is_that_of_plain_python(store: Store) -> None:
    """Position loss, bases and twins of random stores are those of plain Python."""
    images = images_of(store, {name: [f"x/{name}:1"] for name in store.images})
    ids = {one.image_id: name for name, one in images.items()}
    with tempfile.TemporaryDirectory() as folder:
        session = scan_images(Path(folder), images.values())
        (totals,) = session.rows("totals")
        positions, bases = session.rows("usage/positions"), session.rows("usage/bases")
        close, wide = twins(session), twins(session, widest=1)
        half = twins(session, similarity=0.5, gain=1)
        groups = session.rows(
            "usage/twin_groups",
            image_ids=[row["image_id"] for row in half],
            twin_ids=[row["twin_id"] for row in half],
        )
    built = store.stacks

    assert sum(row["position_loss_bytes"] for row in positions) == totals["position_loss_bytes"]
    chains = {stack[: n + 1] for stack in built.values() for n in range(len(stack))}
    copies = Counter(chain[-1] for chain in chains)
    assert sorted(Counter(row["diff_id"] for row in positions).values()) == sorted(
        count for count in copies.values() if count > 1
    )
    assert all(row["split_at"] is None for row in positions if row["copy"] == 1)

    expected = {}
    for name, stack in built.items():
        below = [other for other in built.values() if other == stack[: len(other)] != stack]
        if below:
            expected[name] = len(max(below, key=len))
    assert {ids[row["image_id"]]: row["base_layers"] for row in bases} == expected

    truth = pairs_of(store)

    def read(rows: list[dict]) -> Pairs:
        return {
            frozenset((ids[row["image_id"]], ids[row["twin_id"]])): (
                round(row["common_bytes"] / row["similarity"]),
                row["common_bytes"],
                row["sharing_bytes"],
                row["shared_layers"],
            )
            for row in rows
        }

    assert read(close) == truth
    # with a smaller limit the figures are the same, and each image with a twin has a row
    assert read(wide).items() <= truth.items()
    assert {name for pair in read(wide) for name in pair} == {
        name for pair in truth for name in pair
    }
    assert read(half) == {
        pair: (union, common, sharing, shared)
        for pair, (union, common, sharing, shared) in truth.items()
        if common >= union / 2 and common > sharing
    }
    assert {
        frozenset(name.removeprefix("x/").removesuffix(":1") for name in row["image_names"]): (
            row["common_bytes"],
            row["sharing_bytes"],
            row["saved_bytes"],
        )
        for row in groups
    } == groups_of(built, list(read(half)))


def groups_of(built: dict[str, tuple], pairs: list[frozenset[str]]) -> dict:
    """Bytes that all images of a group have, those already shared, and those saved by a base."""
    groups: list[set[str]] = []
    for pair in pairs:
        joined = set(pair).union(*(group for group in groups if group & pair))
        groups = [group for group in groups if not group & pair] + [joined]
    found = {}
    for group in groups:
        held = [contents(built[name]) for name in group]
        common = set.intersection(*map(set, held))
        columns = zip(*(built[name] for name in group), strict=False)
        same = [len(set(layers)) == 1 for layers in columns]
        shared = [*same, False].index(False)
        sharing = sum(contents(built[min(group)][:shared]).values())
        size = sum(map(len, common))
        if size > sharing:
            found[frozenset(group)] = (size, sharing, (size - sharing) * (len(group) - 1))
    return found


def test_a_second_copy_names_the_step_that_splits_it(tmp_path: Path) -> None:
    """The second copy of a layer names the step below it that the first does not have."""
    base, extra, lib = ([file(name, name * 10)] for name in ("base", "extra", "lib"))
    images = [
        image(base, lib, names=["a:1"], history=["ADD base", "COPY lib"]),
        image(base, lib, [file("t", "t")], names=["a:2"]),
        image(base, extra, lib, names=["b:1"], history=["ADD base", "RUN extra", "COPY lib"]),
    ]
    first, second = scan_images(tmp_path, images).rows("usage/positions")
    assert (first["images"], first["position_loss_bytes"], first["split_at"]) == (2, 0, None)
    assert first["image_names"] == ["a:1", "a:2"]
    assert (second["position_loss_bytes"], second["split_at"], second["split_by"]) == (
        30,
        1,
        "RUN extra",
    )
    assert second["image_names"] == ["b:1"]
    assert second["split_diff_id"] == images[2].diff_ids[1]


def test_an_image_names_its_longest_base(tmp_path: Path) -> None:
    """An image names the longest image that it is built on, and the bytes it adds."""
    low, middle = [file("low", b"1" * 10)], [file("middle", b"2" * 5)]
    images = [
        image(low, names=["debian:12"]),
        image(low, middle, names=["python:3"]),
        image(low, middle, [file("app", b"3" * 2)], names=["app:1"]),
    ]
    rows = scan_images(tmp_path, images).rows("usage/bases")
    assert [
        (row["image"], row["base"], row["shared_bytes"], row["added_bytes"]) for row in rows
    ] == [
        ("python:3", "debian:12", 10, 5),
        ("app:1", "python:3", 15, 2),
    ]


def test_twins_count_equal_files_in_different_layers(tmp_path: Path) -> None:
    """Equal files in different layers would be saved; those in a common layer are shared."""
    base = [file("base", b"b" * 50)]
    images = [
        image(base, [file("lib", b"l" * 100), file("one", b"1" * 10)], names=["one"]),
        image(base, [file("usr/lib", b"l" * 100), file("two", b"2" * 20)], names=["two"]),
    ]
    (row,) = twins(scan_images(tmp_path, images))
    assert (row["common_bytes"], row["sharing_bytes"], row["gain_bytes"]) == (150, 50, 100)
    assert row["similarity"] == pytest.approx(150 / 180)
    assert row["shared_layers"] == 1


def test_a_group_of_twins_saves_all_but_one_copy(tmp_path: Path) -> None:
    """Three images with one library, each in its own layer: with a base it is stored once."""
    images = [
        image(
            [file(f"{number}/lib", b"l" * 1000), file("own", bytes([number]) * 10)],
            names=[f"r/{number}"],
        )
        for number in range(3)
    ]
    scan_images(tmp_path, [*images, image([file("x", b"x" * 50)], names=["other"])])
    done = run(tmp_path / "catalog", "twins", "--groups", "--gain", "1", "--format", "json")
    (row,) = json.loads(done.stdout)
    assert (row["images"], row["gain_bytes"], row["saved_bytes"]) == (3, 1000, 2000)
    assert row["image_names"] == ["r/0", "r/1", "r/2"]


def test_listings_of_kinship_answer_in_every_form(tmp_path: Path) -> None:
    """Each listing answers in every form; a bad size is a usage error."""
    scan_images(tmp_path, [image([file("a", b"1")], names=["a"])])
    for command in ("positions", "bases", "twins"):
        for form in ("table", "json", "csv"):
            done = run(tmp_path / "catalog", command, "--format", form)
            assert (done.returncode, done.stderr) == (0, "")
    assert run(tmp_path / "catalog", "twins", "--gain", "much").returncode == 2
