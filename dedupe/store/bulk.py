"""Writing rows of many layers and of a scan at once, as polars frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.host.writing import TEMPORARY, replacing
from dedupe.model.tables import SCAN_TABLES
from dedupe.store.rows import frame
from dedupe.store.versions import unwritable
from dedupe.store.views import SCANS, file_name

if TYPE_CHECKING:
    import polars as pl

#: rows to write at once: more take more memory, fewer take longer
PACK_ROWS = 2_000_000


def write_pack(folder: Path, layers: pl.DataFrame, entries: pl.DataFrame) -> None:
    """Add layers with all their entries, in any order; missing columns are null.

    Raises StoreError ``catalog-unwritable``.
    """
    rows = _typed("entries", entries).sort("layer", "member")
    facts = _typed("layers", layers).partition_by("layer", as_dict=True)
    for (layer,), part in rows.partition_by("layer", as_dict=True, maintain_order=True).items():
        _write(part, folder / "entries" / f"{file_name(layer)}-0.parquet")
    for (layer,), part in facts.items():
        _write(part, folder / "layers" / f"{file_name(layer)}.parquet")


def write_scan(folder: Path, scan: str, tables: Mapping[str, pl.DataFrame]) -> None:
    """Add a scan, whose ID begins with its time; a missing table is empty.

    Raises StoreError ``catalog-unwritable``.
    """
    made = folder / SCANS / f"{TEMPORARY}{scan}"
    try:
        made.mkdir()
        for table in SCAN_TABLES:
            rows = _typed(table, tables.get(table, frame(table, {})))
            rows.write_parquet(made / f"{table}.parquet", compression="zstd")
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


def _write(rows: pl.DataFrame, path: Path) -> None:
    try:
        with replacing(path) as temporary:
            rows.write_parquet(temporary, compression="zstd")
    except OSError as error:
        raise unwritable(path, error, "free some space, or name another folder") from error
