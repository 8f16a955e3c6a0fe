"""Which scan answers for each source: the current view, one scan alone, or some sources of either.

docs/measures.md, "Which scans answer", says what is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dedupe.errors import StoreError
from dedupe.host.places import is_meant
from dedupe.model.view import SourceView, View, one_scan_of
from dedupe.store.sql import load_query, relations

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

#: sources to list in an error
_MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user chose: nothing for the current view of all sources."""

    #: ID of a scan, its beginning, or ``latest``
    scan: str | None = None
    #: locations, globs, or folders that the sources are in
    sources: tuple[str, ...] = ()


def chosen_view(
    connection: duckdb.DuckDBPyConnection, folder: Path, known: Sequence[str], choice: Choice
) -> View:
    """The view that is chosen, of a connection that has the tables of all scans.

    ``known`` are the scans of the catalog, the oldest first, at least one. Raises StoreError:
    ``no-scan``, ``ambiguous-scan``, or ``no-source`` if a chosen source is not in the view.
    """
    scan = known[-1]
    if choice.scan is None:
        found = _current(connection, scan)
    else:
        try:
            scan = one_scan_of(known, choice.scan)
        except StoreError as error:
            raise StoreError(f"catalog {folder}: {error.message}", error.code) from None
        found = _of_scan(connection, scan)
    chosen, scope = found, None
    if choice.sources:
        chosen = _restricted(found, choice.sources)
        scope = _scope(connection, choice.sources)
    last = {(each.source, each.scan) for each in _of_scan(connection, known[-1])}
    is_last = scan == known[-1] and {(each.source, each.scan) for each in chosen} == last
    return View(scan, tuple(chosen), scope, is_last)


def current_view(connection: duckdb.DuckDBPyConnection, scan: str) -> list[SourceView]:
    """The current view at the time of a scan, of a connection that has the tables of all scans."""
    return _current(connection, scan)


def add_view(connection: duckdb.DuckDBPyConnection, view: View) -> None:
    """Make the table of the view's sources, and that of all that were chosen, gone ones too."""
    columns = ("source", "scan", "scanned", "stale_scan", "stale_since")
    values = {name: [getattr(each, name) for each in view.sources] for name in columns}
    connection.execute(
        """
        CREATE TEMP TABLE view_source AS
        SELECT
            unnest($source::VARCHAR[]) AS source,
            unnest($scan::VARCHAR[]) AS scan,
            unnest($scanned::DOUBLE[]) AS scanned,
            unnest($stale_scan::VARCHAR[]) AS stale_scan,
            unnest($stale_since::DOUBLE[]) AS stale_since
        """,
        values,
    )
    connection.execute(
        """
        CREATE TEMP TABLE view_scope AS
        SELECT DISTINCT source
        FROM sources
        WHERE $scope::VARCHAR[] IS NULL OR list_contains($scope::VARCHAR[], source)
        """,
        {"scope": list(view.scope) if view.scope is not None else None},
    )


def _current(connection: duckdb.DuckDBPyConnection, scan: str) -> list[SourceView]:
    # a session makes this relation only if a question reads it, and later
    connection.execute(f"CREATE TEMP TABLE span AS {relations()['span']}")
    try:
        rows = connection.execute(load_query("current_view"), {"scan": scan}).fetchall()
    finally:
        connection.execute("DROP TABLE span")
    return [SourceView(*row) for row in rows]


def _of_scan(connection: duckdb.DuckDBPyConnection, scan: str) -> list[SourceView]:
    rows = connection.execute(
        """
        SELECT sources.source, scan, scans.finished
        FROM sources
        JOIN scans USING (scan)
        WHERE scan = $scan
        ORDER BY sources.source
        """,
        {"scan": scan},
    ).fetchall()
    return [SourceView(*row) for row in rows]


def _restricted(found: Sequence[SourceView], texts: Sequence[str]) -> list[SourceView]:
    """The sources that any text means; raises StoreError ``no-source`` for one that means none."""
    chosen: dict[str, SourceView] = {}
    for text in texts:
        meant = {each.source: each for each in found if is_meant(each.source, text)}
        if not meant:
            known = [each.source for each in found]
            shown = ", ".join(known[:_MOST_LISTED]) or "none"
            more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
            raise StoreError(f"{text}: no such source; there are {shown}{more}", "no-source")
        chosen |= meant
    return [chosen[source] for source in sorted(chosen)]


def _scope(connection: duckdb.DuckDBPyConnection, texts: Sequence[str]) -> tuple[str, ...]:
    rows = connection.execute("SELECT DISTINCT source FROM sources ORDER BY source").fetchall()
    return tuple(source for (source,) in rows if any(is_meant(source, each) for each in texts))
