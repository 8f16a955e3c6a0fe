"""Blobs that image layouts do not keep themselves: folders of blobs that several layouts share.

``skopeo copy --dest-shared-blob-dir`` writes layouts without blobs beside one folder of blobs. zot
keeps each blob of a bucket once: the layouts of all other repositories have an empty file for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.model.disk import UNRECOGNISED
from dedupe.model.identity import Digest, Inode, is_digest
from dedupe.model.images import BlobRef, ObjectRef, Problem, SourceKind, StoredBlob
from dedupe.sources.digest_names import ALGORITHMS, is_digest_name
from dedupe.sources.disk_places import claims_of_blobs, unknown_entries
from dedupe.sources.documents.blob_files import BlobFiles
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Candidate, Contents, Descent, DiskClaims, Holder

#: files of a folder that are looked at before it is taken for another thing
_FILES_TRIED = 16
#: digests of no bytes, the only blobs that are empty
_EMPTY = (
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
)
_UNKNOWN_USERS = "layouts elsewhere may use the blobs of this folder"


@dataclass(slots=True)
class BlobFolder:
    """A folder with blobs in ``sha256/<hex>`` that belongs to no layout alone."""

    kind: ClassVar[SourceKind] = SourceKind.BLOBS
    location: str
    holder: FolderHolder
    #: whether the user named it as such
    named: bool = False
    #: whether a layout of this scan has used a blob of it
    used: bool = False
    #: contents of the layouts of this scan that use its blobs
    users: list[Contents] = field(default_factory=list)

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[BlobFolder]":
        """A folder with files named by digests in a folder that is named by the algorithm."""
        holder = candidate.holder
        if not isinstance(holder, FolderHolder):
            return []
        if not any(holder.is_folder(name) and _holds_blobs(holder, name) for name in ALGORITHMS):
            return []
        found = cls(candidate.location, holder)
        if candidate.pool is not None:
            candidate.pool.folders.append(found)
        return [found]

    @property
    def files(self) -> BlobFiles:
        """Its blobs by digest."""
        return BlobFiles(self.holder, "")

    def read_contents(self) -> Contents:
        """List its blobs; which of them are unreferenced is unknown."""
        blobs: list[StoredBlob] = []
        contents = Contents(blobs=blobs, unseen_references=[_UNKNOWN_USERS], names_images=False)
        contents.add_note("blobs", "shared-blobs", _UNKNOWN_USERS)
        for algorithm in ALGORITHMS:
            try:
                for file in self.holder.list_files(algorithm):
                    digest = file.name.replace("/", ":")
                    known = Digest(digest) if is_digest(digest) else None
                    blobs.append(StoredBlob(file.name, file.size_bytes, known, file.inode))
            except SourceError as error:
                contents.add_error(algorithm, error)
        contents.claims = self._claims(contents)
        return contents

    def _claims(self, contents: Contents) -> DiskClaims:
        """What its blobs are for the layouts of this scan; the use of all others is unknown."""
        users = Contents(
            images=[image for user in self.users for image in user.images],
            others=[other for user in self.users for other in user.others],
            blobs=contents.blobs,
            unseen_references=contents.unseen_references,
        )
        unknown = unknown_entries(self.holder.root, ALGORITHMS)
        more = dict.fromkeys(unknown, UNRECOGNISED)
        return claims_of_blobs(self.holder.store, users, more=more)

    def descent(self) -> Descent:
        """Everything but the folders of blobs."""
        return Descent(entries=None, own=ALGORITHMS)


@dataclass(slots=True)
class BlobPool:
    """What the layouts of one scan may use besides their own blobs."""

    #: folders of blobs, those that the user named first
    folders: list[BlobFolder] = field(default_factory=list)
    #: layouts of this scan
    layouts: list[Holder] = field(default_factory=list)
    #: blobs of all layouts that are not empty, once they were asked for
    _copies: dict[Digest, BlobFiles] | None = None

    def shared(self, digest: Digest) -> BlobFolder | None:
        """The folder that has this blob, if any."""
        return next((one for one in self.folders if one.files.has(digest)), None)

    def copy(self, digest: Digest) -> BlobFiles | None:
        """The layout that has this blob with its bytes, if any."""
        if self._copies is None:
            self._copies = {}
            for holder in self.layouts:
                files = BlobFiles(holder)
                try:
                    for blob in files.list_blobs():
                        if blob.digest is not None and blob.stored_bytes:
                            self._copies.setdefault(blob.digest, files)
                except SourceError:
                    # becomes a problem when the layout itself is read
                    continue
        return self._copies.get(digest)


class LayoutBlobs(BlobFiles):
    """The blobs of a layout: its own, those of shared folders, and those that it has as stubs."""

    sparse = True

    def __init__(self, holder: Holder, pool: BlobPool) -> None:
        super().__init__(holder)
        self._pool = pool
        #: files of shared folders that the layout refers to
        self.borrowed: set[Inode] = set()
        #: the shared folders of these files
        self.lenders: list[BlobFolder] = []
        #: whether the layout has a folder of blobs
        self._keeps_blobs = any(holder.is_folder(f"blobs/{name}") for name in ALGORITHMS)
        #: blobs that are empty files here, and whether another layout has their bytes
        self.stubs: dict[Digest, bool] = {}

    def has(self, digest: Digest) -> bool:
        """Whether the blob is here or in a shared folder."""
        return super().has(digest) or self._pool.shared(digest) is not None

    def read_document(self, digest: Digest, limit: int) -> bytes:
        """Read a small blob; raises SourceError ``blob-elsewhere``, and as the holder does."""
        try:
            data = super().read_document(digest, limit)
        except SourceError as error:
            return self._borrow(digest, error).read_document(digest, limit)
        if data or digest in _EMPTY:
            return data
        copy = self._copy_of_stub(digest)
        return copy.read_document(digest, limit) if copy else data

    def blob(self, digest: Digest) -> BlobRef | ObjectRef:
        """Where a blob's bytes are; raises SourceError ``blob-elsewhere``, and as the holder."""
        try:
            ref = super().blob(digest)
        except SourceError as error:
            return self._borrow(digest, error).blob(digest)
        if ref.size or digest in _EMPTY:
            return ref
        copy = self._copy_of_stub(digest)
        return copy.blob(digest) if copy else ref

    def _borrow(self, digest: Digest, error: SourceError) -> BlobFiles:
        """The shared blobs that have this one; raises the error of the own file otherwise."""
        folder = self._pool.shared(digest) if error.code == "blob-missing" else None
        if folder is None:
            if error.code != "blob-missing" or self._keeps_blobs:
                raise error
            raise SourceError(
                f"{error.message}; this layout keeps no blobs itself: name the folder that it "
                "shares with --blobs",
                error.code,
            ) from error
        folder.used = True
        if all(folder is not lender for lender in self.lenders):
            self.lenders.append(folder)
        self.borrowed.add(folder.holder.inode(folder.files.file_name(digest)))
        return folder.files

    def _copy_of_stub(self, digest: Digest) -> BlobFiles | None:
        """The blobs of another layout that have the bytes of an empty file, if any.

        Raises SourceError ``blob-elsewhere`` in a bucket, where such a file is meant to be empty.
        On a disk it is damaged unless another layout has its bytes.
        """
        copy = self._pool.copy(digest)
        on_disk = isinstance(self._holder, FolderHolder)
        if copy is not None or not on_disk:
            self.stubs[digest] = copy is not None
        if copy is None and not on_disk:
            raise SourceError(
                f"{digest}: an empty file, as zot keeps for a blob that it has in the layout of "
                "another repository",
                "blob-elsewhere",
            )
        return copy


@dataclass(slots=True)
class LooseBlobs:
    """Files named by digests, of a store that is not whole."""

    files: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Count a file."""
        self.files += 1
        self.size_bytes += size_bytes

    def add_folder(self, holder: FolderHolder) -> None:
        """Count all files of a folder of blobs."""
        for algorithm in ALGORITHMS:
            try:
                for file in holder.list_files(algorithm):
                    self.add(file.size_bytes)
            except SourceError:
                # the problem counts what can be seen
                continue

    def problem(self, location: str) -> Problem:
        """What is missing."""
        if not self.files:
            return Problem(
                location, "index-missing", "an image layout without index.json and without blobs"
            )
        return Problem(
            location,
            "index-missing",
            f"files named by digests: {self.files:,}, with {self.size_bytes:,} bytes; expected an "
            "index.json or other document that says which images they are",
        )


def _holds_blobs(holder: FolderHolder, algorithm: str) -> bool:
    """Whether a folder has files named by digests, at any depth; an unreadable one has none."""
    try:
        return any(
            is_digest_name(part)
            for file in islice(holder.list_files(algorithm), _FILES_TRIED)
            for part in file.name.split("/")[1:]
        )
    except SourceError:
        return False
