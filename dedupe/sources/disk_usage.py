"""Disk usage of a store by its parts: layers, containers, the rest.

One walk over everything below the store's root, like ``du -x`` of each of its devices. The store's
own folders are entered on any device, and where they are if a link is in their place. No other link
is followed, and no other mount is entered: merged views, volumes on a server, shared memory. An
inode counts once, for the part with its first name. Shared extents of files count once too, if the
file system can list them.
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dedupe.errors import SourceError, reason_of
from dedupe.host.extents import RangeSet, may_share, shared_extents
from dedupe.host.links import Place
from dedupe.host.mounts import mounts_below
from dedupe.host.store_root import StoreRoot
from dedupe.host.trees import MAX_DEPTH, open_entry, open_folder
from dedupe.model.disk import FoundPlace, PlaceFacts
from dedupe.model.identity import Inode
from dedupe.model.images import FoundLayer, TreeRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import Contents
from dedupe.sources.subtree_usage import (
    SUBVOLUME,
    LinkedFile,
    Subtree,
    SubtreeBytes,
    linked_file,
    measure_subtrees,
)

#: the part of all files that belong to no other part
OTHER = ""


@dataclass(slots=True)
class PartBytes:
    """Bytes of one part of a store."""

    #: disk usage, folders included
    allocated_bytes: int = 0
    #: sizes of its regular files added up
    file_bytes: int = 0


@dataclass(slots=True)
class PlaceBytes(PartBytes):
    """Bytes of one file or folder that was given a part, without those in it that were too."""

    part: str = OTHER
    #: number of its regular files
    files: int = 0
    #: latest modification of an entry, seconds since 1970
    changed: float | None = None
    #: files with names that the walk has not seen: inode -> disk usage, size
    links: dict[Inode, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class DiskUsage:
    """Bytes of a store by place and by part."""

    #: path below the walk's root -> bytes; places that were not found are absent
    places: dict[str, PlaceBytes] = field(default_factory=dict)
    #: folders that could not be read: path of the first, its error, and how many there are
    unread: tuple[str, str, int] | None = None
    #: mounts that were left out: path, and type of the file system
    foreign: dict[str, str] = field(default_factory=dict)
    #: errors of own folders that are links out of what the user named: path, error
    refused: dict[str, SourceError] = field(default_factory=dict)

    #: bytes by part, once the walk has ended
    _parts: dict[str, PartBytes] | None = None

    @property
    def parts(self) -> dict[str, PartBytes]:
        """Bytes of each part that was found."""
        if self._parts is None:
            self._parts = {}
            for place in self.places.values():
                part = self._parts.setdefault(place.part, PartBytes())
                part.allocated_bytes += place.allocated_bytes
                part.file_bytes += place.file_bytes
        return self._parts

    def of(self, part: str) -> PartBytes:
        """Bytes of this part; zero if it was not found."""
        return self.parts.get(part, PartBytes())

    @property
    def allocated_bytes(self) -> int:
        """Disk usage of everything below the root."""
        return sum(place.allocated_bytes for place in self.places.values())

    def found_places(
        self, facts_of: Callable[[str, str], PlaceFacts], below: Sequence[str] = ()
    ) -> list[FoundPlace]:
        """The places, with what the source knows of each.

        ``facts_of`` takes the path and the part of a place. ``below`` are the folders from the
        source's location to the walk's root.
        """
        return [
            FoundPlace(
                path_text(os.fsencode("/".join((*below, *([path] if path else []))))),
                facts_of(path, place.part),
                place.allocated_bytes,
                place.file_bytes,
                place.files,
                place.changed,
                tuple((inode, *sizes) for inode, sizes in place.links.items()),
            )
            for path, place in self.places.items()
        ]

    def report(self, contents: Contents) -> None:
        """Add problems of folders that could not be read, and a note if mounts were left out."""
        for path, error in self.refused.items():
            contents.add_error(path, error)
        if self.foreign:
            kinds = Counter(self.foreign.values())
            listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
            counted = "1 mount is" if len(self.foreign) == 1 else f"{len(self.foreign)} mounts are"
            contents.add_note(
                min(self.foreign),
                "foreign-mounts",
                f"{counted} not part of the store and not counted in disk usage ({listed})",
            )
        if self.unread is not None:
            path, reason, count = self.unread
            more = f" (and {count - 1} more folders)" if count > 1 else ""
            contents.add_unseen(
                path,
                SourceError(
                    f"cannot be read: {reason}{more}: not counted in disk usage; "
                    "a scan as the store's owner or root can read it",
                    "permission-denied",
                ),
            )


def measure_parts(
    root: StoreRoot,
    parts: Mapping[str, str | None],
    *,
    below: tuple[str, ...] = (),
    own: Collection[str] = (),
) -> DiskUsage:
    """Walk a store and add up the bytes of its parts.

    ``parts`` maps folders and files, by path with slashes, to the name of their part. What is not
    in it belongs to the part of the folder above. None leaves a folder or file out. Paths are those
    below the folder ``below`` of ``root``, which is where the walk begins. ``own`` has paths of
    folders that may be links or mounts; so may all folders above them and above those in ``parts``.
    Raises SourceError ``blob-missing``, ``permission-denied`` or ``not-a-folder`` if the folder
    cannot be opened.
    """
    place = root.find(*below)
    folders = _with_folders_above((*own, *(name.rpartition("/")[0] for name in parts)))
    moved: dict[str, Place] = {}
    refused: dict[str, SourceError] = {}
    # a folder before those in it, which may be reached through it
    for path in sorted(folders):
        names = (*below, *path.split("/"))
        try:
            if root.is_link(*names) or names in root.moved:
                moved[path] = root.find(*names)
        except SourceError as error:
            # anything else that is not a folder is counted as the entry that it is
            if error.code == "link-refused":
                refused[path] = error
    walk = _UsageWalk(place, parts, moved, folders)
    walk.usage.refused = refused
    try:
        walk.measure()
    finally:
        walk.close()
    return walk.usage


def set_allocated_bytes(
    contents: Contents, usage: DiskUsage, part_of: Callable[[TreeRef], str | None]
) -> None:
    """Set the disk usage of each unpacked layer and writable branch of the store.

    ``part_of`` returns the part that a tree's folder is in; None if it is in another store.
    """

    def allocated(tree: TreeRef | None) -> int | None:
        part = part_of(tree) if tree is not None else None
        return usage.of(part).allocated_bytes if part is not None else None

    def measured(layer: FoundLayer) -> FoundLayer:
        return replace(layer, allocated_bytes=allocated(layer.tree))

    contents.images = [
        replace(image, layers=tuple(measured(layer) for layer in image.layers))
        for image in contents.images
    ]
    contents.containers = [
        replace(container, allocated_bytes=allocated(container.upper))
        for container in contents.containers
    ]


@dataclass(slots=True)
class _OpenFolder:
    """A folder that the walk is in."""

    descriptor: int
    #: path below the root of the walk
    path: str
    place: PlaceBytes
    #: absolute path without links, as the table of mounts has it
    real: bytes
    device: int
    entries: "Iterator[os.DirEntry[str]]"
    #: extents of its file system that were counted; None if files cannot share any
    extents: RangeSet | None


class _UsageWalk:
    """Walks a store and fills ``usage``; the caller closes it."""

    def __init__(
        self,
        place: Place,
        parts: Mapping[str, str | None],
        moved: Mapping[str, Place],
        own: Collection[str],
    ) -> None:
        self.usage = DiskUsage()
        self._parts = parts
        self._moved = moved
        self._own = own
        #: folders above a path of ``parts`` or a folder that is elsewhere: what is below any other
        #: belongs to one place
        self._upper = _with_folders_above((*own, *parts))
        #: files with several names: number of names that were seen, the first of them, its place
        self._linked: dict[Inode, tuple[int, LinkedFile, PlaceBytes]] = {}
        #: folders that were entered, if a link may lead to one that is walked anyway
        self._folders: set[tuple[int, int]] = set()
        self._extents: dict[int, RangeSet] = {}
        self._mounts: dict[bytes, str] = {}
        self._open: list[_OpenFolder] = []
        self._place = place
        #: folders that are measured at the end, and their places
        self._plain: list[tuple[Subtree, PlaceBytes]] = []
        self._begin("", PlaceBytes(part=OTHER), place)

    def close(self) -> None:
        for folder in self._open:
            os.close(folder.descriptor)

    def measure(self) -> None:
        self._walk()
        subtrees = [subtree for subtree, _ in self._plain]
        for (_, place), found in zip(self._plain, measure_subtrees(subtrees), strict=True):
            self._add_subtree(place, found)
        for seen, file, place in self._linked.values():
            self._count_linked(seen, file, place)

    def _walk(self) -> None:
        while self._open:
            folder = self._open[-1]
            entry = next(folder.entries, None)
            if entry is None:
                self._open.pop()
                os.close(folder.descriptor)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                # deleted after its folder was listed
                continue
            below = f"{folder.path}/{entry.name}" if folder.path else entry.name
            if stat.S_ISDIR(status.st_mode):
                self._enter_folder(folder, entry.name, below, status)
                continue
            found = self._place_of(below, folder.place)
            if found is None:
                continue
            # the link in place of a folder that is elsewhere is not a part of that folder
            holder = folder.place if below in self._moved else found
            self._add_file(folder, holder, entry.name, status)
            if below in self._moved:
                self._begin(below, found, self._moved[below])

    def _place_of(self, path: str, above: PlaceBytes) -> PlaceBytes | None:
        """The place that a path belongs to; None if it is left out."""
        if path not in self._parts:
            return above
        part = self._parts[path]
        return None if part is None else self.usage.places.get(path) or PlaceBytes(part=part)

    def _begin(self, path: str, found: PlaceBytes, place: Place) -> None:
        """Enter a folder at a place of its own: the root, or one that a link leads to."""
        real = os.fsencode(os.path.realpath(place.root.joinpath(*place.parts)))
        try:
            descriptor = open_folder(*place)
        except SourceError:
            if not path:
                raise
            self._add_unread(path, OSError(errno.ENOTDIR, "not a folder any more"))
            return
        self._mounts |= mounts_below(real)
        self._push(descriptor, path, found, real, self._extents_of(descriptor, real))

    def _push(
        self, descriptor: int, path: str, place: PlaceBytes, real: bytes, extents: RangeSet | None
    ) -> None:
        status = os.fstat(descriptor)
        if self._moved:
            inode = (status.st_dev, status.st_ino)
            if inode in self._folders:
                os.close(descriptor)
                return
            self._folders.add(inode)
        self._add(place, path, status.st_blocks, status.st_mtime)
        if self._is_plain(path, real, extents):
            os.close(descriptor)
            parts = (*self._place.parts, *path.split("/"))
            subtree = Subtree(self._place.root, parts, path, status.st_dev, len(self._open))
            self._plain.append((subtree, place))
            return
        entries = self._entries(descriptor, path)
        self._open.append(
            _OpenFolder(descriptor, path, place, real, status.st_dev, entries, extents)
        )

    def _extents_of(self, descriptor: int, real: bytes) -> RangeSet | None:
        if not may_share(Path(os.fsdecode(real))):
            return None
        return self._extents.setdefault(os.fstat(descriptor).st_dev, RangeSet())

    def _enter_folder(
        self, above: _OpenFolder, name: str, path: str, status: os.stat_result
    ) -> None:
        place = self._place_of(path, above.place)
        if place is None:
            return
        real = above.real.rstrip(b"/") + b"/" + os.fsencode(name)
        elsewhere = status.st_dev != above.device and status.st_ino != SUBVOLUME
        if (elsewhere or real in self._mounts) and path not in self._own:
            kind = self._mounts.get(real, "another file system")
            self.usage.foreign[path_text(os.fsencode(path))] = kind
            return
        if len(self._open) >= MAX_DEPTH:
            self._add(place, path, status.st_blocks, status.st_mtime)
            self._add_unread(path, OSError(errno.ENAMETOOLONG, f"nested deeper than {MAX_DEPTH}"))
            return
        try:
            deeper = open_entry(above.descriptor, name)
        except OSError as error:
            self._add(place, path, status.st_blocks, status.st_mtime)
            self._add_unread(path, error)
            return
        extents = above.extents
        if status.st_dev != above.device and status.st_ino != SUBVOLUME:
            extents = self._extents_of(deeper, real)
        self._push(deeper, path, place, real, extents)

    def _entries(self, folder: int, path: str) -> "Iterator[os.DirEntry[str]]":
        try:
            with os.scandir(folder) as entries:
                return iter(sorted(entries, key=lambda entry: entry.name))
        except OSError as error:
            self._add_unread(path, error)
            return iter(())

    def _add_file(
        self, folder: _OpenFolder, place: PlaceBytes, name: str, status: os.stat_result
    ) -> None:
        path = f"{folder.path}/{name}" if folder.path else name
        if status.st_nlink > 1 and self._is_counted(folder, place, path, status):
            return
        self._add(place, path, status.st_blocks, status.st_mtime)
        if stat.S_ISREG(status.st_mode):
            place.files += 1
            place.file_bytes += status.st_size
            if folder.extents is not None and status.st_blocks:
                place.allocated_bytes -= self._counted_before(
                    folder.descriptor, name, folder.extents
                )

    def _is_counted(
        self, folder: _OpenFolder, place: PlaceBytes, path: str, status: os.stat_result
    ) -> bool:
        """Keep a file with several names; whether it is counted elsewhere: later, or already.

        Files that share extents are counted under the name that the walk finds first. All others
        are counted at its end, under the first name in the order of paths.
        """
        is_new = self._add_linked(linked_file(path, status), place)
        return folder.extents is None or not is_new

    def _add_linked(self, file: LinkedFile, place: PlaceBytes) -> bool:
        """Keep a name of a file; whether it is the first that was found."""
        known = self._linked.get(file.inode)
        if known is None:
            self._linked[file.inode] = (1, file, place)
            return True
        seen, first, held = known
        if file.inode[0] not in self._extents and file.path.split("/") < first.path.split("/"):
            first, held = file, place
        self._linked[file.inode] = (seen + 1, first, held)
        return False

    def _count_linked(self, seen: int, file: LinkedFile, place: PlaceBytes) -> None:
        """Count a file with several names, of which the walk has seen so many."""
        if file.inode[0] not in self._extents:
            self._add(place, file.path, file.blocks, file.changed)
            if file.size_bytes is not None:
                place.files += 1
                place.file_bytes += file.size_bytes
        if seen < file.names:
            place.links[file.inode] = (file.blocks * 512, file.size_bytes or 0)

    def _counted_before(self, folder: int, name: str, shared: RangeSet) -> int:
        """Return how many bytes of this file were counted as extents of another."""
        try:
            descriptor = open_entry(folder, name, folder=False)
        except OSError:
            return 0
        try:
            return sum(shared.add(*extent) for extent in shared_extents(descriptor))
        except OSError:
            return 0
        finally:
            os.close(descriptor)

    def _add(self, place: PlaceBytes, path: str, blocks: int, changed: float) -> None:
        if place.changed is None:
            # its first entry: the folder or file itself
            self.usage.places[path if path in self._parts else ""] = place
        place.allocated_bytes += blocks * 512
        place.changed = max(place.changed or 0, changed)

    def _add_subtree(self, place: PlaceBytes, found: SubtreeBytes) -> None:
        """Add what is below a folder of which everything belongs to its place."""
        place.allocated_bytes += found.blocks * 512
        place.file_bytes += found.file_bytes
        place.files += found.files
        place.changed = max(place.changed or 0, found.changed)
        for file in found.linked:
            self._add_linked(file, place)
        for path in found.foreign:
            self.usage.foreign[path_text(os.fsencode(path))] = "another file system"
        for path, error in found.unread:
            self._add_unread(path, error)

    def _is_plain(self, path: str, real: bytes, extents: RangeSet | None) -> bool:
        """Whether a folder is of one place, without mounts and without shared extents."""
        if not path or path in self._upper or self._moved or extents is not None:
            return False
        inside = real + b"/"
        return not any(mount.startswith(inside) for mount in self._mounts)

    def _add_unread(self, path: str, error: OSError) -> None:
        if error.errno == errno.ENOENT:
            return
        first, reason, count = self.usage.unread or (
            path_text(os.fsencode(path)),
            reason_of(error),
            0,
        )
        self.usage.unread = (first, reason, count + 1)


def _with_folders_above(paths: Collection[str]) -> set[str]:
    """These paths, and those of all folders above them."""
    found: set[str] = set()
    for path in paths:
        while path and path not in found:
            found.add(path)
            path = path.rpartition("/")[0]
    return found
