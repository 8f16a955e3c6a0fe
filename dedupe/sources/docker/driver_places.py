"""What the places of a graph driver are: folders of layers, and docker's records of them.

docker frees a layer, which is a folder of the graph driver and a record in ``layerdb``, once no
image, no container and not the builder's cache refers to it or to a layer above it.
Source: github.com/moby/moby, layer/layer_store.go, builder/builder-next/adapters/snapshot.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dedupe.errors import SourceError
from dedupe.host.store_root import StoreRoot
from dedupe.model.disk import (
    UNRECOGNISED,
    HolderKind,
    PlaceFacts,
    PlaceForm,
    PlaceHolder,
    PlaceKind,
)
from dedupe.model.identity import ImageID, chain_ids
from dedupe.model.images import Whiteouts
from dedupe.model.paths import path_text
from dedupe.sources.docker.build_cache import BuildCache
from dedupe.sources.docker.containers import ContainerRecord, Mount
from dedupe.sources.docker.images import StoredConfig, cache_images
from dedupe.sources.docker.layers import DockerLayers
from dedupe.sources.docker.root_folders import CACHED, METADATA
from dedupe.sources.interface import Contents

#: parts of the store in its disk usage, beside those of layers and containers
DOCUMENTS, CACHE, ORPHAN = "documents", "build cache", "orphan"
#: beginnings of the parts of layers that images need, and of those that only containers hold
LAYER, HELD = "layer ", "held "
#: names of folders and of branches that buildkit makes
BUILD_CACHE_NAME = re.compile(r"[0-9a-z]{25}\Z")
#: name of the link by which overlay2 mounts a layer, since a command has room for few long names
_SHORT_NAME = re.compile(r"[A-Z0-9]{1,64}\Z")
_MAX_SHORT_NAME_BYTES = 1024
#: entries of overlay2 that are not layers
_RECORDS = frozenset({"l", "backingFsBlockDev"})


@dataclass(slots=True)
class DriverPlaces:
    """The places of one graph driver, by path below docker's root."""

    layers: DockerLayers
    parts: dict[str, str] = field(default_factory=dict)
    facts: dict[str, PlaceFacts] = field(default_factory=dict)
    #: orphan folders, and whether buildkit made them
    orphans: dict[str, bool] = field(default_factory=dict)
    #: error of the folder of layers if it is a link out of what the user named
    refused: SourceError | None = None

    def layer_part(self, chain: str) -> str:
        """The part of a layer that an image needs."""
        return f"{LAYER}{self.layers.driver.name} {chain}"


@dataclass(frozen=True, slots=True)
class DriverRecords:
    """What docker has recorded about the layers of one graph driver and those who need them."""

    layers: DockerLayers
    mounts: Sequence[Mount]
    #: writable branches of steps of builds that run, or that were interrupted
    steps: Sequence[Mount]
    configs: Sequence[StoredConfig]
    #: names of images by the ID in their file's name
    names: Mapping[str, tuple[str, ...]]
    cache: BuildCache
    #: containers by ID, all that have mounts among them
    containers: Mapping[str, ContainerRecord]


def places_of_driver(root: StoreRoot, records: DriverRecords, contents: Contents) -> DriverPlaces:
    """Find out what each place is; errors become problems."""
    places = DriverPlaces(records.layers)
    folders = _OwnedFolders()
    _add_layers(places, folders, records)
    _add_containers(places, folders, records)
    _add_documents(places, records)
    _add_folders(root, places, folders, records, contents)
    return places


@dataclass(slots=True)
class _OwnedFolders:
    """Folders of the graph driver that docker's records name."""

    #: part of the disk usage that each is
    parts: dict[str, str] = field(default_factory=dict)
    facts: dict[str, PlaceFacts] = field(default_factory=dict)

    def add(self, name: str | None, part: str, facts: PlaceFacts) -> None:
        """Add a folder, unless it is known already."""
        if name is not None and name not in self.parts:
            self.parts[name] = part
            self.facts[name] = facts


def _add_layers(places: DriverPlaces, folders: _OwnedFolders, records: DriverRecords) -> None:
    """Add docker's records of layers, and remember their folders."""
    layers = records.layers
    is_full = layers.driver.whiteouts is Whiteouts.NONE
    form = PlaceForm.FULL_TREE if is_full else PlaceForm.TREE
    owners, images = _image_holders(records)
    containers: dict[str, dict[PlaceHolder, None]] = {}
    for mount in records.mounts:
        holder = records.containers[mount.container_id].holder
        for chain in _chains_below(layers, (mount.parent,)):
            containers.setdefault(chain, {})[holder] = None
    cached = set(_chains_below(layers, records.cache.chains))
    for chain, record in layers.records.items():
        users = containers.get(chain, {})
        holders = (*images.get(chain, ()), *users, *(CACHED.holders if chain in cached else ()))
        facts = PlaceFacts(PlaceKind.LAYER, subject=chain, form=form, holders=holders)
        if chain in images:
            part, facts = places.layer_part(chain), replace(facts, owner=owners[chain])
        elif users:
            part = f"{HELD}{layers.driver.name} {chain}"
            facts = replace(facts, owner=next(iter(users)).name)
        elif chain in cached:
            part, facts = CACHE, replace(CACHED, subject=chain, form=form)
        else:
            part, facts = ORPHAN, replace(facts, kind=PlaceKind.ORPHAN)
        _put(places, (*layers.parts, "sha256", chain.partition(":")[2]), part, facts)
        folders.add(record.folder, part, facts)
    for name in layers.removed_names:
        # docker removes such a record, with its folder, when it stops
        orphan = PlaceFacts(PlaceKind.ORPHAN, subject=path_text(os.fsencode(name)))
        _put(places, (*layers.parts, "sha256", name), ORPHAN, orphan)


def _image_holders(
    records: DriverRecords,
) -> tuple[dict[str, str], dict[str, dict[PlaceHolder, None]]]:
    """The owner to show of each chain, and the images that hold it.

    An image that docker deletes with a child holds nothing that the child does not.
    """
    used = {str(record.image_id) for record in records.containers.values()}
    cache = cache_images(records.configs, records.names, used)
    owners: dict[str, str] = {}
    holders: dict[str, dict[PlaceHolder, None]] = {}
    for stored in sorted(records.configs, key=lambda each: each.claimed_id not in records.names):
        if stored.claimed_id in cache:
            continue
        names = records.names.get(stored.claimed_id) or (stored.claimed_id,)
        holder = PlaceHolder(HolderKind.IMAGE, stored.image_id)
        for chain in chain_ids(stored.config.diff_ids):
            owners.setdefault(chain, names[0])
            holders.setdefault(chain, {})[holder] = None
    return owners, holders


def _add_containers(places: DriverPlaces, folders: _OwnedFolders, records: DriverRecords) -> None:
    """Add the records of writable branches, and remember their folders."""
    layers = records.layers
    for mount in records.mounts:
        holder = records.containers[mount.container_id].holder
        facts = PlaceFacts(
            PlaceKind.CONTAINER,
            holder.name,
            mount.container_id,
            holders=(holder,),
            command=holder.release,
        )
        part = f"container {mount.container_id}"
        folders.add(mount.folder, part, facts)
        folders.add(mount.init, part, facts)
        record = replace(facts, kind=PlaceKind.METADATA)
        _put(places, (*layers.parts, "mounts", mount.container_id), DOCUMENTS, record)
    for mount in records.steps:
        facts = replace(CACHED, subject=mount.container_id)
        folders.add(mount.folder, CACHE, facts)
        folders.add(mount.init, CACHE, facts)
        _put(places, (*layers.parts, "mounts", mount.container_id), DOCUMENTS, facts)


def _add_documents(places: DriverPlaces, records: DriverRecords) -> None:
    """Add the files of images, and records that docker did not finish."""
    layers = records.layers
    above = layers.parts[:-1]
    # docker deletes no image that has a container
    users: dict[str | None, list[PlaceHolder]] = {}
    for record in records.containers.values():
        users.setdefault(record.image_id, []).append(record.holder)
    for stored in records.configs:
        names = records.names.get(stored.claimed_id) or (stored.claimed_id,)
        itself = PlaceHolder(HolderKind.IMAGE, stored.image_id)
        holders = (itself, *users.get(ImageID(stored.claimed_id), ()))
        facts = replace(METADATA, owner=names[0], subject=stored.claimed_id, holders=holders)
        for kind in ("content", "metadata"):
            name = stored.claimed_id.partition(":")[2]
            _put(places, (*above, "imagedb", kind, "sha256", name), DOCUMENTS, facts)
    for name in layers.unfinished:
        _put(places, (*layers.parts, "tmp", name), DOCUMENTS, PlaceFacts(PlaceKind.TEMPORARY))


def _add_folders(
    root: StoreRoot,
    places: DriverPlaces,
    folders: _OwnedFolders,
    records: DriverRecords,
    contents: Contents,
) -> None:
    """Add the driver's folders: each belongs to a layer, a container, the cache, or nothing."""
    layers = records.layers
    trees = layers.driver.trees
    for count in range(1, len(trees) + 1):
        _put(places, trees[:count], "", METADATA)
    try:
        names = root.list_folder(trees)
    except SourceError as error:
        contents.add_unseen("/".join(trees), error)
        if error.code == "link-refused":
            places.refused = error
        return
    for name in names:
        shown = path_text(os.fsencode(name))
        part, facts = "", UNRECOGNISED
        if name in _RECORDS:
            facts = METADATA
        elif name in folders.parts:
            part, facts = folders.parts[name], folders.facts[name]
        elif name in records.cache.folders:
            part, facts = CACHE, replace(CACHED, subject=shown)
        elif layers.is_folder_name(name.removesuffix("-removing")):
            part, facts = ORPHAN, PlaceFacts(PlaceKind.ORPHAN, subject=shown)
            places.orphans[name] = BUILD_CACHE_NAME.match(name) is not None
        _put(places, (*trees, name), part, facts)
    if "l" in names:
        for name in names:
            known = places.facts["/".join((*trees, name))]
            link = _short_name(root, (*trees, name, "link")) if known.holders else None
            if link is not None:
                facts = replace(METADATA, owner=known.owner, holders=known.holders)
                _put(places, (*trees, "l", link), "", facts)
    absent = folders.parts.keys() - set(names)
    _report_absent("/".join(trees), {name: folders.parts[name] for name in absent}, contents)


def _report_absent(trees: str, absent: Mapping[str, str], contents: Contents) -> None:
    """Say that a record names a folder that is not there: its own folder seems unneeded.

    ``absent`` maps the names of the folders to the parts that own them. A layer that an image
    needs is a problem of the image.
    """
    if not absent:
        return
    error = SourceError(
        f"docker's records name folders that are not there, such as {min(absent)}",
        "layer-missing",
    )
    if all(part.startswith(LAYER) for part in absent.values()):
        contents.hide_references(trees, error)
    else:
        contents.add_unseen(trees, error)


def _short_name(root: StoreRoot, parts: tuple[str, ...]) -> str | None:
    """The link to a layer's folder, from the file that names it: reading a link changes its times.

    None if it is not known: the link is then one of the driver's own.
    """
    try:
        text = root.read(parts, _MAX_SHORT_NAME_BYTES).decode("ascii", "replace")
    except SourceError:
        return None
    return text if _SHORT_NAME.match(text) else None


def _chains_below(layers: DockerLayers, chains: Collection[str | None]) -> set[str]:
    """These chain IDs, as far as docker has records of them, and all those below them."""
    found: set[str] = set()
    for chain in chains:
        below = chain
        while below is not None and below in layers.records and below not in found:
            found.add(below)
            below = layers.records[below].parent
    return found


def _put(places: DriverPlaces, path: Sequence[str], part: str, facts: PlaceFacts) -> None:
    name = "/".join(path)
    places.parts[name] = part
    places.facts[name] = facts
