"""Rewriting an older catalog as this program writes it.

The mark is raised first, so that no older program misreads a catalog that is half rewritten. It
says that all files are of this version only once they are. Each file is replaced by renaming: at
whatever moment a run is killed, the catalog reads the same, and the next run finishes the work.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.host.locks import exclusive_lock
from dedupe.host.writing import replacing
from dedupe.model.tables import LATER_TABLES, SCAN_TABLES, SCHEMA_VERSION, TABLES
from dedupe.store.catalog import LOCK
from dedupe.store.resources import open_connection
from dedupe.store.rows import frame
from dedupe.store.versions import Mark, current_mark, read_mark, unwritable, write_mark
from dedupe.store.views import SCANS, Views, layer_files, quoted, readable, scan_files, scan_ids

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did."""

    #: version of the oldest files before
    oldest: int
    #: version of all files now
    version: int
    #: table -> number of files that were rewritten; empty if only the mark was
    rewritten: Mapping[str, int]
    #: whether nothing had to be done
    is_needless: bool = False


def upgrade(folder: Path) -> Upgrade:
    """Rewrite the files that are older than this program.

    Raises StoreError as ``read_mark`` does, ``bad-catalog`` for a damaged file and
    ``catalog-unwritable`` if a file cannot be written; LockedError while a scan is writing.
    """
    mark = read_mark(folder)
    if mark.is_current:
        return Upgrade(mark.oldest, mark.version, {}, is_needless=True)
    with exclusive_lock(folder / LOCK, "the catalog is being written to"):
        mark = read_mark(folder)
        write_mark(folder, Mark(SCHEMA_VERSION, mark.oldest, mark.columns))
        with readable(folder):
            rewritten = _rewrite_tables(folder, mark)
        write_mark(folder, current_mark())
    return Upgrade(mark.oldest, SCHEMA_VERSION, rewritten)


def _rewrite_tables(folder: Path, mark: Mark) -> dict[str, int]:
    """Rewrite older files of all tables; returns how many of each."""
    _add_tables(folder)
    rewritten: dict[str, int] = {}
    with open_connection(folder, in_order=True) as connection:
        views = Views(connection, folder)
        for table in TABLES:
            if not (mark.lacks(table) or mark.changed(table)):
                continue
            for file in _files(folder, table):
                if _is_older(connection, views, mark, table, file):
                    _rewrite(connection, file, views.columns(table, file))
                    rewritten[table] = rewritten.get(table, 0) + 1
    return rewritten


def _add_tables(folder: Path) -> None:
    """Write empty files of the tables that scans of earlier programs do not have."""
    for scan in scan_ids(folder):
        for table in LATER_TABLES:
            file = folder / SCANS / scan / f"{table}.parquet"
            if not os.path.lexists(file):
                with replacing(file, flush=True) as temporary:
                    frame(table, {}).write_parquet(temporary, compression="zstd")


def _files(folder: Path, table: str) -> list[Path]:
    if table in SCAN_TABLES:
        return scan_files(folder, table, scan_ids(folder))
    return layer_files(folder, table)


def _is_older(
    connection: duckdb.DuckDBPyConnection, views: Views, mark: Mark, table: str, file: Path
) -> bool:
    """Whether the file lacks a column or has a value of an older version."""
    if mark.lacks(table) - views.describe(file).keys():
        return True
    differences = [
        f"({meaning}) IS DISTINCT FROM {column}" for column, meaning in mark.changed(table).items()
    ]
    if not differences:
        return False
    sql = (
        f"SELECT count(*) FROM read_parquet({quoted(file)}) "  # noqa: S608  # quoted
        f"WHERE {' OR '.join(differences)}"
    )
    (count,) = connection.execute(sql).fetchone() or (0,)
    return bool(count)


def _rewrite(connection: duckdb.DuckDBPyConnection, file: Path, columns: str) -> None:
    """Replace the file by one with these columns."""
    import duckdb

    # read first: an error of reading must not be taken for one of writing
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rows AS SELECT {columns} FROM read_parquet({quoted(file)})"  # noqa: S608  # quoted
    )
    try:
        with replacing(file, flush=True) as temporary:
            connection.execute(
                f"COPY rows TO {quoted(temporary)} (FORMAT parquet, COMPRESSION zstd)"
            )
    except (OSError, duckdb.IOException) as error:
        raise unwritable(file, error, "free some space and upgrade again") from error
