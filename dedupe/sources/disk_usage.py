"""Disk usage of a store by its parts: layers, containers, the rest.

One walk over everything below the store's root, like ``du -x``: it follows no link and enters no
other file system. An inode counts once, for the part with its first name. Shared extents of files
count once too, if the file system can list them.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dedupe.errors import SourceError, reason_of
from dedupe.host.extents import RangeSet, may_share, shared_extents
from dedupe.host.trees import MAX_DEPTH, open_entry, open_folder
from dedupe.model.images import FoundLayer, TreeRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import Contents

#: the part of all files that belong to no other part
OTHER = ""
#: inode number of the root of each btrfs subvolume; a subvolume has its own device number
_SUBVOLUME = 256


@dataclass(slots=True)
class PartBytes:
    """Bytes of one part of a store."""

    #: disk usage, folders included
    allocated_bytes: int = 0
    #: sizes of its regular files added up
    file_bytes: int = 0


@dataclass(slots=True)
class DiskUsage:
    """Bytes of a store by part."""

    #: parts that were not found are absent
    parts: dict[str, PartBytes] = field(default_factory=dict)
    #: folders that could not be read: path of the first, its error, and how many there are
    unread: tuple[str, str, int] | None = None

    def of(self, part: str) -> PartBytes:
        """Bytes of this part; zero if it was not found."""
        return self.parts.get(part, PartBytes())

    @property
    def allocated_bytes(self) -> int:
        """Disk usage of everything below the root."""
        return sum(part.allocated_bytes for part in self.parts.values())

    def report_unread(self, contents: Contents) -> None:
        """Add a problem if folders could not be read, so that figures lack them."""
        if self.unread is not None:
            path, reason, count = self.unread
            more = f" (and {count - 1} more folders)" if count > 1 else ""
            contents.add_open_error(
                path,
                SourceError(
                    f"cannot be read: {reason}{more}: not counted in disk usage; "
                    "a scan as the store's owner or root can read it",
                    "permission-denied",
                ),
            )


def measure_parts(root: Path, parts: Mapping[str, str | None]) -> DiskUsage:
    """Walk a store and add up the bytes of its parts.

    ``parts`` maps folders, by path below ``root`` with slashes, to the name of their part. A folder
    that is not in it belongs to the part of the folder above. None leaves a folder out.
    Raises SourceError ``blob-missing``, ``permission-denied`` or ``not-a-folder`` if the root
    cannot be opened.
    """
    top = open_folder(root, ())
    walk = _UsageWalk(top, parts, sharing=may_share(root))
    try:
        walk.measure()
    finally:
        walk.close()
    return walk.usage


def set_allocated_bytes(
    contents: Contents, root: Path, usage: DiskUsage, part_of: Callable[[tuple[str, ...]], str]
) -> None:
    """Set the disk usage of each unpacked layer and writable branch below ``root``.

    ``part_of`` returns the part that a tree's folder is in.
    """

    def allocated(tree: TreeRef | None) -> int | None:
        if tree is None or tree.root != root:
            return None
        return usage.of(part_of(tree.parts)).allocated_bytes

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


class _UsageWalk:
    """Walks a store and fills ``usage``; the caller closes it."""

    def __init__(self, top: int, parts: Mapping[str, str | None], *, sharing: bool) -> None:
        self.usage = DiskUsage()
        self._parts = parts
        self._inodes: set[tuple[int, int]] = set()
        self._shared = RangeSet() if sharing else None
        status = os.fstat(top)
        self._device = status.st_dev
        self._add(OTHER, status)
        self._open = [(top, "", OTHER, self._entries(top, ""))]

    def close(self) -> None:
        for folder, *_ in self._open:
            os.close(folder)

    def measure(self) -> None:
        while self._open:
            folder, path, part, entries = self._open[-1]
            entry = next(entries, None)
            if entry is None:
                self._open.pop()
                os.close(folder)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                # deleted after its folder was listed
                continue
            below = f"{path}/{entry.name}" if path else entry.name
            if stat.S_ISDIR(status.st_mode):
                self._enter_folder(folder, entry.name, below, self._parts.get(below, part), status)
            else:
                self._add_file(folder, entry.name, part, status)

    def _enter_folder(
        self, folder: int, name: str, path: str, part: str | None, status: os.stat_result
    ) -> None:
        elsewhere = status.st_dev != self._device and status.st_ino != _SUBVOLUME
        if part is None or elsewhere:
            return
        self._add(part, status)
        if len(self._open) >= MAX_DEPTH:
            self._add_unread(path, OSError(errno.ENAMETOOLONG, f"nested deeper than {MAX_DEPTH}"))
            return
        try:
            deeper = open_entry(folder, name)
        except OSError as error:
            self._add_unread(path, error)
            return
        self._open.append((deeper, path, part, self._entries(deeper, path)))

    def _entries(self, folder: int, path: str) -> "Iterator[os.DirEntry[str]]":
        try:
            with os.scandir(folder) as entries:
                return iter(sorted(entries, key=lambda entry: entry.name))
        except OSError as error:
            self._add_unread(path, error)
            return iter(())

    def _add_file(self, folder: int, name: str, part: str, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            inode = (status.st_dev, status.st_ino)
            if inode in self._inodes:
                return
            self._inodes.add(inode)
        totals = self._add(part, status)
        if stat.S_ISREG(status.st_mode):
            totals.file_bytes += status.st_size
            if self._shared is not None and status.st_blocks:
                totals.allocated_bytes -= self._counted_before(folder, name, self._shared)

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

    def _add(self, part: str, status: os.stat_result) -> PartBytes:
        totals = self.usage.parts.setdefault(part, PartBytes())
        totals.allocated_bytes += status.st_blocks * 512
        return totals

    def _add_unread(self, path: str, error: OSError) -> None:
        if error.errno == errno.ENOENT:
            return
        first, reason, count = self.usage.unread or (
            path_text(os.fsencode(path)),
            reason_of(error),
            0,
        )
        self.usage.unread = (first, reason, count + 1)
