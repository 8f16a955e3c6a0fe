"""Orders of build steps: what images would share if each step of a class ran once."""

from collections.abc import Sequence
from dataclasses import replace

from dedupe.analysis.interface import Questions
from dedupe.analysis.plans import StepPlan, Wish
from dedupe.analysis.reordering import holders, proposal
from dedupe.analysis.stacks import Problem, problem_of
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
            numbers.setdefault(row["class"], len(numbers))
    stacks = [
        Stack(tuple(numbers[row["class"]] for row in rows), stack.below)
        for rows, stack in zip(problem.rows, problem.kept, strict=True)
    ]
    sizes = [0] * len(numbers)
    for rows in problem.rows:
        for row in rows:
            number = numbers[row["class"]]
            sizes[number] = max(sizes[number], row["content_bytes"])
    orders = storage_orders(stacks, sizes, wish.budget_seconds)
    today = [stack.today for stack in stacks]
    reproducible = built_bytes(problem, stacks, today)
    proposed = built_bytes(problem, stacks, orders)
    if proposed >= reproducible:
        orders, proposed = today, reproducible
    as_classes = replace(problem, stacks=stacks)
    counts = holders(as_classes, today), holders(as_classes, orders)
    moved = []
    for number, order in enumerate(orders):
        if order != today[number]:
            back = [*orders[:number], today[number], *orders[number + 1 :]]
            wins = built_bytes(problem, stacks, back) - proposed
            moved.append(replace(proposal(as_classes, number, order, *counts), wins_bytes=wins))
    return StepPlan(
        today_bytes=problem.stored(problem.today),
        reproducible_bytes=reproducible,
        proposed_bytes=proposed,
        proposals=sorted(moved, key=lambda each: (-each.wins_bytes, each.name)),
        classes={
            row["class"]: row["class_reason"]
            for rows in problem.rows
            for row in rows
            if row["class_reason"]
        },
        repeats=questions.rows("step_repeats"),
    )


def built_bytes(problem: Problem, stacks: Sequence[Stack], orders: Sequence[Order]) -> int:
    """Unpacked bytes where layers of one class on one parent are one: the largest of them."""
    sizes: dict[tuple[int, ...], int] = {}
    for rows, stack, order in zip(problem.rows, stacks, orders, strict=True):
        chain = stack.arranged(order)
        for place, position in enumerate(order):
            key = chain[: place + 1]
            sizes[key] = max(sizes.get(key, 0), rows[position]["content_bytes"])
    return sum(sizes.values())
