"""Indexes and manifests of the OCI and Docker formats: from an index down to layers.

Each document is hashed and compared with the descriptor that refers to it before it is parsed. What
is not a container image (an artifact, an attestation, a platform that was not copied) is listed
under its own kind.
Source: OCI image-spec image-index.md, manifest.md.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from operator import ne
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
from dedupe.model.identity import Digest, ImageID, chain_ids, is_digest, new_hash, sha256_digest
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
from dedupe.sources.documents.blob_files import BlobFiles
from dedupe.sources.documents.config import Config
from dedupe.sources.documents.descriptors import Descriptor
from dedupe.sources.interface import Contents, state_after

#: nested indexes; real ones are two deep
MAX_INDEX_DEPTH = 8

_INDEX = re.compile(
    r"application/vnd\.(oci\.image\.index\.v1|docker\.distribution\.manifest\.list\.v2)\+json"
)
_MANIFEST = re.compile(
    r"application/vnd\.(oci\.image\.manifest\.v1|docker\.distribution\.manifest\.v2)\+json"
)
_SCHEMA1 = re.compile(r"application/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)")
_CONFIG = re.compile(r"application/vnd\.(oci\.image\.config|docker\.container\.image)\.v1\+json")
#: BuildKit's cache: in an index of layers, or as the config of a manifest
_CACHE = re.compile(r"application/vnd\.buildkit\.cacheconfig\.")
#: type of a build cache that is an index of layers
CACHE_TYPE = "application/vnd.buildkit.cacheconfig.v0"
#: type of a config without content
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_LAYER_TAR = re.compile(
    r"application/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar"
    r"|docker\.image\.rootfs\.(foreign\.)?diff\.tar)"
)
_FOREIGN = re.compile(r"\.(nondistributable|foreign)\.")
#: media types of an image's documents and layers
_KNOWN_TYPES = (
    *(
        f"application/vnd.oci.image.{name}"
        for name in (
            *("index.v1+json", "manifest.v1+json", "config.v1+json"),
            *("layer.v1.tar", "layer.v1.tar+gzip", "layer.v1.tar+zstd"),
        )
    ),
    *(
        f"application/vnd.docker.{name}"
        for name in (
            *("distribution.manifest.list.v2+json", "distribution.manifest.v2+json"),
            *("container.image.v1+json", "image.rootfs.diff.tar", "image.rootfs.diff.tar.gzip"),
        )
    ),
)
#: a name that is a tag alone; names of repositories have a slash, a colon or a digest's @
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Index:
    """An index that was read: what it refers to is still to be read."""

    digest: Digest
    entries: list[dict[str, Any]]


class ManifestReader:
    """Reads the manifests and indexes of one source, and adds their images to its contents.

    ``read_entry`` reads one document; an index comes back for the caller to go on with. ``follow``
    goes on with it at once, depth first.
    """

    def __init__(self, blobs: BlobFiles, contents: Contents, layout: str = "") -> None:
        self._blobs = blobs
        self._contents = contents
        #: put before names of index entries that are only a tag; empty: they stay as they are
        self._layout = layout
        #: documents whose references are all known
        self._followed: set[Digest] = set()

    def follow(
        self,
        entry: dict[str, Any],
        names: tuple[str, ...],
        depth: int = 0,
        above: tuple[Digest, ...] = (),
    ) -> None:
        """Read all that an entry of an index leads to; errors become problems.

        ``above`` has the digests of the indexes that lead to the entry, ``depth`` their number. An
        entry at depth 0 is named by the source itself.
        """
        index = self.read_entry(entry, names, depth, above)
        if index is not None:
            self.follow_all(index.entries, names, depth or 1, (*above, index.digest))

    def follow_all(
        self,
        entries: list[dict[str, Any]],
        names: tuple[str, ...],
        depth: int = 0,
        above: tuple[Digest, ...] = (),
    ) -> None:
        """Follow the entries of an index; ``names`` are for those without a name of their own."""
        for entry in entries:
            own = reference_name(object_in(entry, "annotations"))
            if own and self._layout and _TAG.match(own):
                own = f"{self._layout}:{own}"
            self.follow(entry, (own,) if own else names, depth + 1, above)

    def read_entry(
        self,
        entry: dict[str, Any],
        names: tuple[str, ...],
        depth: int,
        above: tuple[Digest, ...] = (),
    ) -> Index | None:
        """Read the document of an entry; returns it if it is an index. Errors become problems."""
        try:
            descriptor = Descriptor.parse(entry)
        except SourceError as error:
            self._contents.add_unseen("index", error)
            return None
        self._contents.referenced.add(descriptor.digest)
        try:
            return self._read(descriptor, names, depth, above)
        except SourceError as error:
            subject = _subject(names, descriptor.digest)
            if descriptor.digest in self._followed:
                self._contents.add_error(subject, error, descriptor.digest)
            else:
                self._contents.add_unseen(subject, error, descriptor.digest)
            return None

    def read_manifest(self, data: bytes, digest: Digest, names: tuple[str, ...]) -> None:
        """Read an image's manifest whose digest needs no check.

        Raises SourceError if the manifest or its config is not as it should be.
        """
        document = parse_object(data, digest)
        media_type = text_in(document, "mediaType")
        self._read_document(document, Descriptor(digest, media_type, None, {}, Platform()), names)

    def _read(
        self,
        descriptor: Descriptor,
        names: tuple[str, ...],
        depth: int,
        above: tuple[Digest, ...],
    ) -> Index | None:
        if depth > MAX_INDEX_DEPTH:
            raise SourceError(
                f"{descriptor.digest}: indexes nested deeper than {MAX_INDEX_DEPTH}",
                "index-too-deep",
            )
        # only indexes above count: two tags may name one manifest
        if descriptor.digest in above:
            raise SourceError(f"{descriptor.digest}: an index names itself", "index-cycle")
        if _SCHEMA1.match(descriptor.media_type):
            raise _schema1(descriptor.digest)
        if _is_attestation(descriptor.annotations):
            self._add_manifest("attestation", descriptor, names, above)
            return None
        known = _INDEX.match(descriptor.media_type) or _MANIFEST.match(descriptor.media_type)
        if descriptor.media_type and not known:
            check_media_type(descriptor.media_type)
            self._add_manifest("artifact", descriptor, names, above)
            return None
        if depth > 1 and not self._blobs.has(descriptor.digest):
            # a copy of one platform keeps the whole index, so this is not an error
            self._add_other("absent", descriptor, names, above)
            return None
        data = self._read_checked(descriptor, MAX_MANIFEST_BYTES)
        document = parse_object(data, descriptor.digest)
        return self._read_document(document, descriptor, names, depth, above)

    def _read_document(
        self,
        document: dict[str, Any],
        descriptor: Descriptor,
        names: tuple[str, ...],
        depth: int = 0,
        above: tuple[Digest, ...] = (),
    ) -> Index | None:
        # null is an empty list, as Go writes it
        as_manifest = any(document.get(key) is not None for key in ("layers", "config"))
        if document.get("manifests") is not None and as_manifest:
            # CVE-2021-41190: some tools read it as an index, others as a manifest
            raise SourceError(
                f"{descriptor.digest}: both an index and a manifest", "ambiguous-document"
            )
        if "fsLayers" in document:
            self._contents.referenced.update(_digests(objects_in(document, "fsLayers"), "blobSum"))
            self._followed.add(descriptor.digest)
            raise _schema1(descriptor.digest)
        if "manifests" in document and not as_manifest:
            entries = objects_in(document, "manifests")
            if any(_CACHE.match(text_in(entry, "mediaType")) for entry in entries):
                # its entries are layers, not manifests
                self._add_other(
                    "cache",
                    descriptor,
                    names,
                    above,
                    media_type=CACHE_TYPE,
                    blobs=_digests(entries),
                )
                self._followed.add(descriptor.digest)
                return None
            return Index(descriptor.digest, entries)
        self._read_image(document, descriptor, names, depth, above)
        return None

    def _read_image(
        self,
        manifest: dict[str, Any],
        descriptor: Descriptor,
        names: tuple[str, ...],
        depth: int,
        above: tuple[Digest, ...],
    ) -> None:
        config_descriptor = Descriptor.parse(object_in(manifest, "config"))
        layers = [Descriptor.parse(layer) for layer in objects_in(manifest, "layers")]
        self._contents.referenced.update(layer.digest for layer in layers)
        self._contents.referenced.add(config_descriptor.digest)
        self._followed.add(descriptor.digest)
        if _is_artifact(manifest, config_descriptor, layers):
            for media_type in (config_descriptor.media_type, *(one.media_type for one in layers)):
                check_media_type(media_type)
            kind = "cache" if _CACHE.match(config_descriptor.media_type) else "artifact"
            self._add_other(
                kind,
                descriptor,
                names,
                above,
                media_type=_artifact_type(manifest),
                blobs=(config_descriptor.digest, *(layer.digest for layer in layers)),
                subject=_subject_in(manifest),
            )
            return
        # the store may have the documents of this platform, but not its layers
        may_be_absent = depth > 1 and self._blobs.unpacks
        if self._is_absent(config_descriptor, layers, depth):
            self._add_other("absent", descriptor, names, above)
            return
        subject = _subject(names, descriptor.digest)
        config, image_id, checked = self._read_config(config_descriptor, subject)
        if len(config.diff_ids) != len(layers):
            raise SourceError(
                f"{descriptor.digest}: {len(layers)} layers in the manifest, "
                f"{len(config.diff_ids)} diff IDs in the config",
                "layer-count-mismatch",
            )
        trees = [self._blobs.tree(chain) for chain in chain_ids(config.diff_ids)]
        kept = any(trees) or any(self._blobs.has(layer.digest) for layer in layers)
        if may_be_absent and layers and not kept:
            self._add_other("absent", descriptor, names, above)
            return
        details = config.details
        if not str(details.platform):
            details = replace(details, platform=descriptor.platform)
        if str(descriptor.platform) and details.platform != descriptor.platform:
            self._contents.add_note(
                subject,
                "platform-mismatch",
                f"the index says {descriptor.platform}, the config {details.platform}",
            )
        found = [
            replace(
                self._layer(layer, tree, subject),
                diff_id=diff_id,
                claim_checked=checked,
                created_by=step,
            )
            for layer, diff_id, tree, step in zip(
                layers, config.diff_ids, trees, config.steps, strict=True
            )
        ]
        self._contents.images.append(
            FoundImage(
                image_id=image_id,
                digest=descriptor.digest,
                names=tuple(printable(name) for name in names),
                layers=tuple(found),
                details=details,
                config_checked=checked,
                documents=frozenset((descriptor.digest, config_descriptor.digest, *above)),
            )
        )

    def _is_absent(self, config: Descriptor, layers: list[Descriptor], depth: int) -> bool:
        """Whether this is the manifest of a platform that was not copied."""
        if depth <= 1 or self._blobs.has(config.digest):
            return False
        return self._blobs.unpacks or (
            self._blobs.sparse and not any(self._blobs.has(layer.digest) for layer in layers)
        )

    def _read_config(self, descriptor: Descriptor, subject: str) -> tuple[Config, ImageID, bool]:
        """Read a config; the image ID is that of its bytes, the last value whether it is right."""
        checked = True
        try:
            data = self._read_checked(descriptor, MAX_CONFIG_BYTES)
        except SourceError as error:
            if error.code != "digest-mismatch":
                raise
            # list the image under the ID that its config really has, but do not trust its diff IDs
            self._contents.add_unseen(subject, error, descriptor.digest)
            data = self._blobs.read_document(descriptor.digest, MAX_CONFIG_BYTES)
            checked = False
        return Config.parse(data, descriptor.digest), ImageID(sha256_digest(data)), checked

    def _layer(self, layer: Descriptor, tree: TreeRef | None, subject: str) -> FoundLayer:
        """Find a layer's blob; ``tree`` is the folder that the layer is unpacked in, if any."""
        blob, state = self._find_blob(layer, tree, subject)
        if layer.media_type.endswith("+encrypted"):
            # the folder is decrypted, the blob is not
            blob = None
            if tree is None:
                state = LayerState.ENCRYPTED
                self._contents.add_note(
                    subject,
                    "encrypted-layer",
                    f"layer {layer.digest} is encrypted: its files are unknown",
                    layer.digest,
                )
        elif layer.media_type and not _is_layer(layer.media_type):
            state, blob = LayerState.UNSUPPORTED, None
            self._report_unsupported(layer, subject)
        if blob is not None and layer.size is not None and blob.size != layer.size:
            self._contents.add_error(
                subject,
                SourceError(
                    f"layer {layer.digest}: the manifest says {layer.size} bytes, "
                    f"the blob has {blob.size}",
                    "size-mismatch",
                ),
                layer.digest,
            )
        return FoundLayer(
            digest=layer.digest,
            diff_id=None,
            claim_checked=False,
            blob=blob,
            state=state,
            media_type=layer.media_type or None,
            claimed_bytes=layer.size,
            tree=tree,
        )

    def _report_unsupported(self, layer: Descriptor, subject: str) -> None:
        try:
            check_media_type(layer.media_type)
        except SourceError as error:
            self._contents.add_error(subject, error, layer.digest)
            return
        self._contents.add_note(
            subject,
            "unsupported-layer",
            f"layer {layer.digest} has the type {printable(layer.media_type)}, "
            "which is not a layer tar",
            layer.digest,
        )

    def _find_blob(
        self, layer: Descriptor, tree: TreeRef | None, subject: str
    ) -> tuple[BlobRef | ObjectRef | None, LayerState | None]:
        """The blob, or the state of a layer without one."""
        try:
            return self._blobs.blob(layer.digest), None
        except SourceError as error:
            missing = error.code == "blob-missing"
            if missing and tree is not None:
                # CRI can be configured to discard blobs once they are unpacked
                return None, None
            if missing and _FOREIGN.search(layer.media_type):
                self._contents.add_note(
                    subject,
                    "foreign-layer",
                    f"layer {layer.digest} may not be distributed and is not kept here",
                    layer.digest,
                )
                return None, LayerState.FOREIGN
            # one note of the source says how many of these there are
            if error.code != "blob-elsewhere":
                self._contents.add_error(subject, error, layer.digest)
            return None, state_after(error) if tree is None else None

    def _read_checked(self, descriptor: Descriptor, limit: int) -> bytes:
        """Read a document and check its size and digest; raises SourceError."""
        if descriptor.size is not None and descriptor.size > limit:
            raise SourceError(
                f"{descriptor.digest}: claims {descriptor.size} bytes, at most {limit} are read",
                "document-too-large",
            )
        data = self._blobs.read_document(descriptor.digest, limit)
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

    def _add_other(
        self,
        kind: str,
        descriptor: Descriptor,
        names: tuple[str, ...],
        above: tuple[Digest, ...],
        *,
        media_type: str = "",
        blobs: Iterable[Digest] = (),
        subject: Digest | None = None,
    ) -> None:
        """Add what is not an image, and mark its blobs as referenced."""
        found = frozenset((descriptor.digest, *blobs))
        self._contents.referenced |= found
        self._contents.others.append(
            FoundOther(
                kind,
                descriptor.digest,
                tuple(printable(name) for name in names),
                descriptor.platform,
                printable(media_type or descriptor.media_type) or None,
                found,
                subject=subject,
                indexes=frozenset(above),
            )
        )

    def _add_manifest(
        self, kind: str, descriptor: Descriptor, names: tuple[str, ...], above: tuple[Digest, ...]
    ) -> None:
        """Add what is not an image by its descriptor, with the blobs that its manifest names.

        A copy of one platform leaves such manifests out, so one that is missing is not an error.
        Blobs that are not JSON refer to nothing.
        """
        manifest: dict[str, Any] = {}
        entries: list[dict[str, Any]] = []
        if not descriptor.media_type or "json" in descriptor.media_type:
            try:
                manifest = parse_object(
                    self._read_checked(descriptor, MAX_MANIFEST_BYTES), descriptor.digest
                )
                entries = [object_in(manifest, "config")]
                for key in ("layers", "blobs", "manifests"):
                    entries += objects_in(manifest, key)
            except SourceError as error:
                if error.code != "blob-missing":
                    self._contents.add_unseen(descriptor.digest, error, descriptor.digest)
                manifest, entries = {}, []
        about = descriptor.annotations.get("vnd.docker.reference.digest")
        self._add_other(
            kind,
            descriptor,
            names,
            above,
            media_type=_artifact_type(manifest),
            blobs=_digests(entries),
            subject=Digest(str(about)) if is_digest(about) else _subject_in(manifest),
        )


def check_media_type(media_type: str) -> None:
    """Refuse a media type that differs from that of an image's document or layer in one letter.

    Most other types are those of artifacts. Raises SourceError ``bad-media-type``: what is behind
    a damaged type would be missing from all figures.
    """
    for known in _KNOWN_TYPES:
        if len(known) == len(media_type) and sum(map(ne, known, media_type)) == 1:
            raise SourceError(
                f"media type {printable(media_type)}: expected {known}", "bad-media-type"
            )


def _digests(entries: list[dict[str, Any]], key: str = "digest") -> Iterator[Digest]:
    """The digests of these descriptors; what is not a digest is left out."""
    return (Digest(entry[key]) for entry in entries if is_digest(entry.get(key)))


def reference_name(annotations: dict[str, Any]) -> str | None:
    """The name of an index entry, from its annotations.

    containerd's annotation comes first: it has the full reference, the OCI one often only the tag.
    """
    for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
        name = annotations.get(key)
        if isinstance(name, str) and name:
            return name
    return None


def is_attestation(entry: dict[str, Any]) -> bool:
    """Whether the annotations of an index entry mark it as an attestation of another."""
    return _is_attestation(object_in(entry, "annotations"))


def _is_attestation(annotations: dict[str, Any]) -> bool:
    return annotations.get("vnd.docker.reference.type") == "attestation-manifest"


def _is_artifact(manifest: dict[str, Any], config: Descriptor, layers: list[Descriptor]) -> bool:
    types = [layer.media_type for layer in layers]
    return bool(
        manifest.get("artifactType")
        or (config.media_type and not _CONFIG.match(config.media_type))
        or (types and all(kind and not _is_layer(kind) for kind in types))
    )


def _artifact_type(manifest: dict[str, Any]) -> str:
    """The type of an artifact's manifest; empty if it does not say.

    Without ``artifactType`` it is that of the config, or of the content if the config is empty or
    has the type of an image's.
    Source: OCI image-spec manifest.md, "Guidelines for Artifact Usage".
    """
    config = text_in(object_in(manifest, "config"), "mediaType")
    if _CONFIG.match(config) or config == _EMPTY_TYPE:
        entries = objects_in(manifest, "layers") or objects_in(manifest, "blobs")
        config = next((text_in(entry, "mediaType") for entry in entries), "") or config
    return text_in(manifest, "artifactType") or config


def _subject_in(manifest: dict[str, Any]) -> Digest | None:
    """The manifest that a manifest says it is about."""
    subject = object_in(manifest, "subject").get("digest")
    return Digest(str(subject)) if is_digest(subject) else None


def _is_layer(media_type: str) -> bool:
    return _LAYER_TAR.match(media_type) is not None


def _schema1(digest: Digest) -> SourceError:
    return SourceError(f"{digest}: manifest of schema 1, which is not supported", "schema1")


def _subject(names: tuple[str, ...], digest: Digest) -> str:
    return printable(names[0]) if names else digest
