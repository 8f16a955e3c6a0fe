"""What podman's database knows: which containers run, and which use a volume.

It is a bbolt file up to podman 4, and usually an SQLite file, ``db.sql``, since podman 5.
Source: github.com/containers/podman, libpod: boltdb_state_internal.go, sqlite_state_internal.go.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile, Bucket
from dedupe.formats.documents import objects_in, parse_object, text_in
from dedupe.host.store_root import StoreRoot
from dedupe.model.paths import path_text, printable

#: states of a container that has a process: running, paused, stopping
_ALIVE = (3, 5, 8)
_MAX_DATABASE_BYTES = 256 << 20
#: instructions of SQLite's virtual machine; hundreds of thousands of rows take less
_MAX_STEPS = 5_000_000
#: of a container's runtime configuration, which lists its mounts
_MAX_CONFIG_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Libpod:
    """Records of podman about the containers of a root."""

    #: whether the database was found
    is_known: bool = False
    #: whether containers run, by ID
    running: dict[str, bool] = field(default_factory=dict)
    #: names of the volumes that a container uses, by its ID
    volumes: dict[str, list[str]] = field(default_factory=dict)


def read_libpod(root: StoreRoot) -> Libpod:
    """Read podman's database; what cannot be read is empty."""
    try:
        return _read_bolt(BoltFile.open(root, ("libpod", "bolt_state.db")))
    except SourceError:
        pass
    for parts in (("db.sql",), ("libpod", "db.sql")):
        try:
            return _read_sqlite(root.read(parts, _MAX_DATABASE_BYTES))
        except (SourceError, sqlite3.Error):
            continue
    return Libpod()


def _read_bolt(database: BoltFile) -> Libpod:
    found = Libpod(is_known=True)
    for name, bucket in _buckets(database, b"ctr"):
        try:
            state = parse_object(bucket.values().get(b"state", b""), "state").get("state")
        except SourceError:
            continue
        found.running[path_text(name)] = state in _ALIVE
    for name, bucket in _buckets(database, b"vol"):
        try:
            users = bucket.buckets().get(b"vol-dependencies")
            ids = [path_text(user) for user in users.values()] if users is not None else []
        except SourceError:
            continue
        for user in ids:
            found.volumes.setdefault(user, []).append(path_text(name))
    return found


def _read_sqlite(data: bytes) -> Libpod:
    """Read a copy of the database in memory; raises sqlite3.Error."""
    if not data.startswith(b"SQLite format 3\x00"):
        raise sqlite3.DatabaseError("not an SQLite file")
    found = Libpod(is_known=True)
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(data)
        # the file is hostile: nothing in its schema may run long, or call a function
        database.execute("PRAGMA trusted_schema = OFF")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 20)
        database.set_progress_handler(lambda: 1, _MAX_STEPS)
        for name, state in database.execute("SELECT ID, State FROM ContainerState"):
            found.running[printable(str(name))] = state in _ALIVE
        for user, volume in database.execute("SELECT ContainerID, VolumeName FROM ContainerVolume"):
            volumes = found.volumes.setdefault(printable(str(user)), [])
            volumes.append(printable(str(volume)))
    return found


def mounted_volumes(root: StoreRoot, folder: tuple[str, ...]) -> list[str]:
    """Names of the volumes that a container was started with, by its runtime configuration.

    ``folder`` is the container's ``userdata``. Empty if the container was never started.
    """
    try:
        document = parse_object(root.read((*folder, "config.json"), _MAX_CONFIG_BYTES), "config")
        mounts = objects_in(document, "mounts")
    except SourceError:
        return []
    found = []
    for mount in mounts:
        above, _, name = text_in(mount, "source").removesuffix("/_data").rpartition("/")
        if name and above.endswith("/volumes") and text_in(mount, "source").endswith("/_data"):
            found.append(printable(name))
    return found


def _buckets(database: BoltFile, name: bytes) -> Iterator[tuple[bytes, Bucket]]:
    """Buckets in one of the database's; none if it is damaged."""
    try:
        found = database.bucket(name)
        yield from () if found is None else list(found.buckets().items())
    except SourceError:
        return
