"""Private folders for temporary files, deleted at the latest by the next run after a kill.

A folder has a random name and mode 0700, and holds a file that its process locks. Making a folder
deletes those beside it that no process locks any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

_LOCK = "lock"
#: without a lock, a folder may have been made a moment ago, or its file system has no locks
_STALE_SECONDS = 24 * 3600


class Scratch:
    """A private folder in ``place``, until ``close``; raises OSError if it cannot be made."""

    def __init__(self, place: Path, prefix: str) -> None:
        _sweep(place, prefix)
        # without a place of ours, Python would try several, the working folder too
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._lock = os.open(self.path / _LOCK, flags, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _sweep(place: Path, prefix: str) -> None:
    """Delete folders of runs that were killed; raises OSError if the place cannot be listed."""
    with os.scandir(place) as entries:
        for entry in entries:
            if not entry.name.startswith(prefix):
                continue
            # another run may be deleting it
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                # others may write into a place such as /tmp
                if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                    _remove_unused(Path(entry.path), found.st_mtime)


def _remove_unused(folder: Path, changed: float) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        if changed < time.time() - _STALE_SECONDS:
            shutil.rmtree(folder)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except OSError:
        if changed >= time.time() - _STALE_SECONDS:
            return
    finally:
        os.close(lock)
    shutil.rmtree(folder)
