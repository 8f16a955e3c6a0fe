"""The plan that stores least: greedy, then improved; exact if the store is small enough.

Stacks that have no layer in common, directly or through other stacks, cannot share anything. Such
*components* are planned apart, the largest first. A component that stores every layer once keeps
today's orders. For each other component:

1. Start with three plans: today's orders and two greedy plans (see ``greedy``).
2. A component of at most ``EXACT_STACKS`` stacks of at most ``EXACT_LAYERS`` layers is solved
   exactly (see ``exact``), unless that takes too many states.
3. Otherwise each plan is improved. *Sweep*: give each stack the order that shares most with the
   others, until no stack changes. *Replan*: take some stacks that share a layer out, plan them
   anew, and keep the result if it stores less. Replanning stops after ``SETTLED_TRIES`` tries
   without a saving, or at the deadline.
4. Take the plan that stores least. Give every stack today's order back if that costs nothing, so
   that no image changes without a reason.

No step makes a plan worse, and today's orders are among the plans of step 1: the result never
stores more than today. The random choices have a fixed seed, so the same stacks give the same plan
unless the deadline cuts the search short.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import accumulate
from time import monotonic

from dedupe.reorder.exact import TooLargeError, exact_orders
from dedupe.reorder.greedy import greedy_orders
from dedupe.reorder.stack import Order, Stack, unpacked_bytes
from dedupe.reorder.trie import Trie

#: the largest component that is solved exactly, and the states that this may take: both bound the
#: time, which grows with the subsets of stacks
EXACT_STACKS, EXACT_LAYERS, EXACT_STATES = 6, 8, 3_000
#: most stacks that are planned anew together
REPLANNED_STACKS = 12
#: tries without a saving after which the search ends
SETTLED_TRIES = 200


def storage_orders(
    stacks: Sequence[Stack],
    sizes: Sequence[int],
    budget_seconds: float = 0,
    clock: Callable[[], float] = monotonic,
) -> list[Order]:
    """One order per stack; together they store few unpacked bytes, and never more than today.

    Without a budget, plans are swept but not replanned.
    """
    deadline = clock() + budget_seconds
    orders = [stack.today for stack in stacks]
    # the largest first: it can save most before the budget ends
    components = sorted(
        _components(stacks),
        key=lambda part: -sum(sizes[layer] for each in part for layer in stacks[each].layers),
    )
    for numbers in components:
        own = [stacks[number] for number in numbers]
        planned = _component_orders(own, sizes, deadline, clock)
        for number, order in zip(numbers, planned, strict=True):
            orders[number] = order
    return orders


def _component_orders(
    stacks: Sequence[Stack],
    sizes: Sequence[int],
    deadline: float,
    clock: Callable[[], float],
) -> list[Order]:
    """The orders of one component: phases 1 to 4."""
    today = [stack.today for stack in stacks]
    if len(stacks) == 1 or _is_least(stacks, sizes):
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
    return _with_fewest_changes(stacks, best, sizes)


def _is_least(stacks: Sequence[Stack], sizes: Sequence[int]) -> bool:
    """Whether today's orders store every layer once: no order stores less."""
    places: dict[int, int] = {}
    chains: dict[tuple[int, int], int] = {}
    for stack in stacks:
        parent = 0
        for layer in stack.layers:
            parent = chains.setdefault((parent, layer), len(chains) + 1)
            if places.setdefault(layer, parent) != parent and sizes[layer]:
                return False
    return True


def _components(stacks: Sequence[Stack]) -> list[list[int]]:
    """Numbers of the stacks of each component, by a union-find over their layers."""
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
    components: dict[int, list[int]] = defaultdict(list)
    for number in range(len(stacks)):
        components[root(number)].append(number)
    return list(components.values())


def _improved(
    stacks: Sequence[Stack],
    orders: Sequence[Order],
    sizes: Sequence[int],
    deadline: float,
    clock: Callable[[], float],
) -> list[Order]:
    """The plan after phase 3."""
    plan = _EditablePlan(stacks, orders, sizes)
    plan.sweep()
    holders = defaultdict(list)
    for number, stack in enumerate(stacks):
        for layer in set(stack.layers):
            holders[layer].append(number)
    shared = sorted(layer for layer, have in holders.items() if len(have) > 1 and sizes[layer])
    weights = list(accumulate(sizes[layer] for layer in shared))
    chance = random.Random(len(stacks))  # noqa: S311 - a search, not a secret
    idle = 0
    while shared and idle < SETTLED_TRIES and clock() < deadline:
        have = holders[chance.choices(shared, cum_weights=weights)[0]]
        numbers = chance.sample(have, min(len(have), chance.randint(1, REPLANNED_STACKS)))
        idle = 0 if plan.replan(numbers) else idle + 1
    return plan.orders


def _with_fewest_changes(
    stacks: Sequence[Stack], orders: Sequence[Order], sizes: Sequence[int]
) -> list[Order]:
    """A plan that stores the same bytes, with today's order for every stack that can keep it."""
    plan = _EditablePlan(stacks, orders, sizes)
    for number, stack in enumerate(stacks):
        plan.reset(number, stack.today)
    return plan.orders


class _EditablePlan:
    """A plan that is changed stack by stack and never stores more than before."""

    def __init__(
        self, stacks: Sequence[Stack], orders: Sequence[Order], sizes: Sequence[int]
    ) -> None:
        self._stacks = stacks
        self._sizes = sizes
        self.orders = list(orders)
        self._trie = Trie(sizes)
        for number in range(len(stacks)):
            self._add(number)

    def reset(self, number: int, order: Order) -> None:
        """Give a stack this order if that costs nothing."""
        self._remove(number)
        if self._cost(number, order) <= self._cost(number, self.orders[number]):
            self.orders[number] = order
        self._add(number)

    def sweep(self) -> None:
        """Give each stack the order that shares most with the others, until no stack changes."""
        before = self._trie.total_bytes + 1
        while self._trie.total_bytes < before:
            before = self._trie.total_bytes
            for number, stack in enumerate(self._stacks):
                self._remove(number)
                order = self._trie.best_order(stack)
                if self._cost(number, order) < self._cost(number, self.orders[number]):
                    self.orders[number] = order
                self._add(number)

    def replan(self, numbers: Sequence[int]) -> bool:
        """Plan these stacks anew, one after the other; undo it if that saves nothing.

        Returns whether it saved something.
        """
        before = self._trie.total_bytes
        old = {number: self.orders[number] for number in numbers}
        for number in numbers:
            self._remove(number)
        fresh = greedy_orders([self._stacks[number] for number in numbers], self._sizes)
        for number, order in zip(numbers, fresh, strict=True):
            fitting = self._trie.best_order(self._stacks[number])
            self.orders[number] = min((fitting, order), key=lambda each: self._cost(number, each))
            self._add(number)
        if self._trie.total_bytes < before:
            return True
        for number in numbers:
            self._remove(number)
        for number in numbers:
            self.orders[number] = old[number]
            self._add(number)
        return False

    def _add(self, number: int) -> None:
        self._trie.add(self._stacks[number].layers_in(self.orders[number]))

    def _remove(self, number: int) -> None:
        self._trie.remove(self._stacks[number].layers_in(self.orders[number]))

    def _cost(self, number: int, order: Order) -> int:
        return self._trie.cost(self._stacks[number].layers_in(order))
