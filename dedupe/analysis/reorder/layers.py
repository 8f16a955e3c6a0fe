"""Orders of existing layers that store or pull less, each with its proof."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.input import Problem, pairs_of, problem_of
from dedupe.analysis.reorder.plans import (
    Choice,
    Constraint,
    Objective,
    PlacedLayer,
    Plan,
    Proposal,
    Wish,
)
from dedupe.analysis.reorder.proofs import Comparable, proven
from dedupe.analysis.selection import one_image
from dedupe.errors import StoreError
from dedupe.reorder.choices import best_mix, not_worse
from dedupe.reorder.problem import Order
from dedupe.reorder.pulls import pull_order
from dedupe.reorder.storage import storage_orders
from dedupe.reorder.trie import Trie

#: bytes of pulls a release that weigh as much as one stored byte, for the mixes of both objectives
_WEIGHTS = (1 / 16, 1 / 4, 1.0, 4.0, 16.0)


#: chain of numbered layers, lowest first -> images
Holders = Mapping[tuple[int, ...], int]


def reorder(session: Comparable, wish: Wish) -> Plan:
    """The best plan found for what is wished, its images proven.

    Raises StoreError as ``problem_of``.
    """
    problem = problem_of(session, wish)
    orders, kept, choices = _planned(problem, wish)
    proposals = moved(problem, orders)
    if wish.prove:
        proposals = proven(session, proposals, wish.grade)
    explained = _explained(session, problem, wish.explain, orders) if wish.explain else None
    return Plan(
        wish=wish,
        images=len(problem.rows),
        incomplete_images=sum(not stack[0]["complete"] for stack in problem.rows),
        images_with_history=sum(stack[0]["image_id"] in problem.rates for stack in problem.rows),
        today_bytes=problem.stored(problem.today),
        proposed_bytes=problem.stored(orders),
        least_bytes=sum(problem.sizes),
        bases_kept_bytes=problem.stored(kept),
        pull_today=problem.all_pulled(problem.today),
        pull_proposed=problem.all_pulled(orders),
        proposals=proposals,
        choices=choices,
        explained=next((each for each in proposals if _same(each, explained)), explained),
    )


def moved(problem: Problem, orders: Sequence[Order]) -> list[Proposal]:
    """The images that move, what wins most first."""
    today, proposed = holders(problem, problem.today), holders(problem, orders)
    trie = Trie(problem.sizes)
    for stack, order in zip(problem.stacks, orders, strict=True):
        trie.add(stack.arranged(order))
    found = []
    for number, (stack, order) in enumerate(zip(problem.stacks, orders, strict=True)):
        if order == stack.today:
            continue
        trie.remove(stack.arranged(order))
        wins = trie.cost(stack.arranged(stack.today)) - trie.cost(stack.arranged(order))
        trie.add(stack.arranged(order))
        found.append(replace(proposal(problem, number, order, today, proposed), saves_bytes=wins))
    return sorted(found, key=lambda each: (-each.saves_bytes, -_spared(each), each.name))


def holders(problem: Problem, orders: Sequence[Order]) -> Holders:
    """Of each chain of layers, how many images run through it."""
    return Counter(
        chain[: length + 1]
        for stack, order in zip(problem.stacks, orders, strict=True)
        for chain in (stack.arranged(order),)
        for length in range(len(chain))
    )


def proposal(
    problem: Problem, number: int, order: Order, today: Holders, proposed: Holders
) -> Proposal:
    """What an order does to one image; of each chain, how many images run through it."""
    stack, rows = problem.stacks[number], problem.rows[number]
    places = {position: place for place, position in enumerate(order)}
    rates = problem.rates.get(rows[0]["image_id"])
    return Proposal(
        image_id=rows[0]["image_id"],
        name=rows[0]["name"],
        names=rows[0]["names"],
        base=rows[0]["base"],
        base_layers=rows[0]["base_layers"],
        stack=stack,
        order=order,
        layers=tuple(
            PlacedLayer(
                position=position,
                proposed=places[position],
                diff_id=row["diff_id"],
                created_by=row["created_by"],
                content_bytes=row["content_bytes"],
                pull_bytes=row["pull_bytes"],
                rate=rates[position] if rates else None,
                images_today=today[stack.layers[: position + 1]],
                images_proposed=proposed[stack.arranged(order)[: places[position] + 1]],
                step_class=row["step_class"],
            )
            for position, row in enumerate(rows)
        ),
        constraints=tuple(_constraints(rows, problem.constraints)),
        saves_bytes=0,
        pull_today=problem.pulled(number, stack.today) if rates else None,
        pull_proposed=problem.pulled(number, order) if rates else None,
    )


def _explained(
    questions: Questions, problem: Problem, name: str, orders: Sequence[Order]
) -> Proposal:
    """What the plan does to the image of this name; raises StoreError as ``one_image``."""
    image = one_image(questions, name)
    for number, rows in enumerate(problem.rows):
        if rows[0]["image_id"] == image:
            counts = holders(problem, problem.today), holders(problem, orders)
            return proposal(problem, number, orders[number], *counts)
    raise StoreError(f"{name}: has no layers, or is a cache image", "no-image")


def _same(one: Proposal, other: Proposal | None) -> bool:
    return other is not None and one.image_id == other.image_id


def _planned(problem: Problem, wish: Wish) -> tuple[list[Order], list[Order], list[Choice]]:
    """Orders for the objective, the best that keep bases, and the choices between objectives."""
    if wish.objective is Objective.PULLS:
        orders = _pull_orders(problem)
        return orders, orders, []
    half = wish.budget_seconds if wish.keep_bases else wish.budget_seconds / 2
    kept = storage_orders(problem.kept, problem.sizes, half)
    stored = kept
    if not wish.keep_bases:
        free = storage_orders(problem.stacks, problem.sizes, half)
        # a build file can follow a plan that leaves bases alone
        stored = free if problem.stored(free) < problem.stored(kept) else kept
    if wish.objective is Objective.STORAGE:
        return stored, kept, []
    return _both(problem, stored)


def _pull_orders(problem: Problem) -> list[Order]:
    """The order of each image that pulls least; bases stay, other images are built on them."""
    orders = []
    for number, stack in enumerate(problem.kept):
        rates = problem.rates.get(problem.rows[number][0]["image_id"])
        orders.append(
            pull_order(stack, problem.pull_sizes(number), rates) if rates else stack.today
        )
    return orders


def _both(problem: Problem, stored: list[Order]) -> tuple[list[Order], list[Order], list[Choice]]:
    """The plan whose stored and pulled bytes are fewest together, and what it was chosen from."""
    pulled = _pull_orders(problem)
    plans = {"today": problem.today, "storage": stored, "pulls": pulled}
    candidates = [
        list(dict.fromkeys((stack.today, stored[number], pulled[number])))
        for number, stack in enumerate(problem.stacks)
    ]
    for weight in _WEIGHTS:
        plans[f"between, pulls weigh {weight:g}"] = best_mix(
            problem.stacks, problem.sizes, candidates, problem.pulled, weight
        )
    costs = [(problem.stored(plan), problem.all_pulled(plan)) for plan in plans.values()]
    kept = not_worse(costs)
    names = list(plans)
    choices = [
        Choice(
            name=names[number],
            unpacked_bytes=int(costs[number][0]),
            pull_bytes=costs[number][1],
            moved_images=sum(
                order != stack.today
                for order, stack in zip(plans[names[number]], problem.stacks, strict=True)
            ),
        )
        for number in kept
    ]
    best = min(kept, key=lambda number: sum(costs[number]))
    return plans[names[best]], stored, choices


def _constraints(
    stack: Sequence[queries.ReorderLayersRow],
    constraints: Mapping[tuple[str, str], queries.ReorderConflictsRow],
) -> Iterable[Constraint]:
    for lower, upper in pairs_of(stack, constraints):
        row = constraints[stack[lower]["layer"], stack[upper]["layer"]]
        yield Constraint(
            lower, upper, row["rule"], row["lower_path"], row["upper_path"], row["paths"]
        )


def _spared(each: Proposal) -> float:
    """Bytes a release that the order spares."""
    return (each.pull_today or 0) - (each.pull_proposed or 0)
