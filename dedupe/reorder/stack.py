"""The layers of one image, the orders that they may have, and what the orders cost.

- A *layer* is a number here; images that have the same layer use the same number. The size of a
  layer is looked up by its number.
- A *position* is the index of a layer in the image as it is today, 0 = base.
- A *stack* is the layers of one image, with the pairs of positions that must keep their order.
- An *order* lists today's positions in the new order, the lowest first.
- *Placed* positions are a set, as bits: the positions that a search has already put at the bottom
  of the new order.
- A *chain* is the lowest layers of a stack in an order. Stores keep one copy of a layer per chain
  that it ends, so two images share a layer only if all layers below it are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

#: today's positions in the new order, the lowest first
Order = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """The layers of one image in today's order, and which of them must stay below which."""

    #: number of the layer at each position, 0 = base; a layer may occur twice
    layers: tuple[int, ...]
    #: for each position, the positions that must be below it, as bits
    below: tuple[int, ...]

    @property
    def today(self) -> Order:
        """Today's order."""
        return tuple(range(len(self.layers)))

    def ready(self, placed: int) -> Iterator[int]:
        """Positions that may come next after those placed.

        If the same layer is at several positions, only the lowest is given.
        """
        seen = set()
        for position, layer in enumerate(self.layers):
            if placed >> position & 1 or self.below[position] & ~placed or layer in seen:
                continue
            seen.add(layer)
            yield position

    def allows(self, order: Order) -> bool:
        """Whether the order has every position once and keeps all constrained pairs in order."""
        placed = 0
        for position in order:
            if placed >> position & 1 or self.below[position] & ~placed:
                return False
            placed |= 1 << position
        return placed == (1 << len(self.layers)) - 1

    def rest(self, placed: int) -> Order:
        """The positions that are not placed yet, in today's order."""
        return tuple(at for at in range(len(self.layers)) if not placed >> at & 1)

    def layers_in(self, order: Order) -> tuple[int, ...]:
        """Numbers of the layers in this order, the lowest first."""
        return tuple(self.layers[position] for position in order)


def stack_of(layers: Sequence[int], pairs: Iterable[tuple[int, int]]) -> Stack:
    """A stack with pairs (lower position, upper position) that must keep their order."""
    below = [0] * len(layers)
    for lower, upper in pairs:
        below[upper] |= 1 << lower
    return Stack(tuple(layers), tuple(below))


def fixed_stack(layers: Sequence[int]) -> Stack:
    """A stack that allows today's order only."""
    return Stack(tuple(layers), tuple((1 << position) - 1 for position in range(len(layers))))


def unpacked_bytes(stacks: Sequence[Stack], orders: Sequence[Order], sizes: Sequence[int]) -> int:
    """Bytes of the layers of all stacks in these orders, each chain counted once."""
    chains: dict[tuple[int, int], int] = {}
    total = 0
    for stack, order in zip(stacks, orders, strict=True):
        parent = 0
        for layer in stack.layers_in(order):
            chain = chains.get((parent, layer))
            if chain is None:
                chain = chains[parent, layer] = len(chains) + 1
                total += sizes[layer]
            parent = chain
    return total
