"""The measures of a whole scan and the causes of shadowing: what people read for each, once.

Keys are columns of ``queries/totals.sql`` and words of docs/measures.md; labels are for tables and
headings, sentences for help, metrics and schemas.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

#: columns of the totals that count things or bytes
Key = Literal[
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
    "cow_savings_bytes",
    "position_loss_bytes",
    "unique_content_bytes",
    "duplicate_content_bytes",
    "dead_bytes",
    "orphan_bytes",
]


@dataclass(frozen=True, slots=True)
class Measure:
    """What people read for one measure."""

    #: a few words, for a table
    label: str
    #: what it counts
    sentence: str


MEASURES: dict[Key, Measure] = {
    "images": Measure("images", "Images, each once."),
    "cache_images": Measure("cache images", "Untagged images that are a prefix of another image."),
    "incomplete_images": Measure(
        "incomplete images", "Images with a layer that could not be read."
    ),
    "layers": Measure("layers", "Distinct layers that an image references."),
    "entries": Measure("entries", "Entries of these layers."),
    "files": Measure("files", "Regular files of these layers."),
    "stored_bytes": Measure("stored on disk", "Bytes on disk in all sources, copies counted."),
    "compressed_bytes": Measure("compressed", "Bytes of distinct blobs as stored."),
    "layer_bytes": Measure("content of distinct layers", "Bytes of files in distinct layers."),
    "unpacked_bytes": Measure(
        "unpacked", "Bytes of files in distinct layers, counted once per parent."
    ),
    "naive_bytes": Measure("without sharing", "Bytes of files of every image in full."),
    "live_bytes": Measure("live", "Bytes of files that containers see, every image in full."),
    "shadowed_bytes": Measure(
        "shadowed", "Bytes of files that no container of their image can read, image by image."
    ),
    "cow_savings_bytes": Measure(
        "saved by sharing layers", "Bytes saved because images share read-only layers."
    ),
    "position_loss_bytes": Measure(
        "stored twice: same layer, different parent",
        "Bytes of layers that are stored again on a different parent.",
    ),
    "unique_content_bytes": Measure("unique content", "Bytes of distinct file contents."),
    "duplicate_content_bytes": Measure(
        "same file content in several layers", "Bytes of file contents stored in several layers."
    ),
    "dead_bytes": Measure(
        "shadowed in every image", "Bytes of files that no container of any image can read."
    ),
    "orphan_bytes": Measure("unreferenced", "Bytes of blobs and layers that no image references."),
}


class Cause(StrEnum):
    """Why a file is shadowed; ``queries/relations/12_shadow.sql`` decides."""

    MODIFIED = "modified"
    METADATA_ONLY = "metadata_only"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    OPAQUE = "opaque"
    REPLACED = "replaced"
    SUPERSEDED = "superseded"


#: columns of ``queries/images.sql`` with the bytes shadowed by each cause
CauseKey = Literal[
    "modified", "metadata_only", "unchanged", "deleted", "opaque", "replaced", "superseded"
]
CAUSES: tuple[CauseKey, ...] = (
    "modified",
    "metadata_only",
    "unchanged",
    "deleted",
    "opaque",
    "replaced",
    "superseded",
)
