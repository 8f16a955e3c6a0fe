"""Read the headers of the queries: the question of each, its parameters and its columns."""

import re
from pathlib import Path

from dedupe.model.tables import TABLES

FIELDS = ("Question", "Grain", "Params", "Columns", "Source")

#: the SQL that every session loads; it is not a question
_MACROS = "macros"

_FIELD = re.compile(r"-- (\w+): +(\S.*)")
#: ``name  TYPE  meaning``; a line without two wide gaps continues the line above
_COLUMN = re.compile(r"\$?(\w+) {2,}([A-Z]\S*(?:\([^)]*\)\S*)?) {2,}(\S.*)")


def questions_in(queries: Path) -> list[Path]:
    """Return the files of all questions, without relations, derivations, parts and macros."""
    return sorted(
        path
        for path in queries.rglob("*.sql")
        if path.stem != _MACROS
        and path.relative_to(queries).parts[0] not in ("relations", "derived", "part")
    )


def name_of(path: Path, queries: Path) -> str:
    """Return the name of a question, such as ``images`` or ``diff/files``."""
    return path.relative_to(queries).with_suffix("").as_posix()


def header_of(path: Path) -> dict[str, list[str]]:
    """Return the lines of each field of a header, in order; raises ValueError without a field."""
    fields: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if not line.startswith("--"):
            break
        found = _FIELD.match(line)
        if found:
            fields[found[1]] = [found[2]]
        elif fields:
            fields[next(reversed(fields))].append(line.removeprefix("--").strip())
        else:
            raise ValueError(f"{path.name}: expected a field, found {line!r}")
    return fields


def columns_of(path: Path) -> dict[str, tuple[str, str]]:
    """Return the type and meaning of each column that the header names.

    ``as the table NAME, and`` stands for the columns of a table of the catalog, ``as NN_NAME``
    for those of another relation, ``as FOLDER/NAME`` for those of another query.
    """
    columns: dict[str, tuple[str, str]] = {}
    for line in header_of(path)["Columns"]:
        if same := re.match(r"as the table (\w+)", line):
            columns |= {
                name: (kind, f"as in the table {same[1]}; may be null")
                for name, kind in TABLES[same[1]].items()
            }
        elif same := re.match(r"as (\d\d_\w+)", line):
            columns |= columns_of(_queries(path) / "relations" / f"{same[1]}.sql")
        elif same := re.match(r"as (\w+/\S+\w)", line):
            columns |= columns_of(_queries(path) / f"{same[1]}.sql")
        else:
            columns = _described(columns, line)
    return columns


def _queries(path: Path) -> Path:
    """Return the folder of all queries, from the file of one."""
    return next(parent for parent in path.parents if (parent / "relations").is_dir())


def fields_of_struct(kind: str) -> dict[str, str]:
    """Return the type of each field of ``STRUCT(name TYPE, ...)`` or of a list of them."""
    inside = kind[kind.index("(") + 1 : kind.rindex(")")]
    return dict(field.split(" ", 1) for field in inside.split(", "))


def parameters_of(path: Path) -> dict[str, tuple[str, str]]:
    """Return the type and meaning of each parameter."""
    found: dict[str, tuple[str, str]] = {}
    for line in header_of(path)["Params"]:
        if line != "none":
            found = _described(found, line)
    return found


def _described(known: dict[str, tuple[str, str]], line: str) -> dict[str, tuple[str, str]]:
    """Return the known names and those of one more line."""
    if named := _COLUMN.match(line):
        return {**known, named[1]: (named[2], named[3])}
    if known and line:
        last, (kind, meaning) = next(reversed(known.items()))
        return {**known, last: (kind, f"{meaning} {line}")}
    return known
