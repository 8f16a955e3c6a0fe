"""Advice after scans, kept for the next scan that finds the same.

Most scans of a store find nothing new, and to work their advice out again would take longer than
they do. The file ``advice.json`` in the catalog's folder has the last ones, each under a digest of
what its scan has found. It can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedupe import __version__
from dedupe.errors import SourceError
from dedupe.host.files import read_below
from dedupe.host.writing import replacing
from dedupe.model.advice import Advice, Reason
from dedupe.model.tables import READER_VERSION, SCAN_TABLES, TABLES
from dedupe.store.views import SCANS

if TYPE_CHECKING:
    import polars as pl

_FILE = "advice.json"
_MOST_BYTES = 1 << 20
#: scans whose advice is kept: a catalog may have several stores, each scanned by itself
_MOST_SCANS = 16
#: tables of when a scan was made, and of disk usage, which changes when the system writes files out
_WITHOUT_ADVICE = ("scans", "disk")
_DISK_USAGE = ("allocated_bytes", "other_bytes")


class KeptAdvice:
    """The advice of one scan."""

    def __init__(self, folder: Path, scan: str) -> None:
        self._folder = folder
        self._digest = _digest_of(folder / SCANS / scan)

    def find(self) -> list[Advice] | None:
        """The advice after an earlier scan that found the same; None if none is kept."""
        try:
            return [
                Advice(tuple(command), Reason[reason], *figures)
                for command, reason, *figures in self._all()[self._digest]
            ]
        except (KeyError, TypeError, ValueError):
            return None

    def keep(self, advised: Sequence[Advice]) -> None:
        """Keep the advice, if the file can be written."""
        rows = [(each[0], each[1].name, *each[2:]) for each in map(astuple, advised)]
        others = {digest: kept for digest, kept in self._all().items() if digest != self._digest}
        last = dict(list({**others, self._digest: rows}.items())[-_MOST_SCANS:])
        with contextlib.suppress(OSError), replacing(self._folder / _FILE) as file:
            file.write_text(json.dumps(last, indent=1) + "\n")

    def _all(self) -> dict[str, Any]:
        """What is kept; nothing if it cannot be read."""
        try:
            found = json.loads(read_below(self._folder, (_FILE,), _MOST_BYTES))
        except (SourceError, OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _digest_of(scan: Path) -> str:
    """A digest of what a scan found, without its ID and its time; equal for equal advice."""
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    digest = hashlib.sha256(f"{__version__} {READER_VERSION} {pl.__version__}".encode())
    for table in SCAN_TABLES:
        if table not in _WITHOUT_ADVICE:
            try:
                rows = pl.read_parquet(scan / f"{table}.parquet")
            except (OSError, PolarsError, PanicException):
                # a digest that no other scan has
                rows = pl.DataFrame({"scan": [scan.name], "unread": [scan.name]})
            # other forms of equal rows may differ
            digest.update(_comparable(table, rows).write_ndjson().encode())
    return digest.hexdigest()[:32]


def _comparable(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without what differs between two scans that find the same."""
    import polars as pl

    kept = rows.drop("scan", *_DISK_USAGE, strict=False)
    if "state" in kept.columns:
        kept = kept.with_columns(pl.col("state").replace("read", "reused"))
    # lists cannot be sorted by
    return kept.sort([name for name in kept.columns if TABLES[table].get(name) != "VARCHAR[]"])
