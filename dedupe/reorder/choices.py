"""Plans between the one that stores least and the one that pulls least."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dedupe.reorder.stack import Order, Stack
from dedupe.reorder.trie import Trie

#: weighted bytes that a change must save: without it, rounding could let two orders alternate
_LEAST_SAVING = 0.5


def best_mix(
    stacks: Sequence[Stack],
    sizes: Sequence[int],
    candidates: Sequence[Sequence[Order]],
    pull_bytes: Callable[[int, Order], float],
    weight: float,
) -> list[Order]:
    """Choose one candidate order per stack so that stored bytes plus weighted pulled bytes are few.

    The start is the first candidate of each stack. Stacks are changed one after the other until no
    change saves anything. ``pull_bytes`` takes the number of a stack and an order.
    """
    trie = Trie(sizes)
    orders = [each[0] for each in candidates]
    for stack, order in zip(stacks, orders, strict=True):
        trie.add(stack.layers_in(order))
    changed = True
    while changed:
        changed = False
        for number, stack in enumerate(stacks):
            if len(candidates[number]) == 1:
                continue
            now = orders[number]
            trie.remove(stack.layers_in(now))

            def cost(order: Order, number: int = number, stack: Stack = stack) -> float:
                return trie.cost(stack.layers_in(order)) + weight * pull_bytes(number, order)

            best = min(candidates[number], key=cost)
            if cost(best) < cost(now) - _LEAST_SAVING:
                orders[number], changed = best, True
            trie.add(stack.layers_in(orders[number]))
    return orders


def not_worse(costs: Sequence[tuple[float, float]]) -> list[int]:
    """Indexes of the costs that no other cost beats in both figures, the lowest first figure first.

    Of equal costs only the first is kept.
    """
    kept: list[int] = []
    lowest = float("inf")
    for number in sorted(range(len(costs)), key=lambda number: (costs[number], number)):
        if costs[number][1] < lowest:
            lowest = costs[number][1]
            kept.append(number)
    return kept
