"""Advisory file locks (flock), which the kernel releases when their process ends."""

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dedupe.errors import LockedError, StoreError, reason_of
from dedupe.model.paths import printable

#: the note that a holder writes into the lock file is shorter than this
_MAX_NOTE_BYTES = 512
#: errno values on file systems without locks
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}

#: descriptors of the locks that this process holds
_held: set[int] = set()


def _close_in_child() -> None:
    """Close all copies of lock descriptors in a forked worker.

    A lock is held as long as any copy of its descriptor is open. A worker that outlives its killed
    parent would otherwise keep the parent's lock.
    """
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


@contextlib.contextmanager
def exclusive_lock(path: Path, what: str) -> Iterator[None]:
    """Hold the lock exclusively, and write into the file which process holds it.

    ``what`` names the locked thing in messages.
    Raises LockedError ``locked`` if another process holds the lock, StoreError ``unlockable`` if
    the file cannot be locked.
    """
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"{what}: {_name_of_holder(descriptor)} holds {path}", "locked"
            ) from None
        except OSError as error:
            raise _unlockable(path, error) from error
        note = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        yield


@contextlib.contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold the lock exclusively, and wait while another process holds it.

    Raises StoreError ``unlockable`` if the file cannot be locked.
    """
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise _unlockable(path, error) from error
        yield


@contextlib.contextmanager
def shared_lock(path: Path) -> Iterator[None]:
    """Share the lock with other readers; wait while a process holds it exclusively.

    Does nothing on file systems without locks.
    Raises StoreError ``unlockable`` if the file cannot be locked.
    """
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except OSError as error:
            # without locks, no process can hold the exclusive one either
            if error.errno not in _NO_LOCKS:
                raise _unlockable(path, error) from error
        yield


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Tell others that files of a folder are being read, by a shared lock on the folder itself.

    It changes nothing, and works in folders that cannot be written. Does nothing if the folder
    cannot be opened or locked.
    """
    with _opened_folder(folder) as descriptor:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def without_readers(folder: Path) -> Iterator[bool]:
    """Whether no process is ``reading`` the folder; while the body runs, others wait to begin.

    False if that cannot be found out.
    """
    with _opened_folder(folder) as descriptor:
        is_alone = descriptor is not None
        if descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                is_alone = False
        yield is_alone


@contextlib.contextmanager
def _opened_folder(folder: Path) -> Iterator[int | None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    with _closing(descriptor):
        yield descriptor


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise _unlockable(path, error) from error
    with _closing(descriptor):
        yield descriptor


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    _held.add(descriptor)
    try:
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _unlockable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: cannot be locked: {reason_of(error)}", "unlockable")


def _name_of_holder(descriptor: int) -> str:
    try:
        note = json.loads(os.pread(descriptor, _MAX_NOTE_BYTES, 0))
        text = f"process {int(note['pid'])} on {note['host']}, since {note['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return printable(text)
