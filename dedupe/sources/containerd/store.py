"""containerd's root, and docker's where it keeps images in containerd: read in place.

A name in a namespace stands for a target digest, which leads over content blobs to images as in an
image layout. Names of one target are names of one image, in whatever namespace. Layers are read
from their blobs; where these were discarded after unpacking, from the snapshots of their chain
IDs. What another program may be writing is not locked: see ``formats/bolt.py``.
"""

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile
from dedupe.model.identity import Digest, is_digest
from dedupe.model.images import StoredBlob
from dedupe.model.paths import printable
from dedupe.sources.containerd.blobs import nameless
from dedupe.sources.containerd.containers import Origins, recorded_containers
from dedupe.sources.containerd.docker import docker_containers, forgotten_containers
from dedupe.sources.containerd.metadata import METADATA, ImageRecord, Metadata, read_metadata
from dedupe.sources.containerd.snapshots import READABLE, Snapshots, Store
from dedupe.sources.containerd.usage import measure_containerd
from dedupe.sources.documents.manifests import ManifestReader, blob_name
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Contents

#: what docker puts before the digest of an image that has no name
_DANGLING = "moby-dangling"
CONTENT = "io.containerd.content.v1.content"
#: containerd's root below docker's
DOCKER_ROOT = ("containerd", "daemon")


def is_containerd(holder: FolderHolder, below: tuple[str, ...] = ()) -> bool:
    """Whether content and names, or what is left of either, are there.

    The folders are enough: what lies in them may be closed to us, and that is to be said once.
    """
    return any(holder.has("/".join((*below, folder))) for folder in (CONTENT, METADATA[0]))


def read_containerd(store: Store, contents: Contents, *, docker: bool = False) -> None:
    """All images and containers of all namespaces; problems become rows."""
    holder = FolderHolder(store.root)
    # first, since a store is closed to us as a whole and this row says what to do
    metadata = _metadata(store, contents)
    snapshots = Snapshots(store, contents)
    reader = ManifestReader(
        holder,
        contents,
        lambda digest: "/".join(store.parts(CONTENT, blob_name(digest))),
        snapshots.layer,
    )
    origins = Origins()
    for records in _by_target(metadata.images):
        before = len(contents.images)
        reader.follow(records[0].target, _names(records))
        origins.add(records, contents.images[before:])
    if metadata.damages:
        before = len(contents.images)
        for entry, names in nameless(holder, content_blobs(store, Contents()), contents.referenced):
            reader.follow(entry, names)
        origins.add((), contents.images[before:])
    for snapshotter in sorted(metadata.snapshotters - set(READABLE)):
        contents.note(
            printable(snapshotter),
            "unsupported-snapshotter",
            f"what {printable(snapshotter)} unpacks is not read: layers are read from their blobs",
        )
    if docker:
        contents.containers += docker_containers(store, snapshots, origins, contents)
    known = {container.container_id for container in contents.containers}
    contents.containers += [
        container
        for container in recorded_containers(store, metadata, snapshots, origins, contents)
        if container.container_id not in known
    ]
    known = {container.container_id for container in contents.containers}
    contents.containers += forgotten_containers(snapshots, origins, known)
    measure_containerd(store, (CONTENT, "blobs"), snapshots, contents)


def content_blobs(store: Store, contents: Contents) -> list[StoredBlob]:
    """All complete blobs; what is being written (``ingest``) is none yet."""
    blobs = []
    folder = "/".join(store.parts(CONTENT, "blobs"))
    try:
        for name, size in FolderHolder(store.root).listing(folder):
            digest = ":".join(name.split("/")[-2:])
            blobs.append(StoredBlob(name, size, Digest(digest) if is_digest(digest) else None))
    except SourceError as error:
        contents.failed(folder, error, once=error.code == "permission-denied")
    return blobs


def _metadata(store: Store, contents: Contents) -> Metadata:
    parts = store.parts(*METADATA)
    try:
        metadata = read_metadata(BoltFile.open(store.root, parts))
    except SourceError as error:
        metadata = Metadata(damages=[error])
    for damage in metadata.damages:
        consequence = (
            "; a scan as root can read it"
            if damage.code == "permission-denied"
            else "; images that it no longer names are taken from the blobs, nameless"
        )
        contents.failed("/".join(parts), SourceError(damage.message + consequence, damage.code))
    return metadata


def _by_target(records: list[ImageRecord]) -> list[list[ImageRecord]]:
    """Records of one target together, so that it is followed once."""
    groups: dict[str, list[ImageRecord]] = {}
    for record in records:
        groups.setdefault(str(record.target["digest"]), []).append(record)
    return list(groups.values())


def _names(records: list[ImageRecord]) -> tuple[str, ...]:
    """What a person would call this target.

    CRI names an image by tag, by digest and by its ID, docker a nameless one by a word of its
    own: a digest is a name only where a repository has no tag of this target.
    """
    tags, digests = [], []
    for name in dict.fromkeys(record.name for record in records):
        repository, at, _ = name.partition("@")
        if at:
            digests.append((repository, name))
        elif not is_digest(name):
            tags.append(name)
    tagged = {_repository(tag) for tag in tags}
    return (
        *tags,
        *(
            name
            for repository, name in digests
            if repository != _DANGLING and _repository(repository) not in tagged
        ),
    )


def _repository(name: str) -> str:
    repository, _, tag = name.rpartition(":")
    return repository if repository and "/" not in tag else name
