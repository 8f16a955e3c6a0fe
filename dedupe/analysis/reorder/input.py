"""The images of a scan as stacks of numbered layers, with what forbids these to move."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.plans import Wish
from dedupe.analysis.selection import images_matching
from dedupe.reorder.problem import Order, Stack, fixed, stack_of, unpacked_bytes
from dedupe.reorder.pulls import expected_bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """The images of a scan as stacks of numbered layers."""

    #: rows of ``queries/reorder/layers.sql`` by image, the base first
    rows: list[list[queries.ReorderLayersRow]]
    stacks: list[Stack]
    #: the same with the base of each image held at its bottom
    kept: list[Stack]
    #: content bytes by number of the layer
    sizes: list[int]
    constraints: Mapping[tuple[str, str], queries.ReorderConflictsRow]
    #: by image and position; an image without tags around it has none
    rates: Mapping[str, list[float]]

    @property
    def today(self) -> list[Order]:
        """The orders as they are."""
        return [stack.today for stack in self.stacks]

    def stored(self, orders: Sequence[Order]) -> int:
        """Unpacked bytes of the store in these orders."""
        return unpacked_bytes(self.stacks, orders, self.sizes)

    def pulled(self, number: int, order: Order) -> float:
        """Bytes of an image that a release is expected to pull again; 0 without a history."""
        rates = self.rates.get(self.rows[number][0]["image_id"])
        return expected_bytes(order, self.pull_sizes(number), rates) if rates else 0.0

    def pull_sizes(self, number: int) -> list[int]:
        """Bytes of an image's layers as a registry sends them."""
        return [row["pull_bytes"] for row in self.rows[number]]

    def all_pulled(self, orders: Sequence[Order]) -> float:
        """The sum of ``pulled`` over all images."""
        return sum(self.pulled(number, order) for number, order in enumerate(orders))


def problem_of(questions: Questions, wish: Wish) -> Problem:
    """The stacks of a scan with what forbids their layers to move.

    Raises StoreError, as ``images_matching``, for an image that is asked about and is not there.
    """
    chosen = set(images_matching(questions, wish.images)) if wish.images else None
    rows: dict[str, list[queries.ReorderLayersRow]] = defaultdict(list)
    for row in questions.rows(queries.reorder_layers()):
        rows[row["image_id"]].append(row)
    numbers: dict[str, int] = {}
    sizes: list[int] = []
    for stack in rows.values():
        for row in stack:
            if row["layer"] not in numbers:
                numbers[row["layer"]] = len(sizes)
                sizes.append(row["content_bytes"])
    constraints = {
        (row["lower_layer"], row["upper_layer"]): row
        for row in questions.rows(queries.reorder_conflicts(grade=wish.grade.value))
    }
    free, kept = [], []
    for image, stack in rows.items():
        layers = [numbers[row["layer"]] for row in stack]
        if not stack[0]["complete"] or (chosen is not None and image not in chosen):
            free.append(fixed(layers))
            kept.append(fixed(layers))
            continue
        pairs = list(pairs_of(stack, constraints))
        free.append(stack_of(layers, pairs))
        kept.append(stack_of(layers, [*pairs, *based(stack)]))
    return Problem(
        rows=list(rows.values()),
        stacks=free,
        kept=kept,
        sizes=sizes,
        constraints=constraints,
        rates=_rates(questions),
    )


def pairs_of(
    stack: Sequence[queries.ReorderLayersRow],
    constraints: Mapping[tuple[str, str], queries.ReorderConflictsRow],
) -> Iterable[tuple[int, int]]:
    """Positions whose layers must keep their order."""
    for upper, above in enumerate(stack):
        for lower, below in enumerate(stack[:upper]):
            if (below["layer"], above["layer"]) in constraints:
                yield lower, upper


def based(stack: Sequence[queries.ReorderLayersRow]) -> Iterable[tuple[int, int]]:
    """Pairs of positions that hold the base of an image at its bottom."""
    return (
        (lower, upper)
        for lower in range(stack[0]["base_layers"])
        for upper in range(lower + 1, len(stack))
    )


def _rates(questions: Questions) -> dict[str, list[float]]:
    """Change rates by image and position; a step that a series has but once has even chances."""
    found: dict[str, list[queries.ReorderChangeRatesRow]] = defaultdict(list)
    for row in questions.rows(queries.reorder_change_rates()):
        found[row["image_id"]].append(row)
    return {
        image: [row["rate"] for row in sorted(rows, key=lambda row: row["position"])]
        for image, rows in found.items()
        if any(row["transitions"] for row in rows)
    }
