"""Images of a content store whose names are lost: what its blobs say of themselves."""

from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, object_in, objects_in, parse_object
from dedupe.model.identity import Digest, is_digest, new_hash
from dedupe.model.images import StoredBlob
from dedupe.sources.documents.manifests import reference_name
from dedupe.sources.interface import Holder


def nameless(
    holder: Holder, blobs: list[StoredBlob], reached: set[Digest]
) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
    """Entries of the manifests and indexes that no other names, and what they call themselves.

    Blobs in ``reached`` are left out: some image has led to them already.
    """
    found: dict[Digest, tuple[dict[str, Any], tuple[str, ...]]] = {}
    named: set[Digest] = set()
    for blob in blobs:
        if blob.digest is None or blob.digest in reached or blob.stored_bytes > MAX_MANIFEST_BYTES:
            continue
        document = _document(holder, blob, blob.digest)
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


def _document(holder: Holder, blob: StoredBlob, digest: Digest) -> dict[str, Any] | None:
    """The JSON object in a blob that is what its digest says; None for any other blob."""
    try:
        head = holder.read(blob.name, MAX_MANIFEST_BYTES)
        if head[:1] != b"{":
            return None
        hasher = new_hash(digest)
        if hasher is None:
            return None
        hasher.update(head)
        if hasher.hexdigest() != digest.partition(":")[2]:
            return None
        return parse_object(head, digest)
    except SourceError:
        return None
