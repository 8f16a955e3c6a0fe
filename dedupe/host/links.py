"""Follow links of a hostile store, but only into folders that the user named.

A path is resolved here, name by name below open descriptors, and never by the kernel: it would
follow a link to any place. The result has no link in it, so it is opened with ``open_below`` or
``open_folder``, which refuse a link that takes its place meanwhile.
"""

import errno
import os
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dedupe.errors import SourceError, reason_of

#: links to follow from one name, as in Linux
MAX_LINKS = 40
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY


class Place(NamedTuple):
    """A file or folder: names below a root that the user named, none of them a link."""

    root: Path
    parts: tuple[str, ...]


class LinkOutsideError(SourceError):
    """A link leads out of all folders that the user named.

    Sources catch it; it cannot be sent to another process.
    """

    def __init__(self, name: str, target: Path) -> None:
        super().__init__(
            f"{name}: a link to {target}, which is outside of what was scanned", "link-refused"
        )
        self.name = name
        #: absolute path that the link leads to, as far as it was followed
        self.target = target


class NamedRoots:
    """The folders that the user named: links may lead into them and nowhere else."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._real: dict[Path, tuple[str, ...]] = {}
        self._by_names: dict[tuple[str, ...], Path] = {}
        for folder in folders:
            # the user named it, so links on the way to it are trusted
            real = _names(os.path.realpath(folder))
            self._real.setdefault(folder, real)
            for names in (real, _names(os.path.abspath(folder))):  # noqa: PTH100  # Path.absolute keeps ".."
                self._by_names.setdefault(names, folder)

    def at(self, names: Sequence[str]) -> Path | None:
        """The folder of this absolute path, if the user named it."""
        return self._by_names.get(tuple(names))

    def real_names(self, root: Path) -> tuple[str, ...]:
        """Names of the absolute path that a folder has after all links."""
        if root not in self._real:
            self._real[root] = _names(os.path.realpath(root))
        return self._real[root]


def resolve_below(root: Path, parts: Sequence[str], roots: NamedRoots) -> Place:
    """Where a file or folder below ``root`` really is.

    ``root`` need not be one of ``roots``. Raises SourceError: ``link-refused`` if a link leads out
    of ``roots``, ``blob-missing``, ``not-a-regular-file`` or ``permission-denied``.
    """
    walk = _Walk(root, parts, roots)
    try:
        return walk.run()
    except FileNotFoundError as error:
        raise SourceError(f"{walk.name}: no such file", "blob-missing") from error
    except PermissionError as error:
        raise SourceError(f"{walk.name}: permission denied", "permission-denied") from error
    except OSError as error:
        raise SourceError(
            f"{walk.name}: not a regular file ({reason_of(error)})", "not-a-regular-file"
        ) from error
    finally:
        walk.leave()


class _Walk:
    """The position while a path is resolved: inside one root, or at a path outside of all."""

    def __init__(self, root: Path, parts: Sequence[str], roots: NamedRoots) -> None:
        self.name = "/".join(parts)
        self._roots = roots
        self._pending = deque(parts)
        self._links = 0
        #: None while outside
        self._root: Path | None = root
        #: names below the root; while outside, names of the absolute path
        self._names: list[str] = []
        #: descriptors of the root and of each folder below it
        self._folders: list[int] = []

    def run(self) -> Place:
        if self._root is not None:
            self._folders = [os.open(self._root, _FOLDER)]
        while self._pending:
            name = self._pending.popleft()
            if name in ("", "."):
                continue
            if self._root is None:
                self._step_outside(name)
            elif name == "..":
                self._step_up()
            else:
                self._step_down(name)
        if self._root is None:
            raise LinkOutsideError(self.name, Path("/", *self._names))
        return Place(self._root, tuple(self._names))

    def leave(self) -> None:
        """Close all descriptors."""
        for folder in self._folders:
            os.close(folder)
        self._folders = []

    def _step_outside(self, name: str) -> None:
        """Go on by name alone: nothing outside of the roots is opened or even looked at."""
        if name == "..":
            self._names = self._names[:-1]
        else:
            self._names.append(name)
        self._enter()

    def _enter(self) -> None:
        root = self._roots.at(self._names)
        if root is not None:
            # the user may have named a file, which is the end of a path
            self._folders = [os.open(root, _FOLDER)] if self._pending else []
            self._root, self._names = root, []

    def _step_up(self) -> None:
        if self._names:
            os.close(self._folders.pop())
            self._names.pop()
        elif self._root is not None:
            self._start_at_top(self._roots.real_names(self._root)[:-1])

    def _start_at_top(self, names: Iterable[str]) -> None:
        """Go to an absolute path: it may pass through another root."""
        self.leave()
        self._root, self._names = None, []
        self._pending.extendleft(reversed(list(names)))
        self._enter()

    def _step_down(self, name: str) -> None:
        folder = self._folders[-1]
        try:
            target = os.readlink(name, dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._names.append(name)
            if self._pending:
                # if it became a link meanwhile, this fails
                self._folders.append(os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder))
            return
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._pending.extendleft(reversed(target.split("/")))
        if target.startswith("/"):
            self._start_at_top(())


def _names(path: str) -> tuple[str, ...]:
    return tuple(name for name in path.split("/") if name)
