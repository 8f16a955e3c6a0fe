"""Images and blobs as a source finds them, before any layer is read."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dedupe.model.disk import FoundPlace
from dedupe.model.identity import DiffID, Digest, ImageID, Inode


class SourceKind(StrEnum):
    """Kinds of stores and archives that hold images."""

    OCI_LAYOUT = "oci-layout"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"
    DIR = "dir"
    TAR = "tar"
    DOCKER = "docker"
    DOCKER_CONTAINERD = "docker-containerd"
    CONTAINERD = "containerd"
    CONTAINERS_STORAGE = "containers-storage"
    REGISTRY = "registry"
    BLOBS = "blobs"
    BUILDKIT = "buildkit"
    SOCI = "soci"
    STARGZ = "stargz"
    NYDUS = "nydus"
    SNAPSHOTTER = "snapshotter"


#: kinds that are recognised and measured, and whose images are not read
UNREAD_KINDS = (
    SourceKind.BUILDKIT,
    SourceKind.SOCI,
    SourceKind.STARGZ,
    SourceKind.NYDUS,
    SourceKind.SNAPSHOTTER,
)


class Whiteouts(StrEnum):
    """How a folder with an unpacked layer marks what is hidden in lower layers."""

    #: character devices 0:0 and overlay xattrs, as the kernel's overlayfs writes them
    KERNEL = "kernel"
    #: files with names ``.wh.…``, as in a layer's tar
    AUFS = "aufs"
    #: without marks: the folder is the whole merged view
    NONE = "none"


class Severity(StrEnum):
    """Whether a problem makes figures incomplete."""

    #: something was skipped or could not be verified: figures are incomplete
    ERROR = "error"
    #: everything was read, but stores or other tools may show something else
    NOTE = "note"


class LayerState(StrEnum):
    """What became of a layer of an image in this scan."""

    #: read from this source, with the claimed diff ID
    READ = "read"
    #: its rows were in the catalog already, so its blob was not read
    REUSED = "reused"
    #: read, but nothing proves its diff ID; its rows have a key of the source
    UNVERIFIED = "unverified"
    #: its entries were listed by a quick scan, which reads no file; rows have a key of the source
    LISTED = "listed"
    #: in this source as a blob, which a quick scan does not open
    UNOPENED = "unopened"
    #: read, but the content is not what the manifest or config claims, so the layer's is unknown
    MISMATCHED = "mismatched"
    #: not in this source: the layout is sparse or has other platforms only
    ABSENT = "absent"
    #: a layer that may not be redistributed; its blob is elsewhere
    FOREIGN = "foreign"
    #: ciphertext
    ENCRYPTED = "encrypted"
    #: of a media type that is not a layer tar
    UNSUPPORTED = "unsupported"
    #: in this source, but it could not be read to its end
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system and processor that an image is for."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        """``os/architecture[/variant]``; empty if nothing is known."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was skipped, was not verified, or is read differently by other tools."""

    subject: str
    code: str
    message: str
    severity: Severity = Severity.ERROR
    #: digest of the blob or document that it is about, whichever images need it; else None
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Where the bytes of a blob are: a range of a file below a root.

    ``root`` is what the user named and may be reached through links; nothing in ``parts`` may.
    """

    root: Path
    #: file names below root; empty if root is the file
    parts: tuple[str, ...] = ()
    offset: int = 0
    #: -1: to the end of the file
    size: int = -1
    #: compression of the whole file, if the range counts decompressed bytes
    outer: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Where the bytes of a blob are in an object store."""

    #: address of the bucket and the prefix, such as ``s3://bucket/prefix``
    store: str
    #: key of the object below the prefix
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class IdRange:
    """User or group IDs that a store has shifted: ``inside`` the image, ``outside`` on disk."""

    inside: int
    outside: int
    count: int


@dataclass(frozen=True, slots=True)
class TreeRef:
    """Where a layer, or a container's writable branch, is kept unpacked: a folder below a root.

    ``root`` is what the user named and may be reached through links; nothing below it may.
    """

    root: Path
    #: folder names below root
    parts: tuple[str, ...]
    #: tar-split data, gzip, below ``split_root``, from which the layer's tar can be rebuilt
    split: tuple[str, ...] | None = None
    whiteouts: Whiteouts = Whiteouts.KERNEL
    #: folder of the layer below, if the store keeps whole trees: the layer is the difference
    below: tuple[str, ...] | None = None
    uids: tuple[IdRange, ...] = ()
    gids: tuple[IdRange, ...] = ()
    #: bytes of its files according to the store; 0 if it does not say
    size: int = 0
    #: root of ``split`` if it is another one: the store's folders may be on several disks
    split_root: Path | None = None


@dataclass(frozen=True, slots=True)
class ListedRef:
    """A layer that is kept unpacked, of which entries are wanted and no file is to be opened."""

    tree: TreeRef

    @property
    def size(self) -> int:
        """Bytes of its files according to the store; 0 if it does not say."""
        return self.tree.size


#: everything that can be read as a layer
LayerRef = BlobRef | ObjectRef | TreeRef | ListedRef


@dataclass(frozen=True, slots=True)
class FoundLayer:
    """A layer of an image: what is claimed about it, and where it is."""

    #: from the manifest; None if the format has no digests
    digest: Digest | None
    #: from the config; None without a config
    diff_id: DiffID | None
    #: whether the config was checked against its digest
    claim_checked: bool
    #: None if the source does not hold the blob
    blob: BlobRef | ObjectRef | None
    state: LayerState | None = None
    created_by: str | None = None
    media_type: str | None = None
    #: size according to the manifest
    claimed_bytes: int | None = None
    #: None if the source does not keep the layer unpacked
    tree: TreeRef | None = None
    #: bytes that the file system allocates to the unpacked layer; None if not measured
    allocated_bytes: int | None = None

    @property
    def content(self) -> LayerRef | None:
        """What to read: the blob, whose digest can be checked, before the folder."""
        return self.blob or self.tree


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """Columns of the table ``images`` that come from an image's config: one field per column."""

    platform: Platform = Platform()
    #: when the image was made; None if the config does not say
    created: str | None = None


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One platform's image in one source."""

    image_id: ImageID
    #: manifest digest; None if the format has no manifests
    digest: Digest | None
    names: tuple[str, ...]
    layers: tuple[FoundLayer, ...]
    details: ImageDetails = ImageDetails()
    #: whether the config has the digest that the manifest or its file name claims
    config_checked: bool = True
    #: ID under which the store's own tools list it, if that may be another one; ``sha256:…``
    store_id: str | None = None
    #: image that the store's own tools remove with this one if it has no name: docker's parent
    parent_id: ImageID | None = None
    #: names of containerd's records of it, as ``namespace/name``; empty for other stores
    namespaced: tuple[str, ...] = ()
    #: blobs that are needed besides those of its layers: indexes, manifest, config
    documents: frozenset[Digest] = frozenset()


@dataclass(frozen=True, slots=True)
class FoundContainer:
    """A container: a writable branch on top of an image."""

    container_id: str
    #: None if it has none
    name: str | None
    #: image that it was made from; None if the store does not say
    image_id: ImageID | None
    #: name of that image in the store
    image: str | None
    #: its writable branch; None if it cannot be found
    upper: TreeRef | None
    #: None if the store does not say
    running: bool | None = None
    #: bytes that the file system allocates to the writable branch
    allocated_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class FoundOther:
    """What a document refers to that is not a container image."""

    #: ``artifact``, ``attestation``, ``cache`` (a build cache), ``absent`` (a platform not stored),
    #: ``index`` (of images, in a registry)
    kind: str
    digest: Digest | None
    names: tuple[str, ...]
    platform: Platform
    media_type: str | None = None
    #: blobs that it consists of, with its own document
    blobs: frozenset[Digest] = frozenset()
    #: bytes of those that the source has; None if it keeps no blobs
    stored_bytes: int | None = None
    #: manifest that it is about: what it signs or attests; None if it does not say
    subject: Digest | None = None
    #: indexes that lead to it
    indexes: frozenset[Digest] = frozenset()
    #: images that it is deleted with: those of its index, for an attestation or the index itself
    images: tuple[ImageID, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that a source holds, whether or not an image needs it."""

    name: str
    stored_bytes: int
    digest: Digest | None = None
    #: None if it is not a file of its own; two blobs of one inode are one file
    inode: Inode | None = None


@dataclass(frozen=True, slots=True)
class HeldBlob:
    """A blob that is not one of an image's layers, and what needs it."""

    #: an image ID, or the digest of another manifest
    holder: str
    digest: Digest
    stored_bytes: int


@dataclass(slots=True)
class FoundSource:
    """Everything in one source according to its documents; no layer has been read."""

    location: str
    kind: SourceKind
    images: list[FoundImage] = field(default_factory=list)
    others: list[FoundOther] = field(default_factory=list)
    blobs: list[StoredBlob] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    containers: list[FoundContainer] = field(default_factory=list)
    #: bytes of the source's blobs, documents and unpacked trees, without containers
    stored_bytes: int = 0
    #: of these, bytes of blobs that no image needs; None if the source keeps no blobs, or if
    #: references are unseen
    orphan_blob_bytes: int | None = None
    #: of these, bytes of blobs, or of the source's file, that nothing listed needs and that are not
    #: known to be unreferenced; None if the source keeps no blobs
    rest_blob_bytes: int | None = None
    #: blobs besides those of its layers that an image or another manifest needs
    held_blobs: list["HeldBlob"] = field(default_factory=list)
    #: of these, bytes of unpacked layers that no image needs; None if the source keeps none, if
    #: they could not be measured, or if references are unseen
    orphan_unpacked_bytes: int | None = None
    #: why references could not be read, so that orphans are unknown; None if all were read
    unseen_references: str | None = None
    #: whether an image may be named by what could not be read
    names_images: bool = True
    #: bytes that the file system allocates to all files and folders below the source's root;
    #: None for sources that are files
    allocated_bytes: int | None = None
    #: of these, bytes of files other than blobs, layers and containers: logs, volumes, databases
    other_bytes: int | None = None
    #: what is on disk below its location; empty for a source that is not on a disk
    places: list[FoundPlace] = field(default_factory=list)

    @property
    def orphan_bytes(self) -> int | None:
        """Bytes of all blobs and unpacked layers that no image needs; None if that is unknown."""
        if self.unseen_references is not None:
            return None
        return (self.orphan_blob_bytes or 0) + (self.orphan_unpacked_bytes or 0)

    @property
    def is_readable(self) -> bool:
        """Whether anything that it holds is known; if not, an error says why."""
        found = self.images or self.others or self.containers
        return bool(found) or all(each.severity is Severity.NOTE for each in self.problems)


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """What is in a folder that was named and is in no source."""

    location: str
    places: list[FoundPlace]
    problems: list[Problem]
