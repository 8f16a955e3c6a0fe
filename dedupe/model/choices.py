"""Values of options that commands and the analysis share; cheap to import, as help needs them."""

from enum import StrEnum

#: layers that an image may have: about as many as builds have today, so that a pull fetches no more
#: blobs, and far below the 127 that overlay2 can mount, so that images can be built on it
DEFAULT_LAYERS = 20


class Objective(StrEnum):
    """What orders of layers should save."""

    STORAGE = "storage"
    PULLS = "pulls"
    BOTH = "both"


class Grade(StrEnum):
    """How equal the merged views of two orders must be; docs/measures.md, "Grades of equality"."""

    #: all fields but the mtime of directories that several layers of the image carry
    EQUIVALENT = "equivalent"
    #: all fields of all entries
    IDENTICAL = "identical"


class DeletionOrder(StrEnum):
    """Which images are deleted first to free a number of bytes."""

    #: the images that free most per image
    GAIN = "gain"
    OLDEST = "oldest"


class Granularity(StrEnum):
    """Units that are counted once each; docs/measures.md, "Units and granularities"."""

    #: files and folders of the sources, as the file system allocates them
    DISK = "disk"
    COMPRESSED = "compressed"
    UNPACKED = "unpacked"
    CONTENT = "content"


class SharedGranularity(StrEnum):
    """Granularities whose units images share, whatever source holds them."""

    COMPRESSED = Granularity.COMPRESSED.value
    UNPACKED = Granularity.UNPACKED.value
    CONTENT = Granularity.CONTENT.value


class Prefer(StrEnum):
    """What a merge of layers should add least to; the other one decides ties."""

    STORAGE = "storage"
    PULLS = "pulls"
