"""What leaves the catalog: scans that are forgotten, rows that no kept scan needs."""

import fnmatch
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dedupe.errors import StoreError
from dedupe.host.locks import exclusive_lock
from dedupe.store.catalog import LOCK, TEMPORARY, check_version, file_name, scan_ids

#: a scan that was killed has left layers that no kept scan names yet
_YOUNG_SECONDS = 3600


def forget(folder: Path, scan: str) -> None:
    """Remove a scan; raises StoreError where there is none of this ID."""
    if scan not in scan_ids(folder):
        raise StoreError(
            f"catalog {folder}: no scan {scan}; 'dedupe catalog list' lists them", "no-scan"
        )
    # renamed first: a half-removed folder must not look like a scan
    going = folder / "scans" / f"{TEMPORARY}{scan}"
    (folder / "scans" / scan).rename(going)
    shutil.rmtree(going)


def scans_of(folder: Path, globs: Sequence[str]) -> list[str]:
    """Scans whose sources all match one of these globs; none for no glob."""
    import polars as pl

    found = []
    for scan in scan_ids(folder):
        sources = pl.read_parquet(folder / "scans" / scan / "sources.parquet")["source"]
        if globs and all(
            any(fnmatch.fnmatchcase(source, glob) for glob in globs) for source in sources
        ):
            found.append(scan)
    return found


def expired(folder: Path, before: datetime) -> list[str]:
    """Scans that ended before a moment (UTC, without a zone), the oldest first."""
    import polars as pl

    limit = before.replace(tzinfo=UTC).timestamp()
    return [
        scan
        for scan in scan_ids(folder)
        if pl.read_parquet(folder / "scans" / scan / "scans.parquet")["finished"].item() < limit
    ]


def collect(folder: Path) -> tuple[int, int]:
    """Remove layers that no kept scan names; how many, and the bytes of their files.

    Layers that came within the last hour stay: those of a killed scan spare the next one work.
    Raises LockedError while a scan is under way: it names layers that are there when it begins.
    """
    check_version(folder)
    with exclusive_lock(folder / LOCK, "the catalog is being written to"):
        return _collected(folder)


def _collected(folder: Path) -> tuple[int, int]:
    import polars as pl

    needed: set[str] = set()
    for scan in scan_ids(folder):
        for name in ("image_layers", "containers"):
            table = pl.read_parquet(folder / "scans" / scan / f"{name}.parquet", columns=["layer"])
            needed |= {file_name(key) for key in table["layer"].drop_nulls()}
    youngest = time.time() - _YOUNG_SECONDS
    layers = freed = 0
    for row in (folder / "layers").glob("*.parquet"):
        if row.name.startswith(TEMPORARY) or row.stem in needed or row.stat().st_mtime > youngest:
            continue
        entries = list((folder / "entries").glob(f"{row.stem}-*.parquet"))
        freed += sum(file.stat().st_size for file in (row, *entries))
        layers += 1
        # the row first: entries without one belong to no layer
        for file in (row, *entries):
            file.unlink(missing_ok=True)
    return layers, freed + _rowless(folder, youngest)


def _rowless(folder: Path, youngest: float) -> int:
    """Remove entries whose layer has no row, which a killed run has left; the bytes of their files.

    Young ones may be about to get their row, from a scan of an older program, which takes no lock.
    """
    rows = {row.stem for row in (folder / "layers").glob("*.parquet")}
    freed = 0
    for file in (folder / "entries").glob("*.parquet"):
        size, written = file.stat().st_size, file.stat().st_mtime
        if file.stem.rpartition("-")[0] in rows or written > youngest:
            continue
        if not file.name.startswith(TEMPORARY):
            freed += size
            file.unlink(missing_ok=True)
    return freed
