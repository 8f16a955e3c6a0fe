"""The report as CSV: one row per figure, for spreadsheets and other programs that read lines.

``dedupe images -f csv`` and the like give one table of one kind of thing. This file has all figures
of a scan in one shape that never changes: kind of thing, ID, name, figure, value.
"""

from collections.abc import Iterator, Mapping

from dedupe.analysis.overview import Overview
from dedupe.model.questions import Answer
from dedupe.report.tables import to_csv as table_to_csv

#: column -> type; figures have the names of docs/report.schema.json
_COLUMNS = {
    "thing": "VARCHAR",
    "id": "VARCHAR",
    "name": "VARCHAR",
    "figure": "VARCHAR",
    "value": "DOUBLE",
}

_Figure = tuple[str, str, str, str, float]


def to_csv(found: Overview, limit: int) -> str:
    """Figures of the scan, its sources, images, findings (at most ``limit``) and containers."""
    return table_to_csv(Answer(_COLUMNS, list(_every_figure(found, limit))))


def _every_figure(found: Overview, limit: int) -> Iterator[_Figure]:
    scan = found.scan["scan"]
    problems = {
        f"{severity}s": sum(row["severity"] == severity for row in found.problems)
        for severity in ("error", "note")
    }
    yield from _figures("scan", scan, scan, {**found.scan, **found.totals, **problems})
    for reason in found.incomplete:
        yield from _figures("incomplete", reason["code"], reason["code"], reason)
    for source in found.sources:
        yield from _figures("source", source["kind"], source["location"], source)
    for row in found.disk:
        yield from _figures("disk", row["kind"], row["source"], row)
    for image in found.images:
        yield from _figures("image", image["image_id"], image["name"], image)
    for finding in found.findings[: limit or None]:
        name = f"{finding['kind']}: layer {finding['position']} of {finding['image']}"
        yield from _figures("finding", finding["id"], name, finding)
    for container in found.containers:
        yield from _figures("container", container["container_id"], container["name"], container)


def _figures(
    thing: str, key: str | None, name: str | None, row: Mapping[str, object]
) -> Iterator[_Figure]:
    """The numbers of a row. True and false count as 1 and 0; an unknown figure has no row."""
    for figure, value in row.items():
        if isinstance(value, int | float):
            yield thing, key or "", name or "", figure, value + 0
