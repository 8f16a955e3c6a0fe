"""The catalog's tables as views of a DuckDB connection, and damaged files as errors of the catalog.

A view names its files and columns. If the mark says that every file of a table has all columns, as
it does unless the catalog is older than this program, DuckDB opens one file to make the view.
Otherwise the columns of every file are read once, files with the same columns are read together,
and what a file lacks is null or made from what it has (``versions.EARLIER``). DuckDB's
``union_by_name`` would do that too, but looks at every file again for each query.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedupe.errors import StoreError, reason_of
from dedupe.model.tables import LATER_TABLES, SCAN_TABLES, TABLES
from dedupe.model.view import SourceView, View
from dedupe.store.current import Choice, add_view, chosen_view, current_view
from dedupe.store.resources import open_connection, shortage
from dedupe.store.sql import load_query
from dedupe.store.versions import EARLIER, read_mark

if TYPE_CHECKING:
    import duckdb

SCANS = "scans"


def scan_ids(folder: Path) -> list[str]:
    """Scans that the catalog keeps, the oldest first; raises StoreError as ``read_mark`` does."""
    read_mark(folder)
    return _scan_ids(folder)


def file_name(key: str) -> str:
    """File name of a layer's key, without its ending."""
    return key.removeprefix("sha256:").replace(":", "-")


def connect(
    folder: Path, choice: Choice | View, images: tuple[str, ...] = ()
) -> tuple[duckdb.DuckDBPyConnection, View]:
    """A connection with all tables of the catalog, and ``scan_…`` for those of the chosen view.

    With ``images``, rows of other images of the view, and of layers that only they have, are left
    out. Raises StoreError as ``read_mark`` and ``chosen_view`` do, ``no-scan`` if there is none,
    and ``bad-catalog`` if a file is missing, damaged or has other columns.
    """
    known = scan_ids(folder)
    if not known:
        raise StoreError(f"catalog {folder}: no scan yet: run 'dedupe scan PATH' first", "no-scan")
    with readable(folder):
        connection = open_connection(folder)
        # a transaction for each of a hundred statements takes longer than the statements
        connection.begin()
        connection.execute(load_query("macros"))
        views = Views(connection, folder)
        views.add_scans(known)
        view = (
            choice if isinstance(choice, View) else chosen_view(connection, folder, known, choice)
        )
        add_view(connection, view)
        for table in SCAN_TABLES:
            views.add_of_view(table, view, images)
        kept = _layers_of_scan(connection) if images else None
        for table in TABLES:
            if table not in SCAN_TABLES:
                views.add(table, table, layer_files(folder, table, kept))
        connection.commit()
        return connection, view


def read_scans(folder: Path, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Rows of a query over the tables of all scans; raises StoreError as ``connect`` does."""
    with readable(folder), open_connection(folder) as connection:
        Views(connection, folder).add_scans(_scan_ids(folder))
        return connection.execute(sql, parameters or None).fetchall()


def current_sources(folder: Path) -> list[SourceView]:
    """The sources of the current view; none without a scan. Raises StoreError as ``connect``."""
    known = scan_ids(folder)
    if not known:
        return []
    with readable(folder), open_connection(folder) as connection:
        connection.execute(load_query("macros"))
        Views(connection, folder).add_scans(known)
        return current_view(connection, known[-1])


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


def layer_files(folder: Path, table: str, kept: Collection[str] | None = None) -> list[Path]:
    """Files of a table that is kept by layer; entries are in several, with a number each.

    ``kept`` are the names of the layers to list. Raises StoreError ``bad-catalog`` if a file is not
    a regular file.
    """
    found = []
    with os.scandir(folder / table) as files:
        for file in files:
            name, _, ending = file.name.rpartition(".")
            if ending != "parquet" or name.startswith("."):
                continue
            if not file.is_file(follow_symlinks=False):
                raise damaged(folder, f"{file.path}: not a regular file")
            if kept is None or name in kept or name.rpartition("-")[0] in kept:
                found.append(Path(file.path))
    return sorted(found)


def entries_of(connection: duckdb.DuckDBPyConnection, folder: Path, layers: Iterable[str]) -> str:
    """The query for the entries of these layers, from no other files than theirs.

    Raises StoreError as ``Views.add`` does.
    """
    names = {file_name(layer) for layer in layers}
    return Views(connection, folder).selected("entries", layer_files(folder, "entries", names))


def table_files(folder: Path) -> list[Path]:
    """Files of all tables; raises as ``scan_files`` and ``layer_files`` do."""
    known = _scan_ids(folder)
    return [
        file
        for table in TABLES
        for file in (
            scan_files(folder, table, known) if table in SCAN_TABLES else layer_files(folder, table)
        )
    ]


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
            source = f"SELECT * FROM ({source}) WHERE image_id IN ({_listed(images)})"  # noqa: S608  # quoted
            self._connection.execute(f"CREATE TABLE scan_{table} AS {source}")
        else:
            self._connection.execute(f"CREATE VIEW scan_{table} AS {source}")

    def selected(self, table: str, files: Sequence[Path]) -> str:
        """The query for these files, with all columns of the table; raises as ``add`` does."""
        columns = TABLES[table]
        # a view takes no parameters; names are ours, and values are quoted
        source = " UNION ALL ".join(
            f"SELECT {self.columns(table, group[0])} FROM read_parquet([{_listed(group)}])"  # noqa: S608  # quoted
            for group in self._groups(table, files)
        )
        return source or no_rows(columns)

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
            FROM parquet_schema([{_listed(files)}])
            WHERE name IN ({_listed(TABLES[table])})
            GROUP BY file_name
        """  # noqa: S608  # quoted
        groups: dict[str, list[Path]] = {}
        for file, signature in sorted(self._connection.execute(sql).fetchall()):
            groups.setdefault(signature, []).append(Path(file))
        return groups.values()


def quoted(value: object) -> str:
    """Text of a value as a SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def no_rows(columns: Mapping[str, str]) -> str:
    """A query with columns of these types and no rows."""
    typed = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
    return f"SELECT {typed} WHERE false"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(quoted, values))


def _of_view(failing: Iterable[str], *, narrowed: bool) -> str:
    """The condition for problems of the view: of its rows, and of what could not be read."""
    concerns = "EXISTS (SELECT 1 FROM view_source WHERE is_at_or_below(source, problem.source))"
    return f"""
        (scan, source) IN (SELECT (scan, source) FROM view_source)
        OR (
            scan IN ({_listed(failing)})
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
        WHERE scan IN ({_listed(reading)})
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


def _scan_ids(folder: Path) -> list[str]:
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


def _layers_of_scan(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """File names of the layers that the scan's images and their containers have."""
    rows = connection.execute(
        "SELECT layer FROM scan_image_layers UNION SELECT layer FROM scan_containers"
    ).fetchall()
    return {file_name(layer) for (layer,) in rows if layer is not None}
