"""The report as Markdown, for pull requests, job summaries and wikis.

Text of an image (names, paths, build steps, messages) stands in code spans: nothing in one is
markup, HTML, a link, or on GitHub and GitLab a mention or a reference; backslashes could not say so
much, as forges look for mentions in what they have rendered. A report is never longer than the
comment of a pull request may be, which is why lists end early and cells are cut.
Source: CommonMark 0.31, "Code spans"; GitHub Flavored Markdown, "Tables".
"""

import re
import time
from collections.abc import Iterable, Sequence

from dedupe.analysis import queries
from dedupe.analysis.overview import Overview
from dedupe.model.measures import Key
from dedupe.report.steps import short_step
from dedupe.report.units import counted, human, percent

_IMAGES = 10
_FINDINGS = 10
_SOURCES = 10
_CONTAINERS = 5
_PROBLEMS = 10
#: 45 rows of up to four such cells are below the 65,536 characters of a comment
_CELL = 160

_TOTALS: tuple[tuple[Key, str], ...] = (
    ("stored_bytes", "stored on disk in all sources"),
    ("unpacked_bytes", "unpacked, each layer once in its place"),
    ("cow_savings_bytes", "saved by sharing read-only layers"),
    ("position_loss_bytes", "lost: the same layer again on another parent"),
    ("duplicate_content_bytes", "the same files again in other layers"),
    ("dead_bytes", "dead: in no image can a container read it"),
    ("orphan_bytes", "in blobs that no manifest names"),
)


def render(found: Overview, *, plain: bool) -> str:
    """Totals, the worst images and findings, containers and problems."""
    totals = found.totals
    finished = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.scan["finished"]))
    parts = [
        "## Image storage\n",
        f"{counted(totals['images'], 'image')}, {counted(totals['layers'], 'layer')}, "
        f"{counted(totals['files'], 'file')} in {counted(len(found.sources), 'source')}, "
        f"scanned {finished} UTC. {percent(totals['live_bytes'], totals['naive_bytes'])} of the "
        "images' bytes can be read by a container; the rest is shadowed.\n",
        table(
            ("-bytes", "what"),
            ((human(totals[key], plain=plain), text) for key, text in _TOTALS),
        ),
        _sources(found.sources, plain=plain),
        _findings(found.findings, plain=plain),
        _images(found.images, plain=plain),
        _containers(found.containers, plain=plain),
        _problems(found.problems),
    ]
    return "\n".join(part for part in parts if part)


def _sources(rows: Sequence[queries.SourcesRow], *, plain: bool) -> str:
    return "### Sources\n\n" + table(
        ("source", "kind", "-images", "-stored"),
        (
            (
                code(row["location"]),
                row["kind"],
                f"{row['images']:,}",
                human(row["stored_bytes"], plain=plain),
            )
            for row in rows[:_SOURCES]
        ),
        len(rows) - _SOURCES,
        "dedupe sources",
    )


def _findings(rows: Sequence[queries.FindingsRow], *, plain: bool) -> str:
    if not rows:
        return "### What to mend\n\nNothing to mend was found.\n"
    return "### What to mend\n\n" + table(
        ("-wins", "kind", "where", "build step", "repair"),
        (
            (
                human(row["saves_bytes"], plain=plain),
                row["kind"],
                f"layer {row['position']} of {code(row['image'])}"
                + (f" and {row['images'] - 1:,} more" if row["images"] > 1 else ""),
                code(short_step(row["step"], _CELL)),
                code(row["repair"]),
            )
            for row in rows[:_FINDINGS]
        ),
        len(rows) - _FINDINGS,
        "dedupe findings",
    )


def _images(rows: Sequence[queries.ImagesRow], *, plain: bool) -> str:
    worst = sorted(rows, key=lambda row: -row["shadowed_bytes"])
    return "### Images, the most shadowed first\n\n" + table(
        ("image", "-readable", "-content", "-shadowed", "-its own"),
        (
            (
                code(row["name"]) + ("" if row["complete"] else " (incomplete)"),
                f"{100 * row['efficiency']:.1f} %",
                *(
                    human(row[key], plain=plain)
                    for key in ("content_bytes", "shadowed_bytes", "exclusive_unpacked")
                ),
            )
            for row in worst[:_IMAGES]
        ),
        len(rows) - _IMAGES,
        "dedupe images",
    )


def _containers(rows: Sequence[queries.ContainersRow], *, plain: bool) -> str:
    if not rows:
        return ""
    return "### Containers\n\n" + table(
        ("container", "image", "-written", "-copied up"),
        (
            (
                code(row["name"]),
                code(row["image"] or ""),
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
    return "### Problems: figures are incomplete\n\n" + table(
        ("code", "source", "message"),
        ((row["code"], code(row["source"]), code(row["message"])) for row in errors[:_PROBLEMS]),
        len(errors) - _PROBLEMS,
        "dedupe report -f json",
    )


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], left_out: int = 0, command: str = ""
) -> str:
    """A table; a heading that begins with a hyphen stands over numbers."""
    lines = [
        [head.removeprefix("-") for head in heads],
        ["---:" if head.startswith("-") else "---" for head in heads],
        *rows,
    ]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text + (f"\nand {left_out:,} more: `{command}`\n" if left_out > 0 else "")


def code(text: str) -> str:
    """Foreign text as a code span that may stand in a cell of a table; nothing for no text."""
    if not text:
        return ""
    if len(text) > _CELL:
        text = text[: _CELL - 1] + "…"
    # a fence is longer than any run of backticks inside
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    # one space on either side is taken off again, but from nothing but spaces; it keeps a backtick
    # from joining the fence
    ends = (text[0], text[-1])
    padded = f" {text} " if text.strip(" ") and ("`" in ends or ends == (" ", " ")) else text
    # cells are split before spans are found
    return fence + padded.replace("|", "\\|") + fence
