"""Proposed orders of layers on a screen: both orders side by side, the proof, the build file."""

from collections.abc import Sequence

from dedupe.analysis.reorder.plans import PlacedLayer, Plan, Proposal, StepPlan
from dedupe.model.choices import Grade, Objective
from dedupe.report.steps import short_step
from dedupe.report.units import counted, human, percent

_STEP = 30
_LINE = 96
_SHOWN = 10
_GRADES = {
    Grade.EQUIVALENT: "equivalent: all but mtimes of directories that several layers carry",
    Grade.IDENTICAL: "identical: every field of every entry",
}


def render(plan: Plan, steps: StepPlan | None, *, plain: bool, limit: int = _SHOWN) -> str:
    """What other orders win, for each image that moves both orders and the proof."""
    lines = [*_totals(plan, plain=plain), ""]
    if not plan.proposals:
        lines += [_nothing(plan), ""]
    for each in plan.proposals[:limit] if limit else plan.proposals:
        lines += [*_proposal(each, plan.options.objective, plain=plain), ""]
    lines += _more(len(plan.proposals), limit)
    if steps is not None:
        lines += _steps(plan, steps, plain=plain, limit=limit)
    return "\n".join(lines).rstrip() + "\n"


def explain(plan: Plan, *, plain: bool) -> str:
    """Why each layer of one image sits where it does in the plan."""
    found = plan.explained
    if found is None:
        raise ValueError("the plan explains no image")
    head = "moves" if found.moved else "stays as it is"
    lines = [f"{found.name} {head}; grade {_GRADES[plan.options.grade]}", ""]
    if found.base:
        end = found.base_layers - 1
        lines += [f"layers 0 to {end} are its base, {found.base}", ""]
    for layer in found.proposed_layers:
        lines += _why(found, layer, plain=plain)
    lines += ["", *_proof(found)]
    return "\n".join(lines).rstrip() + "\n"


def side_by_side(found: Proposal, *, plain: bool) -> list[str]:
    """Today's order on the left, the proposed one on the right, the base as one line."""
    today = [_cell(layer, plain=plain) for layer in found.layers]
    proposed = [_cell(layer, plain=plain) for layer in found.proposed_layers]
    width = max(len("today"), *map(len, today))
    wide = max(len("proposed"), *map(len, proposed))
    lines = [f"  {'today':{width}}    {'proposed':{wide}}  images"]
    kept = 0 if found.below_base else found.base_layers
    if kept:
        base = sum(layer.content_bytes for layer in found.layers[:kept])
        top = "0" if kept == 1 else f"0 to {kept - 1}"
        lines.append(f"  layer {top}: {human(base, plain=plain)} of {found.base}")
    for place, (left, right) in enumerate(zip(today, proposed, strict=True)):
        if place < kept:
            continue
        layer = found.proposed_layers[place]
        mark = " " if layer.position == place else ">"
        was, now = layer.images_today, layer.images_proposed
        shared = f"{was:,} → {now:,}" if was != now else f"{now:,}"
        lines.append(f"  {left:{width}}  {mark} {right:{wide}}  {shared:>6}".rstrip())
    return lines


def build_file(found: Proposal) -> list[str]:
    """The steps above the base as lines of a build file, in the order proposed.

    History keeps no names of what was copied, and no ENV, WORKDIR, USER and ARG lines: it is a
    suggestion for a person who has the file.
    """
    moved = not found.below_base and found.base is not None
    lines = [f"FROM {found.base}" if moved else "FROM scratch"]
    above = found.proposed_layers[found.base_layers :] if moved else found.proposed_layers
    for layer in above:
        was = "" if layer.position == layer.proposed else f"  # layer {layer.position} today"
        lines.append(f"{short_step(layer.step.line, _LINE - 22)}{was}")
    return lines


def verdict(found: Proposal) -> str:
    """Whether a build file may be edited so."""
    if found.below_base:
        return (
            "a layer moves into the base image: no build file can say so, only a tool that "
            "assembles layers"
        )
    return "free: only files from outside change places" if found.free else "needs rebuild check"


def gain(found: Proposal, objective: Objective, *, plain: bool) -> str:
    """What an image wins by its order, for storage and for pulls."""
    parts = []
    if objective is Objective.STORAGE or found.saves_bytes:
        lost = "wins" if found.saves_bytes >= 0 else "stores more:"
        parts.append(f"{lost} {human(abs(found.saves_bytes), plain=plain)}")
    if found.pull_today is not None and found.pull_proposed is not None:
        was, now = round(found.pull_today), round(found.pull_proposed)
        parts.append(
            f"a release pulls {human(was, plain=plain)} → {human(now, plain=plain)}"
            if was != now
            else f"a release pulls {human(now, plain=plain)} as today"
        )
    return ", ".join(parts)


def _totals(plan: Plan, *, plain: bool) -> list[str]:
    def size(count: float) -> str:
        return human(round(count), plain=plain).rjust(18 if plain else 9)

    won = plan.today_bytes - plan.proposed_bytes
    possible = plan.today_bytes - plan.least_bytes
    lines = [
        f"Orders of layers for {plan.options.objective}: {counted(plan.images, 'image')}, "
        f"{len(plan.proposals):,} would move",
        f"Grade {_GRADES[plan.options.grade]}",
        "",
        f"{size(plan.today_bytes)}  unpacked today, each layer once in its place",
        f"{size(won)}  {'won' if won >= 0 else 'lost'} by these orders; "
        + (
            f"{percent(won, possible)} of what any order could win"
            if possible
            else "no layer is stored twice"
        ),
    ]
    if plan.bases_kept_bytes > plan.proposed_bytes and plan.options.objective is Objective.STORAGE:
        kept = human(plan.today_bytes - plan.bases_kept_bytes, plain=plain)
        lines.append(f"{'':11}{kept} of it if base images stay as they are: --keep-bases")
    if plan.options.objective is not Objective.STORAGE:
        lines += [
            f"{size(plan.pull_today)}  expected to be pulled again by one release of each of "
            f"{counted(plan.images_with_history, 'image')} in a tag series",
            f"{size(plan.pull_today - plan.pull_proposed)}  of it spared by these orders",
        ]
    if plan.choices:
        lines += ["", "Choices, none worse than another in both:"]
        lines.append(f"{'unpacked':>12}  {'pulled':>9}  {'moved':>6}  plan")
        lines += [
            f"{human(each.unpacked_bytes, plain=plain):>12}  "
            f"{human(round(each.pull_bytes), plain=plain):>9}  {each.moved_images:>6,}  {each.name}"
            for each in plan.choices
        ]
    if plan.incomplete_images:
        lines.append(
            f"{counted(plan.incomplete_images, 'image')} could not be read wholly: order kept"
        )
    return lines


def _nothing(plan: Plan) -> str:
    if plan.options.objective is Objective.PULLS and not plan.images_with_history:
        return (
            "No image has a tag before or after it in its series, so nothing tells how often its "
            "layers change: every order stays."
        )
    if plan.today_bytes == plan.least_bytes and plan.options.objective is Objective.STORAGE:
        return "Every layer is stored once: no order stores less."
    return "No better order was found that the constraints allow."


def _proposal(found: Proposal, objective: Objective, *, plain: bool) -> list[str]:
    return [
        f"{found.name}: {gain(found, objective, plain=plain)}",
        *_names(found),
        *side_by_side(found, plain=plain),
        *_proof(found),
        *_suggestion(found),
    ]


def _names(found: Proposal) -> list[str]:
    return [f"  also named {name}" for name in found.names if name != found.name]


def _proof(found: Proposal) -> list[str]:
    proof = found.proof
    if proof is None:
        return ["  not proven (--no-proof)"] if found.moved else []
    if not proof.equal:
        return [f"  NOT PROVEN: the views differ, {proof.today} and {proof.proposed}"]
    mtimes = (
        f"; {counted(proof.folder_mtimes, 'directory')} with another mtime".replace(
            "directorys", "directories"
        )
        if proof.folder_mtimes
        else ""
    )
    return [
        f"  proof: both orders show the same {proof.paths:,} paths{mtimes}",
        f"         view {proof.today}",
    ]


def _suggestion(found: Proposal) -> list[str]:
    lines = [f"  build file: {verdict(found)}"]
    if found.below_base:
        return lines
    reasons: dict[str, list[str]] = {}
    for swap in found.swaps:
        if swap.reason:
            reasons.setdefault(swap.reason, []).append(f"{swap.upper} before {swap.lower}")
    for reason, pairs in reasons.items():
        lines.append(f"    step {', '.join(pairs)}: {reason}")
    return [*lines, *(f"      {line}" for line in build_file(found))]


def _steps(plan: Plan, steps: StepPlan, *, plain: bool, limit: int) -> list[str]:
    def size(count: int) -> str:
        return human(count, plain=plain).rjust(18 if plain else 9)

    if not steps.proposals and not steps.repeats and steps.reproducible_bytes == steps.today_bytes:
        return []
    above = {each.image_id: each.order for each in plan.proposals}
    shown = [each for each in steps.proposals if above.get(each.image_id) != each.order]
    lines = [
        "Orders of build steps: what a rebuild would share, if a step that several images have "
        "ran once",
        "",
        f"{size(steps.today_bytes - steps.reproducible_bytes)}  in today's order, by reproducible "
        "builds alone",
        f"{size(steps.today_bytes - steps.proposed_bytes)}  in the orders "
        f"{'above and ' if len(shown) < len(steps.proposals) else ''}below",
        "",
    ]
    for each in shown[:limit] if limit else shown:
        lines += [
            f"{each.name}: shares {human(each.saves_bytes, plain=plain)}",
            *side_by_side(each, plain=plain),
            *_suggestion(each),
            "",
        ]
    lines += _more(len(shown), limit)
    if steps.repeats:
        lines += ["Steps that do again what a base image of this store holds"]
    for row in steps.repeats[:limit] if limit else steps.repeats:
        lines.append(
            f"{size(row['saves_bytes'])}  {row['image']}, layer {row['position']}: "
            f"{short_step(row['created_by'], _STEP + 20)}"
        )
        way = (
            f"; {counted(row['in_the_way'], 'layer')} below it must stay there"
            if row["in_the_way"]
            else ""
        )
        lines.append(
            f"{'':11}FROM {row['base']} has it in layer {row['base_position']}; what else that "
            f"holds: {human(row['brings_bytes'], plain=plain)}{way}"
        )
    return lines


def _why(found: Proposal, layer: PlacedLayer, *, plain: bool) -> list[str]:
    lowest, highest = found.bounds(layer.position)
    place = (
        f"{layer.position} → {layer.proposed}"
        if layer.position != layer.proposed
        else (f"{layer.proposed}")
    )
    lines = [
        f"{place:>7}  {human(layer.content_bytes, plain=plain):>9}  "
        f"{short_step(layer.created_by, _LINE - 30) or '(the image does not say)'}"
    ]
    indent = " " * 20
    room = "cannot move" if lowest == highest else f"may lie from {lowest} to {highest}"
    shared = f"{counted(layer.images_proposed, 'image')} would share it here"
    if layer.images_today != layer.images_proposed:
        shared += f", {layer.images_today:,} today"
    rate = "" if layer.rate is None else f"; changes in {100 * layer.rate:.0f} % of releases"
    lines.append(f"{indent}{room}; {shared}{rate}")
    for each in found.constraints:
        if each.upper == layer.position:
            meets = f" and {each.upper_path}" if each.upper_path != each.lower_path else ""
            more = f" and {each.paths - 1:,} more" if each.paths > 1 else ""
            lines.append(
                f"{indent}above {each.lower}: {each.rule}, {each.lower_path or '/'}{meets}{more}"
            )
    return lines


def _cell(layer: PlacedLayer, *, plain: bool) -> str:
    step = short_step(layer.created_by, _STEP) or "(not said)"
    return f"{layer.position:>2} {human(layer.content_bytes, plain=plain):>9}  {step}"


def _more(count: int, limit: int) -> Sequence[str]:
    return [f"and {count - limit:,} more images: --limit 0", ""] if limit and count > limit else []
