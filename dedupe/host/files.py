"""Open files of a hostile store: only regular files below its root, never through a link."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from dedupe.errors import SourceError

# O_NONBLOCK: opening a FIFO must not wait for a writer
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def open_below(root: Path, parts: Sequence[str]) -> int:
    """Open a regular file below ``root``; the caller closes the descriptor.

    ``root`` may be reached through links, since the user named it; nothing below it may.
    Raises SourceError ``blob-missing``, ``not-a-regular-file`` or ``permission-denied``.
    """
    if not parts:
        return _checked(_open(root, 0, None, str(root)), str(root))
    shown = "/".join(parts)
    directory = _open(root, os.O_DIRECTORY, None, str(root))
    try:
        for part in parts[:-1]:
            deeper = _open(part, os.O_DIRECTORY | os.O_NOFOLLOW, directory, shown)
            os.close(directory)
            directory = deeper
        return _checked(_open(parts[-1], os.O_NOFOLLOW, directory, shown), shown)
    finally:
        os.close(directory)


def read_below(root: Path, parts: Sequence[str], limit: int) -> bytes:
    """Read a small file below ``root``.

    Raises SourceError as ``open_below`` does, and ``document-too-large`` above ``limit`` bytes.
    """
    descriptor = open_below(root, parts)
    with os.fdopen(descriptor, "rb") as file:
        # check the size first, so that a file of 4 GiB is not read into memory
        size = os.fstat(descriptor).st_size
        data = file.read(limit + 1) if size <= limit else b""
    if size > limit or len(data) > limit:
        raise SourceError(
            f"{'/'.join(parts) or root}: {size} bytes, at most {limit} are read",
            "document-too-large",
        )
    return data


def size_below(root: Path, parts: Sequence[str]) -> int:
    """Size of a regular file below ``root``; raises SourceError as ``open_below`` does."""
    return status_below(root, parts).st_size


def status_below(root: Path, parts: Sequence[str]) -> os.stat_result:
    """Size and inode of a regular file below ``root``; raises SourceError as ``open_below``."""
    descriptor = open_below(root, parts)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _open(name: str | Path, flags: int, directory: int | None, shown: str) -> int:
    """Open a file or folder; ``shown`` is its name in errors."""
    # O_NOATIME keeps the access time as it is; only the owner and root may use it
    for extra in (getattr(os, "O_NOATIME", 0), 0):
        try:
            return os.open(name, _FLAGS | flags | extra, dir_fd=directory)
        except PermissionError as error:
            if extra:
                continue
            raise SourceError(f"{shown}: permission denied", "permission-denied") from error
        except FileNotFoundError as error:
            raise SourceError(f"{shown}: no such file", "blob-missing") from error
        except OSError as error:
            # ELOOP for a link, ENOTDIR for a file in place of a folder, ENXIO for a socket
            raise SourceError(
                f"{shown}: not a regular file ({error.strerror})", "not-a-regular-file"
            ) from error
    raise AssertionError("unreachable")


def _checked(descriptor: int, name: str) -> int:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise SourceError(
        f"{name}: expected a regular file, found {_kind_of(mode)}", "not-a-regular-file"
    )


def _kind_of(mode: int) -> str:
    names = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
        stat.S_IFDIR: "a folder",
        stat.S_IFSOCK: "a socket",
    }
    return names.get(stat.S_IFMT(mode), "something else")
