"""A folder of a hostile store, opened entry by entry below one descriptor and through no link."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import SourceError

_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
# leaves no trace in a store that is only looked at; only owners and root may ask for it
_SILENT = getattr(os, "O_NOATIME", 0)
#: folders inside each other, each of them an open descriptor; 1,024 are common to a process
MAX_DEPTH = 800


@dataclass(frozen=True, slots=True)
class Node:
    """An entry of a folder, as lstat has it."""

    #: from the tree's root, no slash in front
    path: bytes
    status: os.stat_result
    #: descriptor of the folder that holds it, open while the walk is there
    folder: int
    name: bytes

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder itself, and no link to one."""
        return stat.S_ISDIR(self.status.st_mode)

    def open(self) -> int:
        """A descriptor of this regular file; raises OSError where it has changed or gone."""
        descriptor = _open(self.name, _FILE, self.folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.ENXIO, "no regular file any more")
        return descriptor

    def target(self) -> bytes:
        """Where this symbolic link leads."""
        return os.readlink(self.name, dir_fd=self.folder)

    def xattrs(self) -> dict[bytes, bytes]:
        """Extended attributes that this process may see."""
        # there is no call for an entry of a descriptor; its folder is reached through /proc
        place = b"/proc/self/fd/%d/%s" % (self.folder, self.name)
        found = {}
        try:
            for name in os.listxattr(place, follow_symlinks=False):
                # attributes of the host's programs may come and go
                with contextlib.suppress(OSError):
                    found[os.fsencode(name)] = os.getxattr(place, name, follow_symlinks=False)
        except OSError:
            return {}
        return found


def open_folder(root: Path, parts: Sequence[str | bytes]) -> int:
    """A descriptor of a folder below ``root``; the caller closes it.

    ``root`` may be reached through links, since the user named it; nothing below it may.
    Raises SourceError ``blob-missing``, ``permission-denied`` or ``not-a-folder``.
    """
    try:
        current = _open(os.fspath(root), _FOLDER & ~os.O_NOFOLLOW, None)
        for part in parts:
            try:
                deeper = _open(part, _FOLDER, current)
            finally:
                os.close(current)
            current = deeper
    except FileNotFoundError as error:
        raise SourceError(f"{_text(parts)}: no such folder", "blob-missing") from error
    except PermissionError as error:
        raise SourceError(f"{_text(parts)}: permission denied", "permission-denied") from error
    except OSError as error:
        raise SourceError(
            f"{_text(parts)}: not a folder ({error.strerror})", "not-a-folder"
        ) from error
    return current


def walk(root: int, failed: "list[tuple[bytes, OSError]] | None" = None) -> Iterator[Node]:
    """Every entry below an open folder: sorted by name, a folder before what it holds.

    What cannot be opened or has gone meanwhile is appended to ``failed`` and left out.
    """
    lost = failed if failed is not None else []
    waiting: list[tuple[int, bytes, Iterator[bytes]]] = [(root, b"", _names(root, b"", lost))]
    try:
        while waiting:
            folder, path, names = waiting[-1]
            name = next(names, None)
            if name is None:
                waiting.pop()
                if folder != root:
                    os.close(folder)
                continue
            below = path + b"/" + name if path else name
            try:
                node = Node(below, os.lstat(name, dir_fd=folder), folder, name)
            except OSError as error:
                lost.append((below, error))
                continue
            yield node
            if not node.is_folder:
                continue
            try:
                if len(waiting) >= MAX_DEPTH:
                    raise OSError(errno.ENAMETOOLONG, f"folders nested deeper than {MAX_DEPTH}")
                deeper = _open(name, _FOLDER, folder)
            except OSError as error:
                lost.append((below, error))
            else:
                waiting.append((deeper, below, _names(deeper, below, lost)))
    finally:
        for folder, _, _ in waiting:
            if folder != root:
                os.close(folder)


class Files:
    """Regular files of a tree by path; the last folder stays open, since neighbours follow."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._folder_path: bytes | None = None
        self._folder = -1

    def open(self, path: bytes) -> int:
        """A descriptor of a regular file; raises OSError where there is none."""
        folder, _, name = path.rpartition(b"/")
        descriptor = _open(name, _FILE, self._enter(folder))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.ENXIO, "no regular file")
        return descriptor

    def status(self, path: bytes) -> os.stat_result:
        """As lstat has it; raises OSError where it or a folder above it is missing."""
        folder, _, name = path.rpartition(b"/")
        return os.lstat(name, dir_fd=self._enter(folder))

    def close(self) -> None:
        """Close the folder that is open."""
        if self._folder >= 0:
            os.close(self._folder)
        self._folder, self._folder_path = -1, None

    def _enter(self, path: bytes) -> int:
        if path == self._folder_path:
            return self._folder
        current = os.dup(self._root)
        for part in path.split(b"/") if path else ():
            try:
                deeper = _open(part, _FOLDER, current)
            finally:
                os.close(current)
            current = deeper
        self.close()
        self._folder, self._folder_path = current, path
        return current


def _names(folder: int, path: bytes, lost: list[tuple[bytes, OSError]]) -> Iterator[bytes]:
    try:
        return iter(sorted(os.fsencode(name) for name in os.listdir(folder)))
    except OSError as error:
        lost.append((path, error))
        return iter(())


def open_entry(inside: int, name: str | bytes, *, folder: bool = True) -> int:
    """A descriptor of a folder, or of a file, in an open folder; raises OSError."""
    return _open(name, _FOLDER if folder else _FILE, inside)


def list_folder(root: Path, parts: Sequence[str | bytes]) -> list[str]:
    """Names in a folder below ``root``, sorted; raises SourceError as ``open_folder`` does."""
    folder = open_folder(root, parts)
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  # a descriptor is no path
    finally:
        os.close(folder)


def statuses_in(folder: Path) -> list[tuple[str, os.stat_result]]:
    """Names in a folder with what lstat says of each, sorted; what has gone meanwhile is left out.

    Raises OSError where the folder cannot be read.
    """
    descriptor = _open(os.fspath(folder), _FOLDER & ~os.O_NOFOLLOW, None)
    found = []
    try:
        for name in sorted(os.listdir(descriptor)):  # noqa: PTH208  # a descriptor is no path
            with contextlib.suppress(FileNotFoundError):
                found.append((name, os.lstat(name, dir_fd=descriptor)))
    finally:
        os.close(descriptor)
    return found


def _open(name: str | bytes, flags: int, folder: int | None) -> int:
    try:
        return os.open(name, flags | _SILENT, dir_fd=folder)
    except PermissionError:
        return os.open(name, flags, dir_fd=folder)


def _text(parts: Sequence[str | bytes]) -> str:
    return "/".join(os.fsdecode(part) for part in parts)
