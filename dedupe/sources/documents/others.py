"""What manifests name beside images, once all documents of a source were read.

An attestation that is in the index of an image is deleted with that index. A signature, and
everything else that has a manifest of its own, stays until it is deleted itself.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from dedupe.model.identity import Digest, ImageID, is_digest
from dedupe.model.images import FoundImage, FoundOther, HeldBlob
from dedupe.sources.interface import Contents

#: tags of cosign: the digest of the manifest that a signature, attestation or SBOM is about
_COSIGN_TAG = re.compile(r"(?:.*[:/])?(sha256|sha512)-([0-9a-f]{64,128})(?:\.[a-z]+)?\Z")
#: kinds that are deleted with the images of their index
_OF_INDEX = ("attestation", "index")
#: kinds that hold their blobs themselves
_LISTED = ("artifact", "attestation", "cache")


def relate_others(contents: Contents) -> None:
    """Merge what is named more than once, and say which images and manifests it belongs to.

    To do this again changes nothing.
    """
    images: dict[Digest, dict[ImageID, None]] = {}
    for image in contents.images:
        for document in image.documents:
            images.setdefault(document, {})[image.image_id] = None
    merged: dict[tuple[str, Digest | None], FoundOther] = {}
    for other in contents.others:
        first = merged.setdefault((other.kind, other.digest), other)
        if first is not other:
            merged[other.kind, other.digest] = replace(
                first,
                names=tuple(dict.fromkeys((*first.names, *other.names))),
                indexes=first.indexes | other.indexes,
                blobs=first.blobs | other.blobs,
            )
    contents.others = [_related(other, images) for other in merged.values()]


def held_blobs(
    images: Iterable[FoundImage], others: Iterable[FoundOther], sizes: Mapping[Digest, int]
) -> list[HeldBlob]:
    """The blobs that are not those of an image's layers, with each image or manifest that needs it.

    ``sizes`` has those of all blobs of the scan. Blobs of layers that are not tars are among them.
    An attestation of images that are not listed holds its blobs itself.
    """
    found: dict[tuple[str, Digest], None] = {}
    listed: set[ImageID] = set()
    for image in images:
        listed.add(image.image_id)
        for document in image.documents:
            found[image.image_id, document] = None
        for layer in image.layers:
            if layer.digest is not None and layer.blob is None and layer.tree is None:
                found[image.image_id, layer.digest] = None
    for other in others:
        with_images = [image for image in other.images if image in listed]
        if other.kind not in _LISTED and not with_images:
            continue
        for holder in with_images or ((other.digest,) if other.digest else ()):
            for blob in other.blobs:
                found[holder, blob] = None
    return [HeldBlob(holder, digest, sizes[digest]) for holder, digest in found if digest in sizes]


def _related(other: FoundOther, images: dict[Digest, dict[ImageID, None]]) -> FoundOther:
    with_images: dict[ImageID, None] = {}
    if other.kind in _OF_INDEX:
        for index in sorted(other.indexes):
            with_images.update(images.get(index, {}))
    alone = other.indexes - images.keys()
    return replace(
        other,
        subject=other.subject or _signed(other.names),
        images=tuple(with_images),
        blobs=other.blobs | alone,
    )


def _signed(names: tuple[str, ...]) -> Digest | None:
    """The manifest that a tag of cosign is about."""
    for name in names:
        match = _COSIGN_TAG.match(name)
        digest = f"{match[1]}:{match[2]}" if match else ""
        if is_digest(digest):
            return Digest(digest)
    return None
