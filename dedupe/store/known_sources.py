"""Which sources a catalog's current view has, for a scan that asks nothing else.

A scan that has nothing to read would spend most of its time on loading DuckDB and making views for
this one question. docs/measures.md, "Which scans answer", has the rule, by which
``queries/current_view.sql`` answers questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dedupe.store.reading import damaged
from dedupe.store.rows import frame
from dedupe.store.views import scan_files, scan_ids


def known_sources(folder: Path) -> list[str]:
    """Locations of the sources in the current view, sorted; none without a scan.

    Raises StoreError as ``scan_ids`` and ``scan_files`` do, and ``bad-catalog``.
    """
    known = scan_ids(folder)
    if not known:
        return []
    gone = _rows(folder, "scans", ("scan", "gone"), known)
    found = _rows(folder, "sources", ("scan", "source", "readable"), known)
    events = [(scan, source, True, False) for scan, sources in gone for source in sources or ()]
    events += [(scan, source, readable is not False, True) for scan, source, readable in found]
    return sorted(_present(events))


def _present(events: Iterable[tuple[str, str, bool, bool]]) -> list[str]:
    """Sources that are there after all events: scan, source, is_readable, is_there.

    A source that could not be read keeps what the last scan has shown that could read it, or that
    found it gone.
    """
    shown: dict[str, tuple[bool, bool]] = {}
    for _, source, is_readable, is_there in sorted(events):
        if is_readable or not shown.get(source, (False, True))[0]:
            shown[source] = (is_readable, is_there)
    return [source for source, (_, is_there) in shown.items() if is_there]


def _rows(
    folder: Path, table: str, columns: tuple[str, ...], scans: list[str]
) -> list[tuple[Any, ...]]:
    """These columns of a table, null in files of older versions that lack one."""
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    try:
        found = pl.scan_parquet(
            scan_files(folder, table, scans),
            schema=frame(table, {}).select(columns).schema,
            missing_columns="insert",
            extra_columns="ignore",
        )
        return found.collect().rows()
    except (OSError, PolarsError, PanicException) as error:
        raise damaged(folder, error) from error
