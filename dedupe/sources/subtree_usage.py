"""Disk usage of a folder of which everything belongs to one place: most of any store.

This is ``disk_usage`` without what only the upper folders of a store need: places, links to folders
elsewhere, mounts. Walking takes most of the time of a quick scan, so little is done per entry.
"""

import errno
import gc
import os
import signal
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.trees import MAX_DEPTH, open_entry, open_folder
from dedupe.model.identity import Inode

#: inode number of the root of each btrfs subvolume; a subvolume has its own device number
SUBVOLUME = 256

#: a store with fewer files is measured before processes have started
_ALONE_FILES = 4_000
_FOLDER, _FILE = stat.S_IFDIR, stat.S_IFREG
_KIND = 0o170000


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """A file with several names, under one of them."""

    path: str
    inode: Inode
    names: int
    blocks: int
    #: size of a regular file; None for any other kind
    size_bytes: int | None
    changed: float


@dataclass(slots=True)
class SubtreeBytes:
    """What is below a folder, without the folder itself."""

    #: disk usage in blocks of 512 bytes, without files that have several names
    blocks: int = 0
    file_bytes: int = 0
    files: int = 0
    changed: float = float("-inf")
    linked: list[LinkedFile] = field(default_factory=list)
    #: folders that could not be read, and why
    unread: list[tuple[str, OSError]] = field(default_factory=list)
    #: folders of other file systems, which were not entered
    foreign: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subtree:
    """A folder of which everything belongs to one place."""

    root: Path
    #: names of folders from the root
    parts: tuple[str, ...]
    #: path below the root of the walk
    path: str
    device: int
    #: folders that are open above it
    depth: int


def measure_subtrees(subtrees: Sequence[Subtree]) -> Iterator[SubtreeBytes]:
    """Measure folders, in their order; a large store on all processors."""
    measured = 0
    for number, subtree in enumerate(subtrees):
        left = len(subtrees) - number
        if measured > _ALONE_FILES and left > 1 and hasattr(os, "fork"):
            yield from _measure_in_parallel(subtrees[number:])
            return
        found = _measured(subtree)
        measured += found.files
        yield found


def _measure_in_parallel(subtrees: Sequence[Subtree]) -> Iterator[SubtreeBytes]:
    """Measure folders in processes, because threads would wait for the interpreter's lock."""
    import multiprocessing

    workers = min(os.cpu_count() or 1, len(subtrees))
    # processes must not collect objects that they inherit: a DuckDB connection without its threads
    # crashes when it is destroyed
    gc.freeze()
    try:
        pool = multiprocessing.get_context("fork").Pool(workers, _ignore_interrupts)
    finally:
        gc.unfreeze()
    with pool:
        yield from pool.imap(_measured, subtrees)
        pool.close()
        pool.join()


def _ignore_interrupts() -> None:
    # Ctrl-C goes to all processes; only the parent decides what to do about it
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _measured(subtree: Subtree) -> SubtreeBytes:
    try:
        folder = open_folder(subtree.root, subtree.parts)
    except SourceError as error:
        gone = error.code == "blob-missing"
        reason = OSError(errno.ENOENT if gone else errno.EACCES, error.message)
        return SubtreeBytes(unread=[(subtree.path, reason)])
    try:
        return measure_subtree(folder, subtree.path, subtree.device, subtree.depth)
    finally:
        os.close(folder)


def measure_subtree(folder: int, path: str, device: int, depth: int) -> SubtreeBytes:
    """Measure everything below an open folder of this device.

    ``path`` is that of the folder below the root of the walk, ``depth`` the number of folders that
    are open. Entries that are deleted meanwhile are left out.
    """
    found = SubtreeBytes()
    blocks = files = file_bytes = 0
    changed = float("-inf")
    open_folders: list[tuple[int, str, Iterator[os.DirEntry[str]]]] = []
    try:
        open_folders.append((folder, path, _entries(folder, path, found)))
        while open_folders:
            descriptor, above, entries = open_folders[-1]
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    # deleted after its folder was listed
                    continue
                kind = status.st_mode & _KIND
                if kind == _FOLDER:
                    below = f"{above}/{entry.name}"
                    if status.st_dev != device and status.st_ino != SUBVOLUME:
                        found.foreign.append(below)
                        continue
                    deeper = _opened(descriptor, entry.name, below, depth, len(open_folders), found)
                    if deeper is not None:
                        open_folders.append((deeper, below, _entries(deeper, below, found)))
                elif status.st_nlink > 1:
                    found.linked.append(linked_file(f"{above}/{entry.name}", status))
                    continue
                elif kind == _FILE:
                    files += 1
                    file_bytes += status.st_size
                blocks += status.st_blocks
                if status.st_mtime > changed:
                    changed = status.st_mtime
                if kind == _FOLDER:
                    break
            else:
                open_folders.pop()
                if descriptor != folder:
                    os.close(descriptor)
    finally:
        for descriptor, _, _ in open_folders:
            if descriptor != folder:
                os.close(descriptor)
    found.blocks, found.files, found.file_bytes, found.changed = blocks, files, file_bytes, changed
    return found


def linked_file(path: str, status: os.stat_result) -> LinkedFile:
    """A file with several names."""
    return LinkedFile(
        path,
        (status.st_dev, status.st_ino),
        status.st_nlink,
        status.st_blocks,
        status.st_size if stat.S_ISREG(status.st_mode) else None,
        status.st_mtime,
    )


def _opened(
    above: int, name: str, path: str, depth: int, inside: int, found: SubtreeBytes
) -> int | None:
    """The descriptor of a folder; None if it cannot be read."""
    if depth + inside >= MAX_DEPTH:
        deep = OSError(errno.ENAMETOOLONG, f"nested deeper than {MAX_DEPTH}")
        found.unread.append((path, deep))
        return None
    try:
        return open_entry(above, name)
    except OSError as error:
        found.unread.append((path, error))
        return None


def _entries(folder: int, path: str, found: SubtreeBytes) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return iter(list(entries))
    except OSError as error:
        found.unread.append((path, error))
        return iter(())
