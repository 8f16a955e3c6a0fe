"""Indexes and manifests of the OCI and Docker formats, from index down to layers.

Every document is hashed and compared with the descriptor that names it before a byte of it is
believed. What is no container image (artifact, attestation, a platform that was not copied) is
listed as what it is.
Source: OCI image-spec image-index.md, manifest.md.
"""

import re
from collections.abc import Callable
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    object_in,
    objects_in,
    parse_object,
    text_in,
)
from dedupe.model.identity import (
    ChainID,
    DiffID,
    Digest,
    ImageID,
    chain_ids,
    is_digest,
    new_hash,
    sha256_digest,
)
from dedupe.model.images import (
    BlobRef,
    FoundImage,
    FoundLayer,
    FoundOther,
    LayerState,
    ObjectRef,
    Platform,
    TreeRef,
)
from dedupe.model.paths import printable
from dedupe.sources.documents.config import Config
from dedupe.sources.documents.descriptors import Descriptor
from dedupe.sources.interface import Contents, Holder

#: indexes in indexes: real ones are two deep
MAX_INDEX_DEPTH = 8

_INDEX = re.compile(
    r"application/vnd\.(oci\.image\.index\.v1|docker\.distribution\.manifest\.list\.v2)\+json"
)
_MANIFEST = re.compile(
    r"application/vnd\.(oci\.image\.manifest\.v1|docker\.distribution\.manifest\.v2)\+json"
)
_SCHEMA1 = re.compile(r"application/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)")
_CONFIG = re.compile(r"application/vnd\.(oci\.image\.config|docker\.container\.image)\.v1\+json")
_LAYER_TAR = re.compile(
    r"application/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar"
    r"|docker\.image\.rootfs\.(foreign\.)?diff\.tar)"
)
_FOREIGN = re.compile(r"\.(nondistributable|foreign)\.")


def blob_name(digest: Digest) -> str:
    """File name of a blob in an image layout."""
    algorithm, _, encoded = digest.partition(":")
    return f"blobs/{algorithm}/{encoded}"


class ManifestReader:
    """Follows descriptors in one source and collects the images that they lead to."""

    def __init__(
        self,
        holder: Holder,
        contents: Contents,
        name_of: Callable[[Digest], str] = blob_name,
        unpacked: Callable[[ChainID], TreeRef | None] | None = None,
    ) -> None:
        """``unpacked`` finds the folder of a layer, in a store that unpacks what it pulls.

        Such a store may have the documents of platforms that it has no layer of.
        """
        self._holder = holder
        self._contents = contents
        self._name_of = name_of
        self._unpacked = unpacked
        self._seen: dict[Digest, None] = {}

    def follow(self, entry: dict[str, Any], names: tuple[str, ...], depth: int = 0) -> None:
        """An entry of an index, whatever it names; problems become rows."""
        try:
            descriptor = Descriptor.parse(entry)
        except SourceError as error:
            self._contents.failed("index", error)
            return
        self._contents.referenced.add(descriptor.digest)
        try:
            self._follow(descriptor, names, depth)
        except SourceError as error:
            self._contents.failed(_subject(names, descriptor.digest), error)

    def manifest(
        self, data: bytes, digest: Digest, names: tuple[str, ...], platform: Platform | None = None
    ) -> None:
        """An image's manifest whose bytes were checked already; raises SourceError."""
        document = parse_object(data, digest)
        descriptor = Descriptor(
            digest, text_in(document, "mediaType"), None, {}, platform or Platform()
        )
        self._document(document, descriptor, names, 0)

    def index(self, document: dict[str, Any], names: tuple[str, ...], depth: int = 0) -> None:
        """All entries of an index; those without a name of their own get that of the index."""
        for entry in objects_in(document, "manifests"):
            own = reference_name(object_in(entry, "annotations"))
            self.follow(entry, (own,) if own else names, depth + 1)

    def _follow(self, descriptor: Descriptor, names: tuple[str, ...], depth: int) -> None:
        if depth > MAX_INDEX_DEPTH:
            raise SourceError(
                f"{descriptor.digest}: indexes nested deeper than {MAX_INDEX_DEPTH}",
                "index-too-deep",
            )
        if descriptor.digest in self._seen:
            raise SourceError(f"{descriptor.digest}: an index names itself", "index-cycle")
        if _SCHEMA1.match(descriptor.media_type):
            raise SourceError(
                f"{descriptor.digest}: manifest of schema 1, which is not supported", "schema1"
            )
        if _attests(descriptor.annotations):
            self._other("attestation", descriptor, names)
            self._mark_referenced(descriptor)
            return
        known = _INDEX.match(descriptor.media_type) or _MANIFEST.match(descriptor.media_type)
        if descriptor.media_type and not known:
            self._other("artifact", descriptor, names)
            self._mark_referenced(descriptor)
            return
        if depth > 1 and not self._holder.has(self._name_of(descriptor.digest)):
            # a copy of one platform keeps the whole index: not an error
            self._other("absent", descriptor, names)
            return
        data = self._checked(descriptor, MAX_MANIFEST_BYTES)
        document = parse_object(data, descriptor.digest)
        self._seen[descriptor.digest] = None
        try:
            self._document(document, descriptor, names, depth)
        finally:
            # only the way down from the root counts: two tags may name one manifest
            del self._seen[descriptor.digest]

    def _document(
        self, document: dict[str, Any], descriptor: Descriptor, names: tuple[str, ...], depth: int
    ) -> None:
        if "manifests" in document and ("layers" in document or "config" in document):
            # CVE-2021-41190: read as an index by one tool and as a manifest by another
            raise SourceError(
                f"{descriptor.digest}: both an index and a manifest", "ambiguous-document"
            )
        if "fsLayers" in document:
            self._contents.referenced.update(
                Digest(layer["blobSum"])
                for layer in objects_in(document, "fsLayers")
                if is_digest(layer.get("blobSum"))
            )
            raise SourceError(
                f"{descriptor.digest}: manifest of schema 1, which is not supported", "schema1"
            )
        if "manifests" in document:
            self.index(document, names, depth or 1)
            return
        self._image(document, descriptor, names, depth)

    def _image(
        self, manifest: dict[str, Any], descriptor: Descriptor, names: tuple[str, ...], depth: int
    ) -> None:
        config_descriptor = Descriptor.parse(object_in(manifest, "config"))
        layers = [Descriptor.parse(layer) for layer in objects_in(manifest, "layers")]
        self._contents.referenced.update(layer.digest for layer in layers)
        self._contents.referenced.add(config_descriptor.digest)
        types = [layer.media_type for layer in layers]
        if (
            manifest.get("artifactType")
            or (config_descriptor.media_type and not _CONFIG.match(config_descriptor.media_type))
            or (types and all(kind and not _is_layer(kind) for kind in types))
        ):
            self._other("artifact", descriptor, names, text_in(manifest, "artifactType"))
            return

        child = depth > 1 and self._unpacked is not None
        if child and not self._holder.has(self._name_of(config_descriptor.digest)):
            self._other("absent", descriptor, names)
            return
        checked = True
        try:
            data = self._checked(config_descriptor, MAX_CONFIG_BYTES)
        except SourceError as error:
            if error.code != "digest-mismatch":
                raise
            # the image stays, under the identity that its config really has; no claim is believed
            self._contents.failed(_subject(names, descriptor.digest), error)
            data = self._holder.read(self._name_of(config_descriptor.digest), MAX_CONFIG_BYTES)
            checked = False
        config = Config.parse(data, config_descriptor.digest)
        if len(config.diff_ids) != len(layers):
            raise SourceError(
                f"{descriptor.digest}: {len(layers)} layers in the manifest, "
                f"{len(config.diff_ids)} diff IDs in the config",
                "layer-count-mismatch",
            )
        trees = [self._tree(chain) for chain in chain_ids(config.diff_ids)]
        kept = [self._holder.has(self._name_of(layer.digest)) for layer in layers]
        if child and layers and not any(kept) and not any(trees):
            self._other("absent", descriptor, names)
            return
        platform = config.platform if str(config.platform) else descriptor.platform
        if str(descriptor.platform) and platform != descriptor.platform:
            self._contents.note(
                _subject(names, descriptor.digest),
                "platform-mismatch",
                f"the index says {descriptor.platform}, the config {platform}",
            )
        self._contents.images.append(
            FoundImage(
                image_id=ImageID(sha256_digest(data)),
                digest=descriptor.digest,
                names=tuple(printable(name) for name in names),
                platform=platform,
                layers=tuple(
                    self._layer(
                        layer, diff_id, tree, step, checked, _subject(names, descriptor.digest)
                    )
                    for layer, diff_id, tree, step in zip(
                        layers, config.diff_ids, trees, config.steps, strict=True
                    )
                ),
                created=config.created,
                config_checked=checked,
            )
        )

    def _tree(self, chain: ChainID) -> TreeRef | None:
        return self._unpacked(chain) if self._unpacked is not None else None

    def _layer(
        self,
        layer: Descriptor,
        diff_id: DiffID,
        tree: TreeRef | None,
        step: str | None,
        checked: bool,
        subject: str,
    ) -> FoundLayer:
        state: LayerState | None = None
        blob: BlobRef | ObjectRef | None = None
        try:
            blob = self._holder.blob(self._name_of(layer.digest))
        except SourceError as error:
            if error.code == "blob-missing" and tree is not None:
                # discarded once it was unpacked, as CRI can be told to
                pass
            elif error.code == "blob-missing" and _FOREIGN.search(layer.media_type):
                state = LayerState.FOREIGN
                self._contents.note(
                    subject,
                    "foreign-layer",
                    f"layer {layer.digest} may not be distributed and is not kept here",
                )
            else:
                if tree is None:
                    absent = error.code == "blob-missing"
                    state = LayerState.ABSENT if absent else LayerState.BROKEN
                self._contents.failed(subject, error)
        if layer.media_type.endswith("+encrypted") and tree is not None:
            # it was decrypted when it was unpacked
            blob = None
        elif layer.media_type.endswith("+encrypted"):
            state, blob = LayerState.ENCRYPTED, None
            self._contents.note(
                subject,
                "encrypted-layer",
                f"layer {layer.digest} is encrypted: its files are unknown",
            )
        elif layer.media_type and not _is_layer(layer.media_type):
            state, blob = LayerState.UNSUPPORTED, None
            self._contents.note(
                subject,
                "unsupported-layer",
                f"layer {layer.digest} is of type {printable(layer.media_type)}, no layer tar",
            )
        if blob is not None and layer.size is not None and blob.size != layer.size:
            self._contents.failed(
                subject,
                SourceError(
                    f"layer {layer.digest}: the manifest says {layer.size} bytes, "
                    f"the blob has {blob.size}",
                    "size-mismatch",
                ),
            )
        return FoundLayer(
            digest=layer.digest,
            diff_id=diff_id,
            claim_checked=checked,
            blob=blob,
            state=state,
            created_by=step,
            media_type=layer.media_type or None,
            claimed_bytes=layer.size,
            tree=tree,
        )

    def _checked(self, descriptor: Descriptor, limit: int) -> bytes:
        """A document's bytes, of the size and digest that its descriptor says."""
        if descriptor.size is not None and descriptor.size > limit:
            raise SourceError(
                f"{descriptor.digest}: claims {descriptor.size} bytes, at most {limit} are read",
                "document-too-large",
            )
        data = self._holder.read(self._name_of(descriptor.digest), limit)
        hasher = new_hash(descriptor.digest)
        if hasher is None:
            raise SourceError(
                f"{descriptor.digest}: this digest's algorithm is not supported", "bad-digest"
            )
        hasher.update(data)
        found = f"{descriptor.digest.partition(':')[0]}:{hasher.hexdigest()}"
        if found != descriptor.digest:
            raise SourceError(
                f"digest mismatch: expected {descriptor.digest}, the bytes give {found}",
                "digest-mismatch",
            )
        if descriptor.size is not None and len(data) != descriptor.size:
            raise SourceError(
                f"{descriptor.digest}: the descriptor says {descriptor.size} bytes, "
                f"the blob has {len(data)}",
                "size-mismatch",
            )
        return data

    def _other(
        self, kind: str, descriptor: Descriptor, names: tuple[str, ...], media_type: str = ""
    ) -> None:
        self._contents.others.append(
            FoundOther(
                kind,
                descriptor.digest,
                tuple(printable(name) for name in names),
                descriptor.platform,
                printable(media_type or descriptor.media_type) or None,
            )
        )

    def _mark_referenced(self, descriptor: Descriptor) -> None:
        """The blobs of a manifest that is no image are in use all the same."""
        try:
            document = parse_object(
                self._checked(descriptor, MAX_MANIFEST_BYTES), descriptor.digest
            )
            named = [object_in(document, "config")]
            for key in ("layers", "blobs", "manifests"):
                named += objects_in(document, key)
        except SourceError:
            return
        self._contents.referenced.update(
            Digest(entry["digest"]) for entry in named if is_digest(entry.get("digest"))
        )


def reference_name(annotations: dict[str, Any]) -> str | None:
    """The name that an index gives to an entry.

    containerd and docker write the full reference beside the tag, so that one is preferred.
    """
    for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
        name = annotations.get(key)
        if isinstance(name, str) and name:
            return name
    return None


def is_attestation(entry: dict[str, Any]) -> bool:
    """Whether an index says of an entry that it attests to another."""
    return _attests(object_in(entry, "annotations"))


def _attests(annotations: dict[str, Any]) -> bool:
    return annotations.get("vnd.docker.reference.type") == "attestation-manifest"


def _is_layer(media_type: str) -> bool:
    return _LAYER_TAR.match(media_type) is not None


def _subject(names: tuple[str, ...], digest: Digest) -> str:
    return printable(names[0]) if names else digest
