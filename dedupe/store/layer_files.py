"""Files of layers and of their entries: how they are named, written, found and checked.

    layers/<number>-<checksum>.parquet     rows of one layer or many; ``entries_in`` of each row
    entries/<number>-<checksum>.parquet    names the files that have its entries

A file is never changed. Its checksum is the first half of its BLAKE3. If several files have a row
of one layer, the row of the highest number counts: a layer that was read again has a higher one,
and a file that replaces others (``packing``) is above them. Programs of version 2 and
earlier wrote a layer's row to ``layers/<key>.parquet`` and its entries to
``entries/<key>-<n>.parquet``, without checksums; these rows count less than all others.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dedupe.errors import reason_of
from dedupe.host.writing import TEMPORARY, flush_file
from dedupe.store.checksums import checksum_of
from dedupe.store.reading import damaged

LAYERS = "layers"
ENTRIES = "entries"
#: rows that are found together: with fewer a file is larger, with more each look reads more
ROW_GROUP = 24_576
#: names of files that have a checksum
NUMBERED = "[0-9]{20}-[0-9a-f]{32}[.]parquet"

_NUMBERED = re.compile(NUMBERED)
#: files that were found whole, with what shows that they have not been replaced since
_whole: set[tuple[str, int, int]] = set()


def files_in(folder: Path, table: str) -> list[Path]:
    """All files of layers or entries, those that count less first.

    Raises StoreError ``bad-catalog`` if one is not a regular file.
    """
    found = []
    with os.scandir(folder / table) as files:
        for file in files:
            if file.name.startswith(".") or not file.name.endswith(".parquet"):
                continue
            if not file.is_file(follow_symlinks=False):
                raise damaged(folder, f"{file.path}: not a regular file")
            found.append(Path(file.path))
    return sorted(found, key=lambda file: (is_numbered(file), file.name))


def is_numbered(file: Path) -> bool:
    """Whether the file's name has a number and a checksum."""
    return _NUMBERED.fullmatch(file.name) is not None


def number_of(file: Path) -> int:
    """The number in a file's name; 0 if it has none."""
    return int(file.name[:20]) if is_numbered(file) else 0


def next_number(known: Iterable[Path]) -> int:
    """A number above those of the known files, also if the clock was set back."""
    return max(time.time_ns(), *(number_of(file) + 1 for file in known), 1)


def former_entries(files: Sequence[Path]) -> dict[str, list[str]]:
    """Stem of a layer's file of version 2 or earlier -> names of the files of its entries."""
    found: dict[str, list[str]] = {}
    for file in files:
        if not is_numbered(file):
            found.setdefault(file.stem.rpartition("-")[0], []).append(file.name)
    return found


def write_file(
    folder: Path, number: int, write: Callable[[Path], object], *, flush: bool = False
) -> Path:
    """Write a file to a folder of the catalog, complete or not at all; returns its path.

    ``flush`` writes it to the disk before it counts. Raises OSError, and what ``write`` raises.
    """
    temporary = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        write(temporary)
        if flush:
            flush_file(temporary)
        made = folder / f"{number:020d}-{checksum_of(temporary)}.parquet"
        temporary.replace(made)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return made


def fault_of(file: Path) -> str:
    """What is wrong with a file that has a checksum; empty if it is whole, or has none.

    Raises OSError if it cannot be read.
    """
    if not is_numbered(file):
        return ""
    state = file.lstat()
    if not stat.S_ISREG(state.st_mode):
        # opening a FIFO would wait forever
        return "not a regular file"
    key = (str(file), state.st_size, state.st_mtime_ns)
    if key in _whole:
        return ""
    found = checksum_of(file)
    if not file.stem.endswith(found):
        return f"expected the BLAKE3 {file.stem[21:]}, found {found}"
    _whole.add(key)
    return ""


def require_whole(folder: Path, files: Iterable[Path]) -> None:
    """Raises StoreError ``bad-catalog`` if a file is missing, or has a checksum of another one."""
    for file in files:
        try:
            fault = fault_of(file)
        except OSError as error:
            fault = reason_of(error)
        if fault:
            raise damaged(folder, f"{file}: {fault}")
