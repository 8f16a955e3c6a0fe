"""The plan that stores least for a few stacks, found by trying every plan.

A *state* is a group of stacks that have the same chain so far, and what each of them has placed.
The next layer of the group's first stack is placed in that stack, and in any subset of the other
stacks that can place the same layer next. The stacks of that subset stay one group; the others form
a second group. Both are solved on their own, and the solution of a state is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from dedupe.reorder.stack import Order, Stack

#: (stack, its placed positions as bits) for each stack of a group with the same chain so far
_State = tuple[tuple[int, int], ...]
#: bytes, and for each stack the positions to place next, the lowest first
_Solution = tuple[int, dict[int, Order]]


class TooLargeError(Exception):
    """The error for stacks that need more states than allowed."""


def exact_orders(
    stacks: Sequence[Stack], sizes: Sequence[int], most_states: int = 100_000
) -> list[Order]:
    """One order per stack; together they have the least unpacked bytes.

    The work grows with the number of subsets of stacks and of orders of layers, so this is for
    about eight stacks of six layers. Raises TooLargeError if it needs more than ``most_states``.
    """
    _, orders = _ExactSearch(stacks, sizes, most_states).best(
        tuple((number, 0) for number in range(len(stacks)))
    )
    return [orders[number] for number in range(len(stacks))]


class _ExactSearch:
    """One search, and the states that it has solved."""

    def __init__(self, stacks: Sequence[Stack], sizes: Sequence[int], most_states: int) -> None:
        self._stacks = stacks
        self._sizes = sizes
        self._most_states = most_states
        self._solved: dict[_State, _Solution] = {}

    def best(self, state: _State) -> _Solution:
        """The least bytes of the positions that are not placed yet, and their orders."""
        if not self._can_share(state):
            orders = {number: self._stacks[number].rest(placed) for number, placed in state}
            return sum(self._size_bytes(number, orders[number]) for number in orders), orders
        found = self._solved.get(state)
        if found is None:
            if len(self._solved) >= self._most_states:
                raise TooLargeError
            found = self._solved[state] = min(self._solutions(state), key=lambda each: each[0])
        return found

    def _solutions(self, state: _State) -> Iterator[_Solution]:
        """The best solution for each next layer of the first stack and each group that takes it."""
        # one exists, because two stacks still share a layer that neither has placed
        first, placed = next(each for each in state if self._stacks[each[0]].rest(each[1]))
        for position in self._stacks[first].ready(placed):
            layer = self._stacks[first].layers[position]
            others = {
                number: at
                for number, bits in state
                if number != first
                for at in self._stacks[number].ready(bits)
                if self._stacks[number].layers[at] == layer
            }
            for count in range(len(others), -1, -1):
                for joining in combinations(others, count):
                    group = {first: position} | {number: others[number] for number in joining}
                    yield self._placed(state, layer, group)

    def _placed(self, state: _State, layer: int, group: dict[int, int]) -> _Solution:
        """The best solution if exactly these stacks (number -> position) place the layer next."""
        above = tuple(
            (number, bits | 1 << group[number]) for number, bits in state if number in group
        )
        apart = tuple(each for each in state if each[0] not in group)
        above_bytes, above_orders = self.best(above)
        apart_bytes, apart_orders = self.best(apart) if apart else (0, {})
        orders = {number: (group[number], *above_orders[number]) for number in group}
        return self._sizes[layer] + above_bytes + apart_bytes, orders | apart_orders

    def _can_share(self, state: _State) -> bool:
        """Whether two of the stacks have a layer in common that neither has placed."""
        seen: set[int] = set()
        for number, placed in state:
            own = {self._stacks[number].layers[at] for at in self._stacks[number].rest(placed)}
            if own & seen:
                return True
            seen |= own
        return False

    def _size_bytes(self, number: int, positions: Order) -> int:
        return sum(self._sizes[self._stacks[number].layers[at]] for at in positions)
