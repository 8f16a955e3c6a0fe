"""Advisory locks on files (flock): they end with their process, however that ends."""

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dedupe.errors import LockedError, StoreError
from dedupe.model.paths import printable

#: what a holder writes of itself is short; more is not ours
_MOST_BYTES = 512
#: file systems without locks
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}

_held: set[int] = set()


def _close_in_child() -> None:
    """A lock lives as long as any copy of its descriptor: a forked worker must keep none.

    Else a worker that outlives its killed parent would hold the lock of an audit that is gone.
    """
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


@contextlib.contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold the lock alone, and leave word in the file of who does.

    Raises LockedError where another process holds it, StoreError where it cannot be taken.
    """
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"{what}: {_holder(descriptor)} holds {path}", "locked") from None
        except OSError as error:
            raise _unlockable(path, error) from error
        word = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(word).encode(), 0)
        yield


@contextlib.contextmanager
def together(path: Path) -> Iterator[None]:
    """Hold the lock beside others that hold it so; wait for one that holds it alone."""
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except OSError as error:
            # where there are no locks, nobody can hold one alone either
            if error.errno not in _NO_LOCKS:
                raise _unlockable(path, error) from error
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise _unlockable(path, error) from error
    _held.add(descriptor)
    try:
        yield descriptor
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _unlockable(path: Path, error: OSError) -> StoreError:
    reason = (error.strerror or str(error)).lower()
    return StoreError(f"{path}: cannot be locked: {reason}", "unlockable")


def _holder(descriptor: int) -> str:
    try:
        word = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
        text = f"process {int(word['pid'])} on {word['host']}, since {word['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return printable(text)
