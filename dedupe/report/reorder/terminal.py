"""Proposed orders of layers on a screen: both orders side by side, the proof, the build file."""

from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.reorder.plans import Constraint, PlacedLayer, Plan, Proposal, StepPlan
from dedupe.model.choices import Objective
from dedupe.report.reorder.parts import (
    DEPENDENT,
    GRADES,
    UNKNOWN_STEP,
    alone,
    build_file,
    equality,
    gain,
    layers_above_base,
    unproven,
    unproven_layer,
    verdict,
)
from dedupe.report.text import INDENT, aligned, sizer
from dedupe.report.units import counted, human, percent, short_step

_STEP = 30
_LONG_STEP = 50
_EXPLAINED_STEP = 66
_SHOWN = 10
_EXPLAINED_INDENT = " " * 20


def to_terminal(plan: Plan, steps: StepPlan | None, *, plain: bool, limit: int = _SHOWN) -> str:
    """What other orders save; for each image that moves, both orders and the proof."""
    lines = [*_totals(plan, plain=plain), *_unproven(plan, limit), ""]
    if not plan.proposals:
        lines += [_no_proposal(plan), ""]
    for each in plan.proposals[: limit or None]:
        lines += [*_proposal(each, plan.options.objective, plain=plain), ""]
    lines += _more(len(plan.proposals), limit)
    if steps is not None:
        lines += _steps(plan, steps, plain=plain, limit=limit)
    return "\n".join(lines).rstrip() + "\n"


def explanation(plan: Plan, *, plain: bool) -> str:
    """Why each layer of one image is where the plan puts it."""
    found = plan.explained
    if found is None:
        raise ValueError("the plan explains no image")
    head = "moves" if found.moved else "stays as it is"
    lines = [f"{found.name} {head}; grade {GRADES[plan.options.grade]}", ""]
    if found.base:
        end = found.base_layers - 1
        lines += [f"layers 0 to {end} are its base, {found.base}", ""]
    for layer in found.proposed_layers:
        lines += _explained(found, layer, plain=plain)
    lines += ["", *_proof(found)]
    return "\n".join(lines).rstrip() + "\n"


def _totals(plan: Plan, *, plain: bool) -> list[str]:
    size = sizer(plain=plain)
    saved = plan.today_bytes - plan.proposed_bytes
    possible = plan.today_bytes - plan.least_bytes
    lines = [
        f"Orders of layers for {plan.options.objective}: {counted(plan.images, 'image')}, "
        f"{len(plan.proposals):,} would change",
        f"Grade {GRADES[plan.options.grade]}",
        "",
        f"{size(plan.today_bytes)}  unpacked today, each layer once per parent",
        f"{size(saved)}  {'saved' if saved >= 0 else 'stored more'} by these orders; "
        + (
            f"{percent(saved, possible)} of what any order could save"
            if possible
            else "no layer is stored twice"
        ),
    ]
    if len(plan.proposals) > 1:
        lines.append(f"{INDENT}{DEPENDENT}")
    if plan.bases_kept_bytes > plan.proposed_bytes and plan.options.objective is Objective.STORAGE:
        kept = human(plan.today_bytes - plan.bases_kept_bytes, plain=plain)
        lines.append(f"{INDENT}{kept} of it if base images stay as they are: --keep-bases")
    if plan.options.objective is not Objective.STORAGE:
        lines += [
            f"{size(plan.pull_today)}  expected to be pulled again by one release of each of "
            f"{counted(plan.images_with_history, 'image')} in a tag series",
            f"{size(plan.pull_today - plan.pull_proposed)}  of it saved by these orders",
        ]
    lines += _choices(plan, plain=plain)
    if plan.incomplete_images:
        lines.append(
            f"{counted(plan.incomplete_images, 'image')} could not be read completely: order kept"
        )
    return lines


def _unproven(plan: Plan, limit: int) -> list[str]:
    """The layers for which no other order can be proven."""
    if not plan.unproven:
        return []
    shown = plan.unproven[: limit or None]
    rest = len(plan.unproven) - len(shown)
    more = [f"  and {rest:,} more: --limit 0"] if rest else []
    return ["", unproven(plan), *(f"  {unproven_layer(each)}" for each in shown), *more]


def _choices(plan: Plan, *, plain: bool) -> list[str]:
    if not plan.choices:
        return []
    rows = [
        ["unpacked", "pulled", "moved", "plan"],
        *(
            [
                human(each.unpacked_bytes, plain=plain),
                human(round(each.pull_bytes), plain=plain),
                f"{each.moved_images:,}",
                each.name,
            ]
            for each in plan.choices
        ),
    ]
    return [
        "",
        "Choices; none is worse than another in both columns:",
        *aligned(rows, left={3}, widths=(12, 9, 6)),
    ]


def _no_proposal(plan: Plan) -> str:
    if plan.options.objective is Objective.PULLS and not plan.images_with_history:
        return (
            "No image has an earlier or later tag in its series, so it is unknown how often its "
            "layers change: every order stays."
        )
    if plan.today_bytes == plan.least_bytes and plan.options.objective is Objective.STORAGE:
        return "Every layer is stored once: no order stores less."
    return "No better order was found that the constraints allow."


def _proposal(found: Proposal, objective: Objective, *, plain: bool) -> list[str]:
    return [
        f"{found.name}: {gain(found, objective, plain=plain)}",
        *(f"  also named {name}" for name in found.names if name != found.name),
        *_side_by_side(found, plain=plain),
        *_proof(found),
        *_suggestion(found),
    ]


def _side_by_side(found: Proposal, *, plain: bool) -> list[str]:
    """Today's order on the left, the proposed one on the right, the base as one line."""
    today = [_cell(layer, plain=plain) for layer in found.layers]
    proposed = [_cell(layer, plain=plain) for layer in found.proposed_layers]
    left_width = max(len("today"), *map(len, today))
    right_width = max(len("proposed"), *map(len, proposed))
    lines = [f"  {'today':{left_width}}    {'proposed':{right_width}}  images"]
    kept = layers_above_base(found)
    if kept:
        base = sum(layer.content_bytes for layer in found.layers[:kept])
        which = "layer 0" if kept == 1 else f"layers 0 to {kept - 1}"
        lines.append(f"  {which}: {human(base, plain=plain)} of {found.base}")
    for place, (left, right) in enumerate(zip(today, proposed, strict=True)):
        if place < kept:
            continue
        layer = found.proposed_layers[place]
        mark = " " if layer.position == place else ">"
        before, after = layer.images_today, layer.images_proposed
        images = f"{before:,} → {after:,}" if before != after else f"{after:,}"
        line = f"  {left:{left_width}}  {mark} {right:{right_width}}  {images:>6}"
        lines.append(line.rstrip())
    return lines


def _cell(layer: PlacedLayer, *, plain: bool) -> str:
    step = short_step(layer.created_by, _STEP) or UNKNOWN_STEP
    return f"{layer.position:>2} {human(layer.content_bytes, plain=plain):>9}  {step}"


def _proof(found: Proposal) -> list[str]:
    proof = found.proof
    if not found.moved:
        return []
    if proof is None or found.unproven_because is not None:
        return [f"  {equality(found)}"]
    mtimes = (
        f"; {counted(proof.folder_mtimes, 'directory')} with another mtime"
        if proof.folder_mtimes
        else ""
    )
    return [
        f"  proof: {equality(found)}{mtimes}",
        f"         view {proof.today}",
    ]


def _suggestion(found: Proposal) -> list[str]:
    lines = [f"  build file: {verdict(found)}"]
    if found.below_base:
        return lines
    pairs_by_reason: dict[str, list[str]] = {}
    for swap in found.swaps:
        if swap.reason:
            pairs_by_reason.setdefault(swap.reason, []).append(f"{swap.upper} before {swap.lower}")
    lines += [f"    step {', '.join(pairs)}: {reason}" for reason, pairs in pairs_by_reason.items()]
    return [*lines, *(f"      {line}" for line in build_file(found))]


def _steps(plan: Plan, steps: StepPlan, *, plain: bool, limit: int) -> list[str]:
    if not steps.proposals and not steps.repeats and steps.reproducible_bytes == steps.today_bytes:
        return []
    size = sizer(plain=plain)
    above = {each.image_id: each.order for each in plan.proposals}
    shown = [each for each in steps.proposals if above.get(each.image_id) != each.order]
    where = "above and below" if len(shown) < len(steps.proposals) else "below"
    lines = [
        "Orders of build steps: what images would share if identical steps were built only once",
        "",
        f"{size(steps.today_bytes - steps.reproducible_bytes)}  in today's order, by reproducible "
        "builds alone",
        f"{size(steps.today_bytes - steps.proposed_bytes)}  in the orders {where}",
        "",
    ]
    for each in shown[: limit or None]:
        lines += [
            f"{each.name}: shares {human(each.saves_bytes, plain=plain)} in this plan, "
            f"{alone(each, plain=plain)}",
            *_side_by_side(each, plain=plain),
            *_suggestion(each),
            "",
        ]
    return [*lines, *_more(len(shown), limit), *_repeats(steps.repeats[: limit or None], plain)]


def _repeats(rows: Sequence[queries.ReorderStepRepeatsRow], plain: bool) -> list[str]:
    size = sizer(plain=plain)
    lines = ["Steps that repeat a step of a base image in this store"] if rows else []
    for row in rows:
        blocked = (
            f"; {counted(row['in_the_way'], 'layer')} below it must stay there"
            if row["in_the_way"]
            else ""
        )
        lines += [
            f"{size(row['saves_bytes'])}  {row['image']}, layer {row['position']}: "
            f"{short_step(row['created_by'], _LONG_STEP)}",
            f"{INDENT}FROM {row['base']} has it in layer {row['base_position']}, and "
            f"{human(row['brings_bytes'], plain=plain)} of other layers{blocked}",
        ]
    return lines


def _explained(found: Proposal, layer: PlacedLayer, *, plain: bool) -> list[str]:
    lowest, highest = found.bounds(layer.position)
    place = (
        f"{layer.position} → {layer.proposed}"
        if layer.position != layer.proposed
        else f"{layer.proposed}"
    )
    bounds = "cannot move" if lowest == highest else f"may be at {lowest} to {highest}"
    images = f"{counted(layer.images_proposed, 'image')} would share it here"
    if layer.images_today != layer.images_proposed:
        images += f", {layer.images_today:,} today"
    rate = "" if layer.rate is None else f"; changes in {100 * layer.rate:.0f} % of releases"
    lines = [
        f"{place:>7}  {human(layer.content_bytes, plain=plain):>9}  "
        f"{short_step(layer.created_by, _EXPLAINED_STEP) or UNKNOWN_STEP}",
        f"{_EXPLAINED_INDENT}{bounds}; {images}{rate}",
    ]
    for each in found.constraints:
        if each.upper == layer.position:
            more = f" and {each.paths - 1:,} more" if each.paths > 1 else ""
            lines.append(
                f"{_EXPLAINED_INDENT}above {each.lower}: {each.rule}, {_paths(each)}{more}"
            )
    return lines


def _paths(each: Constraint) -> str:
    """The paths that are the reason of a constraint, and the layer if it is of one layer alone."""
    if each.lower_path is not None and each.upper_path is not None:
        meets = f" and {each.upper_path or '/'}" if each.upper_path != each.lower_path else ""
        return f"{each.lower_path or '/'}{meets}"
    path, layer = (
        (each.upper_path, each.upper) if each.lower_path is None else (each.lower_path, each.lower)
    )
    return f"{path or '/'} of layer {layer}: unproven"


def _more(count: int, limit: int) -> list[str]:
    return [f"and {count - limit:,} more images: --limit 0", ""] if limit and count > limit else []
