"""A prefix tree of the chains of many stacks: what adding or removing one stack costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dedupe.reorder.stack import Order, Stack

#: chains that one search for the best order looks at: bounds its time in a tree with many branches
_MOST_CHAINS = 2000


@dataclass(slots=True)
class _Chain:
    """A layer on its parent, and the number of stacks that have it there."""

    stacks: int = 0
    children: dict[int, _Chain] = field(default_factory=dict)


class Trie:
    """The chains of many stacks, each kept once."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._root = _Chain()
        #: bytes of all chains
        self.total_bytes = 0

    def add(self, layers: Sequence[int]) -> None:
        """Add a stack with these layers, the lowest first."""
        chain = self._root
        for layer in layers:
            child = chain.children.get(layer)
            if child is None:
                child = chain.children[layer] = _Chain()
                self.total_bytes += self._sizes[layer]
            child.stacks += 1
            chain = child

    def remove(self, layers: Sequence[int]) -> None:
        """Remove a stack that was added before."""
        chain = self._root
        for place, layer in enumerate(layers):
            child = chain.children[layer]
            child.stacks -= 1
            if child.stacks == 0:
                # all chains above belong to this stack alone too
                del chain.children[layer]
                self.total_bytes -= sum(self._sizes[each] for each in layers[place:])
                return
            chain = child

    def cost(self, layers: Sequence[int]) -> int:
        """Bytes that adding a stack with these layers would add."""
        chain = self._root
        for place, layer in enumerate(layers):
            child = chain.children.get(layer)
            if child is None:
                return sum(self._sizes[each] for each in layers[place:])
            chain = child
        return 0

    def best_order(self, stack: Stack) -> Order:
        """The order of the stack that shares most bytes with the chains in the tree.

        In a tree with many branches it is the best of the first ``_MOST_CHAINS`` chains.
        """
        best: tuple[int, Order, int] = (0, (), 0)
        looked = 0
        todo: list[tuple[_Chain, Order, int, int]] = [(self._root, (), 0, 0)]
        while todo and looked < _MOST_CHAINS:
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
