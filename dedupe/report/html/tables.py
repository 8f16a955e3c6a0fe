"""The page's tables: their columns, and how many of their rows the file has."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from dedupe.analysis import queries
from dedupe.analysis.page import PageRows
from dedupe.model.measures import CONTAINERS, IMAGES
from dedupe.report.disk import kind_label, runnable
from dedupe.report.units import UNKNOWN, at_least, cut, human

#: bytes of a table's rows in the file: 10,000 images are 2 MB, and all tables together stay below
#: 10 MB; below the table is the command that lists the rows that are left out
_MOST_BYTES = 900_000
_MOST_BYTES_OF_IMAGES = 3_000_000
_MOST_BYTES_OF_FINDINGS = 2_500_000
#: characters of a cell, because a build step can be a whole script
_LONGEST = 400
#: rows of the plain table, for readers without JavaScript and for print
_PLAIN_ROWS = 50

#: what the script and the style know about a column
CellKind = Literal["bytes", "number", "share", "text", "long"]
Cell = str | int | float | list[str] | None
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column: heading, kind, and the value of a row."""

    name: str
    kind: CellKind
    value: Callable[[Row], Cell]


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column, and the kind of its cells."""

    name: str
    kind: CellKind


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that the script shows; the first of them are in the page's own markup too."""

    name: str
    columns: list[Heading]
    rows: list[list[Cell]]
    left_out: int
    command: str

    @property
    def plain_rows(self) -> list[list[tuple[str, Heading]]]:
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
        """Number of rows that only the script shows."""
        return max(len(self.rows) - _PLAIN_ROWS, 0)


_IMAGES: tuple[Column[queries.ImagesRow], ...] = (
    Column("image", "text", lambda row: row["label"] + _mark(row)),
    Column("platform", "text", lambda row: row["platform"]),
    Column("layers", "number", lambda row: row["layers"]),
    Column(IMAGES["content_bytes"].label, "bytes", lambda row: row["content_bytes"]),
    Column(IMAGES["efficiency"].label, "share", lambda row: row["efficiency"]),
    Column(IMAGES["shadowed_bytes"].label, "bytes", lambda row: row["shadowed_bytes"]),
    Column(IMAGES["exclusive_unpacked"].label, "bytes", lambda row: row["exclusive_unpacked"]),
    Column(IMAGES["attributed_unpacked"].label, "bytes", lambda row: row["attributed_unpacked"]),
    Column(
        IMAGES["attributed_compressed"].label, "bytes", lambda row: row["attributed_compressed"]
    ),
)
_FINDINGS: tuple[Column[queries.FindingsRow], ...] = (
    Column("saves", "bytes", lambda row: row["saves_bytes"]),
    Column("kind", "text", lambda row: row["kind"]),
    Column("image", "text", lambda row: row["image"]),
    Column("images", "number", lambda row: row["images"]),
    Column("layer", "number", lambda row: row["position"]),
    Column("fix", "long", lambda row: row["fix"]),
    Column("build step", "long", lambda row: row["step"]),
    Column("files", "number", lambda row: row["files"]),
    Column("largest paths", "text", lambda row: row["paths"]),
    Column("id", "text", lambda row: row["id"]),
)
_FOLDERS: tuple[Column[queries.DuplicateFoldersRow], ...] = (
    Column("stored again", "bytes", lambda row: row["duplicate_bytes"]),
    Column("one copy", "bytes", lambda row: row["size_bytes"]),
    Column("copies", "number", lambda row: row["copies"]),
    Column("files", "number", lambda row: row["files"]),
    Column("images", "number", lambda row: row["images"]),
    Column("folders", "text", lambda row: row["folders"]),
)
_DISK: tuple[Column[queries.DiskRow], ...] = (
    Column("allocated", "bytes", lambda row: row["allocated_bytes"]),
    Column("kind", "text", lambda row: kind_label(row["kind"])),
    Column("owner", "text", lambda row: row["owner"] or row["unknown"]),
    Column("removed by", "text", lambda row: runnable(row["command"])),
    Column("latest change", "text", lambda row: row["changed"]),
    Column("places", "number", lambda row: row["places"]),
    Column("files", "number", lambda row: row["files"]),
    Column("source", "text", lambda row: row["source"]),
    Column("largest place", "text", lambda row: row["path"]),
)
_CONTAINERS: tuple[Column[queries.ContainersRow], ...] = (
    Column("container", "text", lambda row: row["name"]),
    Column("image", "text", lambda row: row["image"]),
    Column(CONTAINERS["upper_bytes"].label, "bytes", lambda row: row["upper_bytes"]),
    Column(CONTAINERS["copied_up_bytes"].label, "bytes", lambda row: row["copied_up_bytes"]),
    Column(
        CONTAINERS["metadata_only_bytes"].label, "bytes", lambda row: row["metadata_only_bytes"]
    ),
    Column(CONTAINERS["new_bytes"].label, "bytes", lambda row: row["new_bytes"]),
    Column(CONTAINERS["hidden_bytes"].label, "bytes", lambda row: row["hidden_bytes"]),
)
_POSITIONS: tuple[Column[queries.UsagePositionsRow], ...] = (
    Column("stored twice", "bytes", lambda row: row["position_loss_bytes"]),
    Column("build step", "text", lambda row: row["created_by"]),
    Column("layer", "number", lambda row: row["position"]),
    Column("copy", "number", lambda row: row["copy"]),
    Column("copies", "number", lambda row: row["copies"]),
    Column("different layer below", "text", lambda row: row["split_by"]),
    Column("images", "text", lambda row: row["image_names"]),
)
_PROBLEMS: tuple[Column[queries.ProblemsRow], ...] = (
    Column("severity", "text", lambda row: row["severity"]),
    Column("code", "text", lambda row: row["code"]),
    Column("source", "text", lambda row: row["source"]),
    Column("subject", "text", lambda row: row["subject"]),
    Column("message", "long", lambda row: row["message"]),
    Column("images", "text", lambda row: row["images"]),
)


def _mark(row: queries.ImagesRow) -> str:
    """What an incomplete image has behind its name: how much of it was read."""
    if row["complete"]:
        return ""
    return f" (incomplete: content {at_least(row['read_bytes'])})"


def tables(page: PageRows) -> dict[str, Table]:
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
        "disk": _table("Disk", _DISK, page.disk_owners, "dedupe disk --by owner --limit 0"),
        "orders": _table("Layer orders", _POSITIONS, page.positions, "dedupe positions"),
        "problems": _table("Problems", _PROBLEMS, found.problems, "dedupe report -f json"),
    }


def _table(
    name: str,
    columns: Sequence[Column[Row]],
    rows: Sequence[Row],
    command: str,
    most_bytes: int = _MOST_BYTES,
) -> Table:
    kept: list[list[Cell]] = []
    for row in rows:
        cells = [_cut(column.value(row)) for column in columns]
        most_bytes -= len(json.dumps(cells, ensure_ascii=False).encode())
        if most_bytes < 0:
            break
        kept.append(cells)
    headings = [Heading(column.name, column.kind) for column in columns]
    return Table(name, headings, kept, len(rows) - len(kept), command)


def _cut(value: Cell) -> Cell:
    """The value, with texts cut to what a cell can show."""
    if isinstance(value, list):
        return [cut(item, _LONGEST) for item in value]
    return cut(value, _LONGEST) if isinstance(value, str) else value


def _text(value: Cell, kind: CellKind) -> str:
    match kind, value:
        case "bytes" | "share", None:
            return UNKNOWN
        case _, None:
            return ""
        case "bytes", int(size):
            return human(size)
        case "share", int(share) | float(share):
            return f"{100 * share:.1f} %"
        case "number", int(number):
            return f"{number:,}"
        case _, list(items):
            return ", ".join(items)
        case _, other:
            return str(other)
