"""What an order of layers may be, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

#: positions of today's stack, lowest first
Order = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """The layers of one image as they lie today, and which must stay below which."""

    #: number of the layer at each position, 0 = base; a layer may occur twice
    layers: tuple[int, ...]
    #: for each position, the positions that must lie below it, as bits
    below: tuple[int, ...]

    @property
    def today(self) -> Order:
        """The order as it is."""
        return tuple(range(len(self.layers)))

    def ready(self, placed: int) -> Iterator[int]:
        """Positions that may come next over those placed, as bits; of equal layers the lowest."""
        seen = set()
        for position, layer in enumerate(self.layers):
            if placed >> position & 1 or self.below[position] & ~placed or layer in seen:
                continue
            seen.add(layer)
            yield position

    def allows(self, order: Order) -> bool:
        """Whether it is an order of all positions that keeps what must stay below."""
        placed = 0
        for position in order:
            if placed >> position & 1 or self.below[position] & ~placed:
                return False
            placed |= 1 << position
        return placed == (1 << len(self.layers)) - 1

    def rest(self, placed: int) -> Order:
        """The positions not placed yet, in today's order."""
        return tuple(at for at in range(len(self.layers)) if not placed >> at & 1)

    def arranged(self, order: Order) -> tuple[int, ...]:
        """Numbers of the layers in an order."""
        return tuple(self.layers[position] for position in order)


def stack_of(layers: Sequence[int], pairs: Iterable[tuple[int, int]]) -> Stack:
    """A stack from (lower position, upper position) that must stay so."""
    below = [0] * len(layers)
    for lower, upper in pairs:
        below[upper] |= 1 << lower
    return Stack(tuple(layers), tuple(below))


def fixed(layers: Sequence[int]) -> Stack:
    """A stack that only has the order of today."""
    return Stack(tuple(layers), tuple((1 << position) - 1 for position in range(len(layers))))


def unpacked_bytes(stacks: Sequence[Stack], orders: Sequence[Order], sizes: Sequence[int]) -> int:
    """Bytes of all layers in their place, each chain once."""
    chains: dict[tuple[int, int], int] = {}
    total = 0
    for stack, order in zip(stacks, orders, strict=True):
        parent = 0
        for layer in stack.arranged(order):
            chain = chains.get((parent, layer))
            if chain is None:
                chain = chains[parent, layer] = len(chains) + 1
                total += sizes[layer]
            parent = chain
    return total
