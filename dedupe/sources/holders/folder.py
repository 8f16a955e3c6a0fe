"""A folder as a holder of files."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from dedupe.errors import SourceError, reason_of
from dedupe.host.files import read_below, status_below
from dedupe.host.links import NamedRoots, Place, resolve_below
from dedupe.host.store_root import StoreRoot
from dedupe.host.trees import open_folder, walk_tree
from dedupe.model.identity import Inode
from dedupe.model.images import BlobRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import HeldFile, OnFailure

_Found = TypeVar("_Found")


class FolderHolder:
    """Files below a folder.

    A link is followed only if ``roots`` are given and it leads into one of them.
    """

    def __init__(self, root: Path, roots: NamedRoots | None = None) -> None:
        self.root = root
        self.roots = roots
        #: the folder as the root of a store, some of whose folders may be links
        self.store = StoreRoot(root, roots)
        #: files that were reached through a link
        self.linked: set[Inode] = set()

    def read_file(self, name: str, limit: int) -> bytes:
        """Read a small file.

        Raises SourceError ``blob-missing``, ``document-too-large``, ``not-a-regular-file``,
        ``link-refused`` or ``permission-denied``.
        """
        return self._at(name, lambda place: read_below(place.root, place.parts, limit))

    def blob(self, name: str) -> BlobRef:
        """The whole file of this name; raises SourceError as ``read_file`` does."""
        return self._at(
            name,
            lambda place: BlobRef(
                place.root, place.parts, 0, status_below(place.root, place.parts).st_size
            ),
        )

    def inode(self, name: str) -> Inode:
        """Device and inode number of a file; raises SourceError as ``read_file`` does."""
        status = self._at(name, lambda place: status_below(place.root, place.parts))
        return status.st_dev, status.st_ino

    def has(self, name: str) -> bool:
        """Whether anything of this name exists, even if it cannot be read."""
        try:
            (self.root / name).lstat()
        except OSError:
            return False
        return True

    def is_folder(self, name: str) -> bool:
        """Whether a folder of this name exists, and no link on the way to it is refused."""
        path = self.root
        for part in name.split("/"):
            path = path / part
            try:
                mode = path.lstat().st_mode
            except OSError:
                return False
            if stat.S_ISLNK(mode):
                return self.store.has_folder(*name.split("/"))
            if not stat.S_ISDIR(mode):
                return False
        return True

    def list_files(self, folder: str, on_failure: OnFailure | None = None) -> Iterator[HeldFile]:
        """List all regular files below ``folder``.

        With ``on_failure``, links in it to other folders are followed, to each such folder once;
        without it, they are left out. A folder that cannot be read, and an entry that is neither
        file nor folder, is passed to ``on_failure``. Without it, the former raises SourceError
        ``permission-denied`` or ``unreadable`` and the latter is left out.
        """
        yield from self._list(folder, on_failure, set())

    def _list(
        self, folder: str, on_failure: OnFailure | None, seen: set[Place]
    ) -> Iterator[HeldFile]:
        try:
            top = self._open_folder(folder)
        except SourceError as error:
            # the program that owns the store may have deleted it meanwhile
            if error.code == "blob-missing":
                return
            if on_failure is None:
                raise
            on_failure(folder, error)
            return
        failed: list[tuple[bytes, OSError]] = []
        try:
            for entry in walk_tree(top, failed):
                _report(folder, failed, on_failure)
                name = _below(folder, entry.path)
                mode = entry.status.st_mode
                if stat.S_ISREG(mode):
                    inode = (entry.status.st_dev, entry.status.st_ino)
                    yield HeldFile(name, entry.status.st_size, inode)
                elif not stat.S_ISDIR(mode) and on_failure is not None:
                    try:
                        self._follow(name, folder, seen)
                    except SourceError as error:
                        on_failure(name, error)
                    else:
                        yield from self._list(name, on_failure, seen)
            _report(folder, failed, on_failure)
        finally:
            os.close(top)

    def _follow(self, name: str, listed: str, seen: set[Place]) -> None:
        """Follow a link to a folder that is not in ``seen``, nor in the folder that is listed.

        Raises SourceError ``link-refused``, or ``not-a-regular-file`` if it is something else.
        """
        other = SourceError(
            f"{path_text(os.fsencode(name))}: expected a file or a folder, found something else",
            "not-a-regular-file",
        )
        if not self.is_link(name):
            raise other
        try:
            place = self.store.find(*name.split("/"))
        except SourceError as error:
            raise (error if error.code == "link-refused" else other) from error
        top = self.store.place(listed.split("/"))
        if place in seen or (place.root == top.root and place.parts[: len(top.parts)] == top.parts):
            raise other
        seen.add(place)

    def _at(self, name: str, use: Callable[[Place], _Found]) -> _Found:
        """Use the file of this name, or the file that it is a link to."""
        parts = tuple(name.split("/"))
        place = self.store.place(parts)
        try:
            return use(place)
        except SourceError as error:
            # no link is looked for unless opening failed as it does for links
            if error.code != "not-a-regular-file":
                raise
            target = self._resolved(parts)
            if target == place:
                raise
        if target != self.store.place(parts):
            status = status_below(target.root, target.parts)
            self.linked.add((status.st_dev, status.st_ino))
        return use(target)

    def _resolved(self, parts: tuple[str, ...]) -> Place:
        """Where a file is after all links that may be followed.

        Raises SourceError ``link-refused``; of a folder, it is the same for all files in it.
        """
        if parts[1:]:
            self.store.find(*parts[:-1])
        place = self.store.place(parts)
        if self.roots is None:
            return place
        return resolve_below(place.root, place.parts, self.roots)

    def _open_folder(self, name: str) -> int:
        """Open a folder; raises SourceError as ``open_folder`` does, and ``link-refused``."""
        parts = name.split("/") if name else []
        return open_folder(*self.store.find(*parts))

    def is_link(self, name: str) -> bool:
        """Whether a link has this name."""
        return self.store.is_link(*name.split("/"))


def _below(folder: str, path: bytes) -> str:
    return f"{folder}/{os.fsdecode(path)}" if folder else os.fsdecode(path)


def _report(folder: str, failed: list[tuple[bytes, OSError]], on_failure: OnFailure | None) -> None:
    """Pass on what could not be read; without ``on_failure``, raise SourceError for the first."""
    while failed:
        path, error = failed.pop(0)
        # what was deleted meanwhile is not missed
        if isinstance(error, FileNotFoundError):
            continue
        name = _below(folder, path)
        found = SourceError(
            f"{path_text(os.fsencode(name))}: {reason_of(error)}",
            "permission-denied" if isinstance(error, PermissionError) else "unreadable",
        )
        if on_failure is None:
            raise found
        on_failure(name, found)
