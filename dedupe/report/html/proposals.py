"""Proposed orders as the page shows them: both orders of an image, and what to do."""

from dataclasses import dataclass

from dedupe.analysis.reorder.plans import Plan, Proposal, StepPlan
from dedupe.report.reorder.terminal import build_file, verdict
from dedupe.report.steps import short_step
from dedupe.report.units import human

_SHOWN = 12
_STEP = 90


@dataclass(frozen=True, slots=True)
class Place:
    """One place of an image's stack in both orders."""

    today: int
    today_step: str
    today_bytes: int
    proposed: int
    proposed_step: str
    proposed_bytes: int
    images: str

    @property
    def moves(self) -> bool:
        """Whether another layer would lie here."""
        return self.today != self.proposed


@dataclass(frozen=True, slots=True)
class Shown:
    """One image in another order."""

    name: str
    gain: str
    base: str
    places: list[Place]
    #: how the views compare; empty for build steps, which a rebuild makes anew
    proof: str
    view: str
    verdict: str
    reasons: list[str]
    build_file: str


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the section on orders says."""

    layers: list[Shown]
    steps: list[Shown]
    layers_left_out: int
    steps_left_out: int
    won_bytes: int
    shared_bytes: int
    repeats: list[dict[str, str]]


def proposals(plan: Plan, steps: StepPlan) -> Proposals:
    """The proposals that win most; a step order that is the layer order is not said twice."""
    moved = {each.image_id: each.order for each in plan.proposals}
    others = [each for each in steps.proposals if moved.get(each.image_id) != each.order]
    return Proposals(
        layers=[_shown(each, "wins") for each in plan.proposals[:_SHOWN]],
        steps=[_shown(each, "would share") for each in others[:_SHOWN]],
        layers_left_out=max(0, len(plan.proposals) - _SHOWN),
        steps_left_out=max(0, len(others) - _SHOWN),
        won_bytes=plan.today_bytes - plan.proposed_bytes,
        shared_bytes=steps.today_bytes - steps.proposed_bytes,
        repeats=[
            {
                "image": row["image"],
                "step": short_step(row["created_by"], _STEP),
                "base": row["base"],
                "wins": human(row["saves_bytes"]),
            }
            for row in steps.repeats[:_SHOWN]
        ],
    )


def _shown(found: Proposal, verb: str) -> Shown:
    kept = 0 if found.below_base else found.base_layers
    proof = found.proof
    said = ""
    if proof is not None:
        said = (
            f"Both orders show the same {proof.paths:,} paths."
            if proof.equal
            else "Not proven: the merged views differ."
        )
    return Shown(
        name=found.name,
        gain=f"{verb} {human(found.saves_bytes)}",
        base=found.base if kept and found.base else "",
        places=[
            Place(
                was.position,
                short_step(was.created_by, _STEP) or "(not said)",
                was.content_bytes,
                then.position,
                short_step(then.created_by, _STEP) or "(not said)",
                then.content_bytes,
                f"{then.images_today:,} → {then.images_proposed:,}"
                if then.images_today != then.images_proposed
                else f"{then.images_today:,}",
            )
            for was, then in list(zip(found.layers, found.proposed_layers, strict=True))[kept:]
        ],
        proof=said,
        view=proof.today if proof is not None else "",
        verdict=verdict(found),
        reasons=list(dict.fromkeys(swap.reason for swap in found.swaps if swap.reason)),
        build_file="" if found.below_base else "\n".join(build_file(found)),
    )
