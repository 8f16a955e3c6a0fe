"""Reading everything that a catalog keeps, to find what is damaged before a report needs it.

Files of layers, of entries and of scans are compared with their checksums, derived rows with those
in their ``run.json``. All but those are read to their end too, since files of older programs have
no checksum; and the entries of a layer are compared with what its row says of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.errors import StoreError, reason_of
from dedupe.model.paths import printable
from dedupe.model.tables import SCAN_TABLES
from dedupe.store.checksums import FILE, checksum_of, read_checksums
from dedupe.store.derived.runs import damaged_files
from dedupe.store.layer_files import (
    ENTRIES,
    LAYERS,
    fault_of,
    files_in,
    former_entries,
    is_numbered,
)
from dedupe.store.versions import read_mark
from dedupe.store.views import SCANS, scan_files, scan_ids

if TYPE_CHECKING:
    import polars as pl

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
        for file, reason in _damaged_tables(folder, scan):
            yield Damage(file, reason, f"'dedupe catalog forget {scan}' removes the scan")
    yield from _damaged_layers(folder)
    for run, file in list(damaged_files(folder)):
        shutil.rmtree(run.path, ignore_errors=True)
        yield Damage(file, "not what was written", "its rows were removed, and are made again")


def _damaged_tables(folder: Path, scan: str) -> Iterator[tuple[Path, str]]:
    """Damaged files of a scan, and what is wrong with them."""
    checksums: dict[str, list[str]] = {}
    try:
        checksums = read_checksums(folder / SCANS / scan)
    except (OSError, ValueError) as error:
        yield folder / SCANS / scan / FILE, printable(str(error))
    for table in SCAN_TABLES:
        for file in _scan_files(folder, table, scan):
            found = _read(file, ["scan"])
            if isinstance(found, str):
                yield file, found
            elif table in checksums and checksum_of(file) not in checksums[table]:
                yield file, "not what was written"


def _scan_files(folder: Path, table: str, scan: str) -> list[Path]:
    try:
        return scan_files(folder, table, [scan])
    except (StoreError, OSError):
        # a file that is missing or of another kind cannot be read either
        return [folder / SCANS / scan / f"{table}.parquet"]


def _damaged_layers(folder: Path) -> Iterator[Damage]:
    """Damaged files of layers and entries, and entries that are not what their layer says."""
    #: name of a file -> layer -> number of its entries, and bytes of its regular files
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    files = files_in(folder, ENTRIES)
    former = former_entries(files)
    for file in files:
        rows = _read(file, ["layer", "kind", "size_bytes"])
        if isinstance(rows, str):
            yield Damage(file, rows, _READ_AGAIN)
        else:
            counts[file.name] = _counts(rows)
    read = {file.name for file in files}
    for file in files_in(folder, LAYERS):
        rows = _read(file, ["layer", "entries", "content_bytes"])
        if isinstance(rows, str):
            yield Damage(file, rows, _READ_AGAIN)
            continue
        named = _named(file) if is_numbered(file) else [former.get(file.stem, [])] * len(rows)
        for (key, entries, size), names in zip(rows.iter_rows(), named, strict=True):
            for name in names:
                if name not in read:
                    # once, however many layers it had
                    read.add(name)
                    yield Damage(folder / ENTRIES / name, "missing", _READ_AGAIN)
            if any(name not in counts for name in names):
                continue
            there = [counts[name].get(key, (0, 0)) for name in names]
            found = sum(each[0] for each in there), sum(each[1] for each in there)
            if found != (entries, size):
                place = folder / ENTRIES / (names[0] if names else f"{file.stem}-0.parquet")
                reason = (
                    f"expected {entries} entries with {size} bytes of files for layer {key}, "
                    f"found {found[0]} with {found[1]}"
                )
                yield Damage(place, reason, _READ_AGAIN)


def _read(file: Path, columns: list[str]) -> pl.DataFrame | str:
    """These columns of a file, all of which is read; or what is wrong with it."""
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    try:
        if fault := fault_of(file):
            return fault
        return pl.read_parquet(file).select(columns)
    except OSError as error:
        return reason_of(error)
    except (PolarsError, PanicException) as error:
        return printable(str(error).partition("\n")[0])


def _counts(rows: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Layer -> number of its entries, and the bytes of its regular files."""
    import polars as pl

    sums = rows.group_by("layer").agg(
        pl.len(), pl.col("size_bytes").filter(pl.col("kind") == "file").sum()
    )
    return {layer: (entries, size) for layer, entries, size in sums.iter_rows()}


def _named(file: Path) -> list[list[str]]:
    """Of each row of a file of layers, the names of the files of its entries."""
    import polars as pl

    rows = pl.read_parquet(file, columns=["entries_in"])
    return [names or [] for names in rows["entries_in"].to_list()]
