"""A plan of other orders for existing layers, so that images store or pull less.

Definitions
-----------
- A *stack* is the layers of one image as numbers, with the pairs that must keep their order; an
  *order* lists today's positions in the new order (see ``dedupe.reorder.stack``). ``ReorderInput``
  has the stacks of all images, and a second set of stacks in which no layer moves into or out of an
  image's *base*, the image that it is built on.
- The *stored* bytes of a set of orders, one per image, are the unpacked bytes of the whole store:
  each layer counts once per chain of layers below it.
- The *pulled* bytes of an order are the bytes of one image that a release is expected to pull
  again. They depend on how often each layer changed in the image's tag series. Images without a
  series have none, and keep their order if only pulls count.
- A *proposal* is one image with another order. Its proof shows that both orders have the same
  merged view. A *plan* is all proposals, with the bytes of the whole store before and after.

Phases
------
1. Search. For storage, two searches share the time: one keeps the bases, one may move every layer.
   The second is used only if it stores less, because no build file can move a layer into a base.
   For pulls, each image has a best order of its own, and bases are kept. For both objectives, each
   image takes one of three orders: today's, the one for storage, the one for pulls. One plan is
   made for each of ``_WEIGHTS``; those that no other plan beats in both figures are the *choices*,
   and the one with the fewest stored and pulled bytes together is taken.
2. Describe every image that moves, and what its order saves: the bytes that the plan would store
   more if this image alone kept today's order, and the bytes that its order would save alone.
   Orders depend on each other, so neither figure adds up to what the plan saves.
3. Prove every proposal, unless the options say otherwise. The rules that forbid pairs of layers to
   change places imply that the views are equal; the proof checks that on the merged views
   themselves. Layers for which the rules prove nothing keep their places, and are listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.input import ReorderInput
from dedupe.analysis.reorder.plans import Plan, PlanChoice, Proposal
from dedupe.analysis.reorder.proofs import ReorderQuestions, with_proofs
from dedupe.analysis.reorder.proposals import ProposalBuilder, unproven_layers
from dedupe.analysis.selection import one_image
from dedupe.errors import StoreError
from dedupe.model.choices import Objective
from dedupe.reorder.choices import best_mix, not_worse
from dedupe.reorder.pulls import pull_order
from dedupe.reorder.stack import Order
from dedupe.reorder.storage import storage_orders
from dedupe.reorder.trie import Trie

#: stored bytes that one byte pulled by a release counts for; one plan for both objectives per
#: weight
_WEIGHTS = (1 / 16, 1 / 4, 1.0, 4.0, 16.0)


@dataclass(frozen=True, slots=True)
class _SearchResult:
    """Orders of all images, one per image."""

    orders: list[Order]
    #: the orders that store least of those found that keep the bases; may be ``orders``
    base_kept_orders: list[Order]
    #: what ``orders`` were chosen from, if both objectives count
    choices: list[PlanChoice] = field(default_factory=list)


def plan_layers(questions: ReorderQuestions, given: ReorderInput) -> Plan:
    """The best plan found for the options of the input, with proofs.

    Raises StoreError, as ``one_image``, if the image to explain does not exist.
    """
    options = given.options
    explained = _number_of(questions, given, options.explain) if options.explain else None
    found = _search(given)
    builder = ProposalBuilder(given, given.stacks, found.orders)
    proposals = _proposals(given, found.orders, builder)
    if options.prove:
        proposals = with_proofs(questions, proposals, options.grade)
    return Plan(
        options=options,
        images=len(given.images),
        incomplete_images=sum(not layers[0]["complete"] for layers in given.images),
        images_with_history=sum(layers[0]["image_id"] in given.rates for layers in given.images),
        today_bytes=given.unpacked_bytes(given.today),
        proposed_bytes=given.unpacked_bytes(found.orders),
        least_bytes=sum(given.sizes),
        bases_kept_bytes=given.unpacked_bytes(found.base_kept_orders),
        pull_today=given.total_pull_bytes(given.today),
        pull_proposed=given.total_pull_bytes(found.orders),
        proposals=proposals,
        unproven=unproven_layers(given),
        choices=found.choices,
        explained=None if explained is None else _explained(explained, builder, proposals),
    )


def _search(given: ReorderInput) -> _SearchResult:
    """Phase 1: orders for the objective of the options."""
    match given.options.objective:
        case Objective.PULLS:
            orders = _pull_orders(given)
            return _SearchResult(orders, base_kept_orders=orders)
        case Objective.STORAGE:
            return _storage_orders(given)
        case Objective.BOTH:
            return _orders_for_both(given)


def _storage_orders(given: ReorderInput) -> _SearchResult:
    """Orders that store least."""
    budget = given.options.budget_seconds
    if given.options.keep_bases:
        orders = storage_orders(given.base_kept_stacks, given.sizes, budget)
        return _SearchResult(orders, base_kept_orders=orders)
    base_kept = storage_orders(given.base_kept_stacks, given.sizes, budget / 2)
    free = storage_orders(given.stacks, given.sizes, budget / 2)
    less = given.unpacked_bytes(free) < given.unpacked_bytes(base_kept)
    return _SearchResult(free if less else base_kept, base_kept_orders=base_kept)


def _pull_orders(given: ReorderInput) -> list[Order]:
    """The order of each image that pulls least and keeps its base."""
    orders = []
    for number, stack in enumerate(given.base_kept_stacks):
        rates = given.rates_of(number)
        orders.append(pull_order(stack, given.pull_sizes(number), rates) if rates else stack.today)
    return orders


def _orders_for_both(given: ReorderInput) -> _SearchResult:
    """Orders with the fewest stored and pulled bytes together, chosen from several plans."""
    storage, pulls = _storage_orders(given), _pull_orders(given)
    plans = {"today": given.today, "storage": storage.orders, "pulls": pulls}
    candidates = [
        list(dict.fromkeys((stack.today, storage.orders[number], pulls[number])))
        for number, stack in enumerate(given.stacks)
    ]
    for weight in _WEIGHTS:
        plans[f"between, pulls weigh {weight:g}"] = best_mix(
            given.stacks, given.sizes, candidates, given.pull_bytes, weight
        )
    names = list(plans)
    costs = [(given.unpacked_bytes(plan), given.total_pull_bytes(plan)) for plan in plans.values()]
    kept = not_worse(costs)
    choices = [
        PlanChoice(
            name=names[number],
            unpacked_bytes=int(costs[number][0]),
            pull_bytes=costs[number][1],
            moved_images=sum(
                order != stack.today
                for order, stack in zip(plans[names[number]], given.stacks, strict=True)
            ),
        )
        for number in kept
    ]
    best = min(kept, key=lambda number: sum(costs[number]))
    return _SearchResult(plans[names[best]], storage.base_kept_orders, choices)


def _proposals(
    given: ReorderInput, orders: Sequence[Order], builder: ProposalBuilder
) -> list[Proposal]:
    """Phase 2: the images that move, the one that saves most first."""
    planned, today = Trie(given.sizes), Trie(given.sizes)
    for stack, order in zip(given.stacks, orders, strict=True):
        planned.add(stack.layers_in(order))
        today.add(stack.layers)
    found = []
    for number, (stack, order) in enumerate(zip(given.stacks, orders, strict=True)):
        if order == stack.today:
            continue
        proposed = stack.layers_in(order)
        planned.remove(proposed)
        saves = planned.cost(stack.layers) - planned.cost(proposed)
        planned.add(proposed)
        today.remove(stack.layers)
        alone = today.cost(stack.layers) - today.cost(proposed)
        today.add(stack.layers)
        found.append(builder.build(number, saves, alone))
    return sorted(found, key=lambda each: (-each.saves_bytes, -_pulls_saved(each), each.name))


def _pulls_saved(each: Proposal) -> float:
    """Bytes that the order saves per release."""
    return (each.pull_today or 0) - (each.pull_proposed or 0)


def _number_of(questions: Questions, given: ReorderInput, name: str) -> int:
    """Index of the image to explain; raises StoreError as ``one_image``."""
    image = one_image(questions, name)
    for number, layers in enumerate(given.images):
        if layers[0]["image_id"] == image:
            return number
    raise StoreError(f"{name}: has no layers, or is a cache image", "no-image")


def _explained(number: int, builder: ProposalBuilder, proposals: Sequence[Proposal]) -> Proposal:
    """The image to explain: its proposal with the proof if it moves, else with today's order."""
    found = builder.build(number)
    return next((each for each in proposals if each.image_id == found.image_id), found)
