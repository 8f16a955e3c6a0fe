"""The order that pulls least: what changes often goes up, what is large goes down."""

from __future__ import annotations

from collections.abc import Sequence

from dedupe.reorder.problem import Order, Stack

#: layers of a stack up to which the best order is found for certain
EXACT_LAYERS = 15


def expected_bytes(order: Order, sizes: Sequence[float], rates: Sequence[float]) -> float:
    """Bytes that a release is expected to rebuild and pull again.

    A layer is made anew when it, or any below it, changes. ``sizes`` and ``rates`` are by
    position of today; a rate is the chance that a release changes the layer itself.
    """
    unchanged, total = 1.0, 0.0
    for position in order:
        unchanged *= 1 - rates[position]
        total += sizes[position] * (1 - unchanged)
    return total


def pull_order(stack: Stack, sizes: Sequence[float], rates: Sequence[float]) -> Order:
    """The order of least expected bytes; today's where none is better.

    Two neighbours a below b stand right where size times (1 - rate) / rate of a is not the smaller
    (Smith's rule, as jobs on one machine). Under constraints the best order of up to 15 layers is
    found over all sets that can lie at the bottom, 2^n at the most; of more, by the rule over
    whole chains of layers that wait for each other, then by moving single layers.
    """
    if len(stack.layers) <= EXACT_LAYERS:
        order = _exact(stack, sizes, rates)
    else:
        order = _moved(stack, _by_ratio(stack, sizes, rates), sizes, rates)
    better = expected_bytes(order, sizes, rates) < expected_bytes(stack.today, sizes, rates) - 0.5
    return order if better else stack.today


def _exact(stack: Stack, sizes: Sequence[float], rates: Sequence[float]) -> Order:
    """Best order by dynamic programming over the sets of positions that may lie at the bottom."""
    count = len(stack.layers)
    unchanged: dict[int, float] = {0: 1.0}
    value: dict[int, float] = {0: 0.0}
    last: dict[int, int] = {}
    frontier = {0}
    for _ in range(count):
        grown = set()
        for placed in sorted(frontier):
            for position in range(count):
                if placed >> position & 1 or stack.below[position] & ~placed:
                    continue
                up = placed | 1 << position
                chance = unchanged[placed] * (1 - rates[position])
                kept = value[placed] + sizes[position] * chance
                if up not in value or kept > value[up]:
                    value[up], unchanged[up], last[up] = kept, chance, position
                grown.add(up)
        frontier = grown
    order: list[int] = []
    placed = (1 << count) - 1
    while placed:
        order.append(last[placed])
        placed &= ~(1 << last[placed])
    return tuple(reversed(order))


def _by_ratio(stack: Stack, sizes: Sequence[float], rates: Sequence[float]) -> Order:
    """List scheduling: next comes the position at the start of the best chain.

    A chain's worth is the best ratio that it, with what must come before, reaches.
    """
    placed = 0
    order: list[int] = []
    while len(order) < len(stack.layers):

        def ratio(target: int, placed: int = placed) -> float:
            kept, unchanged = 0.0, 1.0
            for position in _needed(stack, target, placed):
                unchanged *= 1 - rates[position]
                kept += sizes[position] * unchanged
            return kept / max(1 - unchanged, 1e-12)

        target = max(stack.rest(placed), key=ratio)
        order.append(_needed(stack, target, placed)[0])
        placed |= 1 << order[-1]
    return tuple(order)


def _needed(stack: Stack, target: int, placed: int) -> list[int]:
    """The position and all that must be placed before it, in today's order."""
    needed = 1 << target
    for position in range(target, -1, -1):
        if needed >> position & 1:
            needed |= stack.below[position]
    return [at for at in range(target + 1) if needed >> at & 1 and not placed >> at & 1]


def _moved(stack: Stack, order: Order, sizes: Sequence[float], rates: Sequence[float]) -> Order:
    """The order after moving single positions as long as that pulls less."""
    best, cost = order, expected_bytes(order, sizes, rates)
    moving = True
    while moving:
        moving = False
        for start in range(len(best)):
            for end in range(len(best)):
                moved = list(best)
                moved.insert(end, moved.pop(start))
                tried = tuple(moved)
                if tried != best and stack.allows(tried):
                    tried_cost = expected_bytes(tried, sizes, rates)
                    if tried_cost < cost - 1e-9:
                        best, cost, moving = tried, tried_cost, True
    return best
