"""A plan of orders for build steps: what images would share if equal steps ran once.

Layer orders move the layers that exist. Step orders are advice for build files: after a rebuild,
layers that several images make by the same step can be one layer.

- A *class* is a set of layers that one build step would have made: they differ in timestamps only,
  or most of their content is the same (``layer_class`` in queries/relations). After a rebuild, one
  layer stands for the class. Its size is unknown, so the largest of them is counted.
- The search is the one of ``layers``, with one number per class instead of one per layer. Bases are
  kept, because a build file cannot reorder the image in its FROM.
- *Reproducible* bytes are what today's orders would store with one layer per class: the saving that
  reproducible builds bring without any new order.

A rebuild makes other layers, so no proposal here has a proof; each swap of two steps says what to
check instead.
"""

from collections.abc import Mapping, Sequence

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.input import ImageLayers, ReorderInput
from dedupe.analysis.reorder.plans import StepPlan
from dedupe.analysis.reorder.proposals import ProposalBuilder
from dedupe.reorder.stack import Order, Stack
from dedupe.reorder.storage import storage_orders

#: chain of classes, the lowest first -> bytes of the two largest layers that images have there
_TwoLargest = Mapping[tuple[int, ...], tuple[int, int]]


def plan_steps(questions: Questions, given: ReorderInput) -> StepPlan:
    """The orders of build steps that share most, bases as they are."""
    stacks, sizes = _class_stacks(given)
    today = [stack.today for stack in stacks]
    orders = storage_orders(stacks, sizes, given.options.budget_seconds)
    largest_today = _two_largest(given, stacks, today)
    reproducible = _built_bytes(largest_today)
    largest = _two_largest(given, stacks, orders)
    # the search counts every layer of a class as the largest one, so a plan can be worse than today
    if _built_bytes(largest) >= reproducible:
        orders, largest = today, largest_today
    builder = ProposalBuilder(given, stacks, orders)
    proposals = [
        builder.build(
            number,
            -_saves(given.images[number], stacks[number], (order, today[number]), largest),
            _saves(given.images[number], stacks[number], (today[number], order), largest_today),
        )
        for number, order in enumerate(orders)
        if order != today[number]
    ]
    return StepPlan(
        today_bytes=given.unpacked_bytes(given.today),
        reproducible_bytes=reproducible,
        proposed_bytes=_built_bytes(largest),
        proposals=sorted(proposals, key=lambda each: (-each.saves_bytes, each.name)),
        classes={
            row["step_class"]: row["class_reason"]
            for layers in given.images
            for row in layers
            if row["class_reason"]
        },
        repeats=questions.rows(queries.reorder_step_repeats()),
    )


def _class_stacks(given: ReorderInput) -> tuple[list[Stack], list[int]]:
    """The stacks with the number of its class in place of each layer, and sizes of the classes."""
    numbers: dict[str, int] = {}
    sizes: list[int] = []
    for layers in given.images:
        for row in layers:
            number = numbers.setdefault(row["step_class"], len(sizes))
            if number == len(sizes):
                sizes.append(0)
            sizes[number] = max(sizes[number], row["content_bytes"])
    stacks = [
        Stack(tuple(numbers[row["step_class"]] for row in layers), stack.below)
        for layers, stack in zip(given.images, given.base_kept_stacks, strict=True)
    ]
    return stacks, sizes


def _built_bytes(largest: _TwoLargest) -> int:
    """Unpacked bytes if all layers of one chain of classes become one, the largest of them."""
    return sum(first for first, _ in largest.values())


def _two_largest(
    given: ReorderInput, stacks: Sequence[Stack], orders: Sequence[Order]
) -> _TwoLargest:
    found: dict[tuple[int, ...], tuple[int, int]] = {}
    for layers, stack, order in zip(given.images, stacks, orders, strict=True):
        for chain, size in _chain_sizes(layers, stack, order).items():
            first, second = found.get(chain, (0, 0))
            found[chain] = (size, first) if size > first else (first, max(second, size))
    return found


def _chain_sizes(layers: ImageLayers, stack: Stack, order: Order) -> dict[tuple[int, ...], int]:
    """Chain of classes -> bytes of the layer of this image at its top."""
    chain = stack.layers_in(order)
    return {
        chain[: place + 1]: layers[position]["content_bytes"]
        for place, position in enumerate(order)
    }


def _saves(
    layers: ImageLayers, stack: Stack, orders: tuple[Order, Order], largest: _TwoLargest
) -> int:
    """Bytes saved if this image alone changes from the first order to the second.

    ``largest`` is that of all images, this one in its first order.
    """
    own, other = (_chain_sizes(layers, stack, order) for order in orders)

    def without_this_image(chain: tuple[int, ...]) -> int:
        first, second = largest.get(chain, (0, 0))
        return second if own.get(chain) == first else first

    freed = sum(largest[chain][0] - without_this_image(chain) for chain in own)
    added = sum(max(0, size - without_this_image(chain)) for chain, size in other.items())
    return freed - added
