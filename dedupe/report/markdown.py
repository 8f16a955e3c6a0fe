"""The report as Markdown, for pull requests, job summaries and wikis.

A report is never longer than the comment of a pull request may be (65,536 characters): lists end
early and long cells are cut.
"""

import time
from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.disk import totals_by_kind
from dedupe.analysis.overview import Overview
from dedupe.model.measures import (
    CONTAINERS,
    DISK,
    IMAGES,
    SHOWN_IMAGE_SIZES,
    SHOWN_TOTALS,
    SOURCES,
    TOTALS,
)
from dedupe.report.disk import sum_of, unknown_reasons
from dedupe.report.doubts import doubts, image_size, nothing_to_fix, place_of, total_size
from dedupe.report.flags import flagged_entries
from dedupe.report.text import code_span, markdown_table
from dedupe.report.units import INCOMPLETE, UNKNOWN, counted, human, percent, share, short_step

_IMAGES = 10
_FINDINGS = 10
_SOURCES = 10
_CONTAINERS = 5
_PROBLEMS = 10
_STEP_WIDTH = 160
#: characters of a sentence on what could not be seen
_DOUBT = 600


def to_markdown(found: Overview, *, plain: bool) -> str:
    """Totals, sources, the findings and images that matter most, containers and problems."""
    totals = found.totals
    finished = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.scan["finished"]))
    whose = "complete images'" if totals["incomplete_images"] else "images'"
    parts = [
        "## Image storage\n",
        _doubts(found),
        f"{counted(totals['images'], 'image')}, {counted(totals['layers'], 'layer')}, "
        f"{counted(totals['files'], 'file')} in {counted(len(found.sources), 'source')}, "
        f"scanned {finished} UTC. The {whose} efficiency is {share(totals['efficiency'])} (live / "
        "content); the rest of their content is shadowed.\n",
        markdown_table(
            ("-bytes", "what"),
            ((total_size(found, key, plain=plain), TOTALS[key].label) for key in SHOWN_TOTALS),
        ),
        _sources(found.sources, plain=plain),
        _disk(found.disk, plain=plain),
        _findings(found, plain=plain),
        _images(found.images, plain=plain),
        _containers(found.containers, plain=plain),
        flagged_entries(found.problems) + "\n",
        _problems(found.problems),
    ]
    return "\n".join(part for part in parts if part.strip())


def _doubts(found: Overview) -> str:
    """What could not be seen, before any figure."""
    lines = doubts(found.incomplete, found.sources, found.failed)
    return "".join(f"> **Incomplete:** {code_span(line, _DOUBT)}\n>\n" for line in lines)


def _sources(rows: Sequence[queries.SourcesRow], *, plain: bool) -> str:
    return "### Sources\n\n" + markdown_table(
        ("source", "kind", f"-{SOURCES['images'].label}", f"-{SOURCES['stored_bytes'].label}"),
        (
            (
                code_span(row["location"]),
                row["kind"],
                f"{row['images']:,}",
                human(row["stored_bytes"], plain=plain),
            )
            for row in rows[:_SOURCES]
        ),
        len(rows) - _SOURCES,
        "dedupe sources",
    )


def _disk(rows: Sequence[queries.DiskRow], *, plain: bool) -> str:
    """What file systems allocate, by kind, with what is unknown."""
    unknown = unknown_reasons(rows)
    totals = totals_by_kind(rows)
    known = sum(total.allocated_bytes for total in totals)
    table = markdown_table(
        ("-allocated", "-share", "what"),
        [
            *(
                (
                    human(total.allocated_bytes, plain=plain),
                    percent(total.allocated_bytes, known),
                    DISK[total.kind].label,
                )
                for total in totals
            ),
            *((UNKNOWN, "", code_span(line)) for line in unknown[:_SOURCES]),
            (sum_of(rows, plain=plain) if totals else UNKNOWN, "", "total: what du counts"),
        ],
        len(unknown) - _SOURCES,
        "dedupe disk",
    )
    return f"### Disk\n\n{table}"


def _findings(found: Overview, *, plain: bool) -> str:
    rows = found.findings
    if not rows:
        return f"### What to fix\n\n{nothing_to_fix(found)}\n"
    return "### What to fix\n\n" + markdown_table(
        ("-saves", "kind", "layer", "build step", "fix"),
        (
            (
                human(row["saves_bytes"], plain=plain),
                row["kind"],
                f"layer {row['position']} of {code_span(row['image'])}"
                + (f" and {row['images'] - 1:,} more" if row["images"] > 1 else ""),
                code_span(short_step(row["step"], _STEP_WIDTH)),
                code_span(row["fix"]),
            )
            for row in rows[:_FINDINGS]
        ),
        len(rows) - _FINDINGS,
        "dedupe findings",
    )


def _images(rows: Sequence[queries.ImagesRow], *, plain: bool) -> str:
    # incomplete images come first: what they waste is unknown
    worst = sorted(rows, key=lambda row: (row["complete"], -(row["shadowed_bytes"] or 0)))
    return "### Images, the most shadowed first\n\n" + markdown_table(
        (
            "image",
            f"-{IMAGES['efficiency'].label}",
            *(f"-{IMAGES[key].label}" for key in SHOWN_IMAGE_SIZES),
        ),
        (
            (
                code_span(row["label"]) + ("" if row["complete"] else INCOMPLETE),
                share(row["efficiency"]),
                *(image_size(row, key, plain=plain) for key in SHOWN_IMAGE_SIZES),
            )
            for row in worst[:_IMAGES]
        ),
        len(rows) - _IMAGES,
        "dedupe images",
    )


def _containers(rows: Sequence[queries.ContainersRow], *, plain: bool) -> str:
    if not rows:
        return ""
    return "### Containers\n\n" + markdown_table(
        (
            "container",
            "image",
            f"-{CONTAINERS['upper_bytes'].label}",
            f"-{CONTAINERS['copied_up_bytes'].label}",
        ),
        (
            (
                code_span(row["name"]),
                code_span(row["image"] or ""),
                human(row["upper_bytes"], plain=plain),
                human(row["copied_up_bytes"], plain=plain),
            )
            for row in rows[:_CONTAINERS]
        ),
        len(rows) - _CONTAINERS,
        "dedupe containers",
    )


def _problems(rows: Sequence[queries.ProblemsRow]) -> str:
    errors = [row for row in rows if row["severity"] == "error"]
    if not errors:
        return ""
    return "### Problems: figures are incomplete\n\n" + markdown_table(
        ("code", "source", "message", "images"),
        (
            (
                row["code"],
                code_span(place_of(row["source"], row["subject"], row["message"])),
                code_span(row["message"]),
                code_span(", ".join(row["images"])),
            )
            for row in errors[:_PROBLEMS]
        ),
        len(errors) - _PROBLEMS,
        "dedupe report -f json",
    )
