"""Tag series in the order of their versions, and how often each step changes along them."""

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from builders import file, image
from helpers.examples import examples
from helpers.scanning import scan_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

STEPS = ("COPY a /a", "COPY b1.2 /b", "COPY b1.3 /b", "RUN c 0123456789ab", None)
TAGS = ("web:1.2", "web:1.10", "web:1.9-rc1", "web:latest", "db:1", "db:2", "db:10", "db:2.1")

#: step, content and mtime of each layer
Steps = list[tuple[str | None, str, int]]


@st.composite
def series_stores(draw: st.DrawFn) -> list[tuple[Steps, list[str]]]:
    """Images with steps and tags; a tag names one image."""
    step = st.tuples(st.sampled_from(STEPS), st.sampled_from("xyz"), st.integers(1, 2))
    stacks = draw(st.lists(st.lists(step, min_size=1, max_size=4), min_size=1, max_size=5))
    holders = {tag: draw(st.integers(0, len(stacks))) for tag in TAGS}
    return [
        (stack, [tag for tag, holder in holders.items() if holder == number])
        for number, stack in enumerate(stacks)
    ]


def series_of(tag: str) -> str:
    """The series of a tag: its name with a star for the version."""
    return re.sub(r"\d+(\.\d+)*", "*", tag)


def text_of(step: str | None) -> str:
    """A step without its version numbers and digests."""
    return re.sub(r"\d+(\.\d+)*", "*", (step or "").replace("0123456789ab", "*"))


def keys(steps: Steps) -> list[tuple[str, int]]:
    """Each step's text, and the number of steps before it with the same text."""
    texts = [text_of(step) for step, _, _ in steps]
    return [(text, texts[:place].count(text)) for place, text in enumerate(texts)]


def line_of(store: Sequence[tuple[Steps, list[str]]], series: str) -> list[int]:
    """Numbers of the images of a series, oldest first."""

    def version(number: int) -> list[list[int]]:
        tags = [tag for tag in store[number][1] if series_of(tag) == series]
        return max([int(part) for part in re.findall(r"\d+", tag)] for tag in tags)

    held = [n for n, (_, tags) in enumerate(store) if any(series_of(t) == series for t in tags)]
    return sorted(held, key=version)


def rates(store: Sequence[tuple[Steps, list[str]]]) -> dict[tuple[int, int], tuple[int, int]]:
    """Changes and transitions by (image, position)."""
    lines = {name: line_of(store, name) for name in {series_of(tag) for tag in TAGS}}
    found = {}
    for number, (steps, tags) in enumerate(store):
        mine = {series_of(tag) for tag in tags}
        line = lines[min(mine, key=lambda name: (-len(lines[name]), name))] if mine else []
        for position, key in enumerate(keys(steps)):
            count: Counter[bool] = Counter()
            for before, after in pairwise(line):
                old, new = (
                    dict(zip(keys(store[n][0]), (it[1] for it in store[n][0]), strict=True))
                    for n in (before, after)
                )
                if key in new:
                    count[old.get(key) != new[key]] += 1
            found[number, position] = (count[True], count.total())
    return found


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(store=series_stores())
def test_rates_of_random_series_are_those_of_plain_python(
    store: list[tuple[Steps, list[str]]],
) -> None:
    """Series, their order, changes and transitions are those of plain Python."""
    images = [
        image(
            *([file(f"f{position}", text, mtime=mtime)] for position, (_, text, mtime) in steps),
            # an image without a name might be a cache image
            names=tags or [f"own{number}:x"],
            history=[{"created_by": step} if step else {} for _, (step, _, _) in steps],
            settings={"Hostname": str(number)},
        )
        for number, (listed, tags) in enumerate(store)
        for steps in [list(enumerate(listed))]
    ]
    numbers = {made.image_id: number for number, made in enumerate(images)}
    with tempfile.TemporaryDirectory() as folder:
        session = scan_images(Path(folder), images)
        rows, steps = session.rows("reorder/change_rates"), session.rows("reorder/tag_steps")

    # the position is part of the path in a layer, so a layer that moves is another layer
    placed = [
        ([(step, f"{at}{text}", mtime) for at, (step, text, mtime) in enumerate(listed)], tags)
        for listed, tags in store
    ]
    assert {
        (numbers[row["image_id"]], row["position"]): (row["changes"], row["transitions"])
        for row in rows
    } == rates(placed)
    assert all(row["rate"] == (row["changes"] + 0.5) / (row["transitions"] + 1) for row in rows)

    expected = []
    for series in sorted({series_of(tag) for tag in TAGS}):
        line = line_of(store, series)
        for step, (old, new) in enumerate(pairwise(line), start=1):
            held = {
                n: {(at, text, mtime) for at, (_, text, mtime) in enumerate(store[n][0])}
                for n in (old, new)
            }
            sizes = (len(held[new]), len(held[new] - held[old]))
            expected.append((series, step, old, new, *sizes))
    assert [
        (
            row["series"],
            row["step"],
            numbers[row["from_image"]],
            numbers[row["to_image"]],
            row["to_bytes"],
            row["download_bytes"],
        )
        for row in steps
    ] == expected


def test_a_step_that_each_release_changes_has_a_high_rate(tmp_path: Path) -> None:
    """The step that each release rewrites has a high rate, at any position; the base has none."""
    base, lib = [file("base", b"b" * 9)], [file("lib", b"l" * 5)]
    history = ["ADD base", "COPY file:{:064x} in /app", "RUN lib"]
    images = [
        image(
            base,
            [file("app", f"release {number}")],
            lib,
            names=[f"shop/app:v1.{number}"],
            history=[history[0], history[1].format(number), history[2]],
        )
        for number in (8, 9, 10)
    ]
    lonely = image(base, lib, names=["tool:latest"], history=["ADD base", "RUN lib"])
    session = scan_images(tmp_path, [*images, lonely])
    rows = session.rows("reorder/change_rates")
    for made in images:
        found = [row["rate"] for row in rows if row["image_id"] == made.image_id]
        assert found == [pytest.approx(rate) for rate in (0.5 / 3, 2.5 / 3, 0.5 / 3)]
    assert [row["rate"] for row in rows if row["image_id"] == lonely.image_id] == [0.5, 0.5]
    assert [(row["from_name"], row["to_name"]) for row in session.rows("reorder/tag_steps")] == [
        ("shop/app:v1.8", "shop/app:v1.9"),
        ("shop/app:v1.9", "shop/app:v1.10"),
    ]
