"""The answer to one question: as a table on a screen, JSON, CSV or Parquet."""

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dedupe.errors import UsageError
from dedupe.model.measures import Cause
from dedupe.model.questions import Answer
from dedupe.report.text import aligned, json_document
from dedupe.report.units import (
    INCOMPLETE,
    NOT_COMPARED,
    UNKNOWN,
    at_least,
    cut,
    human,
    short_step,
)

if TYPE_CHECKING:
    from polars.datatypes import DataType

_WIDEST = 48
#: spreadsheets take a cell that starts so as a formula; the wide signs in some languages only
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
#: columns that are useless if they are cut; queries put them last
_WHOLE = frozenset({"path", "link", "fix", "sources"})
#: columns with build steps, which are shown without the shell before them
_STEPS = frozenset({"created_by", "hidden_by", "added_by", "step", "other_step", "split_by"})
#: columns that only programs read
_NOT_SHOWN = frozenset(
    {
        *("names", "image_id", "twin_id", "base_chain", "created", "sources", "blobs"),
        *("scan", "scanned"),
    }
)
#: columns that most catalogs have nothing in: they are shown if any row has a value
_IF_ANY = frozenset({"allocated_bytes", "other_bytes", "unseen_references", "stale_since", "flags"})
#: columns that tell images of one name apart
_APART = ("image_id", "sources")
#: characters of an image's ID, as docker and podman show it
_ID_SHOWN = 12
#: columns of bytes that are named by what hides these
_CAUSES = frozenset(Cause)
#: figures of which null means that something could not be read; of others it may mean that there is
#: no such figure
_FIGURES = _CAUSES | {
    *("content_bytes", "live_bytes", "shadowed_bytes", "efficiency", "exclusive_bytes"),
    *("orphan_bytes", "added_bytes", "hides_bytes", "shared_bytes", "upper_bytes"),
    *("copied_up_bytes", "metadata_only_bytes", "new_bytes", "hidden_bytes"),
    "container_cow_savings_bytes",
}

#: figures that may be null, and the columns that have a lower bound of them
_LOWER_BOUNDS = {"content_bytes": "read_bytes", "shadowed_bytes": "read_shadowed_bytes"}


def select_rows(answer: Answer, sort: str | None, limit: int) -> tuple[Answer, int]:
    """Sort and cut the rows: the rows to show, and the number of others.

    Raises UsageError for an unknown column.
    """
    rows = answer.rows
    if sort is not None:
        if sort not in answer.columns:
            raise UsageError(
                f"no column {sort}; there are {', '.join(answer.columns)}", "unknown-column"
            )
        place = list(answer.columns).index(sort)
        rows = sorted(rows, key=lambda row: (row[place] is not None, row[place]), reverse=True)
    shown = rows[:limit] if limit else rows
    return Answer(answer.columns, shown), len(rows) - len(shown)


def to_json(answer: Answer) -> str:
    """A list of objects."""
    return json_document(answer.dicts(), default=_plain_value)


def to_csv(answer: Answer) -> str:
    """A header and one line per row; no cell can start a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(answer.columns)
    for row in answer.rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def to_parquet(answer: Answer) -> bytes:
    """A Parquet file with the types of the query, even if it has no rows."""
    import polars as pl

    schema = {name: _polars_type(kind) for name, kind in answer.columns.items()}
    data = io.BytesIO()
    pl.DataFrame(answer.rows, schema=schema, orient="row").write_parquet(data)
    return data.getvalue()


def to_terminal(answer: Answer, *, plain: bool, columns: tuple[str, ...] = ()) -> str:
    """Aligned columns, these or all; names and numbers are shortened for a screen."""
    if not answer.rows:
        return "no rows\n"
    names = list(answer.columns)
    places = [names.index(name) for name in columns if name in answer.columns] or [
        place
        for place, name in enumerate(names)
        if name not in _NOT_SHOWN
        and (name not in _IF_ANY or any(row[place] is not None for row in answer.rows))
    ]
    places += [names.index(name) for name in _apart(answer) if names.index(name) not in places]
    rows = [
        [names[place] for place in places],
        *([_cell_text(names, row, place, plain) for place in places] for row in answer.rows),
    ]
    texts = {
        at
        for at, place in enumerate(places)
        # a column of figures of which some are unknown is still one of figures
        if not any(isinstance(row[place], int | float) for row in answer.rows)
    }
    return "".join(f"{line}\n" for line in aligned(rows, left=texts))


def _apart(answer: Answer) -> tuple[str, ...]:
    """Columns that tell images of one name apart; none if no two rows have the same name."""
    if not {"name", *_APART} <= answer.columns.keys():
        return ()
    at = list(answer.columns).index("name")
    found = [row[at] for row in answer.rows]
    return _APART if len(set(found)) < len(found) else ()


def _cell_text(names: Sequence[str], row: Sequence[object], place: int, plain: bool) -> str:
    """A cell, with marks for what could not be read."""
    name, value = names[place], row[place]
    if value is None and (name in _FIGURES or name.startswith(("exclusive_", "attributed_"))):
        bound = _LOWER_BOUNDS.get(name)
        return at_least(row[names.index(bound)], plain=plain) if bound in names else UNKNOWN
    if value is None and _is_not_compared(names, row, name):
        return NOT_COMPARED
    text = _text(name, value, plain)
    if name == "name" and "complete" in names and row[names.index("complete")] is False:
        return text + INCOMPLETE
    return text


def _is_not_compared(names: Sequence[str], row: Sequence[object], name: str) -> bool:
    """Whether a column without a value has none because contents were not compared."""
    if name == "cause" and "hidden_position" in names:
        return row[names.index("hidden_position")] is not None
    return name == "change"


def _text(name: str, value: object, plain: bool) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and _is_bytes(name):
        return human(value, plain=plain)
    if isinstance(value, float):
        return f"{value:.3f}"
    text = (
        ", ".join(str(item) for item in value)
        if isinstance(value, list)
        else _plain_value("" if value is None else value)
    )
    if name in _STEPS:
        return short_step(text, _WIDEST)
    if name == "image_id":
        return text.removeprefix("sha256:")[:_ID_SHOWN]
    return text if name in _WHOLE else cut(text, _WIDEST)


def _is_bytes(name: str) -> bool:
    return (
        name.endswith("_bytes") or name.startswith(("exclusive_", "attributed_")) or name in _CAUSES
    )


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, default=_plain_value)
    elif isinstance(value, bytes):
        value = value.hex()
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value


def _plain_value(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _polars_type(kind: str) -> "type[DataType] | DataType | None":
    """The polars type of a DuckDB type; None for polars to find it by the values."""
    import polars as pl

    if kind.endswith("[]"):
        inner = _polars_type(kind.removesuffix("[]"))
        return inner and pl.List(inner)
    if kind.startswith("STRUCT("):
        fields = (field.split(" ", 1) for field in kind[len("STRUCT(") : -1].split(", "))
        types = {name.strip('"'): _polars_type(inner) for name, inner in fields}
        known_types = {name: found for name, found in types.items() if found is not None}
        return pl.Struct(known_types) if len(known_types) == len(types) else None
    known: dict[str, type[DataType] | DataType] = {
        "BOOLEAN": pl.Boolean,
        "TINYINT": pl.Int8,
        "SMALLINT": pl.Int16,
        "INTEGER": pl.Int32,
        "BIGINT": pl.Int64,
        "HUGEINT": pl.Int128,
        "UBIGINT": pl.UInt64,
        "DOUBLE": pl.Float64,
        "FLOAT": pl.Float32,
        "BLOB": pl.Binary,
        "TIMESTAMP": pl.Datetime("us"),
        "VARCHAR": pl.String,
    }
    # rarer types are decimals and dates
    return known.get(kind)
