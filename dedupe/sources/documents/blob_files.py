"""The blobs of a source by digest: where manifests find what they refer to."""

from collections.abc import Iterator

from dedupe.model.identity import ChainID, Digest, is_digest
from dedupe.model.images import BlobRef, ObjectRef, StoredBlob, TreeRef
from dedupe.sources.interface import Holder


class BlobFiles:
    """Blobs in the files of a holder, named as in an image layout.

    Sources with other file names override ``file_name``. Stores that unpack what they pull override
    ``tree``.
    """

    #: whether the store unpacks layers; it may then have documents of a platform, but no layers
    unpacks = False
    #: whether all blobs of a platform may be left out, even if its manifest is here
    sparse = False

    def __init__(self, holder: Holder, folder: str = "blobs") -> None:
        self._holder = holder
        self._folder = folder

    def file_name(self, digest: Digest) -> str:
        """Name of a blob's file."""
        algorithm, _, encoded = digest.partition(":")
        name = f"{algorithm}/{encoded}"
        return f"{self._folder}/{name}" if self._folder else name

    def has(self, digest: Digest) -> bool:
        """Whether the blob is here."""
        return self._holder.has(self.file_name(digest))

    def read_document(self, digest: Digest, limit: int) -> bytes:
        """Read a small blob; raises SourceError as the holder's ``read_file`` does."""
        return self._holder.read_file(self.file_name(digest), limit)

    def blob(self, digest: Digest) -> BlobRef | ObjectRef:
        """Where the blob's bytes are; raises SourceError as the holder's ``blob`` does."""
        return self._holder.blob(self.file_name(digest))

    def tree(self, _chain: ChainID) -> TreeRef | None:
        """The folder that the layer of this chain ID is unpacked in, if any."""
        return None

    def list_blobs(self) -> Iterator[StoredBlob]:
        """List all blobs; raises SourceError as the holder's ``list_files`` does."""
        for file in self._holder.list_files(self._folder):
            digest = ":".join(file.name.removeprefix(self._folder + "/").split("/"))
            yield StoredBlob(
                file.name,
                file.size_bytes,
                Digest(digest) if is_digest(digest) else None,
                file.inode,
            )
