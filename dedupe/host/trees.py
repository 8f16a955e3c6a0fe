"""Walk folders of a hostile store: entry by entry below one descriptor, never through a link."""

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
# O_NOATIME keeps the access time as it is; only the owner and root may use it
_NOATIME = getattr(os, "O_NOATIME", 0)
#: nested folders, each with an open descriptor; many systems allow a process 1,024
MAX_DEPTH = 800


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """An entry of a folder, with the result of lstat."""

    #: from the root of the walk, without a leading slash
    path: bytes
    status: os.stat_result
    #: descriptor of its folder; open until the walk goes on
    folder: int
    name: bytes

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, not a link to one."""
        return stat.S_ISDIR(self.status.st_mode)

    def open(self) -> int:
        """Open this regular file.

        Raises OSError if it was deleted or is not a regular file any more.
        """
        descriptor = _open(self.name, _FILE, self.folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.ENXIO, "not a regular file any more")
        return descriptor

    def target(self) -> bytes:
        """Read this symbolic link; raises OSError if it was deleted or replaced."""
        return os.readlink(self.name, dir_fd=self.folder)

    def xattrs(self) -> dict[bytes, bytes]:
        """Extended attributes that this process may read; none if they cannot be listed."""
        # no system call reads attributes relative to a descriptor, so use its path in /proc
        place = b"/proc/self/fd/%d/%s" % (self.folder, self.name)
        found = {}
        try:
            for name in os.listxattr(place, follow_symlinks=False):
                # programs of the host may delete an attribute after it was listed
                with contextlib.suppress(OSError):
                    found[os.fsencode(name)] = os.getxattr(place, name, follow_symlinks=False)
        except OSError:
            return {}
        return found


def open_folder(root: Path, parts: Sequence[str | bytes]) -> int:
    """Open a folder below ``root``; the caller closes the descriptor.

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


def walk_tree(
    root: int, failed: "list[tuple[bytes, OSError]] | None" = None
) -> Iterator[TreeEntry]:
    """List every entry below an open folder, sorted by name, a folder before its entries.

    An entry that cannot be opened or was deleted meanwhile is left out and added to ``failed``.
    """
    failures = failed if failed is not None else []
    open_folders: list[tuple[int, bytes, Iterator[bytes]]] = [
        (root, b"", _names(root, b"", failures))
    ]
    try:
        while open_folders:
            folder, path, names = open_folders[-1]
            name = next(names, None)
            if name is None:
                open_folders.pop()
                if folder != root:
                    os.close(folder)
                continue
            below = path + b"/" + name if path else name
            try:
                entry = TreeEntry(below, os.lstat(name, dir_fd=folder), folder, name)
            except OSError as error:
                failures.append((below, error))
                continue
            yield entry
            if not entry.is_folder:
                continue
            try:
                if len(open_folders) >= MAX_DEPTH:
                    raise OSError(errno.ENAMETOOLONG, f"folders nested deeper than {MAX_DEPTH}")
                deeper = _open(name, _FOLDER, folder)
            except OSError as error:
                failures.append((below, error))
            else:
                open_folders.append((deeper, below, _names(deeper, below, failures)))
    finally:
        for folder, _, _ in open_folders:
            if folder != root:
                os.close(folder)


class TreeFiles:
    """Opens regular files of a tree by path.

    The last folder stays open, since the next file is usually in the same one.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._folder_path: bytes | None = None
        self._folder = -1

    def open(self, path: bytes) -> int:
        """Open a regular file; raises OSError if there is none at this path."""
        folder, _, name = path.rpartition(b"/")
        descriptor = _open(name, _FILE, self._enter(folder))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.ENXIO, "not a regular file")
        return descriptor

    def status(self, path: bytes) -> os.stat_result:
        """Result of lstat; raises OSError if the file or a folder above it is missing."""
        folder, _, name = path.rpartition(b"/")
        return os.lstat(name, dir_fd=self._enter(folder))

    def close(self) -> None:
        """Close the folder that was kept open."""
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


def _names(folder: int, path: bytes, failures: list[tuple[bytes, OSError]]) -> Iterator[bytes]:
    try:
        return iter(sorted(os.fsencode(name) for name in os.listdir(folder)))
    except OSError as error:
        failures.append((path, error))
        return iter(())


def open_entry(inside: int, name: str | bytes, *, folder: bool = True) -> int:
    """Open a folder, or a file, of an open folder; raises OSError if it cannot be opened."""
    return _open(name, _FOLDER if folder else _FILE, inside)


def list_folder(root: Path, parts: Sequence[str | bytes]) -> list[str]:
    """List the names in a folder below ``root``, sorted.

    Raises SourceError as ``open_folder`` does.
    """
    folder = open_folder(root, parts)
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  # pathlib cannot list a descriptor
    finally:
        os.close(folder)


def list_statuses(folder: Path) -> list[tuple[str, os.stat_result]]:
    """List the names in a folder with the lstat result of each, sorted.

    Entries that are deleted meanwhile are left out.
    Raises OSError if the folder cannot be read.
    """
    descriptor = _open(os.fspath(folder), _FOLDER & ~os.O_NOFOLLOW, None)
    found = []
    try:
        for name in sorted(os.listdir(descriptor)):  # noqa: PTH208  # pathlib cannot list a descriptor
            with contextlib.suppress(FileNotFoundError):
                found.append((name, os.lstat(name, dir_fd=descriptor)))
    finally:
        os.close(descriptor)
    return found


def _open(name: str | bytes, flags: int, folder: int | None) -> int:
    try:
        return os.open(name, flags | _NOATIME, dir_fd=folder)
    except PermissionError:
        return os.open(name, flags, dir_fd=folder)


def _text(parts: Sequence[str | bytes]) -> str:
    return "/".join(os.fsdecode(part) for part in parts)
