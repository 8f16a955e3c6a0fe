"""The order of one image that pulls least: layers that change often high, large layers low.

A layer is built and pulled again when it or any layer below it changes. The *rate* of a layer is
the chance that a release changes the layer itself. A release is expected to pull

    sum of size * (1 - product of (1 - rate) over the layer and all layers below it)

This is a known problem of scheduling jobs on one machine. Without constraints Smith's rule gives
the best order: of two neighbours, the one with the higher size * (1 - rate) / rate is lower. With
constraints:

- Up to ``EXACT_LAYERS`` layers, the best order is found over all sets of layers that can be at the
  bottom, at most 2^n sets.
- For more layers, the rule is applied to chains of layers that wait for each other, and then single
  layers are moved as long as that pulls less.
"""

from __future__ import annotations

from collections.abc import Sequence

from dedupe.reorder.stack import Order, Stack

#: 15 free layers take 0.3 s per image, and each further layer doubles that
EXACT_LAYERS = 15
#: bytes per release that another order must save: less is a rounding error, and no reason to move
_LEAST_SAVING = 0.5


def expected_bytes(order: Order, sizes: Sequence[float], rates: Sequence[float]) -> float:
    """Bytes that a release is expected to pull again; sizes and rates are by today's position."""
    unchanged, total = 1.0, 0.0
    for position in order:
        unchanged *= 1 - rates[position]
        total += sizes[position] * (1 - unchanged)
    return total


def pull_order(stack: Stack, sizes: Sequence[float], rates: Sequence[float]) -> Order:
    """The order with the least expected bytes; today's order if no other is better."""
    if len(stack.layers) <= EXACT_LAYERS:
        order = _exact(stack, sizes, rates)
    else:
        order = _with_moves(stack, _by_ratio(stack, sizes, rates), sizes, rates)
    saved = expected_bytes(stack.today, sizes, rates) - expected_bytes(order, sizes, rates)
    return order if saved > _LEAST_SAVING else stack.today


def _exact(stack: Stack, sizes: Sequence[float], rates: Sequence[float]) -> Order:
    """The best order, by dynamic programming over the sets of positions placed at the bottom."""
    count = len(stack.layers)
    # by set of placed positions: the chance that none of them changes, the most bytes that a
    # release does not pull, and the position placed last for that
    unchanged: dict[int, float] = {0: 1.0}
    kept_bytes: dict[int, float] = {0: 0.0}
    last: dict[int, int] = {}
    frontier = {0}
    for _ in range(count):
        grown = set()
        for placed in sorted(frontier):
            for position in range(count):
                if placed >> position & 1 or stack.below[position] & ~placed:
                    continue
                above = placed | 1 << position
                chance = unchanged[placed] * (1 - rates[position])
                kept = kept_bytes[placed] + sizes[position] * chance
                if above not in kept_bytes or kept > kept_bytes[above]:
                    kept_bytes[above], unchanged[above], last[above] = kept, chance, position
                grown.add(above)
        frontier = grown
    order: list[int] = []
    placed = (1 << count) - 1
    while placed:
        order.append(last[placed])
        placed &= ~(1 << last[placed])
    return tuple(reversed(order))


def _by_ratio(stack: Stack, sizes: Sequence[float], rates: Sequence[float]) -> Order:
    """List scheduling: place the first position of the best chain next.

    A chain is a position and all positions that must be placed before it. Its ratio is that of
    Smith's rule, for the chain as one layer.
    """
    placed = 0
    order: list[int] = []
    while len(order) < len(stack.layers):

        def ratio(target: int, placed: int = placed) -> float:
            kept_bytes, unchanged = 0.0, 1.0
            for position in _needed(stack, target, placed):
                unchanged *= 1 - rates[position]
                kept_bytes += sizes[position] * unchanged
            return kept_bytes / max(1 - unchanged, 1e-12)

        target = max(stack.rest(placed), key=ratio)
        order.append(_needed(stack, target, placed)[0])
        placed |= 1 << order[-1]
    return tuple(order)


def _needed(stack: Stack, target: int, placed: int) -> list[int]:
    """The position and all positions that must be placed before it, in today's order."""
    needed = 1 << target
    for position in range(target, -1, -1):
        if needed >> position & 1:
            needed |= stack.below[position]
    return [at for at in range(target + 1) if needed >> at & 1 and not placed >> at & 1]


def _with_moves(
    stack: Stack, order: Order, sizes: Sequence[float], rates: Sequence[float]
) -> Order:
    """The order after single positions were moved as long as that pulls less."""
    best, cost = order, expected_bytes(order, sizes, rates)
    changed = True
    while changed:
        changed = False
        for start in range(len(best)):
            for end in range(len(best)):
                positions = list(best)
                positions.insert(end, positions.pop(start))
                tried = tuple(positions)
                if tried != best and stack.allows(tried):
                    tried_cost = expected_bytes(tried, sizes, rates)
                    if tried_cost < cost - 1e-9:
                        best, cost, changed = tried, tried_cost, True
    return best
