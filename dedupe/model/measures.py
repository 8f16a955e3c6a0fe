"""The label and the sentence of each measure, written once for every form of the report.

Keys are columns of the queries and words of docs/measures.md. Labels are for headings and lines of
people's reports; sentences are for the help of metrics, for the legend of the HTML page, and for
docs/report.schema.json, which ``make docs`` fills in.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dedupe.model.disk import PlaceKind

#: columns of ``queries/totals.sql``
TotalKey = Literal[
    "images",
    "cache_images",
    "incomplete_images",
    "layers",
    "entries",
    "files",
    "stored_bytes",
    "compressed_bytes",
    "layer_bytes",
    "unpacked_bytes",
    "naive_bytes",
    "live_bytes",
    "shadowed_bytes",
    "efficiency",
    "cow_savings_bytes",
    "position_loss_bytes",
    "unique_content_bytes",
    "duplicate_content_bytes",
    "dead_bytes",
    "orphan_bytes",
]
#: columns of ``queries/images.sql`` that are sizes
ImageSizeKey = Literal[
    "content_bytes",
    "live_bytes",
    "shadowed_bytes",
    "exclusive_unpacked",
    "attributed_unpacked",
    "attributed_compressed",
]
ImageKey = ImageSizeKey | Literal["efficiency"]
#: columns of ``queries/sources.sql``
SourceKey = Literal["stored_bytes", "orphan_bytes", "allocated_bytes", "other_bytes", "images"]
#: columns of ``queries/usage/groups.sql``
RepositoryKey = Literal["exclusive_unpacked", "attributed_unpacked", "dead_bytes", "images"]
#: columns of ``queries/containers.sql``
ContainerKey = Literal[
    "upper_bytes",
    "copied_up_bytes",
    "metadata_only_bytes",
    "new_bytes",
    "hidden_bytes",
    "container_cow_savings_bytes",
]


@dataclass(frozen=True, slots=True)
class Measure:
    """What people read for one measure."""

    #: a few words, for a heading or beside a figure
    label: str
    #: what it counts
    sentence: str


#: the whole scan, all its sources taken together as one store
TOTALS: dict[TotalKey, Measure] = {
    "images": Measure("images", "Images, each once; cache images are not counted."),
    "cache_images": Measure(
        "cache images",
        "Untagged images without a container that their store deletes with a child; they hold no "
        "reference in any accounting.",
    ),
    "incomplete_images": Measure(
        "incomplete images",
        "Images with a layer that could not be read; their figures are unknown. Unless it is 0, "
        "totals of content are lower bounds.",
    ),
    "layers": Measure("layers", "Distinct layers (diff IDs) that an image references."),
    "entries": Measure("entries", "Tar members of these layers."),
    "files": Measure("files", "Regular files of these layers; hard links are not counted."),
    "stored_bytes": Measure(
        "stored on disk in all sources",
        "Bytes on disk today in all sources; a copy in two sources counts twice, a hard link once.",
    ),
    "compressed_bytes": Measure(
        "compressed", "Bytes of distinct blobs as stored, each digest once."
    ),
    "layer_bytes": Measure(
        "content of distinct layers",
        "Content of distinct layers, each diff ID once: what a registry would hold, uncompressed.",
    ),
    "unpacked_bytes": Measure(
        "unpacked, each layer once per parent",
        "Content of distinct layers in their place, each chain ID once: what unpacking all images "
        "takes.",
    ),
    "naive_bytes": Measure(
        "without sharing",
        "Content of every image in full: what the images would take without sharing.",
    ),
    "live_bytes": Measure(
        "live", "Bytes of files that containers can read, every complete image in full."
    ),
    "shadowed_bytes": Measure(
        "shadowed",
        "Bytes of files that no container of their image can read, every complete image in full.",
    ),
    "efficiency": Measure("efficiency", "live / (live + shadowed); 1 if both are 0."),
    "cow_savings_bytes": Measure(
        "saved by sharing layers",
        "Bytes saved by sharing read-only layers: naive_bytes - unpacked_bytes.",
    ),
    "position_loss_bytes": Measure(
        "stored twice: same layer, different parent",
        "Layers stored again because their copies have different parents: unpacked_bytes - "
        "layer_bytes. It is the most that another order of layers can save.",
    ),
    "unique_content_bytes": Measure(
        "distinct file contents", "Distinct file contents, each content hash once."
    ),
    "duplicate_content_bytes": Measure(
        "same file content in several layers",
        "File contents stored again: layer_bytes - unique_content_bytes. It is what deduplication "
        "of whole files can save.",
    ),
    "dead_bytes": Measure(
        "shadowed in every image",
        "Files that are shadowed at every position of every image that holds their layer, if all "
        "of these images are complete. It is the most that fixes can save.",
    ),
    "orphan_bytes": Measure("unreferenced", "Blobs and layers that no image references."),
}

#: totals that people see, in this order
SHOWN_TOTALS: tuple[TotalKey, ...] = (
    "stored_bytes",
    "unpacked_bytes",
    "cow_savings_bytes",
    "position_loss_bytes",
    "duplicate_content_bytes",
    "dead_bytes",
    "orphan_bytes",
)

#: one image
IMAGES: dict[ImageKey, Measure] = {
    "content_bytes": Measure("content", "Bytes of the regular files of all layers of the image."),
    "live_bytes": Measure(
        "live",
        "Regular files that a container of the image can read in the merged view, each inode once.",
    ),
    "shadowed_bytes": Measure(
        "shadowed",
        "Bytes in the image that no container of it can read: content - live. The copy that "
        "survives is never counted.",
    ),
    "efficiency": Measure("efficiency", "live / content; 1 if both are 0."),
    "exclusive_unpacked": Measure(
        "exclusive", "What deleting this image alone, with all its names, frees."
    ),
    "attributed_unpacked": Measure(
        "attributed",
        "The image's share: shared bytes are divided among their users, so all shares add up to "
        "what images reference.",
    ),
    "attributed_compressed": Measure(
        "attributed, compressed", "The image's share of the blobs as stored."
    ),
}

#: sizes of an image that people see beside its efficiency, in this order
SHOWN_IMAGE_SIZES: tuple[ImageSizeKey, ...] = (
    "content_bytes",
    "shadowed_bytes",
    "exclusive_unpacked",
)

SOURCES: dict[SourceKey, Measure] = {
    "stored_bytes": Measure(
        "stored",
        "Bytes that the source holds on disk today: the blobs of a layout, the file of an archive.",
    ),
    "orphan_bytes": Measure(
        "unreferenced", "Of the source's bytes, blobs that no manifest references."
    ),
    "allocated_bytes": Measure(
        "allocated",
        "Bytes that the file system allocates to the source, folders included; unknown for object "
        "stores.",
    ),
    "other_bytes": Measure(
        "other",
        "Of an unpacked store's bytes, those that belong to no blob, layer or container: logs, "
        "volumes, databases.",
    ),
    "images": Measure("images", "Images found in the source, each once."),
}

REPOSITORIES: dict[RepositoryKey, Measure] = {
    "exclusive_unpacked": Measure(
        "exclusive", "What deleting the repository alone frees, unpacked."
    ),
    "attributed_unpacked": Measure(
        "attributed", "The repository's share of the unpacked bytes; all shares add up."
    ),
    "dead_bytes": Measure(
        "shadowed in every image",
        "Files shadowed in every image, in layers that no other repository has.",
    ),
    "images": Measure("images", "Images with a name in the repository."),
}

CONTAINERS: dict[ContainerKey, Measure] = {
    "upper_bytes": Measure("written", "Files in the writable branch of a container."),
    "copied_up_bytes": Measure("copied up", "Of the written bytes, files that the image has too."),
    "metadata_only_bytes": Measure(
        "for metadata only", "Of the bytes copied up, files whose content did not change."
    ),
    "new_bytes": Measure("new", "Of the written bytes, files that the image does not have."),
    "hidden_bytes": Measure("deleted", "Files of the image that the container's whiteouts hide."),
    "container_cow_savings_bytes": Measure(
        "saved by sharing the image",
        "What a private copy of its image's root file system would cost the container.",
    ),
}


#: what places on disk are, in the order of docs/disk.md
DISK: dict[PlaceKind, Measure] = {
    PlaceKind.LAYER: Measure(
        "image layers", "Layers of images, as blobs or unpacked; archives with all that is in them."
    ),
    PlaceKind.ARTIFACT: Measure(
        "artifacts", "What manifests name and is not an image: charts, models, signatures."
    ),
    PlaceKind.ATTESTATION: Measure("attestations", "Provenance and SBOMs of images."),
    PlaceKind.CACHE: Measure("exported caches", "Build caches that a manifest names."),
    PlaceKind.CONTAINER: Measure("container layers", "Writable branches of containers."),
    PlaceKind.LOG: Measure("container logs", "What containers have printed."),
    PlaceKind.VOLUME: Measure(
        "volumes", "Volumes of containers, also those that no container uses now."
    ),
    PlaceKind.BUILD_CACHE: Measure("build cache", "What the store's own builder keeps."),
    PlaceKind.HELD: Measure(
        "held content", "Content that a lease or an unfinished transfer keeps, and no image needs."
    ),
    PlaceKind.UPLOAD: Measure(
        "unfinished uploads", "Uploads and downloads that have not ended, or never will."
    ),
    PlaceKind.TEMPORARY: Measure("temporary files", "Files that the store's tools work with."),
    PlaceKind.ORPHAN: Measure("unreferenced", "Blobs and unpacked layers that nothing needs."),
    PlaceKind.METADATA: Measure(
        "store metadata", "Databases and records of the store; manifests and configs of images."
    ),
    PlaceKind.UNRECOGNISED: Measure(
        "unrecognised", "Files that dedupe does not know; they may be needed."
    ),
}


class Cause(StrEnum):
    """Why a file is shadowed; ``queries/relations/12_shadow.sql`` decides."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> "Cause":
        """Make a member that is its value and has a sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    MODIFIED = "modified", "The same path above has other content."
    METADATA_ONLY = (
        "metadata_only",
        "The same path above has the same content with another mode, owner, mtime or xattrs.",
    )
    UNCHANGED = "unchanged", "The same path above has the same content and the same metadata."
    DELETED = "deleted", "A whiteout of the path, or of a directory above it."
    OPAQUE = "opaque", "An opaque directory above the path."
    REPLACED = "replaced", "The path, or a directory above it, became another kind of file."
    SUPERSEDED = "superseded", "A later member of the same layer took the file's last name."

    @property
    def label(self) -> str:
        """The cause in words."""
        return self.value.replace("_", " ")
