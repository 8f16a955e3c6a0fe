"""Stacks as a tree of chains: what adding or taking one away costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dedupe.reorder.problem import Order, Stack


@dataclass(slots=True)
class _Chain:
    """A layer in its place, and how many stacks run through it."""

    stacks: int = 0
    children: dict[int, _Chain] = field(default_factory=dict)


class Trie:
    """Chains of many stacks, each once."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._root = _Chain()
        #: bytes of all chains
        self.total = 0

    def add(self, layers: Sequence[int]) -> None:
        """Let a stack run through these layers, lowest first."""
        chain = self._root
        for layer in layers:
            child = chain.children.get(layer)
            if child is None:
                child = chain.children[layer] = _Chain()
                self.total += self._sizes[layer]
            child.stacks += 1
            chain = child

    def remove(self, layers: Sequence[int]) -> None:
        """Take a stack away again."""
        chain = self._root
        for place, layer in enumerate(layers):
            child = chain.children[layer]
            child.stacks -= 1
            if child.stacks == 0:
                # nothing above it is left either
                del chain.children[layer]
                self.total -= sum(self._sizes[each] for each in layers[place:])
                return
            chain = child

    def cost(self, layers: Sequence[int]) -> int:
        """Bytes that adding these layers would add."""
        chain = self._root
        for place, layer in enumerate(layers):
            child = chain.children.get(layer)
            if child is None:
                return sum(self._sizes[each] for each in layers[place:])
            chain = child
        return 0

    def best_order(self, stack: Stack, limit: int = 2000) -> Order:
        """An order of the stack that shares most bytes with the chains that are there.

        ``limit`` bounds the chains that are looked at: with many ways through, the best of these.
        """
        best: tuple[int, Order, int] = (0, (), 0)
        looked = 0
        todo: list[tuple[_Chain, Order, int, int]] = [(self._root, (), 0, 0)]
        while todo and looked < limit:
            chain, order, placed, shared = todo.pop()
            looked += 1
            if shared > best[0]:
                best = (shared, order, placed)
            for position in stack.ready(placed):
                child = chain.children.get(stack.layers[position])
                if child is not None:
                    size = self._sizes[stack.layers[position]]
                    todo.append((child, (*order, position), placed | 1 << position, shared + size))
        _, order, placed = best
        return order + stack.rest(placed)
