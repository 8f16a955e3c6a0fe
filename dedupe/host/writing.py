"""Write files atomically: readers see the old file or the new one, never a part."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

#: Names of temporary files and folders begin so. Programs that collect files by suffix, such as
#: ``*.prom``, do not take them.
TEMPORARY = ".tmp-"


@contextlib.contextmanager
def replacing(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Yield the path of a new file beside ``path``, and rename it to ``path`` at the end.

    If the body fails, the new file is removed and ``path`` stays as it was. ``flush`` writes the
    file to the disk before it replaces one that cannot be made again. Raises OSError if the file
    cannot be renamed.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        yield temporary
        if flush:
            flush_file(temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write a temporary file beside ``path``, and rename it to ``path`` once it is on disk.

    The temporary file always has the same name, so that the next run overwrites what a killed run
    left; ``replacing`` takes a new name each time, so that two runs may write the same file.
    Raises OSError if the file cannot be written or renamed.
    """
    temporary = path.with_name(f"{TEMPORARY}{path.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def flush_file(path: Path) -> None:
    """Write a file to the disk, so that it outlasts a loss of power; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
