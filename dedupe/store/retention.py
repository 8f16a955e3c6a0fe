"""Removing scans, and the rows of layers that no kept scan needs."""

import fnmatch
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dedupe.errors import StoreError
from dedupe.host.locks import exclusive_lock
from dedupe.host.writing import TEMPORARY
from dedupe.store.catalog import LOCK
from dedupe.store.versions import read_mark
from dedupe.store.views import SCANS, file_name, read_scans, scan_ids

#: younger layers stay: a killed scan has left them for the next one, or a scan needs them soon
_YOUNG_SECONDS = 3600


def forget(folder: Path, scan: str) -> None:
    """Remove a scan; raises StoreError ``no-scan`` if there is none of this ID."""
    if scan not in scan_ids(folder):
        raise StoreError(
            f"catalog {folder}: no scan {scan}; 'dedupe catalog list' lists them", "no-scan"
        )
    # renamed first: a half-removed folder must not look like a scan
    removed = folder / SCANS / f"{TEMPORARY}{scan}"
    (folder / SCANS / scan).rename(removed)
    shutil.rmtree(removed)


def scans_of(folder: Path, globs: Sequence[str]) -> list[str]:
    """Scans whose sources all match one of these globs; none if there is no glob.

    Raises StoreError as ``read_scans`` does.
    """
    if not globs:
        return []
    sources: dict[str, list[str]] = {}
    for scan, source in read_scans(folder, "SELECT scan, source FROM sources ORDER BY scan"):
        sources.setdefault(scan, []).append(source)
    return [
        scan
        for scan, found in sources.items()
        if all(any(fnmatch.fnmatchcase(source, glob) for glob in globs) for source in found)
    ]


def expired(folder: Path, before: datetime) -> list[str]:
    """Scans that ended before a moment (UTC, without a zone), the oldest first.

    Raises StoreError as ``read_scans`` does.
    """
    sql = "SELECT scan FROM scans WHERE finished < $limit ORDER BY scan"
    limit = before.replace(tzinfo=UTC).timestamp()
    return [scan for (scan,) in read_scans(folder, sql, limit=limit)]


def collect(folder: Path) -> tuple[int, int]:
    """Remove layers that no kept scan has; how many, and the bytes of their files.

    Layers of the last hour stay: they save the next scan the work of one that was killed. Raises
    LockedError while a scan is running, which relies on the layers that were there when it began,
    and StoreError as ``read_scans`` does.
    """
    read_mark(folder)
    with exclusive_lock(folder / LOCK, "the catalog is being written to"):
        return _remove_unneeded(folder)


def _remove_unneeded(folder: Path) -> tuple[int, int]:
    needed = {
        file_name(key)
        for (key,) in read_scans(
            folder, "SELECT layer FROM image_layers UNION SELECT layer FROM containers"
        )
        if key is not None
    }
    youngest = time.time() - _YOUNG_SECONDS
    layers = freed = 0
    for row in (folder / "layers").glob("*.parquet"):
        if row.name.startswith(TEMPORARY) or row.stem in needed or row.stat().st_mtime > youngest:
            continue
        entries = list((folder / "entries").glob(f"{row.stem}-*.parquet"))
        freed += sum(file.stat().st_size for file in (row, *entries))
        layers += 1
        # the row first: entries without a row belong to no layer
        for file in (row, *entries):
            file.unlink(missing_ok=True)
    return layers, freed + _remove_without_row(folder, youngest)


def _remove_without_row(folder: Path, youngest: float) -> int:
    """Remove entries whose layer has no row, as a killed run leaves them; the bytes of their files.

    Young ones may be about to get their row from a scan of an older program, which takes no lock.
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
