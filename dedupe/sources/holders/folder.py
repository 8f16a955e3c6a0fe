"""A folder as a holder of files."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dedupe.errors import SourceError, reason_of
from dedupe.host.files import read_below, size_below
from dedupe.host.trees import list_statuses
from dedupe.model.images import BlobRef
from dedupe.model.paths import path_text
from dedupe.sources.interface import OnFailure


class FolderHolder:
    """Files below a folder, never opened through a link."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read_file(self, name: str, limit: int) -> bytes:
        """Read a small file.

        Raises SourceError ``blob-missing``, ``document-too-large``, ``not-a-regular-file`` or
        ``permission-denied``.
        """
        return read_below(self.root, name.split("/"), limit)

    def blob(self, name: str) -> BlobRef:
        """The whole file of this name; raises SourceError as ``read_file`` does."""
        parts = tuple(name.split("/"))
        return BlobRef(self.root, parts, 0, size_below(self.root, parts))

    def has(self, name: str) -> bool:
        """Whether anything of this name exists, even if it cannot be read."""
        try:
            (self.root / name).lstat()
        except OSError:
            return False
        return True

    def is_folder(self, name: str) -> bool:
        """Whether a folder of this name exists and no part of its path is a link."""
        path = self.root
        for part in name.split("/"):
            path = path / part
            try:
                if not stat.S_ISDIR(path.lstat().st_mode):
                    return False
            except OSError:
                return False
        return True

    def list_files(
        self, folder: str, on_failure: OnFailure | None = None
    ) -> Iterator[tuple[str, int]]:
        """List all regular files below ``folder`` with their sizes, without following links.

        A folder that cannot be read, and an entry that is neither file nor folder, is passed to
        ``on_failure``. Without it, the former raises SourceError ``permission-denied`` or
        ``unreadable`` and the latter is left out.
        """
        # an explicit stack, since a hostile tree may be deeper than Python's recursion limit
        pending = [self._entries(folder, on_failure)]
        while pending:
            name, status = next(pending[-1], ("", None))
            if status is None:
                pending.pop()
                continue
            if stat.S_ISDIR(status.st_mode):
                pending.append(self._entries(name, on_failure))
                continue
            if stat.S_ISREG(status.st_mode):
                yield name, status.st_size
            elif on_failure is not None:
                on_failure(
                    name,
                    SourceError(
                        f"{path_text(os.fsencode(name))}: expected a file or a folder, "
                        "found something else",
                        "not-a-regular-file",
                    ),
                )

    def _entries(
        self, folder: str, on_failure: OnFailure | None
    ) -> Iterator[tuple[str, os.stat_result]]:
        try:
            entries = list_statuses(self.root / folder)
        except FileNotFoundError:
            # the program that owns the store has deleted it meanwhile
            return
        except OSError as error:
            if on_failure is None:
                raise _list_error(folder, error) from error
            on_failure(folder, _list_error(folder, error))
            return
        for name, status in entries:
            yield f"{folder}/{name}", status


def _list_error(name: str, error: OSError) -> SourceError:
    return SourceError(
        f"{path_text(os.fsencode(name))}: {reason_of(error)}",
        "permission-denied" if isinstance(error, PermissionError) else "unreadable",
    )
