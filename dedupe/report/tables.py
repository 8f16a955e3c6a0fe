"""Answers as a table, JSON, CSV or Parquet."""

import csv
import io
import json
from typing import Any

from dedupe.errors import UsageError
from dedupe.model.questions import Answer
from dedupe.report.steps import short_step
from dedupe.report.units import human

_WIDEST = 48
# a spreadsheet takes a cell that starts so for a formula; in some languages also by the wide signs
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
#: columns that are of no use in part; queries put them last
_WHOLE = frozenset({"path", "link", "repair"})
#: build steps, which every builder begins with the same words
_STEPS = frozenset({"created_by", "hidden_by", "added_by", "step", "other_step", "split_by"})
#: columns that only programs read
_NOT_SHOWN = frozenset(
    {"names", "image_id", "twin_id", "base_chain", "created", "sources", "blobs"}
)
_CAUSES = frozenset(
    {"modified", "metadata_only", "unchanged", "deleted", "opaque", "replaced", "superseded"}
)


def chosen(answer: Answer, sort: str | None, limit: int) -> tuple[Answer, int]:
    """The rows to show, and how many are left out; raises UsageError for an unknown column."""
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


def as_json(answer: Answer) -> str:
    """A list of objects."""
    return json.dumps(answer.dicts(), indent=2, ensure_ascii=False, default=_plain_value) + "\n"


def as_csv(answer: Answer) -> str:
    """A header and a line a row; no cell can start a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(answer.columns)
    for row in answer.rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def as_parquet(answer: Answer) -> bytes:
    """A Parquet file with the types of the query, also where there is no row."""
    import polars as pl

    schema = {name: _polars_type(kind) for name, kind in answer.columns.items()}
    data = io.BytesIO()
    pl.DataFrame(answer.rows, schema=schema, orient="row").write_parquet(data)
    return data.getvalue()


def as_text(answer: Answer, *, plain: bool, columns: tuple[str, ...] = ()) -> str:
    """Aligned columns, these or all; names and numbers shortened for a screen."""
    if not answer.rows:
        return "nothing to show\n"
    names = list(answer.columns)
    places = [names.index(name) for name in columns if name in answer.columns] or [
        place for place, name in enumerate(names) if name not in _NOT_SHOWN
    ]
    lines = [
        [names[place] for place in places],
        *([_text(names[place], row[place], plain) for place in places] for row in answer.rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(places))]
    numeric = [isinstance(answer.rows[0][place], int | float) for place in places]
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
        else _plain_value("" if value is None else value)
    )
    if name in _STEPS:
        return short_step(text, _WIDEST)
    whole = name in _WHOLE or len(text) <= _WIDEST
    return text if whole else text[: _WIDEST - 1] + "…"


def _is_bytes(name: str) -> bool:
    return (
        name.endswith("_bytes") or name.startswith(("exclusive_", "attributed_")) or name in _CAUSES
    )


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, default=_plain_value)
    elif isinstance(value, bytes):
        value = value.hex()
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value


def _plain_value(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _polars_type(kind: str) -> Any:
    import polars as pl

    if kind.endswith("[]"):
        inner = _polars_type(kind.removesuffix("[]"))
        return inner and pl.List(inner)
    if kind.startswith("STRUCT("):
        fields = (field.split(" ", 1) for field in kind[len("STRUCT(") : -1].split(", "))
        return pl.Struct({name.strip('"'): _polars_type(inner) for name, inner in fields})
    known: dict[str, Any] = {
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
    # what is rarer goes by its values: decimals, dates
    return known.get(kind)
