"""OCI image layouts: a folder or an archive with ``oci-layout``, ``index.json`` and ``blobs/``.

Source: OCI image-spec image-layout.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, listed_objects, parse_object
from dedupe.model.disk import UNRECOGNISED, PlaceFacts, PlaceKind
from dedupe.model.images import FoundOther, SourceKind
from dedupe.model.paths import printable
from dedupe.sources.digest_names import ALGORITHMS
from dedupe.sources.disk_places import BlobCommands, claims_of_blobs, unknown_entries
from dedupe.sources.documents.blob_files import BlobFiles
from dedupe.sources.documents.manifests import ManifestReader
from dedupe.sources.documents.shared_blobs import BlobPool, LayoutBlobs
from dedupe.sources.holders.archive import ArchiveHolder
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import (
    NO_DESCENT,
    Candidate,
    Contents,
    Descent,
    DiskClaims,
    HeldFile,
    Holder,
)

#: blobs that were not completely written: zot's uploads, and what BuildKit exports
_UNFINISHED = (".uploads", "ingest")
_OWN = ("blobs", "index.json", "oci-layout", *_UNFINISHED)


@dataclass(frozen=True, slots=True)
class OciLayout:
    """An image layout in a folder, on disk or in an object store."""

    kind: ClassVar[SourceKind] = SourceKind.OCI_LAYOUT
    location: str
    holder: Holder
    #: put before names that are only a tag
    name: str = ""
    pool: BlobPool = field(default_factory=BlobPool)

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[OciLayout]":
        """A folder with the files of an image layout."""
        holder = candidate.holder
        if isinstance(holder, ArchiveHolder) or not is_layout(holder):
            return []
        pool = candidate.pool or BlobPool()
        pool.layouts.append(holder)
        return [cls(candidate.location, holder, candidate.name, pool)]

    def read_contents(self) -> Contents:
        """Read all images that ``index.json`` leads to; errors become problems.

        It may use blobs of other folders of the scan, so these must have been found before.
        """
        contents = Contents()
        blobs = LayoutBlobs(self.holder, self.pool)
        read_index(self.holder, contents, self.name, blobs)
        list_layout_blobs(self.holder, contents)
        _report_stubs(blobs, contents)
        uploads = _add_unfinished(self.holder, contents)
        if isinstance(self.holder, FolderHolder):
            contents.claims = self._claims(self.holder, contents, uploads)
        for folder in blobs.lenders:
            folder.users.append(contents)
        contents.borrowed |= blobs.borrowed
        if isinstance(self.holder, FolderHolder):
            contents.borrowed |= self.holder.linked
        return contents

    def descent(self) -> Descent:
        """Everything but the layout's own files."""
        return Descent(entries=None, own=_OWN)

    def _claims(
        self, holder: FolderHolder, contents: Contents, uploads: Sequence[HeldFile]
    ) -> DiskClaims:
        """Which file or folder of the layout is what."""
        more = dict.fromkeys(unknown_entries(holder.root, _OWN), UNRECOGNISED)
        for file in uploads:
            # ingest/<name>/data; .uploads/<name>
            path = "/".join(file.name.split("/")[:2])
            subject = printable(path.rpartition("/")[2])
            more[path] = PlaceFacts(PlaceKind.UPLOAD, self.name or None, subject)
        return claims_of_blobs(
            holder.store,
            contents,
            more=more,
            commands=BlobCommands(
                ("umoci", "gc", "--layout", self.location) if "\\" not in self.location else (),
                self._removal,
            ),
        )

    def _removal(self, other: FoundOther) -> tuple[str, ...]:
        """The command that removes an artifact; empty if no command does."""
        tags = [name.removeprefix(f"{self.name}:") for name in other.names]
        image = f"{self.location}:{tags[0]}" if tags else ""
        if len(tags) != 1 or ":" in self.location or "\\" in image:
            return ()
        return ("umoci", "rm", "--image", image)


@dataclass(frozen=True, slots=True)
class OciArchive:
    """An image layout in an archive."""

    kind: ClassVar[SourceKind] = SourceKind.OCI_ARCHIVE
    location: str
    holder: ArchiveHolder
    #: put before names that are only a tag
    name: str = ""

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[OciArchive]":
        """An archive with the files of an image layout."""
        holder = candidate.holder
        if isinstance(holder, ArchiveHolder) and is_layout(holder):
            return [cls(candidate.location, holder, candidate.name)]
        return []

    def read_contents(self) -> Contents:
        """Read all images that ``index.json`` leads to; errors become problems."""
        contents = Contents(file_bytes=self.holder.size_bytes)
        read_index(self.holder, contents, self.name)
        list_layout_blobs(self.holder, contents)
        return contents

    def descent(self) -> Descent:
        """Nothing: an archive holds no other source."""
        return NO_DESCENT


def is_layout(holder: Holder) -> bool:
    """Whether the holder has the files of an image layout.

    BuildKit writes layouts and its local cache without ``oci-layout``.
    """
    return holder.has("index.json") and (
        holder.has("oci-layout") or any(holder.is_folder(f"blobs/{name}") for name in ALGORITHMS)
    )


def read_index(
    holder: Holder, contents: Contents, name: str = "", blobs: BlobFiles | None = None
) -> None:
    """Add all images that ``index.json`` leads to; errors become problems.

    ``name`` is put before names that are only a tag; without it they stay as they are.
    """
    try:
        index = parse_object(holder.read_file("index.json", MAX_MANIFEST_BYTES), "index.json")
        reader = ManifestReader(blobs or LayoutBlobs(holder, BlobPool()), contents, name)
        reader.follow_all(listed_objects(index, "manifests"), ())
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


def _report_stubs(blobs: LayoutBlobs, contents: Contents) -> None:
    """Say how many blobs are empty files, and where their bytes were read."""
    found = sum(blobs.stubs.values())
    lost = len(blobs.stubs) - found
    if found:
        contents.add_note(
            "blobs",
            "blob-elsewhere",
            f"blobs that are empty files: {found}; their bytes were read from the other layouts of "
            "this scan that have them",
        )
    if lost:
        contents.add_note(
            "blobs",
            "blob-elsewhere",
            f"blobs that are empty files: {lost}, as zot keeps for blobs that it has in the layout "
            "of another repository; scan the whole bucket to read them",
        )


def _add_unfinished(holder: Holder, contents: Contents) -> list[HeldFile]:
    """Count the files of uploads that have not ended, and return them."""
    files: list[HeldFile] = []
    try:
        for folder in _UNFINISHED:
            files += list(holder.list_files(folder))
    except SourceError as error:
        contents.add_error(folder, error)
    if files:
        size = contents.other_bytes = sum(file.size_bytes for file in files)
        contents.add_note(
            files[0].name.partition("/")[0],
            "unfinished-uploads",
            f"files of uploads that have not ended: {len(files)}, with {size:,} bytes",
        )
    return files
