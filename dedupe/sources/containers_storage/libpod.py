"""What podman's database knows: which containers run, and which use a volume."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile, Bucket
from dedupe.formats.documents import objects_in, parse_object, text_in
from dedupe.host.store_root import StoreRoot
from dedupe.model.paths import path_text

#: states of a container that has a process: running, paused, stopping
_ALIVE = (3, 5, 8)
#: of a container's runtime configuration, which lists its mounts
_MAX_CONFIG_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Libpod:
    """Records of podman about the containers of a root."""

    #: whether the database was found
    is_known: bool = False
    #: whether containers run, by ID
    running: dict[str, bool] = field(default_factory=dict)
    #: IDs of the containers that use a volume, by the volume's name
    volume_users: dict[str, list[str]] = field(default_factory=dict)


def read_libpod(root: StoreRoot) -> Libpod:
    """Read podman's database; what cannot be read is empty."""
    try:
        database = BoltFile.open(root, ("libpod", "bolt_state.db"))
    except SourceError:
        return Libpod()
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
        found.volume_users[path_text(name)] = ids
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
            found.append(name)
    return found


def _buckets(database: BoltFile, name: bytes) -> Iterator[tuple[bytes, Bucket]]:
    """Buckets in one of the database's; none if it is damaged."""
    try:
        found = database.bucket(name)
        yield from () if found is None else list(found.buckets().items())
    except SourceError:
        return
