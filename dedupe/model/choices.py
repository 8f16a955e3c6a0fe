"""Values of options that commands and the analysis share; cheap to import, as help needs them."""

from enum import StrEnum


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

    COMPRESSED = "compressed"
    UNPACKED = "unpacked"
    CONTENT = "content"
