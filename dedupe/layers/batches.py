"""Rows of a layer on their way: handed over in batches, counted and, if asked for, digested."""

from collections.abc import Callable

from blake3 import blake3

from dedupe.formats.tar import Member
from dedupe.layers.entries import add_entry
from dedupe.model.rows import EntryColumns

#: rows that are handed over at a time: bounds memory whatever the size of a layer
BATCH_ROWS = 50_000

Emit = Callable[[EntryColumns], None]


class Batches:
    """Collects members and emits them as columns."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._columns = EntryColumns()
        self._digest: blake3 | None = None
        self.content_bytes = 0
        self.entries = 0
        self.files = 0

    def add(self, member: Member, flag: str | None = None) -> None:
        """One more member of the layer."""
        columns = self._columns
        self.content_bytes += add_entry(columns, self.entries, member, flag)
        self.entries += 1
        self.files += columns.content_hash[-1] is not None
        if len(columns) >= BATCH_ROWS:
            self._hand_over()

    def finish(self) -> None:
        """Emit what is left."""
        if len(self._columns):
            self._hand_over()

    def with_digest(self) -> "Batches":
        """Take a digest of all rows too: what a layer without a tar is known by."""
        self._digest = blake3()
        return self

    def rows_digest(self) -> str:
        """Digest of the rows; raises AttributeError unless ``with_digest`` asked for it."""
        assert self._digest is not None  # noqa: S101  # asked for by the same module
        return self._digest.hexdigest()

    def _hand_over(self) -> None:
        if self._digest is not None:
            for row in self._columns.rows():
                self._digest.update(repr(row).encode())
        self._emit(self._columns)
        self._columns = EntryColumns()
