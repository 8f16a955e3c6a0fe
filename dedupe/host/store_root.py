"""A store's root, of which folders may be links into folders that the user named.

Hosts move a store's large folders to another disk and leave a link in their place. Such a link is
followed once, by ``links.resolve_below``; from then on the folder is known by its real place, and
every file in it is opened from there, never through a link.
"""

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from dedupe.errors import SourceError
from dedupe.host.files import open_below, read_below
from dedupe.host.links import LinkOutsideError, NamedRoots, Place, resolve_below
from dedupe.host.trees import list_folder, open_folder
from dedupe.model.paths import path_text

_Result = TypeVar("_Result")
#: codes of the errors of opening a path with a link in it
_LINK_CODES = ("not-a-folder", "not-a-regular-file")


class StoreRoot:
    """The root of a store, and where its folders are that are links.

    Methods take names below the root. They raise SourceError ``link-refused`` if one of the folders
    is a link out of what the user named, and else as the functions of the same names do.
    """

    def __init__(self, path: Path, roots: NamedRoots | None = None) -> None:
        self.path = path
        self.roots = roots or NamedRoots([path])
        #: folders that are links -> where they are
        self.moved: dict[tuple[str, ...], Place] = {}

    def place(self, parts: Sequence[str]) -> Place:
        """Where a file or folder is, according to the links that were followed so far."""
        names = tuple(parts)
        if not self.moved:
            return Place(self.path, names)
        for count in range(len(names), 0, -1):
            moved = self.moved.get(names[:count])
            if moved is not None:
                return Place(moved.root, (*moved.parts, *names[count:]))
        return Place(self.path, names)

    def moved_folders(self) -> set[Path]:
        """Paths of the folders that links led to so far."""
        return {place.root.joinpath(*place.parts) for place in self.moved.values()}

    def find(self, *parts: str) -> Place:
        """Where this folder is; links on the way to it, and in its place, are followed."""
        self._open(parts, len(parts), lambda root, names: os.close(open_folder(root, names)))
        return self.place(parts)

    def has_folder(self, *parts: str) -> bool:
        """Whether this folder exists and can be opened."""
        try:
            self.find(*parts)
        except SourceError:
            return False
        return True

    def has(self, *parts: str) -> bool:
        """Whether anything of this name exists, even if it cannot be read."""
        root, names = self.place(parts)
        try:
            root.joinpath(*names).lstat()
        except (OSError, ValueError):
            return False
        return True

    def is_link(self, *parts: str) -> bool:
        """Whether a link that was not followed yet has this name."""
        root, names = self.place(parts)
        return os.path.islink(root.joinpath(*names))  # noqa: PTH114  # Path.is_symlink raises if it may not look

    def list_folder(self, parts: Sequence[str]) -> list[str]:
        """List the names in a folder, sorted."""
        return self._open(parts, len(parts), list_folder)

    def read(self, parts: Sequence[str], limit: int) -> bytes:
        """Read a small file, as ``read_below`` does."""
        return self._open(parts, len(parts) - 1, lambda root, names: read_below(root, names, limit))

    def open(self, parts: Sequence[str]) -> int:
        """Open a regular file, as ``open_below`` does; the caller closes the descriptor."""
        return self._open(parts, len(parts) - 1, open_below)

    def _open(
        self,
        parts: Sequence[str],
        folders: int,
        act: Callable[[Path, tuple[str, ...]], _Result],
    ) -> _Result:
        """Open something at a place; of its names, the first ``folders`` may be links."""
        try:
            return act(*self.place(parts))
        except SourceError as error:
            if error.code not in _LINK_CODES or not self._follow(tuple(parts)[:folders]):
                raise
        return act(*self.place(parts))

    def _follow(self, folders: tuple[str, ...]) -> bool:
        """Follow the links among these folders; whether there was one."""
        found = False
        for count in range(1, len(folders) + 1):
            place = self.place(folders[:count])
            try:
                real = resolve_below(*place, self.roots)
            except LinkOutsideError as error:
                raise _refused("/".join(folders[:count]), error) from error
            if real != place:
                # a link to a file is not one of the store's folders
                os.close(open_folder(*real))
                self.moved[folders[:count]] = real
                found = True
        return found


def _refused(name: str, error: LinkOutsideError) -> SourceError:
    """The error with the option that lets the link be followed."""
    target = path_text(bytes(error.target))
    shown = path_text(os.fsencode(name))
    return SourceError(
        f"{shown}: a link to {target}, which is outside of what was scanned: "
        f"add --also {shlex.quote(target)}",
        error.code,
    )
