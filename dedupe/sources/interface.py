"""The seam between formats and the files that hold them.

A format (an image layout, a docker-archive) asks a holder for documents and blobs by name. A holder
is a folder, an archive file or an address in an object store; it alone opens files.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from dedupe.errors import SourceError
from dedupe.model.identity import Digest
from dedupe.model.images import (
    BlobRef,
    FoundContainer,
    FoundImage,
    FoundOther,
    ObjectRef,
    Problem,
    Severity,
)

#: told the name of what a listing leaves out, and why
Failed = Callable[[str, SourceError], None]


class Holder(Protocol):
    """Files by name, as a folder, an archive or an object store has them."""

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a small file.

        Raises SourceError: ``blob-missing``, ``document-too-large``, ``not-a-regular-file``.
        """
        ...

    def blob(self, name: str) -> BlobRef | ObjectRef:
        """Where a file's bytes are, its size known; raises SourceError as ``read`` does."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        ...

    def listing(self, folder: str, failed: Failed | None = None) -> Iterator[tuple[str, int]]:
        """Names below ``folder`` and sizes of the regular files in it, any depth.

        Without ``failed`` the first folder that cannot be read raises SourceError; with it, the
        rest is listed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """What an unpacked store holds beside blobs; fields as ``FoundSource`` has them."""

    stored_bytes: int
    orphan_bytes: int
    allocated_bytes: int
    other_bytes: int


@dataclass(slots=True)
class Contents:
    """What has been found so far in one source, and what could not be."""

    images: list[FoundImage] = field(default_factory=list)
    others: list[FoundOther] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    containers: list[FoundContainer] = field(default_factory=list)
    #: digests that some document names, so that the rest can be told to be orphans
    referenced: set[Digest] = field(default_factory=set)
    #: None where the store keeps blobs alone, or was not measured
    held: Held | None = None

    def failed(self, subject: str, error: SourceError, *, once: bool = False) -> None:
        """Keep an error as a row, so that the rest goes on; ``once``: a row a code is enough."""
        if once and any(problem.code == error.code for problem in self.problems):
            return
        self.problems.append(Problem(subject, error.code, error.message))

    def note(self, subject: str, code: str, message: str) -> None:
        """Keep something that takes nothing away from the figures."""
        self.problems.append(Problem(subject, code, message, Severity.NOTE))
