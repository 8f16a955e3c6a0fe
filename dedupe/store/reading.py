"""Errors of reading the catalog's files, and values as text of SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dedupe.errors import StoreError, reason_of
from dedupe.store.resources import shortage


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Raises StoreError ``bad-catalog`` for an error of DuckDB, polars or the system in the body.

    Our own queries fail only if a file is missing, damaged or of other columns or types. Not
    having enough memory or disk space says nothing about the catalog: raises ResourceError.
    """
    try:
        yield
    except OSError as error:
        raise damaged(folder, f"{error.filename or folder}: {reason_of(error)}") from error
    except Exception as error:
        # loading it takes long, and it is loaded if the error is its own
        import duckdb

        if isinstance(error, duckdb.InterruptException) or not isinstance(error, duckdb.Error):
            raise
        raise shortage(error) or damaged(folder, error) from error


def damaged(folder: Path, what: object) -> StoreError:
    """The error for a catalog with a file that is missing, damaged or of another kind."""
    # DuckDB shows the query below its message
    first = str(what).partition("\n")[0]
    return StoreError(
        f"catalog {folder}: {first}; 'dedupe scan --rehash PATH' rewrites layers, "
        "'dedupe catalog forget SCAN' removes a scan",
        "bad-catalog",
    )


def quoted(value: object) -> str:
    """Text of a value as a SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def listed(values: Iterable[object]) -> str:
    """Texts of values as SQL literals, with commas."""
    return ", ".join(map(quoted, values))


def no_rows(columns: Mapping[str, str]) -> str:
    """A query with columns of these types and no rows."""
    typed = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
    return f"SELECT {typed} WHERE false"
