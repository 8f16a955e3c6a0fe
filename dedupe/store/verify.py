"""Reading everything that a catalog keeps, to find what is damaged before a report needs it.

A file of Parquet has no checksum of its own. Each is read to its end, and the entries of a layer
are compared with what its row says of them; the files of derived rows are compared with the digests
in their ``run.json``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import StoreError, reason_of
from dedupe.model.paths import printable
from dedupe.model.tables import SCAN_TABLES
from dedupe.store.derived.runs import damaged_files
from dedupe.store.versions import read_mark
from dedupe.store.views import SCANS, file_name, layer_files, scan_files, scan_ids

_READ_AGAIN = "'dedupe scan --rehash PATH' reads its layers again"


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is damaged or missing."""

    path: Path
    #: what was found
    reason: str
    #: the command that helps, or what was done
    advice: str


def verify(folder: Path) -> Iterator[Damage]:
    """Read every file of a catalog, and remove derived rows that are damaged: they come back.

    Raises StoreError as ``read_mark`` does, and ``bad-catalog`` for what is not a regular file.
    """
    read_mark(folder)
    for scan in scan_ids(folder):
        for table in SCAN_TABLES:
            for file in _scan_files(folder, table, scan):
                if reason := _unreadable(file):
                    yield Damage(file, reason, f"'dedupe catalog forget {scan}' removes the scan")
    yield from _damaged_layers(folder)
    for run, file in list(damaged_files(folder)):
        shutil.rmtree(run.path, ignore_errors=True)
        yield Damage(file, "not what was written", "its rows were removed, and are made again")


def _scan_files(folder: Path, table: str, scan: str) -> list[Path]:
    try:
        return scan_files(folder, table, [scan])
    except (StoreError, OSError):
        # a file that is missing or of another kind cannot be read either
        return [folder / SCANS / scan / f"{table}.parquet"]


def _damaged_layers(folder: Path) -> Iterator[Damage]:
    """Damaged files of layers and entries, and entries that are not what their layer says."""
    found: dict[str, tuple[int, int]] = {}
    for file in layer_files(folder, "entries"):
        rows = _counts(file)
        if isinstance(rows, str):
            yield Damage(file, rows, _READ_AGAIN)
            continue
        for name, (entries, size) in rows.items():
            known = found.get(name, (0, 0))
            found[name] = (known[0] + entries, known[1] + size)
    for file in layer_files(folder, "layers"):
        if reason := _unreadable(file):
            yield Damage(file, reason, _READ_AGAIN)
            continue
        for key, entries, size in _facts(file):
            there = found.get(key, (0, 0))
            if there != (entries, size):
                entries_file = folder / "entries" / f"{file_name(key)}-0.parquet"
                reason = (
                    f"expected {entries} entries with {size} bytes of files, found {there[0]} with "
                    f"{there[1]}"
                )
                yield Damage(entries_file, reason, _READ_AGAIN)


def _unreadable(file: Path) -> str:
    """Why a file cannot be read to its end; empty if it can."""
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    try:
        pl.read_parquet(file)
    except OSError as error:
        return reason_of(error)
    except (PolarsError, PanicException) as error:
        return printable(str(error).partition("\n")[0])
    return ""


def _counts(file: Path) -> dict[str, tuple[int, int]] | str:
    """Layer -> number of its entries in a file, and the bytes of its regular files; or an error."""
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    try:
        rows = pl.read_parquet(file)
        sums = rows.group_by("layer").agg(
            pl.len(), pl.col("size_bytes").filter(pl.col("kind") == "file").sum()
        )
        return {layer: (entries, size) for layer, entries, size in sums.rows()}
    except OSError as error:
        return reason_of(error)
    except (PolarsError, PanicException) as error:
        return printable(str(error).partition("\n")[0])


def _facts(file: Path) -> list[tuple[str, int, int]]:
    """Key, number of entries and content bytes of the layers in a file."""
    import polars as pl

    columns = ["layer", "entries", "content_bytes"]
    return [tuple(row) for row in pl.read_parquet(file, columns=columns).select(columns).rows()]
