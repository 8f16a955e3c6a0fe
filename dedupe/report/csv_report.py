"""The report as CSV: one row a figure, for spreadsheets and whatever else reads lines.

A table of one kind of thing is ``dedupe images -f csv`` and its like; this is all figures of a scan
in one shape that never changes: of what, which one, which figure, how much.
"""

from collections.abc import Iterator, Mapping, Sequence

from dedupe.analysis import queries
from dedupe.analysis.overview import Overview
from dedupe.model.questions import Answer
from dedupe.report.tables import as_csv

#: the file's columns: kind of thing, its ID, its name, the figure as docs/report.schema.json has it
COLUMNS = {
    "thing": "VARCHAR",
    "id": "VARCHAR",
    "name": "VARCHAR",
    "figure": "VARCHAR",
    "value": "DOUBLE",
}


def render(found: Overview, limit: int) -> str:
    """Figures of the scan, its sources, images, findings (at most ``limit``) and containers."""
    findings = found.findings[:limit] if limit else found.findings
    problems = {
        f"{severity}s": sum(row["severity"] == severity for row in found.problems)
        for severity in ("error", "note")
    }
    rows = [
        *_figures("scan", [{**found.scan, **found.totals, **problems}], "scan", "scan"),
        *_figures("source", found.sources, "kind", "location"),
        *_figures("image", found.images, "image_id", "name"),
        *_figures("finding", [_finding(row) for row in findings], "id", "name"),
        *_figures("container", found.containers, "container_id", "name"),
    ]
    return as_csv(Answer(COLUMNS, rows))


def _figures(
    thing: str, rows: Sequence[Mapping[str, object]], key: str, name: str
) -> Iterator[tuple[str, str, str, str, float]]:
    for row in rows:
        for figure, value in row.items():
            # whether something is so counts as 1 or 0, what is not known as nothing
            if isinstance(value, int | float):
                yield thing, str(row[key] or ""), str(row[name] or ""), figure, value + 0


def _finding(row: queries.FindingsRow) -> dict[str, object]:
    return {**row, "name": f"{row['kind']}: layer {row['position']} of {row['image']}"}
