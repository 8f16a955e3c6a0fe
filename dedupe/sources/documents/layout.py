"""OCI image layouts: a folder or an archive with ``oci-layout``, ``index.json`` and ``blobs/``.

Source: OCI image-spec image-layout.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, objects_in, parse_object
from dedupe.model.images import SourceKind
from dedupe.sources.documents.blob_files import BlobFiles
from dedupe.sources.documents.manifests import ManifestReader
from dedupe.sources.holders.archive import ArchiveHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent, Holder


@dataclass(frozen=True, slots=True)
class OciLayout:
    """An image layout in a folder, on disk or in an object store."""

    kind: ClassVar[SourceKind] = SourceKind.OCI_LAYOUT
    location: str
    holder: Holder

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[OciLayout]":
        """A folder with the files of an image layout."""
        holder = candidate.holder
        if not isinstance(holder, ArchiveHolder) and is_layout(holder):
            return [cls(candidate.location, holder)]
        return []

    def read_contents(self) -> Contents:
        """Read all images that ``index.json`` leads to; errors become problems."""
        contents = Contents()
        read_index(self.holder, contents)
        list_layout_blobs(self.holder, contents)
        return contents

    def descent(self) -> Descent:
        """Everything but the layout's own files."""
        return Descent(entries=None, own=("blobs", "index.json", "oci-layout"))


@dataclass(frozen=True, slots=True)
class OciArchive:
    """An image layout in an archive."""

    kind: ClassVar[SourceKind] = SourceKind.OCI_ARCHIVE
    location: str
    holder: ArchiveHolder

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[OciArchive]":
        """An archive with the files of an image layout."""
        holder = candidate.holder
        if isinstance(holder, ArchiveHolder) and is_layout(holder):
            return [cls(candidate.location, holder)]
        return []

    def read_contents(self) -> Contents:
        """Read all images that ``index.json`` leads to; errors become problems."""
        contents = Contents(file_bytes=self.holder.size_bytes)
        read_index(self.holder, contents)
        list_layout_blobs(self.holder, contents)
        return contents

    def descent(self) -> Descent:
        """Nothing: an archive holds no other source."""
        return NO_DESCENT


def is_layout(holder: Holder) -> bool:
    """Whether the holder has the files of an image layout."""
    return holder.has("oci-layout") and holder.has("index.json")


def read_index(holder: Holder, contents: Contents) -> None:
    """Add all images that ``index.json`` leads to; errors become problems."""
    try:
        index = parse_object(holder.read_file("index.json", MAX_MANIFEST_BYTES), "index.json")
        ManifestReader(BlobFiles(holder), contents).follow_all(objects_in(index, "manifests"), ())
    except SourceError as error:
        contents.add_unseen("index.json", error)


def list_layout_blobs(holder: Holder, contents: Contents) -> None:
    """Add all blobs of the layout, referenced or not; an error becomes a problem."""
    contents.blobs = []
    try:
        # what was listed before an error is kept
        contents.blobs.extend(BlobFiles(holder).list_blobs())
    except SourceError as error:
        # usually a document below the same folder has failed for the same reason
        if not contents.has_problem(error.code):
            contents.add_error("blobs", error)
