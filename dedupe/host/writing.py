"""Write files atomically: readers see the old file or the new one, never a part."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a temporary file beside ``path``, and rename it to ``path`` once it is on disk.

    The temporary file always has the same name, so that the next run overwrites what a killed run
    left. Its suffix keeps it from programs that collect files by suffix, such as ``*.prom``.
    Raises OSError if the file cannot be written or renamed.
    """
    temporary = path.with_name(f".tmp-{path.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o644), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
