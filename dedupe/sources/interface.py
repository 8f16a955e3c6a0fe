"""The seams of sources: what a source is, and what holds its files.

A source (a store, an image layout, an archive) is recognised by the files that a holder has. It
asks the holder for documents and blobs by name, and returns its contents. A holder is a folder, an
archive file or a folder of an object store.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from dedupe.errors import SourceError
from dedupe.host.links import LinkOutsideError
from dedupe.host.store_root import StoreRoot
from dedupe.model.disk import UNRECOGNISED, FoundPlace, PlaceFacts
from dedupe.model.identity import Digest, Inode
from dedupe.model.images import (
    BlobRef,
    FoundContainer,
    FoundImage,
    FoundOther,
    LayerState,
    ObjectRef,
    Problem,
    Severity,
    SourceKind,
    StoredBlob,
)
from dedupe.sources.refused_links import problem_of_links

if TYPE_CHECKING:
    from dedupe.sources.documents.shared_blobs import BlobPool

#: code of a link that leads out of what the user named
_REFUSED_LINK = "link-refused"
#: called with the name of each entry that a listing leaves out, and the reason
OnFailure = Callable[[str, SourceError], None]


class HeldFile(NamedTuple):
    """A file of a holder."""

    name: str
    size_bytes: int
    #: None if it is not a file of its own
    inode: Inode | None = None


class Holder(Protocol):
    """Files by name, in a folder, an archive or an object store."""

    def read_file(self, name: str, limit: int) -> bytes:
        """Read a small file.

        Raises SourceError: ``blob-missing``, ``document-too-large`` if it has more than ``limit``
        bytes, and others as the holder says.
        """
        ...

    def blob(self, name: str) -> BlobRef | ObjectRef:
        """Where the bytes of a file are, and its size; raises SourceError as ``read_file`` does."""
        ...

    def has(self, name: str) -> bool:
        """Whether a file of this name exists."""
        ...

    def is_folder(self, name: str) -> bool:
        """Whether a folder of this name exists."""
        ...

    def list_files(self, folder: str, on_failure: OnFailure | None = None) -> Iterator[HeldFile]:
        """All regular files below ``folder``, at any depth.

        An entry that cannot be read is passed to ``on_failure``; without it, the first one raises
        SourceError.
        """
        ...


class HolderForm(Enum):
    """What a holder is."""

    FOLDER = auto()
    ARCHIVE = auto()
    OBJECTS = auto()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a source: a folder, an archive file, or a folder of an object store."""

    #: path or address, as reports show it
    location: str
    holder: Holder
    form: HolderForm
    #: names of the entries of a folder
    entries: frozenset[str] = frozenset()
    #: all folders that the user named: a store may use layers of another one
    named_folders: Sequence[Path] = ()
    #: the path below the place that the user named, or that place's own name: what an image layout
    #: is called whose images have only a tag
    name: str = ""
    #: blobs that image layouts may use besides their own
    pool: "BlobPool | None" = None


@dataclass(frozen=True, slots=True)
class Descent:
    """Where to look for more sources once one was found in a folder."""

    #: whether kinds that come later in ``SOURCE_TYPES`` are tried on the same folder
    same_folder: bool = False
    #: entries of the folder that may hold more sources; None for all
    entries: Collection[str] | None = ()
    #: entries that only the source itself reads, even if the user named them too
    own: Collection[str] = ()


#: nothing else is in a folder that is such a source
NO_DESCENT = Descent()


@dataclass(frozen=True, slots=True)
class StoreBytes:
    """Bytes of a store that keeps layers unpacked, without those of its blobs."""

    #: documents and unpacked layers; containers are left out
    stored_bytes: int
    #: of these, unpacked layers that no image needs
    orphan_bytes: int
    #: disk usage of what is not a blob, a layer or a container
    other_bytes: int


@dataclass(frozen=True, slots=True)
class DiskClaims:
    """Which file or folder of a source is what."""

    root: StoreRoot
    #: path below the root, with slashes -> what is known of it
    facts: Mapping[str, PlaceFacts] = field(default_factory=dict)
    #: what everything else is
    rest: PlaceFacts = field(default=UNRECOGNISED)
    #: paths of folders that may be links or mounts
    own: Collection[str] = ()
    #: the folder below the root to which the claims are limited, by names; paths are those below it
    below: tuple[str, ...] = ()


@dataclass(slots=True)
class Contents:
    """What one source holds, and what of it could not be read."""

    images: list[FoundImage] = field(default_factory=list)
    others: list[FoundOther] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    containers: list[FoundContainer] = field(default_factory=list)
    #: digests that a document refers to; all other blobs are orphans
    referenced: set[Digest] = field(default_factory=set)
    #: why some references could not be read, so that no blob or layer is known to be an orphan
    unseen_references: list[str] = field(default_factory=list)
    #: whether an image may be named by what could not be read; False for caches and mere blobs
    names_images: bool = True
    #: None if the source keeps no blobs
    blobs: list[StoredBlob] | None = None
    #: None if the source keeps no layers unpacked, or if they could not be measured
    unpacked: StoreBytes | None = None
    #: size of the source's file; None if it is not a single file
    file_bytes: int | None = None
    #: bytes of files that are not blobs, if the source knows them; else those in ``unpacked`` count
    other_bytes: int | None = None
    #: whether the source was never used, so that it is not listed
    unused: bool = False
    #: files of other sources that this one refers to, through links or as shared blobs
    borrowed: set[Inode] = field(default_factory=set)
    #: folders of the source that are elsewhere, where links in their places lead
    moved: set[Path] = field(default_factory=set)
    #: links that lead out of what was scanned, by name
    refused_links: dict[str, LinkOutsideError] = field(default_factory=dict)
    #: what is on disk below the source's location; empty if it was not measured
    places: list[FoundPlace] = field(default_factory=list)
    #: what is to be measured once all sources are known; None if nothing is, or if it was
    claims: DiskClaims | None = None
    #: folders that ``places`` leaves out: each is measured if it is not the root of another source
    left_out: list[DiskClaims] = field(default_factory=list)
    #: what is known of a folder around the source, in case that is not a source itself
    around: DiskClaims | None = None

    def add_error(self, subject: str, error: SourceError, blob: str | None = None) -> None:
        """Keep an error as a problem, so that the rest can be read.

        ``blob`` is the digest of the blob or document that has it: it is then one problem, however
        many images need the blob. A folder that is a link is one problem too: it hides everything
        in its place.
        """
        if isinstance(error, LinkOutsideError):
            # a layout may have thousands of them
            self.refused_links[error.name] = error
        elif error.code != _REFUSED_LINK or not self._has_message(error):
            self.problems.append(Problem(subject, error.code, error.message, blob=blob))

    def add_unseen(self, subject: str, error: SourceError, blob: str | None = None) -> None:
        """Keep an error of a document or folder that may hold references as a problem.

        What the source seems not to need may then be needed. ``blob`` is as in ``add_error``, and
        ``permission-denied`` is kept once, as by ``add_open_error``.
        """
        if error.code != "permission-denied" or not self.has_problem(error.code):
            self.add_error(subject, error, blob)
        self.hide_references(subject, error)

    def hide_references(self, subject: str, error: SourceError) -> None:
        """Say that references could not be read because of an error that is a problem already."""
        reason = f"{subject}: {error.message}"
        if reason not in self.unseen_references:
            self.unseen_references.append(reason)

    def add_open_error(self, subject: str, error: SourceError, blob: str | None = None) -> None:
        """Keep an error of opening a file or folder of the store as a problem.

        ``permission-denied`` is kept once: if a user may not read one file of a store, it is the
        same for all of them. ``blob`` is as in ``add_error``.
        """
        if error.code != "permission-denied" or not self.has_problem(error.code):
            self.add_error(subject, error, blob)

    def add_note(self, subject: str, code: str, message: str, blob: str | None = None) -> None:
        """Keep a problem that leaves all figures right; ``blob`` is as in ``add_error``."""
        self.problems.append(Problem(subject, code, message, Severity.NOTE, blob))

    def has_problem(self, code: str) -> bool:
        """Whether there is a problem with this code."""
        return any(problem.code == code for problem in self.problems)

    def _has_message(self, error: SourceError) -> bool:
        return any(problem.message == error.message for problem in self.problems)

    def all_problems(self) -> list[Problem]:
        """All problems; links that are not followed are one, however many these are."""
        problems = list(self.problems)
        if not self.refused_links:
            return problems
        links = problem_of_links(list(self.refused_links.values()))
        for number, problem in enumerate(problems):
            if problem.code == _REFUSED_LINK:
                # a folder of the source is such a link too
                message = f"{problem.message}; {links.message}"
                problems[number] = replace(problem, message=message)
                return problems
        return [*problems, links]


class Source(Protocol):
    """One source of images.

    A kind of source is a class of this shape, listed in ``SOURCE_TYPES``.
    """

    kind: ClassVar[SourceKind]

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[Source]":
        """The sources of this kind that the candidate is: usually none or one."""
        ...

    @property
    def location(self) -> str:
        """The path or address of the source, as reports show it."""
        ...

    def read_contents(self) -> Contents:
        """Read the source's documents, not its layers; errors become problems of the contents."""
        ...

    def descent(self) -> Descent:
        """Where more sources may be in the folder that this one was found in."""
        ...


def state_after(error: SourceError) -> LayerState:
    """The state of a layer that could not be found or opened."""
    absent = error.code in ("blob-missing", "blob-elsewhere")
    return LayerState.ABSENT if absent else LayerState.BROKEN
