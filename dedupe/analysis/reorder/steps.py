"""Orders of build steps: what images would share if each step of a class ran once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.input import Problem, problem_of
from dedupe.analysis.reorder.layers import holders, proposal
from dedupe.analysis.reorder.plans import StepPlan, Wish
from dedupe.reorder.problem import Order, Stack
from dedupe.reorder.storage import storage_orders


def step_orders(questions: Questions, wish: Wish) -> StepPlan:
    """The longest common beginnings of steps that the constraints allow, bases as they are.

    A rebuild makes other layers, so a proposal has no proof: each swap says what to look at.
    Raises StoreError as ``problem_of``.
    """
    problem = problem_of(questions, replace(wish, keep_bases=True))
    numbers: dict[str, int] = {}
    for rows in problem.rows:
        for row in rows:
            numbers.setdefault(row["step_class"], len(numbers))
    stacks = [
        Stack(tuple(numbers[row["step_class"]] for row in rows), stack.below)
        for rows, stack in zip(problem.rows, problem.kept, strict=True)
    ]
    sizes = [0] * len(numbers)
    for rows in problem.rows:
        for row in rows:
            number = numbers[row["step_class"]]
            sizes[number] = max(sizes[number], row["content_bytes"])
    orders = storage_orders(stacks, sizes, wish.budget_seconds)
    today = [stack.today for stack in stacks]
    reproducible = built_bytes(problem, stacks, today)
    proposed = built_bytes(problem, stacks, orders)
    if proposed >= reproducible:
        orders, proposed = today, reproducible
    as_classes = replace(problem, stacks=stacks)
    counts = holders(as_classes, today), holders(as_classes, orders)
    sizes_there = _two_largest(problem, stacks, orders)
    moved = [
        replace(
            proposal(as_classes, number, order, *counts),
            saves_bytes=_wins(problem.rows[number], stacks[number], order, sizes_there),
        )
        for number, order in enumerate(orders)
        if order != today[number]
    ]
    return StepPlan(
        today_bytes=problem.stored(problem.today),
        reproducible_bytes=reproducible,
        proposed_bytes=proposed,
        proposals=sorted(moved, key=lambda each: (-each.saves_bytes, each.name)),
        classes={
            row["step_class"]: row["class_reason"]
            for rows in problem.rows
            for row in rows
            if row["class_reason"]
        },
        repeats=questions.rows(queries.reorder_step_repeats()),
    )


def built_bytes(problem: Problem, stacks: Sequence[Stack], orders: Sequence[Order]) -> int:
    """Unpacked bytes where layers of one class on one parent are one: the largest of them."""
    return sum(largest for largest, _ in _two_largest(problem, stacks, orders).values())


def _two_largest(
    problem: Problem, stacks: Sequence[Stack], orders: Sequence[Order]
) -> dict[tuple[int, ...], tuple[int, int]]:
    """Of each chain of classes the two largest layers that images have there."""
    found: dict[tuple[int, ...], tuple[int, int]] = {}
    for rows, stack, order in zip(problem.rows, stacks, orders, strict=True):
        for chain, size in _chain_sizes(rows, stack, order).items():
            first, second = found.get(chain, (0, 0))
            found[chain] = (size, first) if size > first else (first, max(second, size))
    return found


def _chain_sizes(
    rows: Sequence[queries.ReorderLayersRow], stack: Stack, order: Order
) -> dict[tuple[int, ...], int]:
    chain = stack.arranged(order)
    return {
        chain[: place + 1]: rows[position]["content_bytes"] for place, position in enumerate(order)
    }


def _wins(
    rows: Sequence[queries.ReorderLayersRow],
    stack: Stack,
    order: Order,
    largest: Mapping[tuple[int, ...], tuple[int, int]],
) -> int:
    """Bytes more if this image alone kept today's order."""
    own = _chain_sizes(rows, stack, order)

    def without(chain: tuple[int, ...]) -> int:
        first, second = largest.get(chain, (0, 0))
        return second if own.get(chain) == first else first

    freed = sum(largest[chain][0] - without(chain) for chain in own)
    today = _chain_sizes(rows, stack, stack.today)
    return sum(max(0, size - without(chain)) for chain, size in today.items()) - freed
