"""The Distribution registry's storage, in a folder or an object store.

Everything is below ``docker/registry/v2``: ``blobs/<alg>/<xx>/<hex>/data`` once for all
repositories, and below ``repositories/<name…>`` files called ``link`` that hold a digest: of each
tag, of each manifest (a revision), of each layer and config. A repository may lie in the folder of
another; no component of a name begins with ``_``.

The tree is listed once. Each document is read once, however many tags and indexes name it: images
are found without names first, and named by the graph of tags, revisions and indexes at the end.
Source: distribution/distribution, registry/storage/paths.go.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, object_in, objects_in, parse_object
from dedupe.model.identity import Digest, is_digest
from dedupe.model.images import (
    BlobRef,
    FoundImage,
    FoundOther,
    ObjectRef,
    Severity,
    StoredBlob,
)
from dedupe.model.paths import printable
from dedupe.sources.documents.config import platform_of
from dedupe.sources.documents.manifests import ManifestReader, is_attestation
from dedupe.sources.holders.objects import ObjectHolder
from dedupe.sources.interface import Contents, Failed, Holder

#: what may have been named: the registry's root, or a folder on the way down
_PREFIXES = ("docker/registry/v2", "registry/v2", "v2", "")
#: a link is a digest; the longest has 135 characters
_MAX_LINK_BYTES = 1024
#: documents asked for together, where each is a round trip
_BATCH = 256
#: SHA-256 of no bytes: the one blob that may be empty
_EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def registry_prefix(is_folder: Callable[[str], bool]) -> str | None:
    """Where the storage begins below a root; None where the root holds none."""
    for prefix in _PREFIXES:
        if all(is_folder(_below(prefix, name)) for name in ("repositories", "blobs")):
            return prefix
    return None


@dataclass(slots=True)
class _Repository:
    """What the links of one repository say."""

    #: tag -> manifest or index
    tags: dict[str, Digest] = field(default_factory=dict)
    revisions: dict[Digest, None] = field(default_factory=dict)


class Registry:
    """One registry's storage; read ``contents`` first, then ask for the rest."""

    def __init__(self, holder: Holder, prefix: str) -> None:
        self._holder = holder
        self._prefix = prefix
        #: bytes of links, uploads and whatever else is no blob
        self.other_bytes = 0
        #: blobs of all repositories
        self.blobs: list[StoredBlob] = []
        self._sizes: dict[str, int] = {}
        self._repositories: dict[str, _Repository] = {}

    def read(self, contents: Contents) -> None:
        """All images that tags and revisions lead to; problems become rows."""
        self._list_blobs(contents)
        self._list_links(contents)
        store = _Blobs(self._holder, self._sizes)
        reader = _Documents(store, contents, self._blob_name)
        roots = self._roots()
        reader.read_all(roots, self._holder)
        names = self._names(reader.children)
        contents.images = [_named_image(one, names, reader.entries) for one in contents.images]
        contents.others = [_named_other(one, names, reader.entries) for one in contents.others]
        if self._holder.has("scheduler-state.json"):
            _excuse_cache(contents)

    def _list_blobs(self, contents: Contents) -> None:
        for name, size in self._listed("blobs", contents):
            parts = name.split("/")
            # <alg>/<first two>/<hex>/data
            digest = f"{parts[-4]}:{parts[-2]}" if len(parts) > 4 else ""
            if is_digest(digest) and name == self._blob_name(Digest(digest)):
                self.blobs.append(StoredBlob(name, size, Digest(digest)))
                self._sizes[name] = size
            else:
                self.other_bytes += size

    def _list_links(self, contents: Contents) -> None:
        tags: dict[tuple[str, str], bool] = {}
        links: list[tuple[str, str]] = []
        names: list[str] = []
        skip = len(_below(self._prefix, "repositories/"))
        for name, size in self._listed("repositories", contents):
            self.other_bytes += size
            match _split(name[skip:]):
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
                    # links of layers, uploads: bytes only
                    pass
        for (repository, tag), target in zip(links, self._targets(names, contents), strict=True):
            if target is not None:
                found = self._repositories.setdefault(repository, _Repository())
                if tag:
                    found.tags[tag] = target
                else:
                    found.revisions[target] = None
        for (repository, tag), current in tags.items():
            if not current:
                contents.failed(
                    printable(f"{repository}:{tag}"),
                    SourceError("a tag without its current/link", "blob-missing"),
                )

    def _targets(self, names: list[str], contents: Contents) -> Iterator[Digest | None]:
        """Digest that each link holds; None, and a problem, where it holds none."""
        waiting = iter(names)
        while batch := list(islice(waiting, _BATCH)):
            if isinstance(self._holder, ObjectHolder):
                self._holder.expect(batch)
            for name in batch:
                target = None
                try:
                    target = _target(self._holder.read(name, _MAX_LINK_BYTES))
                except SourceError as error:
                    contents.failed(printable(name), error)
                yield target

    def _listed(self, folder: str, contents: Contents) -> Iterator[tuple[str, int]]:
        def failed(name: str, error: SourceError) -> None:
            contents.failed(printable(name), error)

        return self._holder.listing(_below(self._prefix, folder), failed)

    def _blob_name(self, digest: Digest) -> str:
        algorithm, _, encoded = digest.partition(":")
        return _below(self._prefix, f"blobs/{algorithm}/{encoded[:2]}/{encoded}/data")

    def _roots(self) -> dict[Digest, str]:
        """Documents that links name, tagged ones first, and what to call them in problems."""
        roots: dict[Digest, str] = {}
        for name, repository in self._repositories.items():
            for tag, digest in repository.tags.items():
                roots.setdefault(digest, f"{name}:{tag}")
        for name, repository in self._repositories.items():
            for digest in repository.revisions:
                roots.setdefault(digest, f"{name}@{digest}")
        return roots

    def _names(self, children: dict[Digest, list[Digest]]) -> dict[Digest, dict[str, None]]:
        """Names of every document: its tags and those of the indexes above it.

        A revision that no tag and no index of its repository leads to is named by its digest.
        """
        names: dict[Digest, dict[str, None]] = {}
        below = {index: _descendants(index, children) for index in children}
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


class _Blobs:
    """The registry's blobs as a holder, which answers from the listing where it can."""

    def __init__(self, holder: Holder, sizes: dict[str, int]) -> None:
        self._holder = holder
        self._sizes = sizes
        self._refs: dict[str, BlobRef | ObjectRef] = {}

    def read(self, name: str, limit: int) -> bytes:
        self._not_empty(name)
        return self._holder.read(name, limit)

    def blob(self, name: str) -> BlobRef | ObjectRef:
        # thousands of images share a layer: its file is looked at once
        ref = self._refs.get(name)
        if ref is None:
            self._not_empty(name)
            ref = self._refs[name] = self._holder.blob(name)
        return ref

    def has(self, name: str) -> bool:
        return name in self._sizes or self._holder.has(name)

    def listing(self, folder: str, failed: Failed | None = None) -> Iterator[tuple[str, int]]:
        return self._holder.listing(folder, failed)

    def _not_empty(self, name: str) -> None:
        if self._sizes.get(name) == 0 and _EMPTY.partition(":")[2] not in name:
            raise SourceError(f"{name}: the blob is empty", "blob-truncated")


class _Documents(ManifestReader):
    """Reads manifests and indexes one at a time, each once; remembers what indexes name."""

    def __init__(
        self, holder: Holder, contents: Contents, name_of: Callable[[Digest], str]
    ) -> None:
        super().__init__(holder, contents, name_of)
        self._store = holder
        self._file_of = name_of
        self._current = Digest("")
        #: documents that each index names
        self.children: dict[Digest, list[Digest]] = {}
        #: what the first index that names a document says of it
        self.entries: dict[Digest, dict[str, Any]] = {}
        self._waiting: deque[tuple[Digest, str]] = deque()

    def read_all(self, roots: dict[Digest, str], holder: Holder) -> None:
        """Everything that these lead to; ``roots`` says what to call each in problems."""
        read: set[Digest] = set()
        starts = iter(roots.items())
        while batch := [*self._next(), *islice(starts, _BATCH)]:
            batch = [item for item in dict(batch).items() if item[0] not in read]
            if isinstance(holder, ObjectHolder):
                self._expect(holder, [digest for digest, _ in batch])
            for digest, subject in batch:
                read.add(digest)
                self._current = digest
                entry = self.entries.get(digest, {"digest": digest})
                # what no link names may be absent, as a platform that was not copied
                self.follow(entry, (subject,), 0 if digest in roots else 2)

    def index(self, document: dict[str, Any], names: tuple[str, ...], depth: int = 0) -> None:  # noqa: ARG002
        """Remember what an index names, to be read in its turn."""
        named = self.children.setdefault(self._current, [])
        for entry in objects_in(document, "manifests"):
            digest = entry.get("digest")
            if not is_digest(digest):
                # says what is wrong with it
                self.follow(entry, names, 2)
                continue
            self.entries.setdefault(Digest(str(digest)), entry)
            named.append(Digest(str(digest)))
            self._waiting.append((Digest(str(digest)), names[0]))

    def _next(self) -> Iterator[tuple[Digest, str]]:
        while self._waiting:
            yield self._waiting.popleft()

    def _expect(self, holder: ObjectHolder, digests: Iterable[Digest]) -> None:
        """Fetch these documents together, then the configs that they name."""
        names = [self._file_of(digest) for digest in digests]
        holder.expect(names)
        configs = []
        for name in names:
            try:
                document = parse_object(holder.read(name, MAX_MANIFEST_BYTES), name)
            except SourceError:
                # said when its turn comes
                continue
            digest = object_in(document, "config").get("digest")
            if is_digest(digest):
                configs.append(self._file_of(Digest(str(digest))))
        holder.expect(configs, also=True)


def _split(name: str) -> tuple[str, list[str]]:
    """Repository and the rest, which begins with the first component that starts with ``_``."""
    parts = name.split("/")
    for number, part in enumerate(parts):
        if part.startswith("_"):
            return "/".join(parts[:number]), parts[number:]
    return name, []


def _target(data: bytes) -> Digest:
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


def _named_image(
    image: FoundImage,
    names: dict[Digest, dict[str, None]],
    entries: dict[Digest, dict[str, Any]],
) -> FoundImage:
    if image.digest is None:
        return image
    platform = image.platform
    if not str(platform):
        platform = platform_of(object_in(entries.get(image.digest, {}), "platform"))
    return replace(image, names=tuple(names.get(image.digest, ())), platform=platform)


def _named_other(
    other: FoundOther,
    names: dict[Digest, dict[str, None]],
    entries: dict[Digest, dict[str, Any]],
) -> FoundOther:
    """An attestation can be told by the index above it only, which may be read after it."""
    if other.digest is None:
        return other
    entry = entries.get(other.digest, {})
    return replace(
        other,
        kind="attestation" if is_attestation(entry) else other.kind,
        names=tuple(names.get(other.digest, ())),
        platform=platform_of(object_in(entry, "platform")),
    )


def _excuse_cache(contents: Contents) -> None:
    """A pull-through cache keeps only what was asked for: a gap in it is no damage."""
    contents.problems = [
        replace(problem, severity=Severity.NOTE) if problem.code == "blob-missing" else problem
        for problem in contents.problems
    ]


def _below(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
