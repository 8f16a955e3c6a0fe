"""A layer that a store keeps unpacked: its tar is rebuilt, or else its folder is walked."""

from collections.abc import Callable

from dedupe.errors import LayerError
from dedupe.formats.tar import TarReader
from dedupe.layers.batches import Batches, Emit
from dedupe.layers.split import SplitTar, unusable
from dedupe.layers.streams import HashedStream
from dedupe.layers.tree import WalkNotes, members_of
from dedupe.model.entries import EntryColumns, LayerFacts
from dedupe.model.images import TreeRef

#: code of a note -> what it says about the entries
_NOTES = {
    "xattrs-unseen": "trusted attributes are hidden from this process, so opaque directories may "
    "be missed: run as root",
    "vanished": "was deleted while the store was read",
    "changed-while-read": "changed while it was read",
}


def read_unpacked(ref: TreeRef, emit: Emit, advance: Callable[[int], None]) -> LayerFacts:
    """Read the layer in this folder.

    Raises LayerError or SourceError if the folder cannot be read to its end.
    """

    def rebuilt(emit: Emit) -> LayerFacts:
        with SplitTar(ref, advance) as tar:
            tar.check()
            return _read_rebuilt(tar, emit)

    return read_or_walk(ref, emit, rebuilt, advance)


def read_or_walk(
    ref: TreeRef,
    emit: Emit,
    read_split: Callable[[Emit], LayerFacts],
    advance: Callable[[int], None],
    *,
    listed: bool = False,
) -> LayerFacts:
    """Read the layer from its tar-split data; walk its folder if there are none, or bad ones.

    ``listed`` opens no file of the folder. Raises LayerError or SourceError.
    """
    notes: tuple[tuple[str, str], ...] = ()
    if ref.split is not None:
        emitter = _WatchedEmit(emit)
        try:
            return read_split(emitter)
        except LayerError as error:
            # emitted rows cannot be taken back: the layer fails as a whole
            if emitter.has_emitted:
                raise
            reason = error if error.code == "split-unusable" else unusable(error.message)
            notes = (("split-unusable", f"{reason.message}; its folder is walked instead"),)
    walk_notes = WalkNotes()
    batches = Batches(emit, walked=True, listed=listed)
    for entry in members_of(ref, advance, walk_notes, listed=listed):
        batches.add(entry.member, entry.flag, literal=entry.literal)
    batches.finish()
    return LayerFacts(
        diff_id=None,
        digest=None,
        compression=None,
        compressed_bytes=None,
        tar_bytes=None,
        content_bytes=batches.content_bytes,
        entries=batches.entries,
        files=batches.files,
        rows_digest=batches.rows_digest(),
        allocated_bytes=walk_notes.allocated_bytes,
        notes=(*notes, *_notes_of(walk_notes)),
        is_listed=listed,
    )


class _WatchedEmit:
    """Emits rows, and knows whether it has emitted any."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.has_emitted = False

    def __call__(self, columns: EntryColumns) -> None:
        """Emit a batch of rows."""
        self.has_emitted = True
        self._emit(columns)


def _read_rebuilt(tar: SplitTar, emit: Emit) -> LayerFacts:
    stream = HashedStream(tar)
    reader = TarReader(stream, hash_content=True)
    batches = Batches(emit)
    for member in reader:
        batches.add(member)
    # power failures leave empty files, which gzip reads as nothing without an error
    if not stream.size:
        raise unusable("it is empty")
    batches.finish()
    return LayerFacts(
        diff_id=stream.digest(),
        digest=None,
        compression=None,
        compressed_bytes=None,
        tar_bytes=stream.size,
        content_bytes=batches.content_bytes,
        entries=batches.entries,
        files=batches.files,
        trailing_bytes=reader.trailing_bytes,
    )


def _notes_of(walk_notes: WalkNotes) -> tuple[tuple[str, str], ...]:
    """Code and message of each note of a walk."""
    return tuple(
        (code, f"{example}: {_NOTES[code]}" + (f" (and {count - 1} more)" if count > 1 else ""))
        for code, (count, example) in walk_notes.by_code.items()
    )
