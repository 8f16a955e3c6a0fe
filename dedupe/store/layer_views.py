"""The tables of layers and entries, of the files that have the rows that count."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.model.tables import TABLES
from dedupe.store.layer_files import (
    ENTRIES,
    LAYERS,
    NUMBERED,
    files_in,
    former_entries,
    is_numbered,
    require_whole,
)
from dedupe.store.reading import listed
from dedupe.store.sql import SOURCE
from dedupe.store.views import Views

if TYPE_CHECKING:
    import duckdb


def add_layers(
    connection: duckdb.DuckDBPyConnection, folder: Path, kept: Collection[str] | None = None
) -> None:
    """Make the view ``layers``, of these layers if ``kept`` are given.

    Raises StoreError ``bad-catalog`` for a damaged file.
    """
    _add_rows(connection, folder, kept)
    has_replaced = connection.execute(
        "SELECT count(*) > count(DISTINCT layer) FROM layer_row"
    ).fetchone() == (True,)
    # what is left out takes longer to find than all layers to count
    connection.execute(_REPLACED if has_replaced else _NOTHING_REPLACED)
    connection.execute("CREATE VIEW layers AS SELECT * EXCLUDE (is_numbered, file) FROM layer_row")


#: keeps the row of each layer that counts, and notes in which files its other rows have entries
_REPLACED = """
    CREATE TABLE found_row AS FROM layer_row;

    CREATE OR REPLACE TABLE layer_row AS
    FROM found_row
    QUALIFY row_number() OVER (PARTITION BY layer ORDER BY is_numbered DESC, file DESC) = 1;

    CREATE TABLE replaced_entries AS
    SELECT layer, unnest(entries_in) AS file FROM found_row
    EXCEPT
    SELECT layer, unnest(entries_in) AS file FROM layer_row;

    DROP TABLE found_row
"""
_NOTHING_REPLACED = "CREATE TABLE replaced_entries (layer VARCHAR, file VARCHAR)"


def _add_rows(
    connection: duckdb.DuckDBPyConnection, folder: Path, kept: Collection[str] | None
) -> None:
    """Make the table ``layer_row`` of all rows of these layers, several of a layer among them.

    Beside the columns of ``layers`` it has their file, and whether that is numbered.
    """
    files = files_in(folder, LAYERS)
    require_whole(folder, files)
    # files without a number come first
    has_former = bool(files) and not is_numbered(files[0])
    former = former_entries(files_in(folder, ENTRIES)) if has_former else {}
    columns = [column for column in TABLES["layers"] if column != "entries_in"]
    rows = Views(connection, folder).selected("layers", files, ("filename",))
    chosen = "" if kept is None else f"WHERE layer IN ({listed(kept) or 'NULL'})"
    connection.execute(
        f"""
        CREATE TABLE layer_row AS
        WITH
        former AS (
            SELECT unnest($stems::VARCHAR[]) AS stem, unnest($files::VARCHAR[][]) AS names
        )
        SELECT
            {", ".join(columns)},
            CASE WHEN is_numbered THEN entries_in ELSE coalesce(former.names, []) END AS entries_in,
            file,
            is_numbered
        FROM (
            SELECT
                *,
                parse_filename(filename) AS file,
                regexp_full_match(file, '{NUMBERED}') AS is_numbered,
                parse_filename(filename, TRUE) AS stem
            FROM ({rows})
            {chosen}
        )
        LEFT JOIN former USING (stem)
        """,  # noqa: S608  # quoted
        {"stems": list(former), "files": list(former.values())},
    )


def show_source(
    connection: duckdb.DuckDBPyConnection, folder: Path, layers: str, view: str = SOURCE
) -> None:
    """Make a view of the entries of layers that a query names, from no other files than theirs.

    ``connection`` is a session's or a cursor of it. Raises StoreError ``bad-catalog`` for a damaged
    file.
    """
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {view}_layer AS {layers}")
    rows = _entries(connection, folder, f"SELECT layer FROM {view}_layer")  # noqa: S608  # ours
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {rows}")


def show_entries(
    connection: duckdb.DuckDBPyConnection, folder: Path, *, is_narrowed: bool = False
) -> None:
    """Make the view ``entries``, of the layers of ``layers`` if that has not all.

    Raises StoreError ``bad-catalog`` for a damaged file.
    """
    rows = _entries(connection, folder, "SELECT layer FROM layer_row", are_all=not is_narrowed)
    connection.execute(f"CREATE VIEW entries AS {rows}")


def _files(connection: duckdb.DuckDBPyConnection, layers: str) -> list[str]:
    """Names of the files that have the entries of these layers."""
    found = connection.execute(
        "SELECT DISTINCT unnest(entries_in) AS file FROM layer_row "  # noqa: S608  # ours
        f"WHERE layer IN ({layers}) ORDER BY file"
    )
    return [file for (file,) in found.fetchall()]


def _entries(
    connection: duckdb.DuckDBPyConnection, folder: Path, layers: str, *, are_all: bool = False
) -> str:
    """The query for the entries of the layers of a query, from files that were found whole.

    ``are_all`` says that the files have entries of no other layers that count.
    """
    names = _files(connection, layers)
    require_whole(folder, (folder / ENTRIES / name for name in names))
    found = connection.execute("SELECT DISTINCT file FROM replaced_entries").fetchall()
    mixed = {name for (name,) in found}.intersection(names)
    views = Views(connection, folder)
    plain = [folder / ENTRIES / name for name in names if name not in mixed]
    rows = views.selected("entries", plain)
    if mixed:
        several = views.selected(
            "entries", [folder / ENTRIES / name for name in sorted(mixed)], ("filename",)
        )
        rows = (
            f"SELECT * FROM ({rows}) UNION ALL "  # noqa: S608  # quoted
            f"SELECT * EXCLUDE (filename) FROM ({several}) AS several WHERE NOT EXISTS ("
            "SELECT 1 FROM replaced_entries AS replaced WHERE replaced.layer = several.layer "
            "AND replaced.file = parse_filename(several.filename))"
        )
    return rows if are_all else f"SELECT * FROM ({rows}) WHERE layer IN ({layers})"  # noqa: S608  # quoted
