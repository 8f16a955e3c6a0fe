"""A first plan for many stacks: the layer that saves most goes next, group by group."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence

from dedupe.reorder.problem import Order, Stack


def greedy_orders(
    stacks: Sequence[Stack], sizes: Sequence[int], *, ahead: bool = False
) -> list[Order]:
    """One order a stack.

    Stacks with the same layers so far are a group. Of all layers that some of a group can place
    next, the one with the highest size times (stacks - 1) is placed in all of these, which go on
    as a group of their own; the others stay. What is left without anything to share keeps today's
    order. With ``ahead`` a layer weighs as much as all that waits for it. Costs
    O(layers times layers of a stack) steps in all, whatever the number of stacks that share.
    """
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
    """What each position is worth: its size, and of those that wait for it where that is asked."""
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
    """Split a group by what comes next; returns the stacks that share nothing more."""
    able: dict[int, dict[int, int]] = defaultdict(dict)
    weight: dict[int, int] = defaultdict(int)
    for number in group:
        for position in stacks[number].ready(placed[number]):
            layer = stacks[number].layers[position]
            able[layer][number] = position
            weight[layer] = max(weight[layer], weights[number][position])

    def gain(layer: int) -> tuple[int, int, int]:
        # smallest first in a heap; of equal gains what lies lowest today, so that little moves
        first = min(able[layer].values(), default=0)
        return -weight[layer] * (len(able[layer]) - 1), first, layer

    heap = [gain(layer) for layer in able]
    heapq.heapify(heap)
    left = set(group)
    while heap:
        known = heapq.heappop(heap)
        layer = known[2]
        now = gain(layer)
        if len(able[layer]) < 2:
            continue
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
