"""Rows of a layer: collected, counted, optionally digested, and handed over in batches."""

from collections.abc import Callable
from dataclasses import fields

from blake3 import blake3

from dedupe.errors import LayerError
from dedupe.formats.tar import Member
from dedupe.layers.entries import add_entry, is_unread
from dedupe.layers.own_links import OwnLinks
from dedupe.model.entries import EntryColumns

#: rows per batch: bounds memory whatever the size of a layer
BATCH_ROWS = 50_000
#: bytes that one layer may hold: ten times the largest image layers in use
MAX_TAR_BYTES = 2 << 40

Emit = Callable[[EntryColumns], None]


def too_large() -> LayerError:
    """The error for a layer larger than ``MAX_TAR_BYTES``."""
    return LayerError(f"holds more than {MAX_TAR_BYTES} bytes", "layer-too-large")


class Batches:
    """Collects members of a layer and emits them as columns.

    ``walked`` says that they are from an unpacked folder: its links were followed when it was
    written, and a digest of all rows identifies the layer, which has no tar. So does ``listed``:
    that contents were not read, so that the tar has no digest.
    """

    def __init__(self, emit: Emit, *, walked: bool = False, listed: bool = False) -> None:
        self._emit = emit
        self._columns = EntryColumns()
        self._digest = blake3() if walked or listed else None
        self._listed = listed
        self._links = None if walked else OwnLinks()
        self.content_bytes = 0
        self.entries = 0
        self.files = 0

    def add(self, member: Member, flag: str | None = None, *, literal: bool = False) -> None:
        """Add a member of the layer; for ``flag`` and ``literal`` see ``add_entry``."""
        columns = self._columns
        self.content_bytes += add_entry(
            columns, self.entries, member, flag, links=self._links, literal=literal
        )
        self.entries += 1
        if columns.content_hash[-1] is not None or (self._listed and is_unread(columns)):
            self.files += 1
        if len(columns) >= BATCH_ROWS:
            self._hand_over()

    def finish(self) -> None:
        """Emit the rows that are left."""
        if len(self._columns):
            self._hand_over()

    def rows_digest(self) -> str | None:
        """Digest of all rows that were emitted; None unless walked or listed."""
        return self._digest.hexdigest() if self._digest is not None else None

    def _hand_over(self) -> None:
        if self._digest is not None and self._listed:
            for each in fields(self._columns):
                self._digest.update(repr(getattr(self._columns, each.name)).encode())
        elif self._digest is not None:
            for row in self._columns.rows():
                self._digest.update(repr(row).encode())
        self._emit(self._columns)
        self._columns = EntryColumns()
