"""What every search for orders starts from: the images of a scan as stacks of numbered layers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.plans import ReorderOptions
from dedupe.analysis.selection import images_matching
from dedupe.model.choices import Objective
from dedupe.reorder.pulls import expected_bytes
from dedupe.reorder.stack import Order, Stack, fixed_stack, stack_of, unpacked_bytes

#: layers of one image, the base first
ImageLayers = list[queries.ReorderLayersRow]
#: (lower layer, upper layer) -> why the two must keep their order
Conflicts = Mapping[
    tuple[str, str], queries.ReorderConflictsRow | queries.ReorderMovableConflictsRow
]


@dataclass(frozen=True, slots=True)
class ReorderInput:
    """The images of a scan as stacks; lists have one element per image, in the same order."""

    options: ReorderOptions
    images: list[ImageLayers]
    #: whether the image is complete, and one of those that may change
    may_change: list[bool]
    stacks: list[Stack]
    #: the same stacks, with the layers of each image's base kept at its bottom
    base_kept_stacks: list[Stack]
    #: content bytes by number of the layer
    sizes: list[int]
    conflicts: Conflicts
    #: image ID -> change rate by position; an image without tags before or after it has none
    rates: Mapping[str, list[float]]

    @property
    def today(self) -> list[Order]:
        """Today's order of every image."""
        return [stack.today for stack in self.stacks]

    def unpacked_bytes(self, orders: Sequence[Order]) -> int:
        """Unpacked bytes of the store if its images have these orders."""
        return unpacked_bytes(self.stacks, orders, self.sizes)

    def rates_of(self, number: int) -> list[float] | None:
        """Change rates of one image by position; None if it has no history."""
        return self.rates.get(self.images[number][0]["image_id"])

    def pull_sizes(self, number: int) -> list[int]:
        """Bytes of one image's layers as a registry sends them, by position."""
        return [row["pull_bytes"] for row in self.images[number]]

    def pull_bytes(self, number: int, order: Order) -> float:
        """Bytes of one image that a release is expected to pull again; 0 without a history."""
        rates = self.rates_of(number)
        return expected_bytes(order, self.pull_sizes(number), rates) if rates else 0.0

    def total_pull_bytes(self, orders: Sequence[Order]) -> float:
        """The sum of ``pull_bytes`` over all images."""
        return sum(self.pull_bytes(number, order) for number, order in enumerate(orders))


def reorder_input(questions: Questions, options: ReorderOptions) -> ReorderInput:
    """Read the stacks of a scan and the pairs of layers that must keep their order.

    Images that are incomplete, or that the options leave out, get stacks that cannot change.
    Raises StoreError, as ``images_matching``, if no image matches one of the options' names.
    """
    selected = set(images_matching(questions, options.images)) if options.images else None
    images: dict[str, ImageLayers] = defaultdict(list)
    for row in questions.rows(queries.reorder_layers()):
        images[row["image_id"]].append(row)
    numbers: dict[str, int] = {}
    sizes: list[int] = []
    for layers in images.values():
        for row in layers:
            if row["layer"] not in numbers:
                numbers[row["layer"]] = len(sizes)
                sizes.append(row["content_bytes"])
    movable = _movable(questions, options)
    conflicts = _conflicts(questions, options, movable)
    may_change = [
        layers[0]["complete"] and (selected is None or image in selected)
        for image, layers in images.items()
    ]
    stacks, base_kept_stacks = [], []
    for (image, layers), free in zip(images.items(), may_change, strict=True):
        stack = [numbers[row["layer"]] for row in layers]
        if not free or (movable is not None and image not in movable):
            stacks.append(fixed_stack(stack))
            base_kept_stacks.append(fixed_stack(stack))
            continue
        pairs = list(conflicting_pairs(layers, conflicts))
        stacks.append(stack_of(stack, pairs))
        base_kept_stacks.append(stack_of(stack, [*pairs, *_base_pairs(layers)]))
    return ReorderInput(
        options=options,
        images=list(images.values()),
        may_change=may_change,
        stacks=stacks,
        base_kept_stacks=base_kept_stacks,
        sizes=sizes,
        conflicts=conflicts,
        rates=_rates(questions),
    )


def _movable(questions: Questions, options: ReorderOptions) -> set[str] | None:
    """Images that another order can save bytes of, or whose layers are reported; None for all.

    What a release pulls depends on the order of every image, and an image to explain is explained
    in any case.
    """
    if options.objective is not Objective.STORAGE or options.explain:
        return None
    return {row["image_id"] for row in questions.rows(queries.reorder_movable_images())}


def _conflicts(
    questions: Questions, options: ReorderOptions, movable: set[str] | None
) -> Conflicts:
    """The pairs of layers of these images that must keep their order."""
    grade = options.grade.value
    rows: list[queries.ReorderConflictsRow] | list[queries.ReorderMovableConflictsRow]
    if movable is None:
        rows = questions.rows(queries.reorder_conflicts(grade=grade))
    else:
        rows = questions.rows(queries.reorder_movable_conflicts(grade=grade))
    return {(row["lower_layer"], row["upper_layer"]): row for row in rows}


def conflicting_pairs(layers: ImageLayers, conflicts: Conflicts) -> Iterable[tuple[int, int]]:
    """Pairs (lower position, upper position) of an image that must keep their order."""
    for upper, above in enumerate(layers):
        for lower, below in enumerate(layers[:upper]):
            if (below["layer"], above["layer"]) in conflicts:
                yield lower, upper


def _base_pairs(layers: ImageLayers) -> Iterable[tuple[int, int]]:
    """Pairs that keep the layers of an image's base in their order, below all others."""
    return (
        (lower, upper)
        for lower in range(layers[0]["base_layers"])
        for upper in range(lower + 1, len(layers))
    )


def _rates(questions: Questions) -> dict[str, list[float]]:
    """Change rates by image and position, for images with at least one tag before or after them.

    An image has none if a quick scan left unread what changed.
    """
    found: dict[str, list[queries.ReorderChangeRatesRow]] = defaultdict(list)
    for row in questions.rows(queries.reorder_change_rates()):
        found[row["image_id"]].append(row)
    rates: dict[str, list[float]] = {}
    for image, rows in found.items():
        ordered = sorted(rows, key=lambda row: row["position"])
        known = [row["rate"] for row in ordered if row["rate"] is not None]
        if len(known) == len(rows) and any(row["transitions"] for row in rows):
            rates[image] = known
    return rates
