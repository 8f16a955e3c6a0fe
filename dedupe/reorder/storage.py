"""The plan that stores least: greedy, then improved, exact where that is small enough."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from time import monotonic

from dedupe.reorder.exact import TooLargeError, exact_orders
from dedupe.reorder.greedy import greedy_orders
from dedupe.reorder.problem import Order, Stack, unpacked_bytes
from dedupe.reorder.trie import Trie

#: stacks and layers of a component that is solved exactly, and the states that this may take
EXACT_STACKS, EXACT_LAYERS, EXACT_STATES = 6, 8, 3_000
#: stacks that are taken out together and put back in another way
RUIN_STACKS = 12
#: tries without any gain after which the search has settled
SETTLED_TRIES = 200


def storage_orders(
    stacks: Sequence[Stack],
    sizes: Sequence[int],
    budget_seconds: float = 0,
    clock: Callable[[], float] = monotonic,
) -> list[Order]:
    """One order a stack, together of few unpacked bytes and never of more than today's.

    Stacks without a layer in common cannot share, so each component is planned by itself. Within
    the budget a plan is improved until it settles; without any it is the greedy one, improved
    once. The same stacks give the same plan where the budget does not cut it short.
    """
    deadline = clock() + budget_seconds
    orders = [stack.today for stack in stacks]
    # the largest first: there most is won before the budget ends
    parts = sorted(
        _components(stacks),
        key=lambda part: -sum(sizes[layer] for each in part for layer in stacks[each].layers),
    )
    for part in parts:
        own = [stacks[number] for number in part]
        for number, order in zip(part, _component_orders(own, sizes, deadline, clock), strict=True):
            orders[number] = order
    return orders


def _component_orders(
    stacks: Sequence[Stack],
    sizes: Sequence[int],
    deadline: float,
    clock: Callable[[], float],
) -> list[Order]:
    today = [stack.today for stack in stacks]
    if len(stacks) == 1:
        return today
    plans = [today, *(greedy_orders(stacks, sizes, ahead=ahead) for ahead in (False, True))]
    if len(stacks) <= EXACT_STACKS and max(len(each.layers) for each in stacks) <= EXACT_LAYERS:
        try:
            plans.append(exact_orders(stacks, sizes, EXACT_STATES))
        except TooLargeError:
            plans = [_improved(stacks, plan, sizes, deadline, clock) for plan in plans]
    else:
        plans = [_improved(stacks, plan, sizes, deadline, clock) for plan in plans]
    best = min(plans, key=lambda plan: unpacked_bytes(stacks, plan, sizes))
    return _settled(stacks, best, sizes)


def _components(stacks: Sequence[Stack]) -> list[list[int]]:
    """Numbers of stacks that layers join, directly or through others."""
    first: dict[int, int] = {}
    parent = list(range(len(stacks)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for number, stack in enumerate(stacks):
        for layer in stack.layers:
            parent[root(first.setdefault(layer, number))] = root(number)
    parts: dict[int, list[int]] = defaultdict(list)
    for number in range(len(stacks)):
        parts[root(number)].append(number)
    return list(parts.values())


def _improved(
    stacks: Sequence[Stack],
    orders: Sequence[Order],
    sizes: Sequence[int],
    deadline: float,
    clock: Callable[[], float],
) -> list[Order]:
    """The plan after every stack was put where it shares most, and groups were planned anew."""
    search = _Search(stacks, orders, sizes)
    search.sweep()
    holders = defaultdict(list)
    for number, stack in enumerate(stacks):
        for layer in set(stack.layers):
            holders[layer].append(number)
    shared = sorted(layer for layer, held in holders.items() if len(held) > 1 and sizes[layer])
    chance = random.Random(len(stacks))  # noqa: S311 - a search, no secret
    idle = 0
    while shared and idle < SETTLED_TRIES and clock() < deadline:
        held = holders[chance.choices(shared, weights=[sizes[layer] for layer in shared])[0]]
        ruined = chance.sample(held, min(len(held), chance.randint(1, RUIN_STACKS)))
        idle = 0 if search.ruin(ruined) else idle + 1
    return search.orders


def _settled(stacks: Sequence[Stack], orders: Sequence[Order], sizes: Sequence[int]) -> list[Order]:
    """The same bytes with as many stacks as can be left as they are today."""
    search = _Search(stacks, orders, sizes)
    for number, stack in enumerate(stacks):
        search.move(number, stack.today)
    return search.orders


class _Search:
    """A plan that is changed stack by stack and never gets worse."""

    def __init__(
        self, stacks: Sequence[Stack], orders: Sequence[Order], sizes: Sequence[int]
    ) -> None:
        self._stacks = stacks
        self._sizes = sizes
        self.orders = list(orders)
        self._trie = Trie(sizes)
        for stack, order in zip(stacks, orders, strict=True):
            self._trie.add(stack.arranged(order))

    def move(self, number: int, order: Order) -> None:
        """Give a stack this order if that costs nothing."""
        self._trie.remove(self._now(number))
        if self._cost(number, order) <= self._cost(number, self.orders[number]):
            self.orders[number] = order
        self._trie.add(self._now(number))

    def sweep(self) -> None:
        """Put each stack where it shares most, until none moves."""
        before = self._trie.total + 1
        while self._trie.total < before:
            before = self._trie.total
            for number, stack in enumerate(self._stacks):
                self._trie.remove(self._now(number))
                order = self._trie.best_order(stack)
                if self._cost(number, order) < self._cost(number, self.orders[number]):
                    self.orders[number] = order
                self._trie.add(self._now(number))

    def ruin(self, numbers: Sequence[int]) -> bool:
        """Plan these stacks anew together, one after the other; whether that stores less."""
        before = self._trie.total
        kept = {number: self.orders[number] for number in numbers}
        for number in numbers:
            self._trie.remove(self._now(number))
        fresh = greedy_orders([self._stacks[number] for number in numbers], self._sizes)
        for number, order in zip(numbers, fresh, strict=True):
            there = self._trie.best_order(self._stacks[number])
            self.orders[number] = min((there, order), key=lambda each: self._cost(number, each))
            self._trie.add(self._now(number))
        if self._trie.total < before:
            return True
        for number in numbers:
            self._trie.remove(self._now(number))
        for number in numbers:
            self.orders[number] = kept[number]
            self._trie.add(self._now(number))
        return False

    def _now(self, number: int) -> tuple[int, ...]:
        return self._stacks[number].arranged(self.orders[number])

    def _cost(self, number: int, order: Order) -> int:
        return self._trie.cost(self._stacks[number].arranged(order))
