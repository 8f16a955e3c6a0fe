"""What the folders of a docker root are, without its images and the layers of graph drivers.

Containers with their logs, volumes, plugins, the builder's cache, temporary files and records.
Source: github.com/moby/moby, daemon/, volume/local, plugin/, builder/builder-next.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from dedupe.errors import SourceError
from dedupe.formats.documents import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    object_in,
    parse_object,
    text_in,
)
from dedupe.host.store_root import StoreRoot
from dedupe.model.disk import UNRECOGNISED, HolderKind, PlaceFacts, PlaceHolder, PlaceKind
from dedupe.model.identity import is_digest, is_hex_id
from dedupe.model.paths import path_text, printable
from dedupe.sources.disk_places import volume_owner
from dedupe.sources.docker.containers import FOLDER as CONTAINERS
from dedupe.sources.docker.containers import ContainerRecord, is_docker_name, read_record
from dedupe.sources.interface import Contents, DiskClaims

#: folders of a docker root beside those of layers: each may be on a disk of its own
OWN_FOLDERS = (
    *("buildkit", "containers", "containerd", "image", "network", "plugins", "runtimes", "swarm"),
    *("tmp", "trust", "volumes"),
)
#: docker's own records, and folders that others are in; plugins and volumes have theirs
METADATA = PlaceFacts(PlaceKind.METADATA)
#: what the builder's cache keeps is removed with it
BUILD_CACHE = PlaceHolder(HolderKind.BUILD_CACHE, "build cache", ("docker", "builder", "prune"))
CACHED = PlaceFacts(
    PlaceKind.BUILD_CACHE, BUILD_CACHE.name, holders=(BUILD_CACHE,), command=BUILD_CACHE.release
)
#: entries of the root that are docker's, beside ``OWN_FOLDERS`` and those of ``_TEMPORARY``
_OTHER_ENTRIES = frozenset(
    {"builder", "discovery_certs", "engine-id", "nuke-graph-directory.sh", "rootfs"}
)
#: folders of temporary files; docker renames the first to the second when it starts
_TEMPORARY = ("tmp", "tmp-old")
#: a blob that is being pulled; Source: github.com/moby/moby, distribution/pull_v2.go
_PULLED = "GetImageBlob"
#: logs of the drivers json-file and local, and copies that docker keeps for other drivers
_LOG = re.compile(r"(?:[0-9a-f]{64}-json\.log|container-cached\.log|local-logs)(?:\Z|[.])")
#: files in the folder of volumes that are not volumes
_VOLUME_RECORDS = frozenset({"metadata.db", "backingFsBlockDev"})
#: a volume that a container was given without a name for it
_ANONYMOUS = re.compile(r"[0-9a-f]{64}\Z")


def read_records(root: StoreRoot) -> dict[str, ContainerRecord]:
    """What docker's folders of containers say, by ID; none if they cannot be listed."""
    return {name: read_record(root, name) for name in _names(root, CONTAINERS) if is_hex_id(name)}


def places_of_root(
    root: StoreRoot, records: Mapping[str, ContainerRecord]
) -> dict[str, PlaceFacts]:
    """What each place of the root is, by path with slashes; ``""`` is the root itself.

    A folder of a graph driver is ``unrecognised``, unless the caller knows better.
    """
    facts = {"": METADATA}
    for name in _names(root):
        known = name in OWN_FOLDERS or name in _TEMPORARY or name in _OTHER_ENTRIES
        facts[name] = METADATA if known else UNRECOGNISED
    for places in (
        _containers(root, records),
        _volumes(root, records),
        _plugins(root),
        _build_cache(root),
        _temporary(root),
    ):
        facts.update(places)
    return facts


def claims_of_root(root: StoreRoot) -> DiskClaims:
    """What a docker root is beside docker's own containerd, if no graph driver has images in it."""
    facts = places_of_root(root, read_records(root))
    return DiskClaims(root, facts, facts.pop(""), OWN_FOLDERS)


def is_without_images(contents: Contents) -> bool:
    """Whether docker keeps no images in its containerd, nor anything left of them.

    With a graph driver it keeps the manifests of what it pulls there, for a day.
    """
    blobs = contents.blobs or ()
    return not (
        contents.images
        or contents.others
        or contents.containers
        or contents.problems
        or any(blob.stored_bytes > MAX_MANIFEST_BYTES for blob in blobs)
        or (contents.unpacked is not None and contents.unpacked.stored_bytes)
    )


def _containers(
    root: StoreRoot, records: Mapping[str, ContainerRecord]
) -> Iterator[tuple[str, PlaceFacts]]:
    for name in _names(root, CONTAINERS):
        folder = f"{CONTAINERS}/{name}"
        record = records.get(name)
        if record is None:
            yield folder, UNRECOGNISED
            continue
        holder = record.holder
        owner, holders = holder.name, (holder,)
        yield (
            folder,
            PlaceFacts(PlaceKind.METADATA, owner, name, holders=holders, command=holder.release),
        )
        for file in _names(root, CONTAINERS, name):
            if _LOG.match(file):
                # no command of docker empties a log
                yield f"{folder}/{file}", PlaceFacts(PlaceKind.LOG, owner, name, holders=holders)


def _volumes(
    root: StoreRoot, records: Mapping[str, ContainerRecord]
) -> Iterator[tuple[str, PlaceFacts]]:
    users: dict[str, list[PlaceHolder]] = {}
    for record in records.values():
        for volume in record.volumes:
            users.setdefault(volume, []).append(record.holder)
    # a container without a readable config may use any volume
    known = all(record.error is None for record in records.values()) and _is_listed(
        root, CONTAINERS
    )
    for name in _names(root, "volumes"):
        if name in _VOLUME_RECORDS:
            continue
        if not is_docker_name(name):
            yield f"volumes/{name}", UNRECOGNISED
            continue
        holders = users.get(name, [])
        command = ("docker", "volume", "rm", name)
        # a volume stays when its containers are removed
        itself = PlaceHolder(HolderKind.RECORD, name, command)
        yield (
            f"volumes/{name}",
            PlaceFacts(
                PlaceKind.VOLUME,
                volume_owner(
                    name,
                    holders,
                    is_anonymous=_ANONYMOUS.match(name) is not None,
                    is_known=known,
                ),
                name,
                holders=(*holders, itself),
                command=command,
            ),
        )


def _plugins(root: StoreRoot) -> Iterator[tuple[str, PlaceFacts]]:
    needed: dict[str, PlaceFacts] = {}
    for name in _names(root, "plugins"):
        if not is_hex_id(name):
            continue
        try:
            parts = ("plugins", name, "config.json")
            document = parse_object(root.read(parts, MAX_CONFIG_BYTES), "/".join(parts))
        except SourceError:
            document = {}
        shown = printable(text_in(object_in(document, "plugin"), "Name")) or name
        command = ("docker", "plugin", "rm", name)
        holders = (PlaceHolder(HolderKind.RECORD, shown, command),)
        facts = PlaceFacts(PlaceKind.ARTIFACT, shown, name, holders=holders, command=command)
        yield f"plugins/{name}", facts
        for digest in _blobs_of_plugin(document):
            needed.setdefault(digest.partition(":")[2], facts)
    blobs = ("plugins", "storage", "blobs", "sha256")
    for name in _names(root, *blobs):
        yield "/".join((*blobs, name)), needed.get(name, UNRECOGNISED)
    for folder, kind in (("storage/ingest", PlaceKind.UPLOAD), ("tmp", PlaceKind.TEMPORARY)):
        for name in _names(root, "plugins", *folder.split("/")):
            yield f"plugins/{folder}/{name}", PlaceFacts(kind, subject=path_text(os.fsencode(name)))


def _blobs_of_plugin(document: Mapping[str, object]) -> Iterable[str]:
    """Digests of the blobs that a plugin was installed from."""
    layers = document.get("Blobsums")
    named = [document.get("Config"), document.get("Manifest")]
    named += layers if isinstance(layers, list) else []
    return (str(digest) for digest in named if is_digest(digest))


def _build_cache(root: StoreRoot) -> Iterator[tuple[str, PlaceFacts]]:
    """Its databases and folders stay when it is pruned; the blobs that it keeps do not."""
    kept = PlaceFacts(PlaceKind.BUILD_CACHE, BUILD_CACHE.name)
    for name in _names(root, "buildkit"):
        yield f"buildkit/{name}", kept
    blobs = ("buildkit", "content", "blobs", "sha256")
    for name in _names(root, *blobs):
        yield "/".join((*blobs, name)), CACHED


def _temporary(root: StoreRoot) -> Iterator[tuple[str, PlaceFacts]]:
    for folder in _TEMPORARY:
        for name in _names(root, folder):
            kind = PlaceKind.UPLOAD if name.startswith(_PULLED) else PlaceKind.TEMPORARY
            yield f"{folder}/{name}", PlaceFacts(kind, subject=path_text(os.fsencode(name)))


def _names(root: StoreRoot, *parts: str) -> list[str]:
    """Names in a folder; none if it cannot be read, which the walk reports."""
    try:
        return root.list_folder(parts)
    except SourceError:
        return []


def _is_listed(root: StoreRoot, folder: str) -> bool:
    """Whether a folder can be listed, or does not exist."""
    try:
        root.list_folder((folder,))
    except SourceError as error:
        return error.code == "blob-missing"
    return True
