"""The catalog's folder: which files it has, and how they are written.

    catalog.json                  the schema's version, see ``versions``
    layers/<key>.parquet          one row: what reading a layer has shown
    entries/<key>-<n>.parquet     its entries, written before that row
    scans/<scan>/<table>.parquet  what one scan found in its sources
    lock                          empty; writers lock it

A layer exists once its row does, a scan once its folder does; both are renamed into place. A scan
that is killed leaves files named ``.tmp-…`` and the layers that it had finished, which the next
scan reuses. Two scans at once may write the same layer twice, with the same rows.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedupe.errors import reason_of
from dedupe.host.locks import shared_lock
from dedupe.host.writing import TEMPORARY, replacing
from dedupe.model.entries import EntryColumns, LayerFacts, Verified
from dedupe.model.tables import READER_VERSION, TABLES
from dedupe.scan.interface import ScanResult
from dedupe.store.known_sources import known_sources
from dedupe.store.rows import frame, scan_rows
from dedupe.store.versions import MARK, current_mark, read_mark, unwritable, write_mark
from dedupe.store.views import damaged, file_name, layer_files

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
        #: digest of a blob -> diff ID; read when first asked for: few layers lack a diff ID
        self._blobs: dict[str, str] | None = None
        #: keys of layers with rows of this version of the reader; read when first asked for
        self._current: frozenset[str] | None = None
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

    def has_layer(self, diff_id: str, *, of_older_reader: bool = False) -> bool:
        """Whether verified rows of this layer are kept already.

        Rows that an older version of the reader made only count if they are asked for, and rows
        that are damaged never: the layer is read again.
        """
        if not self._layer_file(diff_id).exists():
            return False
        if of_older_reader:
            return True
        if self._current is None:
            self._current = self._read_current()
        return diff_id in self._current

    def tar_bytes(self, diff_id: str) -> int | None:
        """Size of the tar of a layer that is kept; None if it is not known.

        Raises StoreError ``bad-catalog``.
        """
        import polars as pl
        from polars.exceptions import PanicException, PolarsError

        try:
            rows = pl.read_parquet(self._layer_file(diff_id), columns=["tar_bytes"])
        except (OSError, PolarsError, PanicException) as error:
            raise damaged(self.folder, error) from error
        size: int | None = rows.item()
        return size

    def layer_of_blob(self, digest: str) -> str | None:
        """Diff ID of the verified rows that a blob of this digest gave, if any."""
        if self._blobs is None:
            self._blobs = self._read_blobs()
        return self._blobs.get(digest)

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

        for number, part in enumerate(self._parts.pop(token)):
            rows = pl.read_parquet(part) if isinstance(part, Path) else part
            _write_whole(
                rows.with_columns(layer=pl.lit(key)),
                self.folder / "entries" / f"{file_name(key)}-{number}.parquet",
            )
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
        }
        _write_whole(frame("layers", {name: [row[name]] for name in row}), self._layer_file(key))

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
            for table, rows in scan_rows(scan, result).items():
                columns = {name: [row[name] for row in rows] for name in TABLES[table]}
                frame(table, columns).write_parquet(folder / f"{table}.parquet", compression="zstd")
            folder.rename(self.folder / "scans" / scan)
        return scan

    def _read_blobs(self) -> dict[str, str]:
        """Diff ID of each blob with verified rows; raises StoreError ``bad-catalog``."""
        from polars.exceptions import PanicException, PolarsError

        try:
            rows = self._layer_rows(layer_files(self.folder, "layers"))
        except (OSError, PolarsError, PanicException) as error:
            raise damaged(self.folder, error) from error
        return {
            digest: diff_id
            for _, digest, diff_id, verified, reader in rows
            if verified == Verified.BLOB.value and reader == READER_VERSION
        }

    def _read_current(self) -> frozenset[str]:
        """Keys of the layers with rows of this version of the reader, without damaged ones."""
        from polars.exceptions import PanicException, PolarsError

        files = layer_files(self.folder, "layers")
        try:
            rows = self._layer_rows(files)
        except (OSError, PolarsError, PanicException):
            rows = []
            for file in files:
                with contextlib.suppress(OSError, PolarsError, PanicException):
                    rows += self._layer_rows([file])
        return frozenset(row[0] for row in rows if row[-1] == READER_VERSION)

    @staticmethod
    def _layer_rows(files: list[Path]) -> list[tuple[Any, ...]]:
        """Key, digest, diff ID, proof and reader of the layers in these files."""
        import polars as pl

        if not files:
            return []
        columns = frame("layers", {}).select("layer", "digest", "diff_id", "verified", "reader")
        found = pl.scan_parquet(
            files, schema=columns.schema, missing_columns="insert", extra_columns="ignore"
        )
        return found.collect().rows()

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

    def _layer_file(self, key: str) -> Path:
        return self.folder / "layers" / f"{file_name(key)}.parquet"


def _write_whole(rows: "pl.DataFrame", path: Path) -> None:
    """Write a file that is complete or absent; raises StoreError ``catalog-unwritable``."""
    with _kept_on_failure(path.parent), replacing(path) as temporary:
        rows.write_parquet(temporary, compression="zstd")


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
