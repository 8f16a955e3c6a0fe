"""Connections to DuckDB that have the catalog's tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedupe.errors import StoreError
from dedupe.model.tables import SCAN_TABLES
from dedupe.model.view import SourceView, View
from dedupe.store.current import Choice, add_view, chosen_view, current_view
from dedupe.store.layer_files import ENTRIES, files_in
from dedupe.store.layer_views import add_layers
from dedupe.store.reading import damaged, readable
from dedupe.store.resources import open_connection
from dedupe.store.sql import load_query
from dedupe.store.views import Views, scan_files, scan_ids

if TYPE_CHECKING:
    import duckdb


def connect(
    folder: Path, choice: Choice | View, images: tuple[str, ...] = ()
) -> tuple[duckdb.DuckDBPyConnection, View]:
    """A connection with all tables of the catalog, and ``scan_…`` for those of the chosen view.

    ``layer_views.show_entries`` makes that of entries, which few questions read. With ``images``,
    rows of other images of the view, and of layers that only they have, are left out. Raises
    StoreError as ``read_mark`` and ``chosen_view`` do, ``no-scan`` if there is none, and
    ``bad-catalog`` if a file is missing, damaged or has other columns.
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
        add_layers(connection, folder, _layers_of_scan(connection) if images else None)
        _require_layers(connection, folder)
        connection.commit()
        return connection, view


def read_scans(folder: Path, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Rows of a query over the tables of all scans; raises StoreError as ``connect`` does."""
    with readable(folder), open_connection(folder) as connection:
        Views(connection, folder).add_scans(scan_ids(folder))
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


def table_files(folder: Path) -> list[Path]:
    """Files that views read; raises as ``scan_files`` and ``files_in`` do."""
    known = scan_ids(folder)
    return [
        *(file for table in SCAN_TABLES for file in scan_files(folder, table, known)),
        *files_in(folder, ENTRIES),
    ]


def _layers_of_scan(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Layers that the scan's images and their containers have."""
    rows = connection.execute(
        "SELECT layer FROM scan_image_layers UNION SELECT layer FROM scan_containers"
    ).fetchall()
    return [layer for (layer,) in rows if layer is not None]


def _require_layers(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Raises StoreError ``bad-catalog`` if a layer of the view has no row."""
    (lacking,) = connection.execute(
        """
        SELECT any_value(layer)
        FROM (SELECT layer FROM scan_image_layers UNION ALL SELECT layer FROM scan_containers)
        ANTI JOIN layer_row USING (layer)
        WHERE layer IS NOT NULL
        """
    ).fetchone() or (None,)
    if lacking is not None:
        raise damaged(folder, f"layer {lacking}: its rows are missing")
