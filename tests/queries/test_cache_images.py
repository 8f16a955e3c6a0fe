"""Which images a store deletes with a child: SQL against plain Python, and the cases of issues."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_oci_layout
from builders.docker import DockerRoot
from helpers.examples import examples
from helpers.scanning import scanned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Recorded, cache_images

from dedupe.store.session import Session

NAMES = ("a", "b", "c", "d", "e")
LAYERS = {name: tar_of([file(name, name.encode() * 100)]) for name in ("x", "y", "z")}
Recording = Mapping[str, Recorded]


def image_of(name: str, found: Recorded) -> Image:
    """The image of a record; its ID differs from those of other names with the same layers."""
    return Image(
        [LAYERS[layer] for layer in found.layers],
        names=[f"{name}:1"] if found.named else [],
        created=f"2026-01-0{NAMES.index(name) + 1}T00:00:00Z",
    )


def write_store(root: Path, store: Recording) -> dict[str, str]:
    """Write a docker root; returns the names of images by ID."""
    docker = DockerRoot(root)
    images = {name: image_of(name, found) for name, found in store.items()}
    docker.add(*images.values())
    for number, (name, found) in enumerate(store.items()):
        if found.parent in images:
            docker.parent(images[name], images[found.parent])
        if found.used:
            docker.container(f"{number}" * 64, images[name], name=f"c{number}")
    return {one.image_id: name for name, one in images.items()}


def answer(folder: Path, *stores: Recording) -> set[str]:
    """Names of the cache images of these stores."""
    names: dict[str, str] = {}
    for number, store in enumerate(stores):
        names |= write_store(folder / f"docker{number}", store)
    _, session = scanned(folder / "catalog", *(folder / f"docker{n}" for n in range(len(stores))))
    return {names[image] for image in cached(session)}


def cached(session: Session) -> set[str]:
    """IDs of the cache images."""
    return {row[0] for row in session.ask("SELECT image_id FROM image WHERE is_cache").rows}


@st.composite
def recordings(draw: st.DrawFn) -> list[Recording]:
    """One or two stores with up to five images, whose records may lead anywhere."""
    stacks = st.sampled_from([("x",), ("x", "y"), ("x", "y"), ("x", "y", "z"), ("y",)])
    layers = {name: draw(stacks) for name in NAMES}
    named = {name: draw(st.sampled_from([False, False, True])) for name in NAMES}
    used = draw(st.sampled_from([None, None, *NAMES]))
    stores = []
    for _ in range(draw(st.integers(1, 2))):
        known = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
        stores.append(
            {
                name: Recorded(
                    layers[name],
                    named=named[name],
                    used=name == used,
                    parent=draw(st.sampled_from([None, *known, *known, *known])),
                )
                for name in sorted(known)
            }
        )
    return stores


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(stores=recordings())
def test_cache_images_of_random_records_are_those_of_plain_python(stores: list[Recording]) -> None:
    """Parents of parents, circles, other layers, containers and two stores are as defined."""
    with tempfile.TemporaryDirectory() as folder:
        assert answer(Path(folder), *stores) == cache_images(stores)


STEP = Recorded(("x", "y"))
CASES: dict[str, tuple[Recording, set[str]]] = {
    "a step of a build": ({"a": STEP, "b": Recorded(("x", "y", "z"), True, parent="a")}, {"a"}),
    "a step with a container": (
        {"a": Recorded(("x", "y"), used=True), "b": Recorded(("x", "y"), True, parent="a")},
        set(),
    ),
    "a step of which the child has a container": (
        {"a": STEP, "b": Recorded(("x", "y"), True, used=True, parent="a")},
        {"a"},
    ),
    "steps without layers of a build without a name": (
        {"a": STEP, "b": Recorded(("x", "y"), parent="a"), "c": Recorded(("x", "y"), parent="b")},
        {"a", "b"},
    ),
    "a base that was loaded": ({"a": STEP, "b": Recorded(("x", "y", "z"), True)}, set()),
    "a parent with other layers": (
        {"a": STEP, "b": Recorded(("y", "z"), True, parent="a")},
        set(),
    ),
    "parents in a circle": (
        {"a": Recorded(("x",), parent="b"), "b": Recorded(("x",), parent="a")},
        set(),
    ),
}


@pytest.mark.parametrize(("store", "expected"), CASES.values(), ids=CASES)
def test_only_what_is_deleted_with_a_child_is_a_cache_image(
    store: Recording, expected: set[str], tmp_path: Path
) -> None:
    """The oracle and the query give what docker does."""
    assert cache_images([store]) == expected
    assert answer(tmp_path, store) == expected


def test_an_image_of_a_layout_is_not_a_cache_image(tmp_path: Path) -> None:
    """What a store deletes with a child stays in a layout, so it holds references."""
    store = CASES["a step of a build"][0]
    names = write_store(tmp_path / "docker", store)
    step = image_of("a", store["a"])
    write_oci_layout(tmp_path / "layout", [step])
    _, both = scanned(tmp_path / "both", tmp_path / "docker", tmp_path / "layout")
    _, one = scanned(tmp_path / "one", tmp_path / "docker")
    assert (cached(both), {names[image] for image in cached(one)}) == (set(), {"a"})
