"""A folder as a holder of files."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.formats.files import read_below, stat_below
from dedupe.model.images import BlobRef


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

    def listing(self, folder: str) -> Iterator[tuple[str, int]]:
        """Regular files below ``folder``; links are not followed."""
        try:
            entries = sorted(os.scandir(self.root / folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise SourceError(
                f"{folder}: {error.strerror or error}".lower(), "permission-denied"
            ) from error
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self.listing(name)
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield name, status.st_size
