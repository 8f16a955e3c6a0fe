"""A folder as a holder of files."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.files import read_below, stat_below
from dedupe.host.trees import statuses_in
from dedupe.model.images import BlobRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import Failed


class FolderHolder:
    """Files below a folder, opened through no link."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a small file."""
        return read_below(self.root, name.split("/"), limit)

    def blob(self, name: str) -> BlobRef:
        """The whole file of this name."""
        parts = tuple(name.split("/"))
        return BlobRef(self.root, parts, 0, stat_below(self.root, parts))

    def has(self, name: str) -> bool:
        """Whether anything of this name is there, readable or not."""
        try:
            (self.root / name).lstat()
        except OSError:
            return False
        return True

    def is_folder(self, name: str) -> bool:
        """Whether a folder of this name is there, reached through no link."""
        path = self.root
        for part in name.split("/"):
            path = path / part
            try:
                if not stat.S_ISDIR(path.lstat().st_mode):
                    return False
            except OSError:
                return False
        return True

    def listing(self, folder: str, failed: Failed | None = None) -> Iterator[tuple[str, int]]:
        """Regular files below ``folder``; links are not followed.

        Raises SourceError ``permission-denied`` or ``unreadable`` where ``failed`` is absent.
        """
        # a stack of our own: a hostile tree is deeper than Python's
        pending = [self._entries(folder, failed)]
        while pending:
            name, status = next(pending[-1], ("", None))
            if status is None:
                pending.pop()
                continue
            if stat.S_ISDIR(status.st_mode):
                pending.append(self._entries(name, failed))
                continue
            if stat.S_ISREG(status.st_mode):
                yield name, status.st_size
            elif failed is not None:
                failed(
                    name,
                    SourceError(
                        f"{path_text(os.fsencode(name))}: expected a file or a folder, "
                        "found something else",
                        "not-a-regular-file",
                    ),
                )

    def _entries(self, folder: str, failed: Failed | None) -> Iterator[tuple[str, os.stat_result]]:
        try:
            entries = statuses_in(self.root / folder)
        except FileNotFoundError:
            # what is gone by now was removed by a live store
            return
        except OSError as error:
            if failed is None:
                raise _denied(folder, error) from error
            failed(folder, _denied(folder, error))
            return
        for name, status in entries:
            yield f"{folder}/{name}", status


def _denied(name: str, error: OSError) -> SourceError:
    return SourceError(
        f"{path_text(os.fsencode(name))}: {(error.strerror or str(error)).lower()}",
        "permission-denied" if isinstance(error, PermissionError) else "unreadable",
    )
