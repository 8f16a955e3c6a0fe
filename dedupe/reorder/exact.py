"""The best plan for a few stacks, by trying all that could be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from dedupe.reorder.problem import Order, Stack

#: (stack, positions placed as bits), of all stacks that share all chains so far
_State = tuple[tuple[int, int], ...]
_Plan = tuple[int, dict[int, Order]]


class TooLargeError(Exception):
    """More states than were allowed."""


def exact_orders(
    stacks: Sequence[Stack], sizes: Sequence[int], most_states: int = 100_000
) -> list[Order]:
    """Orders of least unpacked bytes, one a stack.

    Grows with the subsets of stacks and the orders of layers: for about eight stacks of six
    layers. Raises TooLargeError beyond ``most_states``.
    """
    _, orders = _Search(stacks, sizes, most_states).best(
        tuple((number, 0) for number in range(len(stacks)))
    )
    return [orders[number] for number in range(len(stacks))]


class _Search:
    """One search, with what it has found out."""

    def __init__(self, stacks: Sequence[Stack], sizes: Sequence[int], most_states: int) -> None:
        self._stacks = stacks
        self._sizes = sizes
        self._most_states = most_states
        self._known: dict[_State, _Plan] = {}

    def best(self, state: _State) -> _Plan:
        """Least bytes of what is not placed yet, and the orders of that."""
        if not self._sharing(state):
            orders = {number: self._stacks[number].rest(placed) for number, placed in state}
            return sum(self._weight(number, orders[number]) for number in orders), orders
        found = self._known.get(state)
        if found is None:
            if len(self._known) >= self._most_states:
                raise TooLargeError
            found = self._known[state] = min(self._choices(state), key=lambda plan: plan[0])
        return found

    def _choices(self, state: _State) -> Iterator[_Plan]:
        """Every next layer of the first stack, with every set of others that go along."""
        # one that has something left: some two do, as they share it
        first, placed = next(each for each in state if self._stacks[each[0]].rest(each[1]))
        others = [each for each in state if each[0] != first]
        for position in self._stacks[first].ready(placed):
            layer = self._stacks[first].layers[position]
            nexts = {first: position} | {
                number: at
                for number, bits in others
                for at in self._stacks[number].ready(bits)
                if self._stacks[number].layers[at] == layer
            }
            able = [number for number in nexts if number != first]
            for count in range(len(able), -1, -1):
                for along in combinations(able, count):
                    going = {first, *along}
                    up = tuple(
                        (number, bits | 1 << nexts[number])
                        for number, bits in state
                        if number in going
                    )
                    stay = tuple(each for each in state if each[0] not in going)
                    up_bytes, up_orders = self.best(up)
                    stay_bytes, stay_orders = self.best(stay) if stay else (0, {})
                    orders = {number: (nexts[number], *up_orders[number]) for number in going}
                    yield self._sizes[layer] + up_bytes + stay_bytes, orders | stay_orders

    def _sharing(self, state: _State) -> bool:
        """Whether two of the stacks have a layer in common that neither has placed."""
        seen: set[int] = set()
        for number, placed in state:
            own = {self._stacks[number].layers[at] for at in self._stacks[number].rest(placed)}
            if own & seen:
                return True
            seen |= own
        return False

    def _weight(self, number: int, positions: Order) -> int:
        return sum(self._sizes[self._stacks[number].layers[at]] for at in positions)
