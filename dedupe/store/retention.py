"""Removing scans, and the rows of layers that no kept scan needs."""

import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dedupe.errors import StoreError
from dedupe.host.locks import exclusive_lock
from dedupe.host.places import is_meant
from dedupe.host.writing import TEMPORARY
from dedupe.model.tables import SCAN_TABLES
from dedupe.model.view import one_scan_of
from dedupe.store.catalog import LOCK
from dedupe.store.checksums import replacing_table
from dedupe.store.layer_files import LAYERS, files_in
from dedupe.store.opening import current_sources, read_scans
from dedupe.store.packing import pack
from dedupe.store.reading import readable
from dedupe.store.resources import open_connection
from dedupe.store.versions import read_mark, unwritable
from dedupe.store.views import SCANS, Views, scan_files, scan_ids

#: younger layers stay: a killed scan has left them for the next one, or a scan needs them soon
_YOUNG_SECONDS = 3600


def forget(folder: Path, scan: str) -> str:
    """Remove the scan with this ID, or the one whose ID begins so; returns its ID.

    Raises StoreError ``no-scan`` or ``ambiguous-scan``.
    """
    known = scan_ids(folder)
    try:
        scan = one_scan_of(known, scan)
    except StoreError as error:
        raise StoreError(f"catalog {folder}: {error.message}", error.code) from None
    # renamed first: a half-removed folder must not look like a scan
    removed = folder / SCANS / f"{TEMPORARY}{scan}"
    (folder / SCANS / scan).rename(removed)
    shutil.rmtree(removed)
    return scan


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed from a catalog."""

    #: locations
    sources: tuple[str, ...]
    #: scans that held nothing else
    scans: tuple[str, ...]


def forget_sources(folder: Path, texts: Sequence[str]) -> Forgotten:
    """Remove all rows of the sources that these texts mean, and scans that held nothing else.

    A text is a location, a glob, or a folder above sources; one of a place at which a scan found
    nothing removes that too. Can be interrupted and repeated. Raises LockedError while a scan is
    running, and StoreError as ``read_scans`` does, or ``catalog-unwritable``.
    """
    read_mark(folder)
    with exclusive_lock(folder / LOCK, "the catalog is being written to"):
        held: dict[str, set[str]] = {}
        for scan, source in read_scans(folder, _SOURCES_AND_PLACES):
            held.setdefault(scan, set()).add(source)
        chosen = {
            source
            for sources in held.values()
            for source in sources
            if any(is_meant(source, text) for text in texts)
        }
        known = {source for (source,) in read_scans(folder, "SELECT DISTINCT source FROM sources")}
        emptied = [scan for scan, sources in held.items() if sources <= chosen]
        for scan in emptied:
            forget(folder, scan)
        for scan in sorted(set(held) - set(emptied)):
            if held[scan] & chosen:
                _drop_sources(folder, scan, chosen)
    return Forgotten(tuple(sorted(chosen & known)), tuple(sorted(emptied)))


# a place that gave sources is not listed: it stands for what was found there
_SOURCES_AND_PLACES = """
    SELECT scan, source FROM sources
    UNION
    SELECT scan, source FROM images
    UNION
    SELECT scan, source FROM containers
    UNION
    SELECT problems.scan, problems.source
    FROM problems
    JOIN (SELECT scan, unnest(places) AS place FROM scans) AS named
        ON named.scan = problems.scan AND named.place = problems.source
"""


def _drop_sources(folder: Path, scan: str, chosen: Collection[str]) -> None:
    """Remove the rows of these sources from the files of a scan."""
    import polars as pl
    from polars.exceptions import PolarsError

    # without its row in this table, no other row of a source answers
    tables = sorted(set(SCAN_TABLES) - {"sources"})
    for table in ("sources", *tables):
        (file,) = scan_files(folder, table, [scan])
        try:
            rows = pl.read_parquet(file)
            if table == "scans":
                if "places" not in rows.columns:
                    continue
                named = [
                    [place for place in places if place not in chosen] if places else places
                    for places in rows["places"].to_list()
                ]
                kept = rows.with_columns(pl.Series("places", named, dtype=pl.List(pl.String)))
            else:
                kept = rows.filter(~pl.col("source").is_in(list(chosen)))
            with replacing_table(file.parent, table) as temporary:
                kept.write_parquet(temporary, compression="zstd")
        except (OSError, PolarsError) as error:
            raise unwritable(file, error) from error


def needed_scans(folder: Path) -> set[str]:
    """Scans without which the current view would be another.

    They are the latest of some source, the first that could not read a stale one, or have found
    gone a source of which an older scan has rows. Raises StoreError as ``read_scans`` does.
    """
    view = current_sources(folder)
    needed = {each.scan for each in view} | {each.stale_scan for each in view if each.stale_scan}
    marks = read_scans(
        folder,
        """
        SELECT DISTINCT marks.scan
        FROM (SELECT scan, unnest(gone) AS source FROM scans) AS marks
        JOIN sources ON sources.source = marks.source AND sources.scan < marks.scan
        """,
    )
    return needed | {scan for (scan,) in marks}


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
        key
        for (key,) in read_scans(
            folder, "SELECT layer FROM image_layers UNION SELECT layer FROM containers"
        )
        if key is not None
    }
    packed = pack(folder, needed | _young_layers(folder))
    return packed.dropped, packed.freed_bytes


def _young_layers(folder: Path) -> set[str]:
    """Layers in files of the last hour."""
    youngest = time.time() - _YOUNG_SECONDS
    young = [file for file in files_in(folder, LAYERS) if file.stat().st_mtime > youngest]
    if not young:
        return set()
    with readable(folder), open_connection(folder) as connection:
        rows = Views(connection, folder).selected("layers", young)
        found = connection.execute(f"SELECT layer FROM ({rows})").fetchall()  # noqa: S608  # quoted
    return {layer for (layer,) in found}
