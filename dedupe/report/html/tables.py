"""The page's tables: which columns, in which words, and how many rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dedupe.analysis.page import Page
from dedupe.report.units import human

#: bytes of the rows of a table that the file holds: 10,000 images are 2 MB, and all tables together
#: stay below 10 MB; what is left out is said with the command that lists it
_MOST_BYTES = 900_000
_MOST_BYTES_OF_IMAGES = 3_000_000
_MOST_BYTES_OF_FINDINGS = 2_500_000
#: a build step can be a whole script
_LONGEST = 400
#: rows of the plain table, for readers without JavaScript and for print
_PLAIN_ROWS = 50


@dataclass(frozen=True, slots=True)
class Column:
    """A column: heading, and bytes, number, share, text or long."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for the script, and the first of them for everybody."""

    name: str
    columns: list[Column]
    rows: list[list[Any]]
    left_out: int
    command: str

    @property
    def shown(self) -> list[list[tuple[str, Column]]]:
        """Cells of the plain table."""
        return [
            [
                (_text(value, column.kind), column)
                for value, column in zip(row, self.columns, strict=True)
            ]
            for row in self.rows[:_PLAIN_ROWS]
        ]

    @property
    def hidden_rows(self) -> int:
        """Rows that only the script shows."""
        return max(len(self.rows) - _PLAIN_ROWS, 0)


def tables(page: Page) -> dict[str, Table]:
    """All tables of the page by name."""
    found = page.found
    return {
        "images": _table("Images", _IMAGES, found.images, "dedupe images", _MOST_BYTES_OF_IMAGES),
        "findings": _table(
            "Findings",
            _FINDINGS,
            found.findings,
            "dedupe findings --limit 0",
            _MOST_BYTES_OF_FINDINGS,
        ),
        "folders": _table(
            "Folders", _FOLDERS, page.duplicate_folders, "dedupe duplicates --by folder --limit 0"
        ),
        "containers": _table("Containers", _CONTAINERS, found.containers, "dedupe containers"),
        "orders": _table("Layer orders", _ORDERS, page.orders, "dedupe reorder"),
        "problems": _table("Problems", _PROBLEMS, found.problems, "dedupe report -f json"),
    }


#: (key of the row, heading, kind)
_IMAGES = (
    ("name", "image", "text"),
    ("platform", "platform", "text"),
    ("layers", "layers", "number"),
    ("content_bytes", "holds", "bytes"),
    ("efficiency", "readable", "share"),
    ("shadowed_bytes", "shadowed", "bytes"),
    ("exclusive_unpacked", "its own", "bytes"),
    ("attributed_unpacked", "its share", "bytes"),
    ("attributed_compressed", "its share, compressed", "bytes"),
)
_FINDINGS = (
    ("saves_bytes", "wins", "bytes"),
    ("kind", "kind", "text"),
    ("image", "image", "text"),
    ("images", "images", "number"),
    ("position", "layer", "number"),
    ("repair", "repair", "long"),
    ("step", "build step", "long"),
    ("files", "files", "number"),
    ("paths", "largest paths", "text"),
    ("id", "id", "text"),
)
_FOLDERS = (
    ("duplicate_bytes", "stored again", "bytes"),
    ("size_bytes", "one copy", "bytes"),
    ("copies", "copies", "number"),
    ("files", "files", "number"),
    ("images", "images", "number"),
    ("folders", "folders", "text"),
)
_CONTAINERS = (
    ("name", "container", "text"),
    ("image", "image", "text"),
    ("upper_bytes", "written", "bytes"),
    ("copied_up_bytes", "copied up", "bytes"),
    ("metadata_only_bytes", "for metadata only", "bytes"),
    ("new_bytes", "new", "bytes"),
    ("hidden_bytes", "hides below", "bytes"),
)
_ORDERS = (
    ("lost_bytes", "lost today", "bytes"),
    ("created_by", "build step", "text"),
    ("position", "layer", "number"),
    ("copy", "copy", "number"),
    ("copies", "copies", "number"),
    ("split_by", "other layer below", "text"),
    ("image_names", "images", "text"),
)
_PROBLEMS = (
    ("severity", "severity", "text"),
    ("code", "code", "text"),
    ("source", "source", "text"),
    ("subject", "subject", "text"),
    ("message", "message", "long"),
)


def _table(
    name: str,
    columns: Sequence[tuple[str, str, str]],
    rows: Sequence[Mapping[str, object]],
    command: str,
    most_bytes: int = _MOST_BYTES,
) -> Table:
    kept: list[list[Any]] = []
    for row in rows:
        cells = [_cut(row[key]) for key, _, _ in columns]
        most_bytes -= len(json.dumps(cells, ensure_ascii=False).encode())
        if most_bytes < 0:
            break
        kept.append(cells)
    return Table(
        name,
        [Column(heading, kind) for _, heading, kind in columns],
        kept,
        len(rows) - len(kept),
        command,
    )


def _cut(value: Any) -> Any:
    """The value, its text cut to what a cell bears."""
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: _LONGEST - 1] + "…"
    return value


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    match kind:
        case "bytes":
            return human(value)
        case "share":
            return f"{100 * value:.1f} %"
        case "number":
            return f"{value:,}"
        case _:
            return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
