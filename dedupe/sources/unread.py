"""Roots of other programs that keep layers: recognised, and counted, but their insides not read.

BuildKit keeps a cache of build steps, and lazy snapshotters keep parts of layers. What is in them
belongs to no image that could be listed, so they are measured only. Files in them that look like
layers are not images.
Source: moby/buildkit cmd/buildkitd, worker/runc; containerd/stargz-snapshotter
cmd/containerd-stargz-grpc; awslabs/soci-snapshotter config; containerd/nydus-snapshotter config.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from dedupe.errors import SourceError
from dedupe.model.disk import HolderKind, PlaceFacts, PlaceHolder, PlaceKind
from dedupe.model.images import SourceKind
from dedupe.sources.disk_usage import measure_parts
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent, StoreBytes

#: folder of one of BuildKit's workers: what runs the steps, and what keeps the snapshots
_WORKER = re.compile(r"(?:runc|crun|oci|containerd)-[a-z][a-z0-9.-]*\Z")
#: other folders of such roots
_FOLDERS = ("cache", "content", "executor", "snapshots", "snapshotter", "soci", "stargz")
_WORKER_FILES = ("containerdmeta.db", "metadata_v2.db")


@dataclass(frozen=True, slots=True)
class _UnreadRoot(ABC):
    """A root that is measured, each of its folders by itself, and not read."""

    kind: ClassVar[SourceKind]
    title: ClassVar[str]
    location: str
    holder: FolderHolder

    @classmethod
    def recognise(cls, candidate: Candidate) -> Sequence[Self]:
        """A folder with the marks of such a root."""
        holder = candidate.holder
        if isinstance(holder, FolderHolder) and cls._has_marks(holder):
            return [cls(candidate.location, holder)]
        return []

    @classmethod
    @abstractmethod
    def _has_marks(cls, holder: FolderHolder) -> bool:
        """Whether the folder is such a root."""

    def _facts(self, _path: str) -> PlaceFacts:
        """What a folder of the root is; an empty path stands for the files beside the folders."""
        owner = None if self.kind is SourceKind.SNAPSHOTTER else f"{self.kind} snapshotter"
        return PlaceFacts(PlaceKind.UNRECOGNISED, owner)

    def read_contents(self) -> Contents:
        """No images: only the bytes of everything below the root; errors become problems."""
        contents = Contents(names_images=False)
        error = SourceError(f"{self.title} is recognised, but its insides are not read", "not-read")
        contents.add_note(".", error.code, error.message)
        contents.hide_references(".", error)
        try:
            # folders of the root may be on a disk of their own; deeper mounts are lazy layers
            names = self.holder.store.list_folder(())
            own = [name for name in names if name in _FOLDERS or _WORKER.match(name)]
            folders = [name for name in names if self.holder.is_folder(name)]
            # a worker's folder is little more than a shell around its own folders
            folders += [
                f"{name}/{folder}"
                for name in folders
                if _WORKER.match(name)
                for folder in _FOLDERS
                if self.holder.is_folder(f"{name}/{folder}")
            ]
            usage = measure_parts(self.holder.store, {name: name for name in folders}, own=own)
        except SourceError as failure:
            contents.add_error(".", failure)
            return contents
        usage.report(contents)
        contents.unpacked = StoreBytes(
            stored_bytes=sum(part.file_bytes for part in usage.parts.values()),
            orphan_bytes=0,
            other_bytes=usage.allocated_bytes,
        )
        contents.places = usage.found_places(lambda path, _part: self._facts(path))
        return contents

    def descent(self) -> Descent:
        """Nothing: all of the folder is the program's."""
        return NO_DESCENT


class BuildKitRoot(_UnreadRoot):
    """BuildKit's own root, the folder of one of its workers, or its folder in docker's root."""

    __slots__ = ()
    kind: ClassVar[SourceKind] = SourceKind.BUILDKIT
    title: ClassVar[str] = "BuildKit's root"

    @classmethod
    def _has_marks(cls, holder: FolderHolder) -> bool:
        if holder.has("buildkitd.lock") or _is_worker(holder, ""):
            return True
        try:
            names = holder.store.list_folder(())
        except SourceError:
            return False
        return any(_WORKER.match(name) and _is_worker(holder, f"{name}/") for name in names)

    def _facts(self, path: str) -> PlaceFacts:
        if not path:
            return PlaceFacts(PlaceKind.METADATA)
        # docker's has the records of its graph driver's folders
        is_docker = self.holder.has("snapshots.db")
        command = ("docker", "builder", "prune") if is_docker else ("buildctl", "prune")
        holder = PlaceHolder(HolderKind.BUILD_CACHE, "BuildKit", command)
        return PlaceFacts(PlaceKind.BUILD_CACHE, "BuildKit", holders=(holder,), command=command)


def _is_worker(holder: FolderHolder, prefix: str) -> bool:
    """Whether this is the folder of a worker: its databases, and what they are about."""
    folders = sum(holder.is_folder(prefix + name) for name in ("content", "snapshots", "executor"))
    return folders > 1 or bool(folders and any(holder.has(prefix + name) for name in _WORKER_FILES))


def _has_snapshotter(holder: FolderHolder, prefix: str = "") -> bool:
    """Whether this is the folder of a snapshotter of containerd."""
    return holder.is_folder(f"{prefix}snapshots") and holder.has(f"{prefix}metadata.db")


def _is_lazy(holder: FolderHolder) -> bool:
    """Whether a snapshotter and its cache are in folders of their own."""
    return holder.is_folder("snapshotter/snapshots") or holder.has("snapshotter/metadata.db")


class SociRoot(_UnreadRoot):
    """The root of the SOCI snapshotter."""

    __slots__ = ()
    kind: ClassVar[SourceKind] = SourceKind.SOCI
    title: ClassVar[str] = "the SOCI snapshotter's root"

    @classmethod
    def _has_marks(cls, holder: FolderHolder) -> bool:
        return _is_lazy(holder) and (
            holder.has("artifacts.db") or holder.is_folder("soci") or holder.is_folder("content")
        )


class StargzRoot(_UnreadRoot):
    """The root of the stargz snapshotter."""

    __slots__ = ()
    kind: ClassVar[SourceKind] = SourceKind.STARGZ
    title: ClassVar[str] = "the stargz snapshotter's root"

    @classmethod
    def _has_marks(cls, holder: FolderHolder) -> bool:
        return _is_lazy(holder)


class NydusRoot(_UnreadRoot):
    """The root of the nydus snapshotter."""

    __slots__ = ()
    kind: ClassVar[SourceKind] = SourceKind.NYDUS
    title: ClassVar[str] = "the nydus snapshotter's root"

    @classmethod
    def _has_marks(cls, holder: FolderHolder) -> bool:
        return holder.is_folder("snapshots") and (
            holder.has("nydus.db")
            or (holder.has("metadata.db") and holder.is_folder("cache"))
            or (holder.is_folder("socket") and holder.is_folder("config"))
        )


class SnapshotterRoot(_UnreadRoot):
    """The folder of any other snapshotter: it cannot be read without containerd's metadata."""

    __slots__ = ()
    kind: ClassVar[SourceKind] = SourceKind.SNAPSHOTTER
    title: ClassVar[str] = "a snapshotter's folder without containerd's metadata"

    @classmethod
    def _has_marks(cls, holder: FolderHolder) -> bool:
        return _has_snapshotter(holder)
