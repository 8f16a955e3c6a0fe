"""A first plan for many stacks: group by group, place the layer that saves most next.

Stacks with the same chain so far are a *group*. Of all layers that some stacks of a group can place
next, take the one with the highest size times (number of those stacks - 1). It is placed in all of
them, and they become a group of their own. This is repeated with the other stacks of the group
until no two of them can place the same layer next. A stack that shares nothing more keeps today's
order for its remaining layers.

With ``ahead`` a layer counts with its own size and the sizes of all layers that must stay above it:
a small layer can be in the way of a large one.

The number of steps is O(layers * layers of one stack), however many stacks share a layer.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence

from dedupe.reorder.stack import Order, Stack


def greedy_orders(
    stacks: Sequence[Stack], sizes: Sequence[int], *, ahead: bool = False
) -> list[Order]:
    """One order per stack; see the top of this module."""
    weights = [_weights(stack, sizes, ahead) for stack in stacks]
    orders: list[Order] = [()] * len(stacks)
    placed = [0] * len(stacks)
    groups: list[list[int]] = [list(range(len(stacks)))]
    while groups:
        group = groups.pop()
        for number in (
            group if len(group) == 1 else _split(group, stacks, weights, placed, orders, groups)
        ):
            orders[number] += stacks[number].rest(placed[number])
    return orders


def _weights(stack: Stack, sizes: Sequence[int], ahead: bool) -> list[int]:
    """The size at each position; with ``ahead``, plus the sizes that must stay above it."""
    weights = [sizes[layer] for layer in stack.layers]
    if ahead:
        for upper, below in enumerate(stack.below):
            for lower in range(len(stack.layers)):
                if below >> lower & 1:
                    weights[lower] += sizes[stack.layers[upper]]
    return weights


def _split(
    group: list[int],
    stacks: Sequence[Stack],
    weights: Sequence[Sequence[int]],
    placed: list[int],
    orders: list[Order],
    groups: list[list[int]],
) -> list[int]:
    """Split a group by the next layer and add the parts to ``groups``.

    Returns the stacks of the group that share nothing more.
    """
    # layer -> {stack that can place it next: its position there}
    able: dict[int, dict[int, int]] = defaultdict(dict)
    weight: dict[int, int] = defaultdict(int)
    for number in group:
        for position in stacks[number].ready(placed[number]):
            layer = stacks[number].layers[position]
            able[layer][number] = position
            weight[layer] = max(weight[layer], weights[number][position])

    def rank(layer: int) -> tuple[int, int, int]:
        # a heap gives the smallest first; of equal savings the lowest layer of today is taken, so
        # that few layers move
        lowest = min(able[layer].values(), default=0)
        return -weight[layer] * (len(able[layer]) - 1), lowest, layer

    heap = [rank(layer) for layer in able]
    heapq.heapify(heap)
    left = set(group)
    while heap:
        known = heapq.heappop(heap)
        layer = known[2]
        now = rank(layer)
        if len(able[layer]) < 2:
            continue
        # stacks that were placed meanwhile made the saving smaller: rank the layer again
        if now != known:
            heapq.heappush(heap, now)
            continue
        chosen = dict(able[layer])
        for number in chosen:
            for other in stacks[number].ready(placed[number]):
                able[stacks[number].layers[other]].pop(number, None)
        for number, position in chosen.items():
            placed[number] |= 1 << position
            orders[number] += (position,)
        groups.append(list(chosen))
        left -= chosen.keys()
    return sorted(left)
