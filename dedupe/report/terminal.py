"""The report on a screen: what matters first, in about forty lines."""

from typing import Any

from dedupe.analysis.overview import Overview
from dedupe.model.measures import Key
from dedupe.report.steps import short_step
from dedupe.report.units import counted, human, percent

_IMAGES = 5
_FINDINGS = 10
_STEP_WIDTH = 60


def render(found: Overview, *, plain: bool) -> str:
    """Totals, where the bytes go, the worst images and files."""
    totals = found.totals

    def size(key: Key) -> str:
        return human(totals[key], plain=plain).rjust(18 if plain else 9)

    efficiency = percent(totals["live_bytes"], totals["naive_bytes"])
    lines = [
        f"{counted(totals['images'], 'image')}, {counted(totals['layers'], 'layer')}, "
        f"{counted(totals['files'], 'file')} in {counted(len(found.sources), 'source')}",
        "",
        f"{size('stored_bytes')}  stored on disk in all sources",
        *_allocated(found, plain=plain),
        f"{size('unpacked_bytes')}  unpacked, each layer once in its place",
        f"{size('cow_savings_bytes')}  saved by sharing read-only layers",
        f"{size('position_loss_bytes')}  lost: the same layer again on another parent",
        f"{size('duplicate_content_bytes')}  the same files again in other layers",
        f"{size('dead_bytes')}  dead: in no image can a container read it",
        f"{size('orphan_bytes')}  in blobs that no manifest names",
        "",
        f"Images: {efficiency} of their bytes can be read by a container; the rest is shadowed.",
        "",
        f"{'readable':>9}  {'content':>9}  {'shadowed':>9}  {'its own':>9}  image",
    ]
    worst = sorted(found.images, key=lambda row: -row["shadowed_bytes"])
    for row in worst[:_IMAGES]:
        sizes = "  ".join(
            human(row[key], plain=plain).rjust(9)
            for key in ("content_bytes", "shadowed_bytes", "exclusive_unpacked")
        )
        mark = "" if row["complete"] else "  (incomplete: some layers could not be read)"
        lines.append(f"{100 * row['efficiency']:7.1f} %  {sizes}  {row['name']}{mark}")
    if len(worst) > _IMAGES:
        lines.append(f"{'':43}  and {len(worst) - _IMAGES} more: dedupe images")
    lines += _containers(found, plain=plain)
    lines += _findings(found, plain=plain)
    errors = [row for row in found.problems if row["severity"] == "error"]
    if errors:
        lines += ["", f"{counted(len(errors), 'problem')}: figures are incomplete"]
        lines += [f"  {row['source']}: {row['message']} [{row['code']}]" for row in errors[:5]]
    return "\n".join(lines) + "\n"


def _allocated(found: Overview, *, plain: bool) -> list[str]:
    """What file systems give to unpacked stores, which is what `du` and `df` show."""
    measured = [row for row in found.sources if row["allocated_bytes"] is not None]
    if not measured:
        return []
    width = 18 if plain else 9
    given = human(sum(row["allocated_bytes"] or 0 for row in measured), plain=plain)
    rest = human(sum(row["other_bytes"] or 0 for row in measured), plain=plain)
    return [
        f"{given.rjust(width)}  given to unpacked stores by the file system, {rest} of it other"
    ]


def _containers(found: Overview, *, plain: bool) -> list[str]:
    """One line on all writable branches."""
    if not found.containers:
        return []
    sums = {
        key: human(sum(row[key] for row in found.containers), plain=plain)
        for key in ("upper_bytes", "copied_up_bytes", "container_cow_savings_bytes")
    }
    return [
        "",
        f"{counted(len(found.containers), 'container')}: {sums['upper_bytes']} written, "
        f"{sums['copied_up_bytes']} of it copied up; copies of their images would cost "
        f"{sums['container_cow_savings_bytes']} more",
    ]


def _findings(found: Overview, *, plain: bool) -> list[str]:
    """The worst findings: bytes to win, where, by which step, and what to do."""
    if not found.findings:
        return ["", "Nothing to mend was found."]
    lines = ["", "Worst findings, by what mending them wins"]
    for row in found.findings[:_FINDINGS]:
        fields = f" ({', '.join(row['fields'])})" if row["fields"] else ""
        more = counted(row["images"] - 1, "more image")
        others = f" and {more}" if row["images"] > 1 else ""
        lines.append(
            f"{human(row['saves_bytes'], plain=plain):>9}  {row['kind']}{fields}: "
            f"{counted(row['files'], 'file')} in {row['image']}{others}"
        )
        lines.append(f"{'':11}layer {row['position']}: {_step(row['step'])}")
        lines.append(f"{'':11}{row['repair']}")
    if len(found.findings) > _FINDINGS:
        lines.append(f"{'':11}and {len(found.findings) - _FINDINGS} more: dedupe findings")
    return lines


def tree(rows: list[dict[str, Any]], *, plain: bool) -> str:
    """Chains as an indented tree: size, number of images, build step, images that end there."""
    children: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        children.setdefault(row["parent"], []).append(row)
    lines: list[str] = []
    waiting = [(row, 0) for row in reversed(children.get(None, []))]
    while waiting:
        row, depth = waiting.pop()
        indent = "  " * depth
        count = counted(row["images"], "image")
        size, step = human(row["content_bytes"], plain=plain), row["created_by"] or row["diff_id"]
        lines.append(f"{size:>9}  {count:>10}  {indent}{_step(step)}")
        lines += [f"{'':23}{indent}  = {name}" for name in row["ends"]]
        waiting += [(child, depth + 1) for child in reversed(children.get(row["chain_id"], []))]
    return "\n".join(lines) + "\n" if lines else "no image has a layer\n"


def _step(text: str | None) -> str:
    return short_step(text, _STEP_WIDTH) or "(the image does not say)"
