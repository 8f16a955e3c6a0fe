"""The kinds of findings, each with what it is and what a fix saves.

docs/findings.md lists them: ``make docs`` writes its table from here.
"""

from enum import StrEnum


class FindingKind(StrEnum):
    """A kind of finding; the relations ``queries/relations/*_finding.sql`` find them."""

    #: what is wrong, as a clause
    meaning: str
    #: what a fix saves
    saved: str

    def __new__(cls, value: str, meaning: str, saved: str) -> "FindingKind":
        """Make a member that is its value and has its two clauses."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.saved = saved
        return member

    COPY_UP = (
        "copy-up",
        "a later layer has the same content with other metadata (`fields`): a chmod, chown or "
        "touch copied the files up",
        "the lower copies, unless another image reads them",
    )
    REWRITTEN = (
        "rewritten",
        "a later layer has other content at the same path",
        "the lower files",
    )
    WRITTEN_AGAIN = (
        "written-again",
        "a later layer has the same content and metadata: files of the base were added again",
        "the lower copies",
    )
    DELETED_LATER = (
        "deleted-later",
        "a later layer deletes the files with a whiteout or an opaque directory",
        "the files",
    )
    REPLACED = (
        "replaced",
        "the path, or a directory above it, became another kind of file",
        "the files",
    )
    TWICE_IN_LAYER = (
        "twice-in-layer",
        "the tar of one layer holds the path twice",
        "the first copy",
    )
    SAME_BUT_TIMESTAMPS = (
        "same-but-timestamps",
        "layers that differ only in modification times: the build is not reproducible",
        "all layers but one",
    )
    SAME_BUT_ENCODING = (
        "same-but-encoding",
        "layers with the same entries, times too, whose tars differ: in sparse files, padding, or "
        "the order of members",
        "all layers but one",
    )
    PACKAGE_CACHE = (
        "package-cache",
        "caches and lists of a package manager that containers still see",
        "the files",
    )
    POSITION_LOSS = (
        "position-loss",
        "the same layer on several parents, so unpacked stores keep it several times",
        "all copies but one",
    )
    FOLDER_AGAIN = (
        "folder-again",
        "a whole folder of a megabyte or more in several layers or places, none of them shadowed",
        "all copies but one",
    )
    ZEROS = (
        "zeros",
        "files with a megabyte or more of zeros, and hardly anything else, that containers still "
        "see: lastlog after useradd with a large user ID",
        "the zeros",
    )
