"""What the orders of a plan do to each image."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dedupe.analysis.reorder.input import Conflicts, ImageLayers, ReorderInput, conflicting_pairs
from dedupe.analysis.reorder.plans import Constraint, PlacedLayer, Proposal, UnprovenLayer
from dedupe.reorder.stack import Order, Stack

#: chain of layers, the lowest first -> number of images that have it
_ImagesByChain = Mapping[tuple[int, ...], int]


class ProposalBuilder:
    """Today's orders and the proposed orders of all images, to describe images one by one.

    ``stacks`` number the layers: for layer orders as ``given.stacks`` do; for step orders, layers
    of the same class have the same number.
    """

    def __init__(
        self, given: ReorderInput, stacks: Sequence[Stack], orders: Sequence[Order]
    ) -> None:
        self._given = given
        self._stacks = stacks
        self._orders = orders
        self._today = _images_by_chain(stacks, [stack.today for stack in stacks])
        self._proposed = _images_by_chain(stacks, orders)

    def build(self, number: int, saves_bytes: int = 0, saves_alone_bytes: int = 0) -> Proposal:
        """The proposal for one image, without a proof."""
        stack, order = self._stacks[number], self._orders[number]
        layers = self._given.images[number]
        rates = self._given.rates_of(number)
        return Proposal(
            image_id=layers[0]["image_id"],
            name=layers[0]["name"],
            names=layers[0]["names"],
            base=layers[0]["base"],
            base_layers=layers[0]["base_layers"],
            stack=stack,
            order=order,
            layers=self._layers(stack, order, layers, rates),
            constraints=tuple(constraints_of(layers, self._given.conflicts)),
            saves_bytes=saves_bytes,
            saves_alone_bytes=saves_alone_bytes,
            pull_today=self._given.pull_bytes(number, stack.today) if rates else None,
            pull_proposed=self._given.pull_bytes(number, order) if rates else None,
        )

    def _layers(
        self, stack: Stack, order: Order, layers: ImageLayers, rates: Sequence[float] | None
    ) -> tuple[PlacedLayer, ...]:
        places = {position: place for place, position in enumerate(order)}
        proposed = stack.layers_in(order)
        return tuple(
            PlacedLayer(
                position=position,
                proposed=places[position],
                diff_id=row["diff_id"],
                created_by=row["created_by"],
                content_bytes=row["content_bytes"],
                pull_bytes=row["pull_bytes"],
                rate=rates[position] if rates else None,
                images_today=self._today[stack.layers[: position + 1]],
                images_proposed=self._proposed[proposed[: places[position] + 1]],
                step_class=row["step_class"],
            )
            for position, row in enumerate(layers)
        )


def _images_by_chain(stacks: Sequence[Stack], orders: Sequence[Order]) -> _ImagesByChain:
    return Counter(
        chain[: length + 1]
        for stack, order in zip(stacks, orders, strict=True)
        for chain in (stack.layers_in(order),)
        for length in range(len(chain))
    )


def constraints_of(layers: ImageLayers, conflicts: Conflicts) -> Iterable[Constraint]:
    """The pairs of an image's layers that must keep their order."""
    for lower, upper in conflicting_pairs(layers, conflicts):
        row = conflicts[layers[lower]["layer"], layers[upper]["layer"]]
        yield Constraint(
            lower, upper, row["rule"], row["lower_path"], row["upper_path"], row["paths"]
        )


def unproven_layers(given: ReorderInput) -> list[UnprovenLayer]:
    """Layers that keep their places because no other order can be proven equal.

    Images that are incomplete, or that the options leave out, have none: they keep their order in
    any case.
    """
    found: dict[tuple[str, int, str], UnprovenLayer] = {}
    for layers, may_change in zip(given.images, given.may_change, strict=True):
        if not may_change:
            continue
        image = layers[0]
        for each in constraints_of(layers, given.conflicts):
            if not each.unproven:
                continue
            position = each.lower if each.upper_path is None else each.upper
            path = each.lower_path or each.upper_path or ""
            found.setdefault(
                (image["image_id"], position, each.rule),
                UnprovenLayer(
                    image["image_id"], image["name"], position, each.rule, path, each.paths
                ),
            )
    return sorted(found.values(), key=lambda each: (each.name, each.image_id, each.position))
