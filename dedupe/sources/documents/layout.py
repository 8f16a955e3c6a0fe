"""OCI image layouts: a folder or an archive with ``oci-layout``, ``index.json`` and ``blobs/``.

Source: OCI image-spec image-layout.md.
"""

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, parse_object
from dedupe.model.identity import Digest, is_digest
from dedupe.model.images import StoredBlob
from dedupe.sources.documents.manifests import ManifestReader
from dedupe.sources.interface import Contents, Holder


def is_layout(holder: Holder) -> bool:
    """Whether the files of an image layout are there."""
    return holder.has("oci-layout") and holder.has("index.json")


def read_layout(holder: Holder, contents: Contents) -> None:
    """All images that ``index.json`` leads to; problems become rows."""
    try:
        index = parse_object(holder.read("index.json", MAX_MANIFEST_BYTES), "index.json")
        ManifestReader(holder, contents).index(index, ())
    except SourceError as error:
        contents.failed("index.json", error)


def blobs_of(holder: Holder, contents: Contents) -> list[StoredBlob]:
    """All blobs of the layout, whether a manifest names them or not."""
    blobs = []
    try:
        for name, size in holder.listing("blobs"):
            digest = ":".join(name.split("/")[1:])
            blobs.append(StoredBlob(name, size, Digest(digest) if is_digest(digest) else None))
    except SourceError as error:
        # the first document below the folder has failed by the same cause
        if all(problem.code != error.code for problem in contents.problems):
            contents.failed("blobs", error)
    return blobs
