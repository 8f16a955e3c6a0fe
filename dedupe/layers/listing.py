"""A layer that a store keeps unpacked, listed: its entries without the contents of its files.

If the store kept tar-split data, the entries are those of the layer's tar: its headers are read, and
no file or folder of the layer. Else the folder is walked, and no file in it is opened. Nothing is
proven: neither that the tar has its diff ID, nor that the folder still has the files of the tar.
"""

from collections.abc import Iterator

from dedupe.errors import LayerError
from dedupe.formats.tar import EMPTY_HASH, TarReader
from dedupe.layers.batches import MAX_TAR_BYTES, Batches, Emit, too_large
from dedupe.layers.split import SplitBody, parts_of, unusable
from dedupe.layers.tree import WalkNotes, members_of
from dedupe.layers.unpacked import WatchedEmit, notes_of
from dedupe.model.entries import LayerFacts
from dedupe.model.images import TreeRef


def list_layer(ref: TreeRef, emit: Emit) -> LayerFacts:
    """List the layer in this folder.

    Raises LayerError or SourceError if it cannot be listed to its end.
    """
    notes: tuple[tuple[str, str], ...] = ()
    if ref.split is not None:
        emitter = WatchedEmit(emit)
        try:
            return _list_headers(ref, emitter)
        except LayerError as error:
            # emitted rows cannot be taken back: the layer fails as a whole
            if emitter.has_emitted:
                raise
            reason = error if error.code == "split-unusable" else unusable(error.message)
            notes = (("split-unusable", f"{reason.message}; its folder is walked instead"),)
    return _list_folder(ref, emit, notes)


class _Headers:
    """The tar of tar-split data as a stream that can skip the bodies of files, and not read them.

    Raises LayerError ``split-unusable`` if a body is read, or is shorter than its header says.
    """

    def __init__(self, parts: Iterator[bytes | SplitBody]) -> None:
        self._parts = parts
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, up to the next body; nothing at the end."""
        piece = self._rest
        if not piece:
            part = next(self._parts, b"")
            if isinstance(part, SplitBody):
                raise unusable("a file is where a header is expected")
            piece = part
        self._rest = piece[size:]
        return piece[:size]

    def skip(self, size: int, /) -> int:
        """Skip ``size`` bytes, fewer at the end; return how many were skipped."""
        left = size
        while left:
            part = self._rest or next(self._parts, b"")
            if not part:
                break
            self._rest = b""
            if isinstance(part, SplitBody):
                if part.size > left:
                    raise unusable("a file is longer than its header says")
                left -= part.size
            else:
                self._rest = part[left:]
                left -= min(left, len(part))
        return size - left


def _list_headers(ref: TreeRef, emit: Emit) -> LayerFacts:
    """The entries of the layer's tar, from the headers that tar-split data keeps."""
    reader = TarReader(_Headers(parts_of(ref)), hash_content=False)
    batches = Batches(emit, listed=True)
    for member in reader:
        if not member.size and member.typeflag == b"0":
            member.content_hash = EMPTY_HASH
        batches.add(member)
        if reader.total_bytes > MAX_TAR_BYTES:
            raise too_large()
    # power failures leave empty files, which gzip reads as nothing without an error
    if not reader.total_bytes:
        raise unusable("it is empty")
    batches.finish()
    return LayerFacts(
        diff_id=None,
        digest=None,
        compression=None,
        compressed_bytes=None,
        tar_bytes=reader.total_bytes,
        content_bytes=batches.content_bytes,
        entries=batches.entries,
        files=batches.files,
        rows_digest=batches.rows_digest(),
        is_listed=True,
    )


def _list_folder(ref: TreeRef, emit: Emit, notes: tuple[tuple[str, str], ...]) -> LayerFacts:
    """The entries that the layer's folder shows."""
    walk_notes = WalkNotes()
    batches = Batches(emit, walked=True, listed=True)
    for entry in members_of(ref, _uncounted, walk_notes, listed=True):
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
        notes=(*notes, *notes_of(walk_notes)),
        is_listed=True,
    )


def _uncounted(_count: int) -> None:
    """Count bytes that are read: none are."""
