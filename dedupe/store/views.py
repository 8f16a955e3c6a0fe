"""The catalog's tables as views of a DuckDB connection.

A view names its files and columns. If the mark says that every file of a table has all columns, as
it does unless the catalog is older than this program, DuckDB opens one file to make the view.
Otherwise the columns of every file are read once, files with the same columns are read together,
and what a file lacks is null or made from what it has (``versions.EARLIER``). DuckDB's
``union_by_name`` would do that too, but looks at every file again for each query.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.model.tables import LATER_TABLES, SCAN_TABLES, TABLES
from dedupe.model.view import View
from dedupe.store.reading import damaged, listed, no_rows, quoted, readable
from dedupe.store.versions import EARLIER, read_mark

if TYPE_CHECKING:
    import duckdb

SCANS = "scans"


def scan_ids(folder: Path) -> list[str]:
    """Scans that the catalog keeps, the oldest first; raises StoreError as ``read_mark`` does."""
    read_mark(folder)
    found = []
    with readable(folder), os.scandir(folder / SCANS) as entries:
        for entry in entries:
            # what a killed scan left, and files that a file manager or NFS makes
            if entry.name.startswith("."):
                continue
            if not entry.is_dir(follow_symlinks=False):
                raise damaged(folder, f"{entry.path}: not the folder of a scan, remove it")
            found.append(entry.name)
    return sorted(found)


def scan_files(folder: Path, table: str, scans: Sequence[str]) -> list[Path]:
    """Files of a table that is kept by scan; those of earlier programs have none of some tables.

    Raises StoreError ``bad-catalog`` if one is missing or not a regular file.
    """
    found = [folder / SCANS / scan / f"{table}.parquet" for scan in scans]
    if table in LATER_TABLES and read_mark(folder).lacks(table):
        found = [file for file in found if os.path.lexists(file)]
    for file in found:
        # opening a FIFO would wait forever
        if not stat.S_ISREG(file.lstat().st_mode):
            raise damaged(folder, f"{file}: not a regular file")
    return found


class Views:
    """Makes views of the catalog's files."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._mark = read_mark(folder)
        self._described: dict[Path, dict[str, str]] = {}

    def add(self, name: str, table: str, files: Sequence[Path]) -> None:
        """Make a view of these files of a table.

        Raises StoreError ``bad-catalog`` if a file has other columns than it should.
        """
        self._connection.execute(f"CREATE VIEW {name} AS {self.selected(table, files)}")

    def add_of_view(self, table: str, view: View, images: tuple[str, ...] = ()) -> None:
        """Make ``scan_…`` of a table: the rows of the view, of these images if there are any.

        Problems of a place that held no source are among them if the place is one of the view's
        last scan, or of a scan for which a source is stale. Raises StoreError as ``add`` does.
        """
        reading = {each.scan for each in view.sources}
        failing = {view.scan, *(each.stale_scan for each in view.sources if each.stale_scan)}
        scans = {"scans": {view.scan}, "problems": reading | failing}.get(table, reading)
        rows = self.selected(table, scan_files(self._folder, table, sorted(scans)))
        source = f"SELECT * FROM ({rows})"  # noqa: S608  # quoted
        if table == "problems":
            source += f" AS problem WHERE {_of_view(failing, narrowed=view.scope is not None)}"
        elif table == "disk":
            source += f" WHERE {_on_disk(reading, narrowed=view.scope is not None)}"
        elif table != "scans":
            source += " SEMI JOIN view_source USING (scan, source)"
        if images and "image_id" in TABLES[table]:
            # few rows of many, which several relations read
            source = f"SELECT * FROM ({source}) WHERE image_id IN ({listed(images)})"  # noqa: S608  # quoted
            self._connection.execute(f"CREATE TABLE scan_{table} AS {source}")
        else:
            self._connection.execute(f"CREATE VIEW scan_{table} AS {source}")

    def selected(self, table: str, files: Sequence[Path], more: Sequence[str] = ()) -> str:
        """The query for these files, with all columns of the table; raises as ``add`` does.

        ``more`` are columns of text that DuckDB has for every file.
        """
        # a view takes no parameters; names are ours, and values are quoted
        source = " UNION ALL ".join(
            f"SELECT {', '.join((self.columns(table, group[0]), *more))} "  # noqa: S608  # quoted
            f"FROM read_parquet([{listed(group)}])"
            for group in self._groups(table, files)
        )
        return source or no_rows(TABLES[table] | dict.fromkeys(more, "VARCHAR"))

    def add_scans(self, known: Sequence[str]) -> None:
        """Make views of the tables of all scans; raises StoreError as ``add`` does.

        Scans and sources, which have few rows and are needed for every view, are read at once.
        """
        for table in SCAN_TABLES:
            files = scan_files(self._folder, table, known)
            if table in ("scans", "sources"):
                self._connection.execute(f"CREATE TABLE {table} AS {self.selected(table, files)}")
            else:
                self.add(table, table, files)

    def columns(self, table: str, file: Path) -> str:
        """The columns of a table, selected from a file that may be older.

        Raises StoreError ``bad-catalog`` if it lacks a column that it should have, or has one of
        another type.
        """
        present = self.describe(file)
        changed = self._mark.changed(table)
        selected = []
        for column, kind in TABLES[table].items():
            if column in present:
                if present[column] != kind:
                    raise damaged(
                        self._folder,
                        f"{file}: column {column} is {present[column]}, expected {kind}",
                    )
                made = changed.get(column, column)
            elif column in self._mark.lacks(table):
                made = EARLIER.get(table, {}).get(column, "NULL")
            else:
                raise damaged(self._folder, f"{file}: no column {column}")
            selected.append(column if made == column else f"({made})::{kind} AS {column}")
        return ", ".join(selected)

    def is_older(self, table: str, file: Path) -> bool:
        """Whether the file lacks a column or has a value of an older version."""
        if self._mark.lacks(table) - self.describe(file).keys():
            return True
        changed = self._mark.changed(table)
        if not changed:
            return False
        differences = [
            f"({meaning}) IS DISTINCT FROM {column}" for column, meaning in changed.items()
        ]
        sql = f"""
            SELECT count(*)
            FROM read_parquet({quoted(file)})
            WHERE {" OR ".join(differences)}
        """  # noqa: S608  # quoted
        (count,) = self._connection.execute(sql).fetchone() or (0,)
        return bool(count)

    def describe(self, file: Path) -> dict[str, str]:
        """Columns of a file and their types, in order."""
        if file not in self._described:
            sql = f"DESCRIBE SELECT * FROM read_parquet({quoted(file)})"  # noqa: S608  # quoted
            rows = self._connection.execute(sql).fetchall()
            self._described[file] = {row[0]: row[1] for row in rows}
        return self._described[file]

    def _groups(self, table: str, files: Sequence[Path]) -> Iterable[Sequence[Path]]:
        """Files that have the same of our columns, together."""
        if not files or not self._mark.lacks(table):
            return [files] if files else []
        sql = f"""
            SELECT file_name, list((name, type, logical_type) ORDER BY name)::VARCHAR
            FROM parquet_schema([{listed(files)}])
            WHERE name IN ({listed(TABLES[table])})
            GROUP BY file_name
        """  # noqa: S608  # quoted
        groups: dict[str, list[Path]] = {}
        for file, signature in sorted(self._connection.execute(sql).fetchall()):
            groups.setdefault(signature, []).append(Path(file))
        return groups.values()


def _of_view(failing: Iterable[str], *, narrowed: bool) -> str:
    """The condition for problems of the view: of its rows, and of what could not be read."""
    concerns = "EXISTS (SELECT 1 FROM view_source WHERE is_at_or_below(source, problem.source))"
    return f"""
        (scan, source) IN (SELECT (scan, source) FROM view_source)
        OR (
            scan IN ({listed(failing)})
            AND NOT EXISTS (
                SELECT 1
                FROM sources
                WHERE
                    sources.scan = problem.scan
                    AND sources.source = problem.source
                    AND coalesce(sources.readable, TRUE)
            )
            AND {concerns if narrowed else "TRUE"}
        )
    """  # noqa: S608  # quoted


def _on_disk(reading: Iterable[str], *, narrowed: bool) -> str:
    """The condition for disk usage of the view: of its sources, and of the places around them.

    A place that was named and is not a source has what no source of it has. It is left out if a
    place or source above it has the same files, or if some of its sources were not chosen.
    """
    chosen = """NOT EXISTS (
        SELECT 1
        FROM sources
        WHERE
            sources.scan = named.scan
            AND is_at_or_below(sources.source, named.place)
            AND sources.source NOT IN (SELECT source FROM view_source)
    )"""
    named = f"""
        SELECT scan, place
        FROM (SELECT scan, unnest(places) AS place FROM scans)
        WHERE scan IN ({listed(reading)})
    """  # noqa: S608  # quoted
    return f"""
        (scan, source) IN (SELECT (scan, source) FROM view_source)
        OR (scan, source) IN (
            SELECT (max(named.scan), named.place)
            FROM ({named}) AS named
            WHERE
                named.place NOT IN (SELECT source FROM view_source)
                AND NOT EXISTS (
                    SELECT 1
                    FROM (SELECT place FROM ({named}) UNION SELECT source FROM view_source) AS above
                    WHERE above.place <> named.place AND is_at_or_below(named.place, above.place)
                )
                AND {chosen if narrowed else "TRUE"}
            GROUP BY named.place
        )
    """  # noqa: S608  # quoted
