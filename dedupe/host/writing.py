"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place, and rename it there once it is on the disk.

    The file on the way has the same name each time, so that one that a killed run left behind is
    written over; its ending keeps it from who collects files by theirs.
    """
    waiting = path.with_name(f".tmp-{path.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(waiting, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    waiting.rename(path)
