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
from dedupe.model.tables import LATER_TABLES, SCAN_TABLES, SCHEMA_VERSION
from dedupe.store.catalog import LOCK
from dedupe.store.checksums import replacing_table
from dedupe.store.layer_files import ENTRIES, LAYERS
from dedupe.store.packing import pack
from dedupe.store.reading import quoted, readable
from dedupe.store.resources import open_connection
from dedupe.store.rows import frame
from dedupe.store.versions import Mark, current_mark, read_mark, unwritable, write_mark
from dedupe.store.views import SCANS, Views, scan_files, scan_ids

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
    #: whether older files stay, since a process reads the catalog, until it is upgraded again
    is_read: bool = False


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
            packed = pack(folder, older=True)
        for table, files in (("layers", packed.rows_files), ("entries", packed.entries_files)):
            if files:
                rewritten[table] = files
        now = current_mark()
        if packed.is_read:
            older = {table: mark.columns.get(table, frozenset()) for table in (LAYERS, ENTRIES)}
            now = Mark(SCHEMA_VERSION, mark.oldest, {**now.columns, **older})
        write_mark(folder, now)
    return Upgrade(mark.oldest, SCHEMA_VERSION, rewritten, is_read=packed.is_read)


def _rewrite_tables(folder: Path, mark: Mark) -> dict[str, int]:
    """Rewrite older files of the tables of scans; returns how many of each."""
    _add_tables(folder)
    rewritten: dict[str, int] = {}
    known = scan_ids(folder)
    with open_connection(folder, in_order=True) as connection:
        views = Views(connection, folder)
        for table in SCAN_TABLES:
            if not (mark.lacks(table) or mark.changed(table)):
                continue
            for file in scan_files(folder, table, known):
                if views.is_older(table, file):
                    _rewrite(connection, file, views.columns(table, file))
                    rewritten[table] = rewritten.get(table, 0) + 1
    return rewritten


def _add_tables(folder: Path) -> None:
    """Write empty files of the tables that scans of earlier programs do not have."""
    for scan in scan_ids(folder):
        for table in LATER_TABLES:
            file = folder / SCANS / scan / f"{table}.parquet"
            if not os.path.lexists(file):
                with replacing_table(file.parent, file.stem, flush=True) as temporary:
                    frame(table, {}).write_parquet(temporary, compression="zstd")


def _rewrite(connection: duckdb.DuckDBPyConnection, file: Path, columns: str) -> None:
    """Replace the file by one with these columns."""
    import duckdb

    # read first: an error of reading must not be taken for one of writing
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rows AS SELECT {columns} FROM read_parquet({quoted(file)})"  # noqa: S608  # quoted
    )
    try:
        with replacing_table(file.parent, file.stem, flush=True) as temporary:
            connection.execute(
                f"COPY rows TO {quoted(temporary)} (FORMAT parquet, COMPRESSION zstd)"
            )
    except (OSError, duckdb.IOException) as error:
        raise unwritable(file, error, "free some space and upgrade again") from error
