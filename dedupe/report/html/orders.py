"""Proposed orders as the page shows them: both orders of an image, and what to do."""

from dataclasses import dataclass

from dedupe.analysis.page import PROPOSALS_SHOWN
from dedupe.analysis.reorder.plans import Plan, Proposal, StepPlan
from dedupe.report.reorder.parts import (
    DEPENDENT,
    UNKNOWN_STEP,
    alone,
    build_file,
    equality,
    layers_above_base,
    reasons,
    sentence,
    unproven,
    unproven_layer,
    verdict,
)
from dedupe.report.units import human, short_step

_STEP = 90


@dataclass(frozen=True, slots=True)
class StackRow:
    """One place in an image's stack, with its layer in today's and in the proposed order."""

    today: int
    today_step: str
    today_bytes: int
    proposed: int
    proposed_step: str
    proposed_bytes: int
    images: str

    @property
    def moves(self) -> bool:
        """Whether the proposed order has another layer here."""
        return self.today != self.proposed


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """One image in another order."""

    name: str
    gain: str
    base: str
    stack: list[StackRow]
    #: how the merged views compare; empty for build steps, because a rebuild makes new layers
    proof: str
    view: str
    verdict: str
    reasons: list[str]
    build_file: str


@dataclass(frozen=True, slots=True)
class RepeatedStep:
    """A build step that repeats a step of a base image."""

    image: str
    step: str
    base: str
    saves: str


@dataclass(frozen=True, slots=True)
class OrdersSection:
    """The proposals in the section on layer orders."""

    layers: list[ImageOrder]
    steps: list[ImageOrder]
    layers_left_out: int
    steps_left_out: int
    saved_bytes: int
    shared_bytes: int
    repeats: list[RepeatedStep]
    #: why the figures of images do not add up to ``saved_bytes``; empty for a single image
    dependent: str
    #: how many layers keep their places unproven, and which; empty if none
    unproven: str
    unproven_layers: list[str]


def orders_section(plan: Plan, steps: StepPlan) -> OrdersSection:
    """The proposals that save most; a step order that equals the layer order is left out."""
    layer_orders = {each.image_id: each.order for each in plan.proposals}
    others = [each for each in steps.proposals if layer_orders.get(each.image_id) != each.order]
    return OrdersSection(
        layers=[_image_order(each, "saves") for each in plan.proposals[:PROPOSALS_SHOWN]],
        steps=[_image_order(each, "would share") for each in others[:PROPOSALS_SHOWN]],
        layers_left_out=max(0, len(plan.proposals) - PROPOSALS_SHOWN),
        steps_left_out=max(0, len(others) - PROPOSALS_SHOWN),
        saved_bytes=plan.today_bytes - plan.proposed_bytes,
        shared_bytes=steps.today_bytes - steps.proposed_bytes,
        repeats=[
            RepeatedStep(
                row["image"],
                short_step(row["created_by"], _STEP),
                row["base"],
                human(row["saves_bytes"]),
            )
            for row in steps.repeats[:PROPOSALS_SHOWN]
        ],
        dependent=sentence(DEPENDENT) if len(plan.proposals) > 1 else "",
        unproven=sentence(unproven(plan)),
        unproven_layers=[unproven_layer(each) for each in plan.unproven[:PROPOSALS_SHOWN]],
    )


def _image_order(found: Proposal, verb: str) -> ImageOrder:
    kept = layers_above_base(found)
    return ImageOrder(
        name=found.name,
        gain=f"{verb} {human(found.saves_bytes)} in this plan, {alone(found, plain=False)}",
        base=found.base if kept and found.base else "",
        stack=_stack(found)[kept:],
        proof=_proof(found),
        view=found.proof.today if found.proof is not None else "",
        verdict=verdict(found),
        reasons=reasons(found),
        build_file="" if found.below_base else "\n".join(build_file(found)),
    )


def _stack(found: Proposal) -> list[StackRow]:
    return [
        StackRow(
            today.position,
            short_step(today.created_by, _STEP) or UNKNOWN_STEP,
            today.content_bytes,
            proposed.position,
            short_step(proposed.created_by, _STEP) or UNKNOWN_STEP,
            proposed.content_bytes,
            f"{proposed.images_today:,} → {proposed.images_proposed:,}"
            if proposed.images_today != proposed.images_proposed
            else f"{proposed.images_today:,}",
        )
        for today, proposed in zip(found.layers, found.proposed_layers, strict=True)
    ]


def _proof(found: Proposal) -> str:
    return sentence(equality(found)) if found.proof is not None else ""
