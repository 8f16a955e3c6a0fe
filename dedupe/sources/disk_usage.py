"""What the file system gives to a store, by its parts: layers, containers, the rest.

One walk over everything below the store's root, through no link and into no other file system, as
``du -x`` does it. An inode counts once, for the part that has its first name, and so do extents
that files share, where the file system tells them.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.extents import Ranges, may_share, shared_extents
from dedupe.host.trees import MAX_DEPTH, open_entry, open_folder
from dedupe.model.images import FoundLayer, TreeRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import Contents

#: the part of whatever no part was named for
OTHER = ""
#: inode of the root of every btrfs subvolume, which has a device number of its own
_SUBVOLUME = 256


@dataclass(slots=True)
class Amount:
    """What a part holds."""

    #: bytes that the file system gives to it, folders included
    allocated_bytes: int = 0
    #: bytes of its regular files
    file_bytes: int = 0


@dataclass(slots=True)
class Usage:
    """What a store holds, by part; parts without a file are not there."""

    amounts: dict[str, Amount] = field(default_factory=dict)
    #: folders that could not be read: the first and why, and how many
    closed: tuple[str, str, int] | None = None

    def of(self, part: str) -> Amount:
        """What this part holds."""
        return self.amounts.get(part, Amount())

    @property
    def allocated_bytes(self) -> int:
        """Of everything below the root."""
        return sum(amount.allocated_bytes for amount in self.amounts.values())

    def tell(self, contents: Contents) -> None:
        """A row for what was not measured, if anything."""
        if self.closed is not None:
            path, reason, count = self.closed
            more = f" (and {count - 1} more folders)" if count > 1 else ""
            contents.failed(
                path,
                SourceError(
                    f"cannot be read: {reason}{more}: disk usage lacks it; "
                    "a scan as the store's owner or root can read it",
                    "permission-denied",
                ),
                once=True,
            )


def measure(root: Path, parts: Mapping[str, str | None]) -> Usage:
    """Walk the store; ``parts`` names the part of folders, by path below root with slashes.

    What lies below a folder belongs to its part, unless it has another by itself; what has None
    for a part is left out.
    Raises SourceError where the root cannot be opened.
    """
    top = open_folder(root, ())
    walk = _Walk(top, parts, sharing=may_share(root))
    try:
        walk.run()
    finally:
        walk.close()
    return walk.usage


def note_taken(
    contents: Contents, root: Path, usage: Usage, part_of: Callable[[tuple[str, ...]], str]
) -> None:
    """Note what each unpacked layer and writable branch below ``root`` takes.

    ``part_of`` names the part that a tree's folder lies in.
    """

    def taken(tree: TreeRef | None) -> int | None:
        if tree is None or tree.root != root:
            return None
        return usage.of(part_of(tree.parts)).allocated_bytes

    def measured(layer: FoundLayer) -> FoundLayer:
        return replace(layer, allocated_bytes=taken(layer.tree))

    contents.images = [
        replace(image, layers=tuple(measured(layer) for layer in image.layers))
        for image in contents.images
    ]
    contents.containers = [
        replace(container, allocated_bytes=taken(container.upper))
        for container in contents.containers
    ]


class _Walk:
    def __init__(self, top: int, parts: Mapping[str, str | None], *, sharing: bool) -> None:
        self.usage = Usage()
        self._parts = parts
        self._seen: set[tuple[int, int]] = set()
        self._shared = Ranges() if sharing else None
        status = os.fstat(top)
        self._device = status.st_dev
        self._add(OTHER, status)
        self._waiting = [(top, "", OTHER, self._entries(top, ""))]

    def close(self) -> None:
        for folder, *_ in self._waiting:
            os.close(folder)

    def run(self) -> None:
        while self._waiting:
            folder, path, part, entries = self._waiting[-1]
            entry = next(entries, None)
            if entry is None:
                self._waiting.pop()
                os.close(folder)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                # it went while its folder was read
                continue
            below = f"{path}/{entry.name}" if path else entry.name
            if stat.S_ISDIR(status.st_mode):
                self._enter(folder, entry.name, below, self._parts.get(below, part), status)
            else:
                self._file(folder, entry.name, part, status)

    def _enter(
        self, folder: int, name: str, path: str, part: str | None, status: os.stat_result
    ) -> None:
        elsewhere = status.st_dev != self._device and status.st_ino != _SUBVOLUME
        if part is None or elsewhere:
            return
        self._add(part, status)
        if len(self._waiting) >= MAX_DEPTH:
            self._lost(path, OSError(errno.ENAMETOOLONG, f"nested deeper than {MAX_DEPTH}"))
            return
        try:
            deeper = open_entry(folder, name)
        except OSError as error:
            self._lost(path, error)
            return
        self._waiting.append((deeper, path, part, self._entries(deeper, path)))

    def _entries(self, folder: int, path: str) -> "Iterator[os.DirEntry[str]]":
        try:
            with os.scandir(folder) as entries:
                return iter(sorted(entries, key=lambda entry: entry.name))
        except OSError as error:
            self._lost(path, error)
            return iter(())

    def _file(self, folder: int, name: str, part: str, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            inode = (status.st_dev, status.st_ino)
            if inode in self._seen:
                return
            self._seen.add(inode)
        amount = self._add(part, status)
        if stat.S_ISREG(status.st_mode):
            amount.file_bytes += status.st_size
            if self._shared is not None and status.st_blocks:
                amount.allocated_bytes -= self._met_before(folder, name, self._shared)

    def _met_before(self, folder: int, name: str, shared: Ranges) -> int:
        """Bytes of this file that were counted with another."""
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

    def _add(self, part: str, status: os.stat_result) -> Amount:
        amount = self.usage.amounts.setdefault(part, Amount())
        amount.allocated_bytes += status.st_blocks * 512
        return amount

    def _lost(self, path: str, error: OSError) -> None:
        if error.errno == errno.ENOENT:
            return
        first, reason, count = self.usage.closed or (
            path_text(os.fsencode(path)),
            (error.strerror or str(error)).lower(),
            0,
        )
        self.usage.closed = (first, reason, count + 1)
