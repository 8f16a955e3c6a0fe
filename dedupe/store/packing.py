"""Putting many small files of layers together, and leaving out what is no longer needed.

New files of entries are written first, then one file with the rows of all layers, which is renamed
into place and from then on counts: its number is above those of the files it replaces. Only then
are the replaced files removed, and only while no process reads the catalog; else they stay until
the next time. A kill at any moment leaves files that count, or that the next time removes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.errors import reason_of
from dedupe.host.locks import without_readers
from dedupe.host.writing import TEMPORARY
from dedupe.store.layer_files import (
    ENTRIES,
    LAYERS,
    ROW_GROUP,
    fault_of,
    files_in,
    is_numbered,
    number_of,
    write_file,
)
from dedupe.store.layer_views import add_layers
from dedupe.store.reading import listed, quoted, readable
from dedupe.store.resources import open_connection
from dedupe.store.versions import unwritable
from dedupe.store.views import Views

if TYPE_CHECKING:
    import duckdb

#: a catalog with more files of layers than this is packed at the end of a scan
MOST_FILES = 64
#: files of entries grow to about this size: about five million entries
_PACK_BYTES = 64 << 20
#: younger entries without a row may get it from a scan of an older program, which takes no lock
_YOUNG_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Packed:
    """What packing did."""

    #: layers whose rows were left out
    dropped: int
    #: files of layers, and of entries, that were put together or written anew
    rows_files: int
    entries_files: int
    #: bytes of files that were removed, less those of new ones
    freed_bytes: int
    #: whether replaced files stay, since a process reads the catalog
    is_read: bool = False


def pack(folder: Path, needed: Collection[str] | None = None, *, older: bool = False) -> Packed:
    """Pack the layers of a catalog, whose lock must be held exclusively.

    ``needed`` are the layers whose rows stay; all by default. With ``older``, files of older
    programs are written anew too. Damaged files of entries stay as they are if a layer needs them.
    Raises StoreError ``bad-catalog`` if a file of layers is damaged, and ``catalog-unwritable``.
    """
    before = _bytes_of(folder)
    rows = files_in(folder, LAYERS)
    with readable(folder), open_connection(folder, in_order=True) as connection:
        add_layers(connection, folder)
        former = _names(connection, "layers")
        chosen = "" if needed is None else f"WHERE layer IN ({listed(needed) or 'NULL'})"
        connection.execute(f"CREATE TABLE kept_layer AS FROM layers {chosen}")
        dropped = _number(
            connection, "SELECT count(*) FROM layers ANTI JOIN kept_layer USING (layer)"
        )
        mixed = _mixed(connection)
        due = _due(connection, folder, mixed, older=older)
        if not rows or not (due or dropped or older or len(rows) > 1):
            is_alone = _remove(folder, [], former, former)
            return Packed(0, 0, 0, before - _bytes_of(folder), is_read=not is_alone)
        _write_entries(connection, folder, due, mixed)
        made = _write_rows(connection, folder, rows)
        replaced = [file for file in rows if file != made]
        is_alone = _remove(folder, replaced, _names(connection, "packed"), former)
    freed = before - _bytes_of(folder)
    return Packed(dropped, len(replaced), len(due), freed, is_read=not is_alone)


def _mixed(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Names of files with entries of rows that are left out."""
    found = connection.execute(
        """
        SELECT file FROM replaced_entries
        UNION
        SELECT unnest(entries_in) FROM layers ANTI JOIN kept_layer USING (layer)
        """
    )
    return {name for (name,) in found.fetchall()}


def _due(
    connection: duckdb.DuckDBPyConnection, folder: Path, mixed: set[str], *, older: bool
) -> list[Path]:
    """Files of entries to write anew: mixed ones, small ones, and those of older programs."""
    files = [folder / ENTRIES / name for name in sorted(_names(connection, "kept_layer"))]
    due = {file for file in files if file.name in mixed}
    if older:
        views = Views(connection, folder)
        due |= {file for file in files if not is_numbered(file) or views.is_older("entries", file)}
    small = _small([file for file in files if file not in due])
    due |= set(small) if len(small) > 1 else set()
    return [file for file in files if file in due and not _is_damaged(file)]


def _is_damaged(file: Path) -> bool:
    try:
        return bool(fault_of(file))
    except OSError:
        return True


def _small(files: Sequence[Path]) -> list[Path]:
    """Files that are worth putting together: no large one is written anew for a few small ones."""
    sized = sorted(((file.stat().st_size, file) for file in files), reverse=True)
    sized = [(size, file) for size, file in sized if size < _PACK_BYTES // 2]
    left = sum(size for size, _ in sized)
    for number, (size, _) in enumerate(sized):
        left -= size
        if size <= left:
            return [file for _, file in sized[number:]]
    return []


def _chunks(due: Sequence[Path]) -> list[list[Path]]:
    """The files in groups, of each of which one file is made."""
    chunks: list[list[Path]] = []
    size = _PACK_BYTES
    for file in due:
        if size >= _PACK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(file)
        size += file.stat().st_size
    return chunks


def _write_entries(
    connection: duckdb.DuckDBPyConnection, folder: Path, due: Sequence[Path], mixed: set[str]
) -> None:
    """Write the entries in these files anew, and make the table of the rows that name them."""
    connection.execute("CREATE TABLE moved (file VARCHAR, made VARCHAR)")
    views = Views(connection, folder)
    for chunk in _chunks(due):
        names = [file.name for file in chunk]
        rows = views.selected("entries", chunk)
        if mixed.intersection(names):
            several = views.selected("entries", chunk, ("filename",))
            rows = (
                f"SELECT * EXCLUDE (filename) FROM ({several}) "  # noqa: S608  # quoted
                "WHERE (layer, parse_filename(filename)) IN "
                "(SELECT (layer, unnest(entries_in)) FROM kept_layer)"
            )
        made = _copy(connection, folder / ENTRIES, max(map(number_of, chunk)), rows)
        connection.execute(
            "INSERT INTO moved SELECT unnest($names::VARCHAR[]), $made",
            {"names": names, "made": made.name},
        )
    connection.execute(
        """
        CREATE TABLE packed AS
        WITH
        placed AS (
            SELECT layer, list(DISTINCT coalesce(moved.made, file) ORDER BY 1) AS files
            FROM (SELECT layer, unnest(entries_in) AS file FROM kept_layer)
            LEFT JOIN moved USING (file)
            GROUP BY layer
        )
        SELECT kept_layer.* REPLACE (coalesce(placed.files, []) AS entries_in)
        FROM kept_layer
        LEFT JOIN placed USING (layer)
        """
    )


def _write_rows(
    connection: duckdb.DuckDBPyConnection, folder: Path, replaced: Sequence[Path]
) -> Path:
    """Write the rows of all layers as one file, which counts from then on."""
    made = _copy(
        connection, folder / LAYERS, max(map(number_of, replaced)) + 1, "FROM packed ORDER BY layer"
    )
    # gc keeps young layers: those of a new file may be old
    newest = max(file.stat().st_mtime_ns for file in replaced)
    os.utime(made, ns=(newest, newest))
    return made


def _copy(connection: duckdb.DuckDBPyConnection, folder: Path, number: int, rows: str) -> Path:
    import duckdb

    def write(file: Path) -> None:
        connection.execute(
            f"COPY ({rows}) TO {quoted(file)} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )

    try:
        return write_file(folder, number, write, flush=True)
    except duckdb.IOException as error:
        # an error of reading names another file
        if TEMPORARY not in str(error):
            raise
        raise unwritable(folder, error, "free some space and try again") from error
    except OSError as error:
        raise unwritable(folder, reason_of(error), "free some space and try again") from error


def _remove(folder: Path, rows: Sequence[Path], named: set[str], former: set[str]) -> bool:
    """Remove files of layers that were replaced, and files of entries that no row names.

    ``named`` are the files of entries that rows name now, ``former`` those that they named before.
    False if a process reads the catalog, so that all stay.
    """
    youngest = time.time() - _YOUNG_SECONDS
    with without_readers(folder / LAYERS) as is_alone:
        if not is_alone:
            return False
        # rows first: entries without a row belong to no layer
        for file in rows:
            file.unlink(missing_ok=True)
        for file in files_in(folder, ENTRIES):
            is_known = is_numbered(file) or file.name in former
            if file.name not in named and (is_known or file.stat().st_mtime < youngest):
                file.unlink(missing_ok=True)
    return True


def _names(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Names of the files of entries that the rows of a table of layers name."""
    found = connection.execute(f"SELECT DISTINCT unnest(entries_in) FROM {table}")  # noqa: S608  # ours
    return {name for (name,) in found.fetchall()}


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    (found,) = connection.execute(sql).fetchone() or (0,)
    return int(found)


def _bytes_of(folder: Path) -> int:
    """Bytes of all files of layers and entries."""
    return sum(
        file.stat().st_size for table in (LAYERS, ENTRIES) for file in files_in(folder, table)
    )
