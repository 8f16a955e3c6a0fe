"""containerd's root, and docker's root if docker keeps images in containerd; read in candidate.

A name in a namespace refers to a target digest, which leads over blobs to images as in an image
layout. All names of one target, in any namespace, are names of one image. Layers are read from
their blobs, or from the snapshots of their chain IDs if the blobs were discarded after unpacking.
Nothing is locked while other programs write: see ``formats/bolt.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile
from dedupe.model.identity import Digest, is_digest
from dedupe.model.images import FoundContainer, FoundImage, SourceKind, StoredBlob
from dedupe.model.paths import path_text, printable
from dedupe.sources.containerd.blobs import CONTENT, ContainerdBlobs, lost_images
from dedupe.sources.containerd.containers import Origins, recorded_containers
from dedupe.sources.containerd.docker import (
    NAMESPACE,
    docker_containers,
    forgotten_containers,
)
from dedupe.sources.containerd.holders import Ctr, Holders, Target
from dedupe.sources.containerd.holds import Keeper, KeeperKind, Kept, has_expired, kept_by
from dedupe.sources.containerd.metadata import METADATA, read_metadata
from dedupe.sources.containerd.places import RootFacts
from dedupe.sources.containerd.records import ContainerdImage, Metadata, Resource
from dedupe.sources.containerd.snapshots import READABLE, ContainerdRoot, Snapshots
from dedupe.sources.containerd.usage import measure_containerd
from dedupe.sources.docker.remapped import remapped_roots
from dedupe.sources.docker.root_folders import claims_of_root, is_without_images
from dedupe.sources.documents.manifests import ManifestReader
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent

#: name before the digest of a docker image that has no name
_DANGLING = "moby-dangling"
#: containerd's root below docker's
_BELOW_DOCKER = ("containerd", "daemon")


@dataclass(frozen=True, slots=True)
class ContainerdStore:
    """containerd's root."""

    kind: ClassVar[SourceKind] = SourceKind.CONTAINERD
    location: str
    root: ContainerdRoot

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[ContainerdStore]":
        """A folder with containerd's content or metadata."""
        holder = candidate.holder
        if isinstance(holder, FolderHolder) and _is_containerd(holder):
            return [cls(candidate.location, ContainerdRoot(holder.store))]
        return []

    def read_contents(self) -> Contents:
        """Read the images and containers of all namespaces; errors become problems."""
        contents = Contents()
        _read_store(self.root, contents, docker=False)
        return contents

    def descent(self) -> Descent:
        """Nothing: all of the folder is containerd's."""
        return NO_DESCENT


@dataclass(frozen=True, slots=True)
class DockerContainerdStore:
    """docker's root, with the images that docker keeps in its own containerd."""

    kind: ClassVar[SourceKind] = SourceKind.DOCKER_CONTAINERD
    location: str
    holder: FolderHolder

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[DockerContainerdStore]":
        """A folder with a containerd root where docker keeps it."""
        holder = candidate.holder
        if isinstance(holder, FolderHolder) and _is_containerd(holder, _BELOW_DOCKER):
            location = path_text(bytes(holder.root.joinpath(*_BELOW_DOCKER)))
            return [cls(location, holder)]
        return []

    def read_contents(self) -> Contents:
        """Read the images and containers of all namespaces; errors become problems."""
        contents = Contents()
        _read_store(ContainerdRoot(self.holder.store, _BELOW_DOCKER), contents, docker=True)
        # a docker that keeps images with a graph driver has a containerd too, without images
        contents.unused = self.holder.has("image") and is_without_images(contents)
        contents.around = claims_of_root(self.holder.store)
        return contents

    def descent(self) -> Descent:
        """The folder may be that of a graph driver's store too; below it are remapped roots."""
        return Descent(same_folder=True, entries=remapped_roots(self.holder))


def _is_containerd(holder: FolderHolder, below: tuple[str, ...] = ()) -> bool:
    """Whether the folder of content or that of metadata exists.

    What is in them may be unreadable, which becomes a problem when they are read.
    """
    return any(holder.has("/".join((*below, folder))) for folder in (CONTENT, METADATA[0]))


def _read_store(root: ContainerdRoot, contents: Contents, *, docker: bool) -> None:
    # metadata first: if the store cannot be read, the problem should say what to do
    metadata = _read_metadata(root, contents)
    snapshots = Snapshots(root, contents)
    blobs = ContainerdBlobs(root, snapshots)
    tool, origins = Ctr(docker), Origins()
    targets = _read_images(root, metadata, blobs, origins, contents)
    for snapshotter in sorted(metadata.snapshotters - set(READABLE)):
        contents.add_note(
            printable(snapshotter),
            "unsupported-snapshotter",
            f"snapshots of {printable(snapshotter)} are not read: layers are read from their blobs",
        )
    of_docker = docker_containers(root, snapshots, origins, contents) if docker else []
    known = {container.container_id for container in of_docker}
    contents.containers += of_docker
    contents.containers += [
        container
        for container in recorded_containers(root, metadata, snapshots, origins, contents)
        if container.container_id not in known
    ]
    known = {container.container_id for container in contents.containers}
    of_docker += (forgotten := forgotten_containers(snapshots, origins, known))
    contents.containers += forgotten
    kept = _find_kept(metadata, snapshots, of_docker, contents)
    contents.referenced |= {Digest(one.key) for one in kept if not one.snapshotter}
    contents.blobs = _list_blobs(root, blobs, contents)
    holders = Holders(metadata, kept, targets, of_docker, tool)
    facts = RootFacts(root, metadata, snapshots, holders, targets, contents)
    measure_containerd(root, snapshots, facts, contents)
    contents.moved = root.store.moved_folders()


def _read_images(
    root: ContainerdRoot,
    metadata: Metadata,
    blobs: ContainerdBlobs,
    origins: Origins,
    contents: Contents,
) -> dict[str, Target]:
    """Add all images to the contents, and return the targets that they were found at."""
    targets: dict[str, Target] = {}
    reader = ManifestReader(blobs, contents)
    for records in _by_target(metadata.images):
        images, others = len(contents.images), len(contents.others)
        reader.follow(records[0].target, _names(records))
        contents.images[images:] = _with_records(contents.images[images:], records)
        target = targets[str(records[0].target["digest"])] = Target(
            contents.images[images:], contents.others[others:]
        )
        for record in records:
            target.names.setdefault(record.namespace, []).append(record.name)
        origins.add(records, target.images)
    if metadata.errors:
        before = len(contents.images)
        # an error of listing becomes a problem later
        for entry, names in lost_images(
            blobs, _list_blobs(root, blobs, Contents()), contents.referenced
        ):
            reader.follow(entry, names)
        lost = targets[""] = Target(contents.images[before:])
        origins.add((), lost.images)
    return targets


def _find_kept(
    metadata: Metadata,
    snapshots: Snapshots,
    of_docker: Sequence[FoundContainer],
    contents: Contents,
) -> Kept:
    """What containerd's garbage collection keeps; too much of it becomes a problem."""
    also = [
        (
            Keeper(KeeperKind.CONTAINER, NAMESPACE, container.container_id),
            [
                Resource(NAMESPACE, name, container.container_id)
                for name in snapshots.snapshotters()
            ],
        )
        for container in of_docker
    ]
    below = snapshots.below(metadata.known)
    try:
        return kept_by(metadata, below, also)
    except SourceError as error:
        contents.add_unseen("/".join(METADATA), error)
        return {}


def _list_blobs(
    root: ContainerdRoot, blobs: ContainerdBlobs, contents: Contents
) -> list[StoredBlob]:
    found: list[StoredBlob] = []
    try:
        # what was listed before an error is kept
        found.extend(blobs.list_blobs())
    except SourceError as error:
        contents.add_unseen("/".join(root.parts(CONTENT, "blobs")), error)
    return found


def _read_metadata(root: ContainerdRoot, contents: Contents) -> Metadata:
    parts = root.parts(*METADATA)
    try:
        metadata = read_metadata(BoltFile.open(root.store, parts))
    except SourceError as error:
        metadata = Metadata(errors=[error])
    now = datetime.now(UTC)
    metadata.leases = [lease for lease in metadata.leases if not has_expired(lease, now)]
    for damage in metadata.errors:
        if damage.code == "link-refused":
            # the same error as for everything else in the folder
            contents.add_unseen("/".join(parts), damage)
            continue
        advice = (
            "; a scan as root can read it"
            if damage.code == "permission-denied"
            else "; images whose names are lost are read from the blobs, without names"
        )
        contents.add_unseen("/".join(parts), SourceError(damage.message + advice, damage.code))
    return metadata


def _by_target(records: list[ContainerdImage]) -> list[list[ContainerdImage]]:
    """Group records by target, so that each target is followed once."""
    groups: dict[str, list[ContainerdImage]] = {}
    for record in records:
        groups.setdefault(str(record.target["digest"]), []).append(record)
    return list(groups.values())


def _names(records: list[ContainerdImage]) -> tuple[str, ...]:
    """The names of a target that users know.

    CRI names an image by tag, by digest and by its ID; docker gives images without a name one of
    its own. A digest is used as a name only if its repository has no tag of this target.
    """
    tags, digests = [], []
    for name in dict.fromkeys(record.name for record in records):
        repository, at, _ = name.partition("@")
        if at:
            digests.append((repository, name))
        elif not is_digest(name):
            tags.append(name)
    tagged = {_repository(tag) for tag in tags}
    return (
        *tags,
        *(
            name
            for repository, name in digests
            if repository != _DANGLING and _repository(repository) not in tagged
        ),
    )


def _with_records(
    images: Sequence[FoundImage], records: Sequence[ContainerdImage]
) -> list[FoundImage]:
    """The images with the names and namespaces of these records."""
    namespaced = tuple(printable(f"{record.namespace}/{record.name}") for record in records)
    return [replace(image, namespaced=namespaced) for image in images]


def _repository(name: str) -> str:
    repository, _, tag = name.rpartition(":")
    return repository if repository and "/" not in tag else name
