"""Rows as a table, JSON or CSV."""

import csv
import io
import json
from typing import Any

from dedupe.errors import UsageError
from dedupe.report.units import human

Row = dict[str, Any]

_WIDEST = 48
# a spreadsheet takes a cell that starts so for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def chosen(rows: list[Row], sort: str | None, limit: int) -> tuple[list[Row], int]:
    """The rows to show, and how many are left out; raises UsageError for an unknown column."""
    if sort is not None and rows:
        if sort not in rows[0]:
            raise UsageError(f"no column {sort}; there are {', '.join(rows[0])}", "unknown-column")
        rows = sorted(rows, key=lambda row: (row[sort] is not None, row[sort]), reverse=True)
    shown = rows[:limit] if limit else rows
    return shown, len(rows) - len(shown)


def as_json(rows: list[Row], _: bool) -> str:
    """A list of objects."""
    return json.dumps(rows, indent=2, ensure_ascii=False, default=_plain_value) + "\n"


def as_csv(rows: list[Row], _: bool) -> str:
    """A header and a line a row; no cell can start a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue()


def as_text(rows: list[Row], plain: bool) -> str:
    """Aligned columns; names and numbers shortened for a screen."""
    if not rows:
        return "nothing to show\n"
    names = [
        name for name in rows[0] if name not in ("names", "image_id", "created", "sources", "blobs")
    ]
    lines = [names, *([_text(name, row[name], plain) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    numeric = [isinstance(rows[0][name], int | float) for name in names]
    return "".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def _text(name: str, value: Any, plain: bool) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and _is_bytes(name):
        return human(value, plain=plain)
    if isinstance(value, float):
        return f"{value:.3f}"
    text = (
        ", ".join(str(item) for item in value)
        if isinstance(value, list)
        else str("" if value is None else value)
    )
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _is_bytes(name: str) -> bool:
    return (
        name.endswith("_bytes")
        or name.startswith(("exclusive_", "attributed_"))
        or name
        in (
            "modified",
            "metadata_only",
            "unchanged",
            "deleted",
            "opaque",
            "replaced",
            "superseded",
        )
    )


def _cell(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return "'" + text if isinstance(text, str) and text.startswith(_FORMULA) else text


def _plain_value(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
