"""The catalog's folder: which files it has, and how they are written.

    catalog.json                  the schema's version, see ``versions``
    layers/                       what reading each layer has shown, see ``layer_files``
    entries/                      its entries, written before its row in ``layers/``
    scans/<scan>/<table>.parquet  what one scan found in its sources
    scans/<scan>/checksums.json   checksums of these files, see ``checksums``
    derived/                      what was worked out from entries, see ``derived.runs``
    lock                          empty; writers lock it

A layer exists once its row does, a scan once its folder does; both are renamed into place. A scan
that is killed leaves files named ``.tmp-…`` and the layers that it had finished, which the next
scan reuses. Two scans at once may write the same layer twice: the later row counts.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedupe.errors import LockedError, reason_of
from dedupe.host.locks import exclusive_lock, shared_lock
from dedupe.host.writing import TEMPORARY
from dedupe.model.entries import EntryColumns, LayerFacts, Verified
from dedupe.model.tables import READER_VERSION, TABLES
from dedupe.scan.interface import ScanResult
from dedupe.store.checksums import write_tables
from dedupe.store.known_sources import known_sources
from dedupe.store.layer_files import (
    ENTRIES,
    LAYERS,
    fault_of,
    files_in,
    next_number,
    write_file,
)
from dedupe.store.reading import damaged
from dedupe.store.rows import frame, scan_rows
from dedupe.store.versions import MARK, current_mark, read_mark, unwritable, write_mark

if TYPE_CHECKING:
    import polars as pl

#: scans lock this file together; a command that removes layers locks it alone
LOCK = "lock"
#: no run lasts as long: older temporary files belong to killed runs
_STALE_SECONDS = 24 * 3600


def default_catalog() -> Path:
    """``DEDUPE_CATALOG``, else a folder below ``XDG_DATA_HOME``."""
    given = os.environ.get("DEDUPE_CATALOG")
    if given:
        return Path(given)
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "dedupe" / "catalog"


class Catalog:
    """A catalog that is written to: the sink of a scan.

    Raises StoreError: ``catalog-unwritable`` if the folder cannot be made or written,
    ``bad-catalog`` or ``schema-version`` if it is not a catalog that this program can add to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: token of a layer that is being read -> its batches, all but the last written to files
        self._parts: dict[int, list[pl.DataFrame | Path]] = {}
        #: read when first asked for
        self._known: _KnownLayers | None = None
        #: whether a row of a layer was written that another one had
        self._has_replaced = False
        self._prepare()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock while a scan runs, together with other scans.

        Raises StoreError as the constructor does, and ``unlockable``.
        """
        with shared_lock(self.folder / LOCK):
            # an upgrade may have run since the catalog was opened
            self._mark_ours()
            yield

    def tidy(self) -> None:
        """Pack the files of layers if they are many, or some were replaced or are damaged.

        Does nothing while another scan is running. Raises StoreError as ``packing.pack`` does.
        """
        from dedupe.store.packing import MOST_FILES, pack

        damaged_files = self._known.damaged_files if self._known else []
        is_due = self._has_replaced or damaged_files
        if not is_due and len(files_in(self.folder, LAYERS)) <= MOST_FILES:
            return
        with (
            contextlib.suppress(LockedError),
            exclusive_lock(self.folder / LOCK, "the catalog is being written to"),
        ):
            # the scan has read again what it could of the layers in them
            for file in damaged_files:
                file.unlink(missing_ok=True)
            pack(self.folder)

    def has_layer(self, diff_id: str, *, of_older_reader: bool = False) -> bool:
        """Whether verified rows of this layer are kept already.

        Rows that an older version of the reader made only count if they are asked for, and rows
        that are damaged never: the layer is read again.
        """
        found = self._layers().rows.get(diff_id)
        return found is not None and (of_older_reader or found.reader == READER_VERSION)

    def tar_bytes(self, diff_id: str) -> int | None:
        """Size of the tar of a layer that is kept; None if it is not known."""
        found = self._layers().rows.get(diff_id)
        return found.tar_bytes if found else None

    def layer_of_blob(self, digest: str) -> str | None:
        """Diff ID of the verified rows that a blob of this digest gave, if any.

        Raises StoreError ``bad-catalog`` if a file of layers is damaged.
        """
        known = self._layers()
        if known.fault:
            raise damaged(self.folder, known.fault)
        return known.blobs.get(digest)

    def known_sources(self) -> list[str]:
        """Locations of the sources in the current view; raises StoreError ``bad-catalog``."""
        return known_sources(self.folder)

    def get_ready(self) -> None:
        """Load polars, which takes as long as reading a small layer."""
        import polars as pl  # noqa: F401  # only loaded

    def begin_layer(self, token: int) -> None:
        """Expect rows of a layer."""
        self._parts[token] = []

    def add_rows(self, token: int, columns: EntryColumns) -> None:
        """Take a batch of rows; all but the last batch of a layer wait in files.

        Raises StoreError ``catalog-unwritable``.
        """
        parts = self._parts[token]
        if parts and not isinstance(parts[-1], Path):
            waiting = self.folder / "entries" / f"{TEMPORARY}{secrets.token_hex(8)}"
            with _kept_on_failure(waiting.parent):
                parts[-1].write_parquet(waiting, compression="lz4")
            parts[-1] = waiting
        # the layer's key is known only after its last byte is hashed
        data = {name: getattr(columns, name) for name in TABLES["entries"] if name != "layer"}
        parts.append(frame("entries", {"layer": [None] * len(columns), **data}))

    def end_layer(self, token: int, key: str, facts: LayerFacts, verified: Verified) -> None:
        """Write the layer's entries, then its row; raises StoreError ``catalog-unwritable``."""
        import polars as pl

        known = self._layers()
        number = known.next_number()
        files = []
        for part in self._parts.pop(token):
            rows = pl.read_parquet(part) if isinstance(part, Path) else part
            files.append(self._write(ENTRIES, number, rows.with_columns(layer=pl.lit(key))))
            if isinstance(part, Path):
                part.unlink()
        row = {
            "layer": key,
            "diff_id": facts.diff_id,
            "verified": verified.value,
            "digest": facts.digest,
            "compression": facts.compression,
            "compressed_bytes": facts.compressed_bytes,
            "tar_bytes": facts.tar_bytes,
            "content_bytes": facts.content_bytes,
            "entries": facts.entries,
            "files": facts.files,
            "reader": READER_VERSION,
            "rows_digest": facts.rows_digest,
            "entries_in": files,
        }
        self._write(LAYERS, number, frame("layers", {name: [row[name]] for name in row}))
        self._has_replaced |= key in known.rows
        known.add(key, facts.digest, facts.diff_id, verified.value, READER_VERSION, facts.tar_bytes)

    def drop_layer(self, token: int) -> None:
        """Forget the rows of a layer that could not be read to its end."""
        for part in self._parts.pop(token):
            if isinstance(part, Path):
                part.unlink(missing_ok=True)

    def commit(self, result: ScanResult) -> str:
        """Write the scan's tables into a new folder; returns the scan's ID.

        Raises StoreError ``catalog-unwritable``.
        """
        # IDs sort by time, also those of two scans in one second
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(result.finished))
        scan = f"{stamp}.{int(result.finished % 1 * 1e6):06d}Z-{secrets.token_hex(2)}"
        folder = self.folder / "scans" / f"{TEMPORARY}{scan}"
        with _kept_on_failure(folder.parent):
            folder.mkdir()
            write_tables(
                folder,
                (
                    (
                        table,
                        frame(table, {name: [row[name] for row in rows] for name in TABLES[table]}),
                    )
                    for table, rows in scan_rows(scan, result).items()
                ),
            )
            folder.rename(self.folder / "scans" / scan)
        return scan

    def _write(self, table: str, number: int, rows: "pl.DataFrame") -> str:
        """Write a file of layers or entries; returns its name."""
        with _kept_on_failure(self.folder / table):
            made = write_file(
                self.folder / table,
                number,
                lambda file: rows.write_parquet(file, compression="zstd"),
            )
        return made.name

    def _layers(self) -> "_KnownLayers":
        if self._known is None:
            self._known = _KnownLayers(self.folder)
        return self._known

    def _prepare(self) -> None:
        try:
            for name in ("layers", "entries", "scans"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            is_new = not os.path.lexists(self.folder / MARK)
        except OSError as error:
            raise unwritable(f"catalog {self.folder}", reason_of(error)) from error
        if is_new:
            write_mark(self.folder, current_mark())
        self._mark_ours()
        self._sweep()

    def _mark_ours(self) -> None:
        """Make the mark true for files that this program adds."""
        mark = read_mark(self.folder)
        if mark.with_ours() != mark:
            write_mark(self.folder, mark.with_ours())

    def _sweep(self) -> None:
        """Remove what killed runs left more than a day ago."""
        oldest = time.time() - _STALE_SECONDS
        for name in ("layers", "entries", "scans"):
            for left in (self.folder / name).glob(f"{TEMPORARY}*"):
                with contextlib.suppress(OSError):
                    if left.stat().st_mtime < oldest:
                        shutil.rmtree(left) if left.is_dir() else left.unlink()


@dataclass(frozen=True, slots=True)
class _KnownLayer:
    """What a scan asks of a layer whose rows are kept."""

    reader: int
    tar_bytes: int | None


class _KnownLayers:
    """The layers with sound rows, without those of damaged files."""

    def __init__(self, folder: Path) -> None:
        files = files_in(folder, LAYERS)
        self.rows: dict[str, _KnownLayer] = {}
        #: digest of a blob that was compared with its layer -> diff ID
        self.blobs: dict[str, str] = {}
        #: what is wrong with the first file that cannot be read
        self.fault = ""
        #: files that can be read, but are not what was written
        self.damaged_files: list[Path] = []
        self._number = next_number(files)
        for row in self._read(files):
            self.add(*row)

    def add(
        self,
        key: str,
        digest: str | None,
        diff_id: str | None,
        verified: str,
        reader: int | None,
        tar_bytes: int | None,
    ) -> None:
        """Take a row, which counts more than those before it."""
        self.rows[key] = _KnownLayer(reader or 1, tar_bytes)
        if verified == Verified.BLOB.value and reader == READER_VERSION and digest and diff_id:
            self.blobs[digest] = diff_id

    def next_number(self) -> int:
        """A number for the next layer's files."""
        self._number = max(self._number + 1, time.time_ns())
        return self._number

    def _read(self, files: list[Path]) -> list[tuple[Any, ...]]:
        from polars.exceptions import PanicException, PolarsError

        sound = []
        for file in files:
            try:
                fault = fault_of(file)
            except OSError as error:
                self.fault = self.fault or f"{file}: {reason_of(error)}"
                continue
            if fault:
                self._note(file, fault)
            else:
                sound.append(file)
        try:
            return _rows_of(sound)
        except (OSError, PolarsError, PanicException):
            rows = []
            for file in sound:
                try:
                    rows += _rows_of([file])
                except OSError as error:
                    self.fault = self.fault or f"{file}: {reason_of(error)}"
                except (PolarsError, PanicException) as error:
                    self._note(file, str(error))
            return rows

    def _note(self, file: Path, fault: str) -> None:
        self.fault = self.fault or f"{file}: {fault}"
        self.damaged_files.append(file)


def _rows_of(files: list[Path]) -> list[tuple[Any, ...]]:
    """Key, digest, diff ID, proof, reader and size of the layers in these files, in their order."""
    import polars as pl

    if not files:
        return []
    columns = frame("layers", {}).select(
        "layer", "digest", "diff_id", "verified", "reader", "tar_bytes"
    )
    found = pl.scan_parquet(
        files, schema=columns.schema, missing_columns="insert", extra_columns="ignore"
    )
    return found.collect().rows()


@contextlib.contextmanager
def _kept_on_failure(folder: Path) -> Iterator[None]:
    """Raises StoreError ``catalog-unwritable`` for an error of writing in the body."""
    from polars.exceptions import PolarsError

    try:
        yield
    except (OSError, PolarsError) as error:
        raise unwritable(
            folder,
            error,
            "layers that were read are kept: free some space and scan again, or name another "
            "catalog with --catalog",
        ) from error
