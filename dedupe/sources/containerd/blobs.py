"""The content store: its blobs, and the images among them whose names were lost."""

from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, object_in, objects_in, parse_object
from dedupe.model.identity import ChainID, Digest, is_digest, new_hash
from dedupe.model.images import StoredBlob, TreeRef
from dedupe.sources.containerd.snapshots import ContainerdRoot, Snapshots
from dedupe.sources.documents.blob_files import BlobFiles
from dedupe.sources.documents.manifests import reference_name
from dedupe.sources.holders.folder import FolderHolder

#: folder of the content store
CONTENT = "io.containerd.content.v1.content"


class ContainerdBlobs(BlobFiles):
    """Blobs of the content store, and snapshots that their layers are unpacked in.

    Blobs that are being written, in ``ingest``, are not among them.
    """

    unpacks = True

    def __init__(self, root: ContainerdRoot, snapshots: Snapshots) -> None:
        holder = FolderHolder(root.store.path)
        # the folders of the store may be links, and its blobs may not
        holder.store = root.store
        super().__init__(holder, "/".join(root.parts(CONTENT, "blobs")))
        self._snapshots = snapshots

    def tree(self, chain: ChainID) -> TreeRef | None:
        """The snapshot that the layer of this chain ID is unpacked in, if any."""
        return self._snapshots.layer(chain)


def lost_images(
    blob_files: BlobFiles, blobs: list[StoredBlob], referenced: set[Digest]
) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
    """Index entries for the manifests and indexes that no other document names.

    With each come the names in its own annotations. Blobs in ``referenced`` are left out: an image
    has led to them already.
    """
    found: dict[Digest, tuple[dict[str, Any], tuple[str, ...]]] = {}
    named: set[Digest] = set()
    for blob in blobs:
        if (
            blob.digest is None
            or blob.digest in referenced
            or blob.stored_bytes > MAX_MANIFEST_BYTES
        ):
            continue
        document = _read_document(blob_files, blob.digest)
        if document is None:
            continue
        try:
            children = objects_in(document, "manifests")
        except SourceError:
            continue
        image = "layers" in document and is_digest(object_in(document, "config").get("digest"))
        if not children and not image:
            continue
        named.update(
            Digest(child["digest"]) for child in children if is_digest(child.get("digest"))
        )
        name = reference_name(object_in(document, "annotations"))
        entry = {"digest": blob.digest, "size": blob.stored_bytes}
        found[blob.digest] = (entry, (name,) if name else ())
    return [found[digest] for digest in sorted(found.keys() - named)]


def _read_document(blob_files: BlobFiles, digest: Digest) -> dict[str, Any] | None:
    """The JSON object in a blob; None if there is none, or if the blob has another digest."""
    try:
        data = blob_files.read_document(digest, MAX_MANIFEST_BYTES)
        if data[:1] != b"{":
            return None
        hasher = new_hash(digest)
        if hasher is None:
            return None
        hasher.update(data)
        if hasher.hexdigest() != digest.partition(":")[2]:
            return None
        return parse_object(data, digest)
    except SourceError:
        return None
