"""New layers: each image keeps exactly its files, at no more bytes than without sharing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupe.model.choices import Prefer
from dedupe.reorder.relayer import FileClass, NewLayer, new_layers

sets = st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found)))


@st.composite
def problems(draw: st.DrawFn, most: int = 40) -> tuple[list[FileClass], list[tuple[int, int]]]:
    """Classes, each with its images, and steps from image to image."""
    signatures = draw(st.lists(sets, max_size=most, unique=True))
    sizes = st.integers(0, 9) | st.just(1000)
    classes = [FileClass(images, draw(st.integers(1, 5)), draw(sizes)) for images in signatures]
    steps = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=5))
    return classes, steps


def pulled(layers: list[NewLayer], steps: list[tuple[int, int]]) -> int:
    """Bytes that a step from image to image pulls."""
    return sum(
        layer.size_bytes
        for older, newer in steps
        for layer in layers
        if newer in layer.images and older not in layer.images
    )


@given(problems(), st.integers(1, 6), st.sampled_from(Prefer))
def test_each_image_keeps_its_classes_within_the_budget(
    problem, budget: int, prefer: Prefer
) -> None:
    """Each image has each of its classes once, and bytes are between the bounds."""
    classes, steps = problem
    layers = new_layers(classes, budget, prefer, steps)
    for image in range(7):
        own = [layer for layer in layers if image in layer.images]
        assert len(own) <= budget
        held = [number for layer in own for number in layer.classes]
        assert sorted(held) == [n for n, each in enumerate(classes) if image in each.images]
    for layer in layers:
        assert layer.images
        assert layer.size_bytes == sum(classes[number].size_bytes for number in layer.classes)
        assert layer.files == sum(classes[number].files for number in layer.classes)
    assert len({layer.classes for layer in layers}) == len(layers)
    stored = sum(layer.size_bytes for layer in layers)
    assert sum(each.size_bytes for each in classes) <= stored
    assert stored <= sum(each.size_bytes * len(each.images) for each in classes)
    assert layers == new_layers(classes, budget, prefer, steps)


@given(problems(most=12))
def test_enough_layers_store_each_file_once(problem) -> None:
    """If the budget holds all classes, none are merged."""
    classes, steps = problem
    layers = new_layers(classes, 12, Prefer.STORAGE, steps)
    assert [layer.size_bytes for layer in layers] == sorted(
        (each.size_bytes for each in classes), reverse=True
    )


def test_the_smallest_class_is_merged_first() -> None:
    """The small class is stored again, not the base; a release pulls only what changed."""
    base, tools, first, second = (
        FileClass((0, 1, 2), 1, 1000),
        FileClass((0, 1), 1, 10),
        FileClass((0,), 1, 300),
        FileClass((1,), 1, 300),
    )
    layers = new_layers([base, tools, first, second], 2)
    assert [(layer.images, layer.size_bytes) for layer in layers] == [
        ((0, 1, 2), 1000),
        ((0,), 310),
        ((1,), 310),
    ]
    both = new_layers([base, tools, first, second], 2, Prefer.PULLS, [(0, 1)])
    assert pulled(both, [(0, 1)]) == 300


def test_a_budget_is_at_least_one() -> None:
    """An image without layers would lose its files."""
    with pytest.raises(ValueError, match="expected at least 1, found 0"):
        new_layers([], 0)
