"""Proposed orders as Markdown, for the pull request that changes the build file."""

from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.reorder.plans import Plan, Proposal, StepPlan
from dedupe.report.reorder.parts import (
    DEPENDENT,
    alone,
    build_file,
    equality,
    gain,
    layers_above_base,
    reasons,
    sentence,
    unproven,
    unproven_layer,
    verdict,
)
from dedupe.report.text import code_block, code_span, markdown_table
from dedupe.report.units import counted, human, short_step

_STEP = 80


def to_markdown(plan: Plan, steps: StepPlan | None, *, plain: bool, limit: int) -> str:
    """Totals; for each image that moves both orders, the proof and the build file."""
    parts = [*_totals(plan, plain=plain, limit=limit)]
    for each in plan.proposals[: limit or None]:
        head = f"### {code_span(each.name)}: {gain(each, plan.options.objective, plain=plain)}\n"
        parts += [head, _orders(each, plain=plain), _proof(each), _build_file(each)]
    if steps is not None and (steps.proposals or steps.repeats):
        parts += _steps(steps, plain=plain, limit=limit)
    return "\n".join(parts)


def _unproven(plan: Plan, limit: int) -> str:
    shown = plan.unproven[: limit or None]
    rest = len(plan.unproven) - len(shown)
    lines = [f"- {code_span(unproven_layer(each))}\n" for each in shown]
    return "".join([*lines, f"- and {rest:,} more: --limit 0\n"] if rest else lines)


def _totals(plan: Plan, *, plain: bool, limit: int) -> list[str]:
    saved = human(plan.today_bytes - plan.proposed_bytes, plain=plain)
    text = (
        f"{counted(plan.images, 'image')}, {len(plan.proposals):,} would change: {saved} of "
        f"{human(plan.today_bytes, plain=plain)} unpacked saved"
    )
    if plan.images_with_history:
        pulls = human(round(plan.pull_today - plan.pull_proposed), plain=plain)
        text += (
            f", {pulls} of {human(round(plan.pull_today), plain=plain)} pulled by a release of "
            "each saved"
        )
    parts = [f"## Orders of layers for {plan.options.objective}\n", f"{text}.\n"]
    if len(plan.proposals) > 1:
        parts.append(f"{sentence(DEPENDENT)}\n")
    if plan.unproven:
        parts += [f"{sentence(unproven(plan))[:-1]}:\n", _unproven(plan, limit)]
    if plan.choices:
        parts.append(
            markdown_table(
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
    return parts


def _steps(steps: StepPlan, *, plain: bool, limit: int) -> list[str]:
    shared = human(steps.today_bytes - steps.proposed_bytes, plain=plain)
    parts = [f"## Orders of build steps: a rebuild would share {shared}\n"]
    for each in steps.proposals[: limit or None]:
        head = f"### {code_span(each.name)}: {_shared(each, plain=plain)}\n"
        parts += [head, _orders(each, plain=plain), _build_file(each)]
    if steps.repeats:
        parts.append(_repeats(steps.repeats[: limit or None], plain=plain))
    return parts


def _shared(found: Proposal, *, plain: bool) -> str:
    shared = human(found.saves_bytes, plain=plain)
    return f"shares {shared} in this plan, {alone(found, plain=plain)}"


def _repeats(rows: Sequence[queries.ReorderStepRepeatsRow], *, plain: bool) -> str:
    return markdown_table(
        ("-saves", "image", "-layer", "build step", "repeats"),
        (
            (
                human(row["saves_bytes"], plain=plain),
                code_span(row["image"]),
                str(row["position"]),
                code_span(short_step(row["created_by"], _STEP)),
                f"layer {row['base_position']} of {code_span(row['base'])}",
            )
            for row in rows
        ),
    )


def _orders(found: Proposal, *, plain: bool) -> str:
    return markdown_table(
        ("-today", "-proposed", "-bytes", "-images today", "-images proposed", "build step"),
        (
            (
                str(layer.position),
                str(layer.proposed),
                human(layer.content_bytes, plain=plain),
                f"{layer.images_today:,}",
                f"{layer.images_proposed:,}",
                code_span(short_step(layer.created_by, _STEP)),
            )
            for layer in found.proposed_layers[layers_above_base(found) :]
        ),
    )


def _proof(found: Proposal) -> str:
    proof = found.proof
    if proof is None or found.unproven_because is not None:
        return f"**{sentence(equality(found))}**\n"
    return f"{sentence(equality(found))[:-1]}, grade {proof.grade}: `{proof.today}`\n"


def _build_file(found: Proposal) -> str:
    text = f"Build file: {verdict(found)}.\n"
    text += "".join(f"- {reason}\n" for reason in reasons(found))
    return text if found.below_base else f"{text}\n{code_block(build_file(found), 'dockerfile')}"
