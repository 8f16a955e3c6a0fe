"""The storage of a Distribution registry, in a folder or an object store.

Everything is below ``docker/registry/v2``. ``blobs/<alg>/<xx>/<hex>/data`` has the blobs of all
repositories. ``repositories/<name…>`` has files called ``link`` that contain a digest: one per tag,
manifest (revision), layer and config. A repository's folder may be inside that of another one; no
part of a repository's name begins with ``_``.

The tree is listed once. Each document is read once, even if many tags and indexes name it: images
are read without names first, and named from the tags, revisions and indexes at the end.

GitLab's registry may keep names and manifests in a PostgreSQL database. Then the storage has blobs
of layers and configs only, and no blob is known to be an orphan.
Source: distribution/distribution, registry/storage/paths.go; gitlab-org/container-registry,
registry/datastore.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, object_in, parse_object
from dedupe.model.identity import Digest, is_digest
from dedupe.model.images import (
    BlobRef,
    FoundImage,
    FoundOther,
    ObjectRef,
    Platform,
    Severity,
    SourceKind,
    StoredBlob,
)
from dedupe.model.paths import printable
from dedupe.sources.documents.blob_files import BlobFiles
from dedupe.sources.documents.config import platform_of
from dedupe.sources.documents.manifests import ManifestReader, is_attestation
from dedupe.sources.documents.others import relate_others
from dedupe.sources.documents.registry_places import RegistryPlaces, registry_claims
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.holders.objects import ObjectHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent, HeldFile

#: the user may name the registry's root, or any folder from there down to ``v2``
_PREFIXES = ("docker/registry/v2", "registry/v2", "v2", "")
#: a link contains a digest; the longest has 135 characters
_MAX_LINK_BYTES = 1024
#: documents of an object store that are requested together
_BATCH = 256
#: folder and file beside ``v2`` that GitLab's registry writes if it has a metadata database
_LOCK_FILES, _DATABASE_LOCK = "lockfiles", "database-in-use"
#: documents that an index of platforms leads to; in a longer one, each platform holds its own
_MOST_PLATFORMS = 100
#: first two digits of a digest: the folders of blobs
_FIRST_DIGITS = re.compile(r"[0-9a-f]{2}\Z")
#: SHA-256 of no bytes: the only blob that may be empty
_EMPTY_HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True, slots=True)
class Registry:
    """The storage of one registry."""

    kind: ClassVar[SourceKind] = SourceKind.REGISTRY
    location: str
    holder: FolderHolder | ObjectHolder
    #: folder of ``blobs`` and ``repositories``, from the registry's root
    prefix: str

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[Registry]":
        """A folder with ``repositories`` and ``blobs``, or one above it.

        A registry whose ``repositories`` are missing is recognised by its blobs.
        """
        holder = candidate.holder
        if not isinstance(holder, FolderHolder | ObjectHolder):
            return []
        for prefix in _PREFIXES:
            if _is_registry(holder, prefix):
                return [cls(candidate.location, holder, prefix)]
        return []

    def read_contents(self) -> Contents:
        """Read all images that tags and revisions lead to; errors become problems."""
        contents = Contents()
        reader = _RegistryReader(self.holder, self.prefix, contents)
        reader.read_images()
        if isinstance(self.holder, FolderHolder):
            contents.moved = self.holder.store.moved_folders()
            contents.claims = registry_claims(self.holder, self.prefix, contents, reader.places)
        return contents

    def descent(self) -> Descent:
        """Other sources may be beside the folder ``docker`` of a registry."""
        if not self.prefix:
            return NO_DESCENT
        return Descent(same_folder=True, entries=None, own=(self.prefix.partition("/")[0],))


def _is_registry(holder: FolderHolder | ObjectHolder, prefix: str) -> bool:
    """Whether the storage of a registry begins at this folder."""
    blobs, names = (_below(prefix, folder) for folder in ("blobs", "repositories"))
    if isinstance(holder, FolderHolder) and holder.has(names) and holder.has(blobs):
        # links that are not followed become problems when the folders are read
        return all(holder.is_link(name) or holder.is_folder(name) for name in (blobs, names))
    return holder.is_folder(blobs) and (
        holder.is_folder(names)
        or _has_database(holder, prefix)
        or _has_registry_blobs(holder, blobs)
    )


def _has_database(holder: FolderHolder | ObjectHolder, prefix: str) -> bool:
    """Whether GitLab's registry has left the mark of its metadata database."""
    above, _, last = prefix.rpartition("/")
    if last:
        return holder.has(_below(above, f"{_LOCK_FILES}/{_DATABASE_LOCK}"))
    # ``v2`` was named itself, and the mark is beside it
    return isinstance(holder, FolderHolder) and FolderHolder(holder.root.resolve().parent).has(
        f"{_LOCK_FILES}/{_DATABASE_LOCK}"
    )


def _has_registry_blobs(holder: FolderHolder | ObjectHolder, blobs: str) -> bool:
    """Whether blobs are in folders of their first two digits, as only registries keep them."""
    for file in holder.list_files(f"{blobs}/sha256", lambda _name, _error: None):
        parts = file.name.split("/")[-3:]
        return len(parts) == 3 and bool(_FIRST_DIGITS.match(parts[0])) and parts[2] == "data"
    return False


@dataclass(slots=True)
class _Repository:
    """The links of one repository."""

    #: tag -> manifest or index
    tags: dict[str, Digest] = field(default_factory=dict)
    revisions: dict[Digest, None] = field(default_factory=dict)


class _RegistryReader:
    """Reads one registry into ``contents``."""

    def __init__(
        self, holder: FolderHolder | ObjectHolder, prefix: str, contents: Contents
    ) -> None:
        self._holder = holder
        self._prefix = prefix
        self._contents = contents
        #: bytes of links, uploads and all other files that are not blobs
        self._other_bytes = 0
        self._blobs = _RegistryBlobs(holder, prefix)
        self._repositories: dict[str, _Repository] = {}
        self.places = RegistryPlaces()

    def read_images(self) -> None:
        contents = self._contents
        contents.blobs = list(self._list_blobs())
        if _has_database(self._holder, self._prefix):
            self._count_links()
            return
        self._read_links()
        contents.other_bytes = self._other_bytes
        reader = _DocumentQueue(self._holder, self._blobs, contents)
        reader.read_all(self._roots())
        below = {index: _descendants(index, reader.children) for index in reader.children}
        names = self._names(below)
        above = _above(below)
        manifests = {image.digest for image in contents.images}
        # an index keeps the manifest of each of its platforms
        beside = {
            index: frozenset(one for one in found if one in manifests)
            for index, found in below.items()
            if len(found) <= _MOST_PLATFORMS
        }
        contents.images = [
            _named_image(one, names, reader.entries, above, beside) for one in contents.images
        ]
        contents.others = [
            *(_named_other(one, names, reader.entries, above) for one in contents.others),
            *self._indexes(below, names, above),
        ]
        relate_others(contents)
        if self._holder.has("scheduler-state.json"):
            _excuse_cache(contents)

    def _count_links(self) -> None:
        """Count the bytes of links that are out of date, and say where the names are."""
        folder = _below(self._prefix, "repositories")
        for name, size, _ in self._listed("repositories"):
            self._other_bytes += size
            self.places.add_file(name, *_split(name[len(folder) + 1 :]))
        self._contents.other_bytes = self._other_bytes
        self._contents.add_unseen(
            f"{_LOCK_FILES}/{_DATABASE_LOCK}",
            SourceError(
                "names and manifests are in the PostgreSQL database of GitLab's registry, which "
                "is not read: no image is listed, and no blob is known to be unreferenced",
                "metadata-database",
            ),
        )

    def _list_blobs(self) -> Iterator[StoredBlob]:
        for name, size, inode in self._listed("blobs"):
            parts = name.split("/")
            # <alg>/<first two>/<hex>/data
            digest = f"{parts[-4]}:{parts[-2]}" if len(parts) > 4 else ""
            if is_digest(digest) and name == self._blobs.file_name(Digest(digest)):
                self._blobs.sizes[name] = size
                yield StoredBlob(name, size, Digest(digest), inode)
            else:
                self._other_bytes += size
                self.places.unknown.append(name)

    def _read_links(self) -> None:
        folder = _below(self._prefix, "repositories")
        linked = False
        tags: dict[tuple[str, str], bool] = {}
        links: list[tuple[str, str]] = []
        names: list[str] = []
        for name, size, _ in self._listed("repositories"):
            self._other_bytes += size
            repository, below = _split(name[len(folder) + 1 :])
            self.places.add_file(name, repository, below)
            # links of layers stay when a manifest is deleted
            linked = linked or below[:1] in (["_manifests"], ["_layers"])
            match (repository, below):
                case repository, ["_manifests", "tags", tag, "current", "link"]:
                    names.append(name)
                    links.append((repository, tag))
                    tags[repository, tag] = True
                case repository, ["_manifests", "tags", tag, *_]:
                    tags.setdefault((repository, tag), False)
                case repository, ["_manifests", "revisions", _, _, "link"]:
                    names.append(name)
                    links.append((repository, ""))
                case _:
                    # links of layers, uploads: only their bytes count
                    pass
        for (repository, tag), name, target in zip(links, names, self._targets(names), strict=True):
            if target is not None:
                self.places.add_link(name, repository, tag, target)
                found = self._repositories.setdefault(repository, _Repository())
                if tag:
                    found.tags[tag] = target
                else:
                    found.revisions[target] = None
        for (repository, tag), current in tags.items():
            if not current:
                self._contents.add_error(
                    printable(f"{repository}:{tag}"),
                    SourceError("a tag without its current/link", "blob-missing"),
                )
        if not linked and self._blobs.sizes and not self._contents.unseen_references:
            self._contents.add_unseen(
                printable(folder),
                SourceError(
                    "no repository has a manifest or a layer, but there are blobs: if names are in "
                    "a metadata database or another folder, no blob is known to be unreferenced",
                    "names-missing",
                ),
            )

    def _targets(self, names: list[str]) -> Iterator[Digest | None]:
        """The digest in each link; None, and a problem, if it has none."""
        remaining = iter(names)
        while batch := list(islice(remaining, _BATCH)):
            if isinstance(self._holder, ObjectHolder):
                self._holder.prefetch(batch)
            for name in batch:
                target = None
                try:
                    target = _parse_link(self._holder.read_file(name, _MAX_LINK_BYTES))
                except SourceError as error:
                    self._contents.add_unseen(printable(name), error)
                yield target

    def _listed(self, folder: str) -> Iterator[HeldFile]:
        def on_failure(name: str, error: SourceError) -> None:
            # a blob that is not listed may be a manifest
            self._contents.add_unseen(printable(name), error)

        return self._holder.list_files(_below(self._prefix, folder), on_failure)

    def _roots(self) -> dict[Digest, str]:
        """Documents that links name, tagged ones first, and their subject in problems."""
        roots: dict[Digest, str] = {}
        for name, repository in self._repositories.items():
            for tag, digest in repository.tags.items():
                roots.setdefault(digest, f"{name}:{tag}")
        for name, repository in self._repositories.items():
            for digest in repository.revisions:
                roots.setdefault(digest, f"{name}@{digest}")
        return roots

    def _indexes(
        self,
        below: dict[Digest, dict[Digest, None]],
        names: dict[Digest, dict[str, None]],
        above: dict[Digest, frozenset[Digest]],
    ) -> Iterator[FoundOther]:
        """The indexes that lead to an image: a registry deletes each document by itself."""
        images = {image.digest for image in self._contents.images}
        for index, found in below.items():
            if not images.isdisjoint(found):
                yield FoundOther(
                    "index",
                    index,
                    tuple(names.get(index, ())),
                    Platform(),
                    blobs=frozenset((index,)),
                    indexes=above.get(index, frozenset()) | {index},
                )

    def _names(self, below: dict[Digest, dict[Digest, None]]) -> dict[Digest, dict[str, None]]:
        """Names of each document: its tags and those of the indexes above it.

        ``below`` has the documents that each index leads to. A revision that no tag and no index of
        its repository leads to is named by its digest.
        """
        names: dict[Digest, dict[str, None]] = {}
        for name, repository in self._repositories.items():
            reached = set(repository.tags.values())
            for digest in (*repository.tags.values(), *repository.revisions):
                reached.update(below.get(digest, ()))
            own = [(digest, f"{name}:{tag}") for tag, digest in repository.tags.items()]
            own += [
                (digest, f"{name}@{digest}")
                for digest in repository.revisions
                if digest not in reached
            ]
            for digest, text in own:
                for one in (digest, *below.get(digest, ())):
                    names.setdefault(one, {})[printable(text)] = None
        return names


class _RegistryBlobs(BlobFiles):
    """Blobs in the registry's own folders; known from the listing if possible."""

    def __init__(self, holder: FolderHolder | ObjectHolder, prefix: str) -> None:
        super().__init__(holder, _below(prefix, "blobs"))
        #: size of each listed blob by file name
        self.sizes: dict[str, int] = {}
        self._refs: dict[Digest, BlobRef | ObjectRef] = {}

    def file_name(self, digest: Digest) -> str:
        algorithm, _, encoded = digest.partition(":")
        return f"{self._folder}/{algorithm}/{encoded[:2]}/{encoded}/data"

    def has(self, digest: Digest) -> bool:
        return self.file_name(digest) in self.sizes or super().has(digest)

    def read_document(self, digest: Digest, limit: int) -> bytes:
        self._check_not_empty(digest)
        return super().read_document(digest, limit)

    def blob(self, digest: Digest) -> BlobRef | ObjectRef:
        # thousands of images share a layer: look up its file once
        ref = self._refs.get(digest)
        if ref is None:
            self._check_not_empty(digest)
            ref = self._refs[digest] = super().blob(digest)
        return ref

    def _check_not_empty(self, digest: Digest) -> None:
        """Raise SourceError for an empty file, as power failures leave it."""
        name = self.file_name(digest)
        if self.sizes.get(name) == 0 and _EMPTY_HEX not in name:
            raise SourceError(f"{name}: the blob is empty", "blob-truncated")


class _DocumentQueue:
    """Reads manifests and indexes in the order in which they are named, each once."""

    def __init__(
        self, holder: FolderHolder | ObjectHolder, blobs: _RegistryBlobs, contents: Contents
    ) -> None:
        self._holder = holder
        self._blobs = blobs
        self._reader = ManifestReader(blobs, contents)
        #: documents that each index names
        self.children: dict[Digest, list[Digest]] = {}
        #: the entry of each document in the first index that names it
        self.entries: dict[Digest, dict[str, Any]] = {}
        #: documents named by indexes that were read, and their subject in problems
        self._waiting: deque[tuple[Digest, str]] = deque()

    def read_all(self, roots: dict[Digest, str]) -> None:
        """Read all that these documents lead to; ``roots`` has their subjects in problems."""
        read: set[Digest] = set()
        starts = iter(roots.items())
        while batch := [*self._take_waiting(), *islice(starts, _BATCH)]:
            batch = [item for item in dict(batch).items() if item[0] not in read]
            if isinstance(self._holder, ObjectHolder):
                self._prefetch(self._holder, [digest for digest, _ in batch])
            for digest, subject in batch:
                read.add(digest)
                # what no link names may be absent, such as a platform that was not copied
                self._read(digest, subject, 0 if digest in roots else 2)

    def _read(self, digest: Digest, subject: str, depth: int) -> None:
        entry = self.entries.get(digest, {"digest": digest})
        index = self._reader.read_entry(entry, (subject,), depth)
        if index is None:
            return
        named = self.children.setdefault(digest, [])
        for child in index.entries:
            if not is_digest(child.get("digest")):
                # adds the problem of this entry
                self._reader.read_entry(child, (subject,), 2)
                continue
            child_digest = Digest(child["digest"])
            self.entries.setdefault(child_digest, child)
            named.append(child_digest)
            self._waiting.append((child_digest, subject))

    def _take_waiting(self) -> Iterator[tuple[Digest, str]]:
        while self._waiting:
            yield self._waiting.popleft()

    def _prefetch(self, holder: ObjectHolder, digests: Iterable[Digest]) -> None:
        """Fetch these documents together, then the configs that they name."""
        names = [self._blobs.file_name(digest) for digest in digests]
        holder.prefetch(names)
        configs = []
        for name in names:
            try:
                document = parse_object(holder.read_file(name, MAX_MANIFEST_BYTES), name)
            except SourceError:
                # becomes a problem when the document is read
                continue
            digest = object_in(document, "config").get("digest")
            if is_digest(digest):
                configs.append(self._blobs.file_name(Digest(str(digest))))
        holder.prefetch(configs, keep=True)


def _split(name: str) -> tuple[str, list[str]]:
    """Split a path into the repository and the rest, which begins with ``_``."""
    parts = name.split("/")
    for number, part in enumerate(parts):
        if part.startswith("_"):
            return "/".join(parts[:number]), parts[number:]
    return name, []


def _parse_link(data: bytes) -> Digest:
    """The digest in a link; raises SourceError ``bad-link``."""
    text = data.decode("utf-8", "replace")
    if not is_digest(text):
        raise SourceError(
            "expected a digest such as sha256:<64 hex digits>, "
            f"found {printable(repr(text))[:100]}",
            "bad-link",
        )
    return Digest(text)


def _descendants(index: Digest, children: dict[Digest, list[Digest]]) -> dict[Digest, None]:
    found: dict[Digest, None] = {}
    pending = list(children[index])
    while pending:
        digest = pending.pop()
        if digest not in found:
            found[digest] = None
            pending += children.get(digest, [])
    return found


def _above(below: dict[Digest, dict[Digest, None]]) -> dict[Digest, frozenset[Digest]]:
    """The indexes that lead to each document."""
    found: dict[Digest, set[Digest]] = {}
    for index, documents in below.items():
        for document in documents:
            found.setdefault(document, set()).add(index)
    return {document: frozenset(indexes) for document, indexes in found.items()}


def _named_image(
    image: FoundImage,
    names: dict[Digest, dict[str, None]],
    entries: dict[Digest, dict[str, Any]],
    above: dict[Digest, frozenset[Digest]],
    beside: dict[Digest, frozenset[Digest]],
) -> FoundImage:
    if image.digest is None:
        return image
    details = image.details
    if not str(details.platform):
        document = object_in(entries.get(image.digest, {}), "platform")
        details = replace(details, platform=platform_of(document))
    indexes = above.get(image.digest, frozenset())
    manifests = (beside.get(index, frozenset()) for index in indexes)
    return replace(
        image,
        names=tuple(names.get(image.digest, ())),
        details=details,
        documents=image.documents.union(indexes, *manifests),
    )


def _named_other(
    other: FoundOther,
    names: dict[Digest, dict[str, None]],
    entries: dict[Digest, dict[str, Any]],
    above: dict[Digest, frozenset[Digest]],
) -> FoundOther:
    """Only the index above marks an attestation, and it may have been read later."""
    if other.digest is None:
        return other
    entry = entries.get(other.digest, {})
    return replace(
        other,
        kind="attestation" if is_attestation(entry) else other.kind,
        names=tuple(names.get(other.digest, ())),
        platform=platform_of(object_in(entry, "platform")),
        indexes=above.get(other.digest, frozenset()),
    )


def _excuse_cache(contents: Contents) -> None:
    """Make missing blobs notes: a pull-through cache keeps only what was pulled."""
    contents.problems = [
        replace(problem, severity=Severity.NOTE) if problem.code == "blob-missing" else problem
        for problem in contents.problems
    ]


def _below(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
