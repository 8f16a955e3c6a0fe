"""Writing rows of many layers and of a scan at once, as polars frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.host.writing import TEMPORARY
from dedupe.model.tables import SCAN_TABLES
from dedupe.store.checksums import write_tables
from dedupe.store.layer_files import (
    ENTRIES,
    LAYERS,
    ROW_GROUP,
    files_in,
    next_number,
    write_file,
)
from dedupe.store.rows import frame
from dedupe.store.versions import unwritable
from dedupe.store.views import SCANS

if TYPE_CHECKING:
    import polars as pl

#: rows to write at once: more take more memory, fewer take longer
PACK_ROWS = 2_000_000


def write_layers(folder: Path, layers: pl.DataFrame, entries: pl.DataFrame) -> None:
    """Add layers with all their entries, in any order, as one file of each.

    Missing columns are null. Raises StoreError ``catalog-unwritable``.
    """
    import polars as pl

    number = next_number(files_in(folder, LAYERS))
    rows = _typed("entries", entries).sort("layer", "member")
    files = [_write(folder, ENTRIES, number, rows)] if len(rows) else []
    named = pl.lit(files, dtype=pl.List(pl.String))
    facts = _typed("layers", layers).with_columns(entries_in=named).sort("layer")
    _write(folder, LAYERS, number, facts)


def write_scan(folder: Path, scan: str, tables: Mapping[str, pl.DataFrame]) -> None:
    """Add a scan, whose ID begins with its time; a missing table is empty.

    Raises StoreError ``catalog-unwritable``.
    """
    made = folder / SCANS / f"{TEMPORARY}{scan}"
    try:
        made.mkdir()
        write_tables(
            made,
            ((table, _typed(table, tables.get(table, frame(table, {})))) for table in SCAN_TABLES),
        )
        made.rename(folder / SCANS / scan)
    except OSError as error:
        raise unwritable(folder, error, "free some space, or name another folder") from error


def _typed(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with all columns of the table, in their order and of their types."""
    import polars as pl

    schema = frame(table, {}).schema
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in schema.items()
    )


def _write(folder: Path, table: str, number: int, rows: pl.DataFrame) -> str:
    """Write a file of layers or entries; returns its name."""

    def write(file: Path) -> None:
        rows.write_parquet(file, compression="zstd", row_group_size=ROW_GROUP)

    try:
        return write_file(folder / table, number, write).name
    except OSError as error:
        raise unwritable(folder, error, "free some space, or name another folder") from error
