"""The report on a screen: what matters first, in about forty lines."""

from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.overview import Overview
from dedupe.model.measures import IMAGES, SHOWN_IMAGE_SIZES, SHOWN_TOTALS, TOTALS
from dedupe.report.disk import kind_lines, sum_of, unknown_reasons
from dedupe.report.doubts import (
    concerned,
    doubts,
    image_size,
    known_sum,
    nothing_to_fix,
    place_of,
    total_size,
)
from dedupe.report.flags import flagged_entries
from dedupe.report.text import INDENT, aligned, sizer
from dedupe.report.units import INCOMPLETE, UNKNOWN, counted, human, share, short_step

_IMAGES = 5
_FINDINGS = 10
_PROBLEMS = 5
_UNKNOWN = 3
_STEP_WIDTH = 60


def to_terminal(found: Overview, *, plain: bool) -> str:
    """Totals, and the images and findings that matter most."""
    totals = found.totals
    lines = [
        *doubt_lines(found),
        f"{counted(totals['images'], 'image')}, {counted(totals['layers'], 'layer')}, "
        f"{counted(totals['files'], 'file')} in {counted(len(found.sources), 'source')}",
        "",
        *_totals(found, plain=plain),
        *_disk(found, plain=plain),
        "",
        f"{_whose(found)}: efficiency {share(totals['efficiency'])} (live / content); the rest of "
        "their content is shadowed.",
        "",
        *_images(found.images, plain=plain),
        *_containers(found.containers, plain=plain),
        *_findings(found, plain=plain),
        *_problems(found.problems),
    ]
    return "\n".join(lines) + "\n"


def doubt_lines(found: Overview) -> list[str]:
    """What could not be seen, before any figure; empty if all was."""
    lines = doubts(found.incomplete, found.sources, found.failed)
    return [*(f"INCOMPLETE: {line}." for line in lines), ""] if lines else []


def _whose(found: Overview) -> str:
    return "Complete images" if found.totals["incomplete_images"] else "Images"


def _totals(found: Overview, *, plain: bool) -> list[str]:
    width = len(sizer(plain=plain)(0))
    return [
        f"{total_size(found, key, plain=plain).rjust(width)}  {TOTALS[key].label}"
        for key in SHOWN_TOTALS
    ]


def _disk(found: Overview, *, plain: bool) -> list[str]:
    """What file systems allocate, by kind; one sentence if nothing was measured."""
    unknown = unknown_reasons(found.disk)
    measured = kind_lines(found.disk, plain=plain)
    whole = f"{sum_of(found.disk, plain=plain)}, as du counts" if measured else UNKNOWN
    more = len(unknown) - _UNKNOWN
    return [
        "",
        f"On disk: {whole}",
        *measured,
        *(f"{INDENT}unknown: {line}" for line in unknown[:_UNKNOWN]),
        *([f"{INDENT}and {more} more: dedupe disk"] if more > 0 else []),
    ]


def _images(rows: Sequence[queries.ImagesRow], *, plain: bool) -> list[str]:
    # incomplete images come first: what they waste is unknown
    worst = sorted(rows, key=lambda row: (row["complete"], -(row["shadowed_bytes"] or 0)))
    table = [
        [IMAGES["efficiency"].label, *(IMAGES[key].label for key in SHOWN_IMAGE_SIZES), "image"],
        *(
            [
                share(row["efficiency"]),
                *(image_size(row, key, plain=plain) for key in SHOWN_IMAGE_SIZES),
                row["label"] + ("" if row["complete"] else INCOMPLETE),
            ]
            for row in worst[:_IMAGES]
        ),
    ]
    if len(worst) > _IMAGES:
        table.append(["", "", "", "", f"and {len(worst) - _IMAGES} more: dedupe images"])
    return aligned(table, left={4}, widths=(9, 9, 9, 9))


def _containers(rows: Sequence[queries.ContainersRow], *, plain: bool) -> list[str]:
    """One line on all writable branches."""
    if not rows:
        return []
    written = known_sum((row["upper_bytes"] for row in rows), plain=plain)
    copied_up = known_sum((row["copied_up_bytes"] for row in rows), plain=plain)
    saved = known_sum((row["container_cow_savings_bytes"] for row in rows), plain=plain)
    return [
        "",
        f"{counted(len(rows), 'container')}: {written} written, {copied_up} of it copied up; "
        f"{saved} saved by sharing their images",
    ]


def _findings(found: Overview, *, plain: bool) -> list[str]:
    """The findings that save most: bytes, image, build step and fix."""
    rows = found.findings
    if not rows:
        return ["", nothing_to_fix(found)]
    lines = ["", "Top findings, by the bytes that a fix saves"]
    for row in rows[:_FINDINGS]:
        fields = f" ({', '.join(row['fields'])})" if row["fields"] else ""
        others = f" and {counted(row['images'] - 1, 'more image')}" if row["images"] > 1 else ""
        lines += [
            f"{human(row['saves_bytes'], plain=plain):>9}  {row['kind']}{fields}: "
            f"{counted(row['files'], 'file')} in {row['image']}{others}",
            f"{INDENT}layer {row['position']}: {_step(row['step'])}",
            f"{INDENT}{row['fix']}",
        ]
    if len(rows) > _FINDINGS:
        lines.append(f"{INDENT}and {len(rows) - _FINDINGS} more: dedupe findings")
    return lines


def _problems(rows: Sequence[queries.ProblemsRow]) -> list[str]:
    errors = [row for row in rows if row["severity"] == "error"]
    flagged = flagged_entries(rows)
    notes = ["", f"{flagged}: dedupe report -f json"] if flagged else []
    if not errors:
        return notes
    more = len(errors) - _PROBLEMS
    return [
        *notes,
        "",
        f"{counted(len(errors), 'problem')}: figures are incomplete",
        *(
            f"  {place_of(row['source'], row['subject'], row['message'])}: {row['message']}"
            f"{concerned(row['images'])} [{row['code']}]"
            for row in errors[:_PROBLEMS]
        ),
        *([f"  and {more} more: dedupe report -f json"] if more > 0 else []),
    ]


def tree_text(rows: Sequence[queries.TreeRow], *, plain: bool) -> str:
    """Chains as an indented tree: size, number of images, build step, images that end there."""
    children: dict[str | None, list[queries.TreeRow]] = {}
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
    return short_step(text, _STEP_WIDTH) or "(step unknown)"
