"""Rows of a layer on their way: handed over in batches, counted and, if asked for, digested."""

from collections.abc import Callable

from blake3 import blake3

from dedupe.errors import LayerError
from dedupe.formats.tar import Member
from dedupe.layers.entries import add_entry
from dedupe.model.rows import EntryColumns

#: rows that are handed over at a time: bounds memory whatever the size of a layer
BATCH_ROWS = 50_000
#: bytes that one layer may hold: ten times the largest image layers in use
MAX_TAR_BYTES = 2 << 40

Emit = Callable[[EntryColumns], None]


def too_large() -> LayerError:
    """Of a layer that would not end."""
    return LayerError(f"holds more than {MAX_TAR_BYTES} bytes", "layer-too-large")


class Batches:
    """Collects members and emits them as columns."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._columns = EntryColumns()
        self._digest: blake3 | None = None
        self.content_bytes = 0
        self.entries = 0
        self.files = 0

    def add(self, member: Member, flag: str | None = None, *, literal: bool = False) -> None:
        """One more member of the layer; flag and literal as ``add_entry`` has them."""
        columns = self._columns
        self.content_bytes += add_entry(columns, self.entries, member, flag, literal=literal)
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
