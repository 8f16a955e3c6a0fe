"""Plans between the one that stores least and the one that pulls least."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dedupe.reorder.problem import Order, Stack
from dedupe.reorder.trie import Trie


def best_mix(
    stacks: Sequence[Stack],
    sizes: Sequence[int],
    candidates: Sequence[Sequence[Order]],
    pulled: Callable[[int, Order], float],
    weight: float,
) -> list[Order]:
    """Of each stack's candidates one, so that stored bytes and weighted pulled bytes are few.

    Stacks are tried one after the other until none gains; the first candidates are the start.
    """
    trie = Trie(sizes)
    orders = [each[0] for each in candidates]
    for stack, order in zip(stacks, orders, strict=True):
        trie.add(stack.arranged(order))
    moving = True
    while moving:
        moving = False
        for number, stack in enumerate(stacks):
            if len(candidates[number]) == 1:
                continue
            now = orders[number]
            trie.remove(stack.arranged(now))

            def cost(order: Order, number: int = number, stack: Stack = stack) -> float:
                return trie.cost(stack.arranged(order)) + weight * pulled(number, order)

            best = min(candidates[number], key=cost)
            if cost(best) < cost(now) - 0.5:
                orders[number], moving = best, True
            trie.add(stack.arranged(orders[number]))
    return orders


def not_worse(costs: Sequence[tuple[float, float]]) -> list[int]:
    """Numbers of the costs that no other beats in both, cheapest by the first; of equals one."""
    kept: list[int] = []
    lowest = float("inf")
    for number in sorted(range(len(costs)), key=lambda number: (costs[number], number)):
        if costs[number][1] < lowest:
            lowest = costs[number][1]
            kept.append(number)
    return kept
