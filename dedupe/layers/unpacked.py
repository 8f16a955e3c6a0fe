"""A layer that a store keeps unpacked: its tar made again where that can be, else a walk."""

import hashlib
from collections.abc import Callable

from dedupe.errors import LayerError
from dedupe.formats.tar import TarReader
from dedupe.layers.batches import MAX_TAR_BYTES, Batches, Emit, too_large
from dedupe.layers.split import SplitTar, unusable
from dedupe.layers.tree import Walked, members_of
from dedupe.model.images import TreeRef
from dedupe.model.rows import EntryColumns, LayerFacts

_ADVICE = {
    "xattrs-unseen": "trusted attributes are hidden from this process, so opaque directories may "
    "be missed: run as root",
    "vanished": "went while the store was read",
    "changed-while-read": "changed while it was read",
}


def read_unpacked(ref: TreeRef, emit: Emit, advance: Callable[[int], None]) -> LayerFacts:
    """Rows of the layer in this folder.

    Raises LayerError or SourceError where the folder cannot be read to its end.
    """
    notes: tuple[tuple[str, str], ...] = ()
    if ref.split is not None:
        handed_over = _Watched(emit)
        try:
            with SplitTar(ref, advance) as tar:
                tar.check()
                return _rebuilt(tar, handed_over)
        except LayerError as error:
            # rows that were handed over cannot be taken back: the layer fails as a whole
            if handed_over.any:
                raise
            why = (
                error.message if error.code == "split-unusable" else unusable(error.message).message
            )
            notes = (("split-unusable", f"{why}; its folder is walked instead"),)
    return _walked(ref, emit, advance, notes)


class _Watched:
    """Hands rows over, and remembers whether there were any."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.any = False

    def __call__(self, columns: EntryColumns) -> None:
        self.any = True
        self._emit(columns)


class _Hashed:
    """The tar, hashed as it passes."""

    def __init__(self, tar: SplitTar) -> None:
        self._tar = tar
        self.hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._tar.read(size)
        self.hash.update(data)
        self.size += len(data)
        if self.size > MAX_TAR_BYTES:
            raise too_large()
        return data


def _rebuilt(tar: SplitTar, emit: Emit) -> LayerFacts:
    stream = _Hashed(tar)
    reader = TarReader(stream, hash_content=True)
    batches = Batches(emit)
    for member in reader:
        batches.add(member)
    # a file of zero bytes, as power failures leave it, is sound gzip of nothing
    if not stream.size:
        raise unusable("it is empty")
    batches.finish()
    return LayerFacts(
        diff_id="sha256:" + stream.hash.hexdigest(),
        digest=None,
        compression=None,
        compressed_bytes=None,
        tar_bytes=stream.size,
        content_bytes=batches.content_bytes,
        entries=batches.entries,
        files=batches.files,
        trailing_bytes=reader.trailing_bytes,
    )


def _walked(
    ref: TreeRef, emit: Emit, advance: Callable[[int], None], notes: tuple[tuple[str, str], ...]
) -> LayerFacts:
    walked = Walked()
    batches = Batches(emit).with_digest()
    for seen in members_of(ref, advance, walked):
        batches.add(seen.member, seen.flag, literal=seen.literal)
    batches.finish()
    told = tuple(
        (code, f"{example}: {_ADVICE[code]}" + (f" (and {count - 1} more)" if count > 1 else ""))
        for code, (count, example) in walked.notes.items()
    )
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
        allocated_bytes=walked.allocated_bytes,
        notes=(*notes, *told),
    )
