"""The scans of a catalog on a screen, with their sources."""

from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.report.text import aligned

_MOST_SOURCES = 10
_INDENT = "  "


def to_terminal(rows: Sequence[queries.CatalogScansRow]) -> str:
    """A line per scan, and below it the sources that it read."""
    heads = ["scan", "started", "seconds", "layers read", "reused", "sources", "answers for"]
    table = [
        heads,
        *(
            [
                row["scan"],
                f"{row['started']:%Y-%m-%d %H:%M:%S}",
                f"{row['seconds']:.1f}",
                f"{row['layers_read']:,}",
                f"{row['layers_reused']:,}",
                f"{len(row['sources']):,}",
                f"{row['answers']:,}",
            ]
            for row in rows
        ),
    ]
    head, *lines = aligned(table, left={0, 1})
    text = [head]
    for line, row in zip(lines, rows, strict=True):
        text += [line, *(f"{_INDENT}{each}" for each in _listed(row))]
    return "\n".join(text) + "\n"


def _listed(row: queries.CatalogScansRow) -> list[str]:
    """The sources of a scan; of one that found none, where it looked."""
    if not row["sources"]:
        return [f"found nothing at {place}" for place in row["places"] or ()]
    shown = row["sources"][:_MOST_SOURCES]
    left = len(row["sources"]) - len(shown)
    return [*shown, *([f"and {left:,} more: -f json lists them"] if left else [])]
