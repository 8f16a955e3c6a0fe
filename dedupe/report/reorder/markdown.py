"""Proposed orders as Markdown, for the pull request that changes the build file."""

import re
from collections.abc import Sequence

from dedupe.analysis.reorder.plans import Plan, Proposal, StepPlan
from dedupe.report.markdown import code, table
from dedupe.report.reorder.terminal import build_file, gain, verdict
from dedupe.report.steps import short_step
from dedupe.report.units import counted, human

_STEP = 80


def render(plan: Plan, steps: StepPlan | None, *, plain: bool, limit: int) -> str:
    """Totals, and for each image that moves both orders, the proof and the build file."""
    won = plan.today_bytes - plan.proposed_bytes
    parts = [
        f"## Orders of layers for {plan.options.objective}\n",
        f"{counted(plan.images, 'image')}, {len(plan.proposals):,} would move: "
        f"{human(won, plain=plain)} of {human(plan.today_bytes, plain=plain)} unpacked won"
        + (
            f", {human(round(plan.pull_today - plan.pull_proposed), plain=plain)} of "
            f"{human(round(plan.pull_today), plain=plain)} pulled by a release of each spared.\n"
            if plan.images_with_history
            else ".\n"
        ),
    ]
    if plan.choices:
        parts.append(
            table(
                ("-unpacked", "-pulled", "-moved", "plan"),
                (
                    (
                        human(each.unpacked_bytes, plain=plain),
                        human(round(each.pull_bytes), plain=plain),
                        f"{each.moved_images:,}",
                        each.name,
                    )
                    for each in plan.choices
                ),
            )
        )
    for each in _first(plan.proposals, limit):
        head = f"### {code(each.name)}: {gain(each, plan.options.objective, plain=plain)}\n"
        parts += [head, _orders(each, plain=plain), _proof(each), _build_file(each)]
    if steps is not None and (steps.proposals or steps.repeats):
        shared = human(steps.today_bytes - steps.proposed_bytes, plain=plain)
        parts.append(f"## Orders of build steps: a rebuild would share {shared}\n")
        for each in _first(steps.proposals, limit):
            wins = human(each.saves_bytes, plain=plain)
            head = f"### {code(each.name)}: shares {wins}\n"
            parts += [head, _orders(each, plain=plain), _build_file(each)]
        if steps.repeats:
            parts.append(
                table(
                    ("-wins", "image", "-layer", "build step", "has it already"),
                    (
                        (
                            human(row["saves_bytes"], plain=plain),
                            code(row["image"]),
                            str(row["position"]),
                            code(short_step(row["created_by"], _STEP)),
                            f"layer {row['base_position']} of {code(row['base'])}",
                        )
                        for row in steps.repeats[: limit or None]
                    ),
                )
            )
    return "\n".join(parts)


def _orders(found: Proposal, *, plain: bool) -> str:
    kept = 0 if found.below_base else found.base_layers
    return table(
        ("-today", "-proposed", "-bytes", "-images today", "-then", "build step"),
        (
            (
                str(layer.position),
                str(layer.proposed),
                human(layer.content_bytes, plain=plain),
                f"{layer.images_today:,}",
                f"{layer.images_proposed:,}",
                code(short_step(layer.created_by, _STEP)),
            )
            for layer in found.proposed_layers[kept:]
        ),
    )


def _proof(found: Proposal) -> str:
    proof = found.proof
    if proof is None:
        return "Not proven.\n"
    if not proof.equal:
        return "**Not proven: the merged views differ.**\n"
    return (
        f"Both orders show the same {proof.paths:,} paths, grade {proof.grade}: `{proof.today}`\n"
    )


def _build_file(found: Proposal) -> str:
    said = f"Build file: {verdict(found)}.\n"
    reasons = dict.fromkeys(swap.reason for swap in found.swaps if swap.reason)
    said += "".join(f"- {reason}\n" for reason in reasons)
    if found.below_base:
        return said
    lines = build_file(found)
    # a fence is longer than any run of backticks inside
    fence = "`" * (
        max((len(run) for line in lines for run in re.findall("`+", line)), default=2) + 1
    )
    fence = max(fence, "```", key=len)
    return "\n".join([said, f"{fence}dockerfile", *lines, fence, ""])


def _first(rows: Sequence[Proposal], limit: int) -> Sequence[Proposal]:
    return rows[: limit or None]
