"""The catalog's folder: where files lie, and how they get there whole.

    catalog.json                  the schema's version
    layers/<key>.parquet          one row: what reading a layer has shown
    entries/<key>-<n>.parquet     its entries, written before that row
    scans/<scan>/<table>.parquet  what one scan says of its sources
    lock                          empty; who writes locks it

A layer is there when its row is, a scan when its folder is; both come by rename. A scan that is
killed leaves nothing but files named ``.tmp-…``, and the layers that it had finished, which the
next scan finds. Two scans at once write the same layer twice, with the same bytes of meaning.
"""

import contextlib
import json
import os
import secrets
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dedupe import __version__
from dedupe.errors import StoreError, reason_of
from dedupe.host.locks import shared_lock
from dedupe.model.rows import EntryColumns, LayerFacts, Verified
from dedupe.model.tables import SCAN_TABLES, SCHEMA_VERSION, TABLES
from dedupe.scan.interface import ScanResult

if TYPE_CHECKING:
    import polars as pl

#: files and folders of this beginning are not part of the catalog
TEMPORARY = ".tmp-"
#: a file that is locked, by scans together, or alone by who removes layers
LOCK = "lock"
#: a temporary file that old belongs to no run
_STALE_SECONDS = 24 * 3600


def default_catalog() -> Path:
    """``DEDUPE_CATALOG``, else a folder below ``XDG_DATA_HOME``."""
    named = os.environ.get("DEDUPE_CATALOG")
    if named:
        return Path(named)
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "dedupe" / "catalog"


class Catalog:
    """A catalog that is written to; it is a scan's sink."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: dict[int, list[pl.DataFrame | Path]] = {}
        # few scans ask for it: configs name diff IDs
        self._blobs: dict[str, str] | None = None
        self._prepare()

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """To be held while a scan runs, beside other scans: keeps ``collect`` from its layers."""
        return shared_lock(self.folder / LOCK)

    def has_layer(self, diff_id: str) -> bool:
        """Whether verified rows of this layer are kept already."""
        return self._layer_file(diff_id).exists()

    def layer_of_blob(self, digest: str) -> str | None:
        """Diff ID of the verified rows that a blob of this digest gave, if any."""
        if self._blobs is None:
            self._blobs = self._read_blobs()
        return self._blobs.get(digest)

    def get_ready(self) -> None:
        """Load polars, which takes as long as reading a small layer."""
        import polars as pl  # noqa: F401  # only loaded

    def begin_layer(self, token: int) -> None:
        """Rows of a layer are about to come."""
        self._parts[token] = []

    def add_rows(self, token: int, columns: EntryColumns) -> None:
        """Take a batch; all but the last of a large layer wait on disk."""
        parts = self._parts[token]
        if parts and not isinstance(parts[-1], Path):
            waiting = self._temporary("entries")
            _write(parts[-1], waiting, "lz4")
            parts[-1] = waiting
        # the layer's key is known when the last byte was hashed
        data = {name: getattr(columns, name) for name in TABLES["entries"] if name != "layer"}
        parts.append(_frame("entries", {"layer": [None] * len(columns), **data}))

    def end_layer(self, token: int, key: str, facts: LayerFacts, verified: Verified) -> None:
        """Keep the layer: entries first, its row last."""
        import polars as pl

        for number, part in enumerate(self._parts.pop(token)):
            frame = pl.read_parquet(part) if isinstance(part, Path) else part
            _keep(
                frame.with_columns(layer=pl.lit(key)),
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
        }
        _keep(_frame("layers", {name: [row[name]] for name in row}), self._layer_file(key))

    def drop_layer(self, token: int) -> None:
        """Forget the rows of a layer that could not be read to its end."""
        for part in self._parts.pop(token):
            if isinstance(part, Path):
                part.unlink(missing_ok=True)

    def commit(self, result: ScanResult) -> str:
        """Keep the scan's tables by renaming their folder; returns the scan's ID."""
        # IDs sort by time, also those of two scans in one second
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(result.finished))
        scan = f"{stamp}.{int(result.finished % 1 * 1e6):06d}Z-{secrets.token_hex(2)}"
        folder = self.folder / "scans" / f"{TEMPORARY}{scan}"
        folder.mkdir()
        for table, rows in _scan_rows(scan, result).items():
            columns = {name: [row[name] for row in rows] for name in TABLES[table]}
            _write(_frame(table, columns), folder / f"{table}.parquet")
        folder.rename(self.folder / "scans" / scan)
        return scan

    def _read_blobs(self) -> dict[str, str]:
        import polars as pl

        files = [
            file
            for file in (self.folder / "layers").glob("*.parquet")
            if not file.name.startswith(TEMPORARY)
        ]
        if not files:
            return {}
        rows = (
            pl.scan_parquet(files)
            .filter(pl.col("verified") == Verified.BLOB.value)
            .select("digest", "diff_id")
            .collect()
        )
        return dict(rows.iter_rows())

    def _prepare(self) -> None:
        try:
            for name in ("layers", "entries", "scans"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            mark = self.folder / "catalog.json"
            if not mark.exists():
                temporary = self.folder / f"{TEMPORARY}{secrets.token_hex(8)}"
                temporary.write_text(json.dumps({"schema_version": SCHEMA_VERSION}))
                temporary.rename(mark)
        except OSError as error:
            raise StoreError(
                f"catalog {self.folder}: {reason_of(error)}; "
                "name another with --catalog or DEDUPE_CATALOG",
                "catalog-unwritable",
            ) from error
        check_version(self.folder)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what runs that were killed long ago have left."""
        oldest = time.time() - _STALE_SECONDS
        for name in ("layers", "entries", "scans"):
            for left in (self.folder / name).glob(f"{TEMPORARY}*"):
                with contextlib.suppress(OSError):
                    if left.stat().st_mtime < oldest:
                        shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _layer_file(self, key: str) -> Path:
        return self.folder / "layers" / f"{file_name(key)}.parquet"

    def _temporary(self, table: str) -> Path:
        return self.folder / table / f"{TEMPORARY}{secrets.token_hex(8)}"


def check_version(folder: Path) -> None:
    """Raises StoreError where there is no catalog, or one of another schema."""
    try:
        found = json.loads((folder / "catalog.json").read_bytes())["schema_version"]
    except FileNotFoundError:
        raise StoreError(
            f"no catalog at {folder}: run 'dedupe scan PATH' first", "no-catalog"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"catalog {folder}: catalog.json is damaged", "bad-catalog") from error
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"catalog {folder}: schema version {found}, this program reads {SCHEMA_VERSION}; "
            "scan into another with --catalog",
            "schema-version",
        )


def scan_ids(folder: Path) -> list[str]:
    """Scans that the catalog keeps, the oldest first."""
    check_version(folder)
    return sorted(
        path.name for path in (folder / "scans").iterdir() if not path.name.startswith(TEMPORARY)
    )


def file_name(key: str) -> str:
    """File name of a layer's key, without its ending."""
    return key.removeprefix("sha256:").replace(":", "-")


def _scan_rows(scan: str, result: ScanResult) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in SCAN_TABLES}
    rows["scans"].append(
        {
            "scan": scan,
            "started": result.started,
            "finished": result.finished,
            "layers_read": result.layers_read,
            "layers_named": result.layers_named,
            "version": __version__,
        }
    )
    for source in result.sources:
        rows["sources"].append(
            {
                "scan": scan,
                "source": source.location,
                "kind": source.kind.value,
                "stored_bytes": source.stored_bytes,
                "orphan_bytes": source.orphan_bytes,
                "orphan_blob_bytes": source.orphan_blob_bytes,
                "orphan_unpacked_bytes": source.orphan_unpacked_bytes,
                "allocated_bytes": source.allocated_bytes,
                "other_bytes": source.other_bytes,
            }
        )
        rows["images"] += [
            {
                "scan": scan,
                "source": source.location,
                "image_id": None,
                "digest": other.digest,
                "kind": other.kind,
                "names": list(other.names),
                "platform": str(other.platform),
                "created": None,
            }
            for other in source.others
        ]
    for image in result.images:
        place = {
            "scan": scan,
            "source": image.source,
            "image_id": image.image_id,
            "digest": image.digest,
        }
        rows["images"].append(
            {
                **place,
                "kind": "image",
                "names": list(image.names),
                "platform": image.platform,
                "created": image.created,
            }
        )
        rows["image_layers"] += [
            {
                **place,
                "position": layer.position,
                "diff_id": layer.diff_id,
                "layer": layer.layer,
                "chain_id": layer.chain_id,
                "blob": layer.digest,
                "compressed_bytes": layer.compressed_bytes,
                "created_by": layer.created_by,
                "state": layer.state.value,
                "allocated_bytes": layer.allocated_bytes,
            }
            for layer in image.layers
        ]
    rows["containers"] = [{"scan": scan, **asdict(container)} for container in result.containers]
    rows["problems"] = [
        {
            "scan": scan,
            "source": problem.source,
            "subject": problem.subject,
            "code": problem.code,
            "message": problem.message,
            "severity": problem.severity.value,
        }
        for problem in result.problems
    ]
    return rows


def _keep(frame: "pl.DataFrame", path: Path) -> None:
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    _write(frame, temporary)
    temporary.rename(path)


def _write(frame: "pl.DataFrame", path: Path, compression: Literal["lz4", "zstd"] = "zstd") -> None:
    """Raises StoreError where the disk takes no more; what is there already stays whole."""
    from polars.exceptions import PolarsError

    try:
        frame.write_parquet(path, compression=compression)
    except (OSError, PolarsError) as error:
        path.unlink(missing_ok=True)
        raise StoreError(
            f"{path.parent}: {error}; layers that were read are kept: free some space "
            "and scan again, or name another with --catalog",
            "catalog-unwritable",
        ) from error


def _frame(table: str, columns: dict[str, list[Any]]) -> "pl.DataFrame":
    # polars takes longer to import than planning a scan does; it is needed from here on
    import polars as pl

    types: dict[str, Any] = {
        "VARCHAR": pl.String,
        "INTEGER": pl.Int32,
        "BIGINT": pl.Int64,
        "BLOB": pl.Binary,
        "BOOLEAN": pl.Boolean,
        "DOUBLE": pl.Float64,
        "VARCHAR[]": pl.List(pl.String),
    }
    schema = {name: types[kind] for name, kind in TABLES[table].items()}
    return pl.DataFrame(columns, schema=schema)
