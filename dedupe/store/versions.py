"""The mark of a catalog, ``catalog.json``: which versions of the schema its files may have.

    {"schema_version": 2, "oldest_version": 1, "columns": {"scans": ["scan", …], …}}

``schema_version``   a program that knows no such version must not read the catalog
``oldest_version``   version of the oldest files in it
``columns``          columns that every file of a table has

A new column does not change the version: older files read as null in it, and older programs ignore
it. A renamed column or a new meaning raises the version, and ``EARLIER`` or ``CHANGED`` say how
older files are read. Reading changes nothing. A scan into an older catalog writes files of its own
version and raises the mark; ``dedupe catalog upgrade`` rewrites the older files. docs/catalog.md
has the policy for users.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import SourceError, StoreError, reason_of
from dedupe.host.files import read_below
from dedupe.host.writing import replacing
from dedupe.model.tables import SCHEMA_VERSION, TABLES

MARK = "catalog.json"
#: the oldest version that is read
OLDEST_VERSION = 1
#: a mark has a few kilobytes
_MOST_BYTES = 1 << 20

# version 1 did not say how unreferenced bytes were kept; these stores had no blobs
_WITHOUT_BLOBS = "kind IN ('docker', 'containers-storage')"
#: table -> column that files may lack -> what it is read as, in SQL over the columns that they have
EARLIER: Mapping[str, Mapping[str, str]] = {
    "scans": {"layers_reused": "layers_named"},
    "sources": {
        "orphan_blob_bytes": f"CASE WHEN NOT {_WITHOUT_BLOBS} THEN orphan_bytes END",
        "orphan_unpacked_bytes": f"CASE WHEN {_WITHOUT_BLOBS} THEN orphan_bytes END",
    },
}
#: version -> table -> column -> what its values in files of an older version mean
CHANGED: Mapping[int, Mapping[str, Mapping[str, str]]] = {
    2: {"image_layers": {"state": "CASE state WHEN 'named' THEN 'reused' ELSE state END"}}
}
#: columns of version 1, whose mark lists none; only names that are still in use matter
_COLUMNS_1: Mapping[str, str] = {
    "entries": "layer member path kind size_bytes stored_bytes mode uid gid mtime_ns link device "
    "xattrs content_hash raw_name flags",
    "layers": "layer diff_id verified digest compression compressed_bytes tar_bytes content_bytes "
    "entries files",
    "scans": "scan started finished layers_read version",
    "sources": "scan source kind stored_bytes orphan_bytes allocated_bytes other_bytes",
    "images": "scan source image_id digest kind names platform created",
    "image_layers": "scan source image_id digest position diff_id layer chain_id blob "
    "compressed_bytes created_by state allocated_bytes",
    "containers": "scan source container_id name image_id image running layer allocated_bytes",
    "problems": "scan source subject code message severity",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What ``catalog.json`` says."""

    version: int
    oldest: int
    #: table -> columns that every file has; columns of later programs may be among them
    columns: Mapping[str, frozenset[str]]

    @property
    def is_current(self) -> bool:
        """Whether every file can be read as this program writes it."""
        return self.oldest == SCHEMA_VERSION and not any(map(self.lacks, TABLES))

    def lacks(self, table: str) -> frozenset[str]:
        """Columns of ours that files of this table may lack."""
        return frozenset(TABLES[table]) - self.columns.get(table, frozenset())

    def changed(self, table: str) -> Mapping[str, str]:
        """Columns whose values may be of an older version -> what they mean, in SQL."""
        found: dict[str, str] = {}
        for version, tables in CHANGED.items():
            if self.oldest < version:
                found |= tables.get(table, {})
        return found

    def with_ours(self) -> "Mark":
        """The mark once files of this program are added."""
        columns = {
            table: self.columns.get(table, frozenset()) & frozenset(ours)
            for table, ours in TABLES.items()
        }
        return Mark(SCHEMA_VERSION, self.oldest, columns)


def current_mark() -> Mark:
    """The mark of a catalog whose files are all of this program."""
    columns = {table: frozenset(columns) for table, columns in TABLES.items()}
    return Mark(SCHEMA_VERSION, SCHEMA_VERSION, columns)


def read_mark(folder: Path) -> Mark:
    """The mark of the catalog in this folder.

    Raises StoreError: ``no-catalog`` if there is none, ``bad-catalog`` if it is damaged, and
    ``schema-version`` if this program cannot read its version.
    """
    try:
        found = json.loads(read_below(folder, (MARK,), _MOST_BYTES))
        version = _number(found["schema_version"])
        oldest = _number(found.get("oldest_version", version))
        _require_readable(folder, version, oldest)
        return Mark(version, oldest, _columns(found))
    except SourceError as error:
        if error.code == "blob-missing":
            raise StoreError(
                f"no catalog at {folder}: run 'dedupe scan PATH' first", "no-catalog"
            ) from None
        raise StoreError(f"catalog {folder}: {error.message}", "bad-catalog") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"catalog {folder}: {MARK} is damaged", "bad-catalog") from error


def write_mark(folder: Path, mark: Mark) -> None:
    """Write the mark; raises StoreError ``catalog-unwritable``."""
    columns = {table: sorted(columns) for table, columns in mark.columns.items()}
    document = {"schema_version": mark.version, "oldest_version": mark.oldest, "columns": columns}
    try:
        with replacing(folder / MARK, flush=True) as temporary:
            temporary.write_text(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise unwritable(f"catalog {folder}", reason_of(error)) from error


def unwritable(
    place: object,
    reason: object,
    advice: str = "name another catalog with --catalog or DEDUPE_CATALOG",
) -> StoreError:
    """The error for a folder or file of the catalog that cannot be made or written."""
    return StoreError(f"{place}: {reason}; {advice}", "catalog-unwritable")


def _require_readable(folder: Path, version: int, oldest: int) -> None:
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"catalog {folder}: schema version {version}, this program reads up to "
            f"{SCHEMA_VERSION}: use a newer dedupe, or scan into another catalog with --catalog",
            "schema-version",
        )
    if oldest < OLDEST_VERSION:
        raise StoreError(
            f"catalog {folder}: schema version {oldest}, this program reads {OLDEST_VERSION} and "
            "later: scan into another catalog with --catalog",
            "schema-version",
        )


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"expected a number, found {value!r}")
    return value


def _columns(found: Mapping[str, object]) -> dict[str, frozenset[str]]:
    """Columns that a mark lists; raises TypeError if it is damaged."""
    listed = found.get("columns")
    if listed is None:
        return {table: frozenset(columns.split()) for table, columns in _COLUMNS_1.items()}
    if not isinstance(listed, dict):
        raise TypeError("columns are not an object")
    return {table: frozenset(map(str, columns)) for table, columns in listed.items()}
