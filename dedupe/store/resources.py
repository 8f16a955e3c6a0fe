"""Memory and disk space of questions: the settings of every DuckDB connection are made here.

A connection has a limit of memory, ``--memory`` or DEDUPE_MEMORY, by default half of what is free.
What does not fit into it spills into a private folder, in ``--spill`` or DEDUPE_SPILL, by default
in the catalog, or in TMPDIR if the catalog cannot be written. DuckDB's own choice is ``.tmp`` in
the working folder: anyone may have put a link there, and a locked connection may still read and
write in it.

No more is spilled than half of the free disk space. The limit of memory is that of DuckDB's tables
and operators. Rows that Python holds come on top of it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dedupe.errors import ResourceError, UsageError, reason_of
from dedupe.host.scratch import Scratch
from dedupe.host.writing import TEMPORARY
from dedupe.model.amounts import size_bytes

if TYPE_CHECKING:
    import duckdb

MEMORY: Final = "DEDUPE_MEMORY"
SPILL: Final = "DEDUPE_SPILL"
#: in a catalog such names are not part of it
_PREFIX: Final = f"{TEMPORARY}spill-"
#: a default below it could not answer questions about small stores
_LEAST_BYTES: Final = 256 << 20
#: one thread answers for a catalog with fewer bytes of entries: others take longer to start, and to
#: hand work to, than they save
_FEW_BYTES: Final = 1 << 20
_CGROUPS: Final = Path("/sys/fs/cgroup")


@dataclass(slots=True)
class _Limits:
    """What the options of the command say; None for what is not given."""

    memory_bytes: int | None = None
    spill: Path | None = None


_given = _Limits()
#: connection -> what deletes its folder
_folders: weakref.WeakKeyDictionary[duckdb.DuckDBPyConnection, weakref.finalize[..., object]] = (
    weakref.WeakKeyDictionary()
)


@contextlib.contextmanager
def using(memory: str | None, spill: Path | None) -> Iterator[None]:
    """Use these options for connections that are opened in the body.

    Raises UsageError ``bad-size`` for a memory that is not a size.
    """
    earlier = _given.memory_bytes, _given.spill
    _given.memory_bytes = size_bytes(memory) if memory else None
    _given.spill = spill
    try:
        yield
    finally:
        _given.memory_bytes, _given.spill = earlier


def open_connection(folder: Path, *, in_order: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection to an empty database in memory, for questions to this catalog.

    ``in_order`` keeps the order of rows that are read and written, which costs memory. Raises
    UsageError ``bad-size``, and ``unwritable-spill`` if the folder that the user named cannot be
    written.
    """
    import duckdb

    scratch = _scratch(folder)
    connection = duckdb.connect(
        config={
            **({"threads": 1} if _is_small(folder) else {}),
            "memory_limit": f"{memory_bytes() // 1024}KiB",
            "max_temp_directory_size": f"{_most_spilled_bytes(scratch) // 1024}KiB",
            "temp_directory": str(scratch.path) if scratch else "",
            "preserve_insertion_order": in_order,
            # a name that is not a table could be a Python variable of ours
            "python_enable_replacements": False,
        }
    )
    if scratch:
        _folders[connection] = weakref.finalize(connection, scratch.close)
    return connection


def close_connection(connection: duckdb.DuckDBPyConnection) -> None:
    """Release the connection's memory, and delete what it spilled."""
    connection.close()
    remove = _folders.pop(connection, None)
    if remove is not None:
        remove()


def memory_bytes() -> int:
    """The limit of memory of a connection; raises UsageError ``bad-size``."""
    if _given.memory_bytes is not None:
        return _given.memory_bytes
    text = os.environ.get(MEMORY)
    return size_bytes(text) if text else max(free_bytes() // 2, _LEAST_BYTES)


def free_bytes() -> int:
    """Memory that this process may still use: the least of what the system and its limits allow."""
    return min((_available_bytes(), *_cgroup_bytes(), *_address_bytes()))


def shortage(error: BaseException) -> ResourceError | None:
    """The error to report if memory or disk space did not suffice; None for any other error."""
    # it is loaded only if a question was asked, and then it is loaded already
    import duckdb

    text = str(error)
    first = text.partition("\n")[0].partition(": ")[2]
    if isinstance(error, MemoryError):
        return _out_of_memory(text)
    if isinstance(error, duckdb.OutOfMemoryException):
        if "max_temp_directory_size" in text:
            return _out_of_space(first)
        return _out_of_memory(first)
    if isinstance(error, duckdb.IOException) and (_PREFIX in first or os.strerror(28) in first):
        return _out_of_space(first)
    return None


def _out_of_memory(reason: str) -> ResourceError:
    more = f" ({reason})" if reason else ""
    return ResourceError(
        f"out of memory{more}: allow more with --memory SIZE or {MEMORY}, or ask about fewer "
        "sources with --source",
        "out-of-memory",
    )


def _out_of_space(reason: str) -> ResourceError:
    return ResourceError(
        f"no disk space for what does not fit into memory ({reason}): free some space, name a "
        f"folder that has more with --spill DIR or {SPILL}, or allow more memory with --memory "
        f"SIZE or {MEMORY}",
        "out-of-space",
    )


def _is_small(catalog: Path) -> bool:
    """Whether a catalog has few entries."""
    size = 0
    with contextlib.suppress(OSError), os.scandir(catalog / "entries") as files:
        for file in files:
            size += file.stat().st_size
            if size > _FEW_BYTES:
                return False
    return True


def _scratch(folder: Path) -> Scratch | None:
    """A private folder to spill into; None if none can be made, so that nothing spills."""
    named = _given.spill or os.environ.get(SPILL)
    if named:
        try:
            return Scratch(Path(named).absolute(), _PREFIX)
        except OSError as error:
            raise UsageError(
                f"{named}: cannot be written: {reason_of(error)}; name another folder with "
                f"--spill or {SPILL}",
                "unwritable-spill",
            ) from error
    for place in (folder, Path(os.environ.get("TMPDIR") or "/tmp")):  # noqa: S108  # a private folder in it
        with contextlib.suppress(OSError):
            return Scratch(place.absolute(), _PREFIX)
    return None


def _most_spilled_bytes(scratch: Scratch | None) -> int:
    """Half of the free disk space: DuckDB's own limit would leave scans no space for layers."""
    if scratch is None:
        return 0
    with contextlib.suppress(OSError):
        return shutil.disk_usage(scratch.path).free // 2
    return 0


def _available_bytes() -> int:
    for line in _lines(Path("/proc/meminfo")):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    # systems other than Linux
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cgroup_bytes() -> Iterator[int]:
    """What the control groups of this process have left, of version 2 and 1."""
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _left(_CGROUPS, path, names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left(_CGROUPS / "memory", path, names)


def _left(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    """What each group from this one up to the root has left; most groups have no limit."""
    limit, usage, cache = names
    group = root / path.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(root):
            return
        try:
            allowed = int((folder / limit).read_text())
            used = int((folder / usage).read_text())
        # a group of another namespace is not in the folder, and "max" is not a number
        except (OSError, ValueError):
            continue
        cached = [
            line.split()[1]
            for line in _lines(folder / "memory.stat")
            if line.startswith(f"{cache} ")
        ]
        yield max(allowed - used + sum(map(int, cached)), 0)


def _address_bytes() -> Iterator[int]:
    """What ``ulimit -v`` allows."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY:
        pages = [line.split()[0] for line in _lines(Path("/proc/self/statm"))]
        yield max(allowed - sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE"), 0)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
