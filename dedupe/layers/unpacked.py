"""A layer that a store keeps unpacked: its tar made again where that can be, else a walk."""

import hashlib
from collections.abc import Callable

from dedupe.errors import LayerError, SourceError
from dedupe.formats.tar import TarReader
from dedupe.layers.batches import Batches, Emit
from dedupe.layers.split import SplitTar
from dedupe.layers.tree import Walked, members_of
from dedupe.model.images import TreeRef
from dedupe.model.rows import LayerFacts

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
        try:
            with SplitTar(ref, advance) as tar:
                tar.check()
                return _rebuilt(tar, emit)
        except (LayerError, SourceError) as error:
            if error.code != "split-unusable":
                raise
            notes = ((error.code, f"{error.message}; its folder is walked instead"),)
    return _walked(ref, emit, advance, notes)


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
        return data


def _rebuilt(tar: SplitTar, emit: Emit) -> LayerFacts:
    stream = _Hashed(tar)
    reader = TarReader(stream, hash_content=True)
    batches = Batches(emit)
    try:
        for member in reader:
            batches.add(member)
    except LayerError as error:
        # sizes were as expected a moment ago: the store has changed under our hands
        if error.code == "split-unusable":
            raise LayerError(error.message, "changed-while-read") from error
        raise
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
    for member, flag in members_of(ref, advance, walked):
        batches.add(member, flag)
    batches.finish()
    seen = tuple(
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
        notes=(*notes, *seen),
    )
