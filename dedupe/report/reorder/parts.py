"""What every form says about one proposed order in the same words."""

from dedupe.analysis.reorder.plans import Plan, Proposal, UnprovenLayer
from dedupe.model.choices import Grade, Objective
from dedupe.report.units import counted, human, short_step

#: width of a build file's line, and of the comment that says where its layer is today
_LINE = 96
_COMMENT = 22

GRADES = {
    Grade.EQUIVALENT: "equivalent: identical except for mtimes of directories in several layers",
    Grade.IDENTICAL: "identical: every field of every entry",
}
#: why the figures of proposals do not add up to that of their plan
DEPENDENT = (
    'orders depend on each other: "in this plan" is what the plan loses if the image keeps '
    'today\'s order, "alone" what its order saves if all others keep theirs'
)
#: for a step of which the image has no history
UNKNOWN_STEP = "(step unknown)"


def verdict(found: Proposal) -> str:
    """Whether a build file may be edited to this order."""
    if found.below_base:
        return (
            "a layer moves into the base image, which no build file can do; a tool that assembles "
            "layers can"
        )
    return (
        "safe to reorder: only COPY and ADD steps move" if found.free else "needs a rebuild check"
    )


def reasons(found: Proposal) -> list[str]:
    """Why the steps have to be checked, each reason once."""
    return list(dict.fromkeys(swap.reason for swap in found.swaps if swap.reason))


def build_file(found: Proposal) -> list[str]:
    """The steps above the base as lines of a build file, in the proposed order.

    It is a suggestion for a person who has the build file: an image's history has no names of
    copied files, and no ENV, WORKDIR, USER and ARG lines.
    """
    keeps_base = not found.below_base and found.base is not None
    lines = [f"FROM {found.base}" if keeps_base else "FROM scratch"]
    above = found.proposed_layers[found.base_layers :] if keeps_base else found.proposed_layers
    for layer in above:
        today = "" if layer.position == layer.proposed else f"  # layer {layer.position} today"
        lines.append(f"{short_step(layer.step.line, _LINE - _COMMENT)}{today}")
    return lines


def sentence(text: str) -> str:
    """A text that begins with a capital letter and ends with a full stop; nothing for nothing."""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def equality(found: Proposal) -> str:
    """What the proof of an order says, as a sentence without a full stop."""
    proof = found.proof
    if proof is None or found.unproven_because is not None:
        return f"unproven: {found.unproven_because}"
    return f"equal: both orders show the same {counted(proof.paths, 'path')}"


def unproven(plan: Plan) -> str:
    """How many layers keep their places because nothing is proven about them; else empty."""
    if not plan.unproven:
        return ""
    images = len({each.image_id for each in plan.unproven})
    layers = len({(each.image_id, each.position) for each in plan.unproven})
    return (
        f"unproven for {counted(layers, 'layer')} of {counted(images, 'image')}, which unpackers "
        "might show differently in another place: order kept"
    )


def unproven_layer(each: UnprovenLayer) -> str:
    """One of these layers, with the reason."""
    more = f" and {each.paths - 1:,} more" if each.paths > 1 else ""
    return f"{each.name}, layer {each.position}: {each.rule}, {each.path or '/'}{more}"


def gain(found: Proposal, objective: Objective, *, plain: bool) -> str:
    """What an image saves by its order, in storage and in pulls."""
    parts = []
    if objective is Objective.STORAGE or found.saves_bytes:
        verb = "saves" if found.saves_bytes >= 0 else "stores more:"
        parts.append(f"{verb} {human(abs(found.saves_bytes), plain=plain)} in this plan")
        parts.append(alone(found, plain=plain))
    if found.pull_today is not None and found.pull_proposed is not None:
        today, proposed = round(found.pull_today), round(found.pull_proposed)
        parts.append(
            f"a release pulls {human(today, plain=plain)} → {human(proposed, plain=plain)}"
            if today != proposed
            else f"a release pulls {human(proposed, plain=plain)} as today"
        )
    return ", ".join(parts)


def alone(found: Proposal, *, plain: bool) -> str:
    """What the order of an image saves if every other image keeps today's."""
    saved = found.saves_alone_bytes
    amount = human(abs(saved), plain=plain)
    return f"{amount} alone" if saved >= 0 else f"alone stores {amount} more"


def layers_above_base(found: Proposal) -> int:
    """The lowest position that forms show: the base below it is the same in both orders."""
    return 0 if found.below_base else found.base_layers
