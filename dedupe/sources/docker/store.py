"""docker's store if it keeps images with a graph driver; read in place, without the daemon.

Each config in ``imagedb`` is an image, with or without a name. Its diff IDs give chain IDs, and
those the folders in which the graph driver has unpacked the layers. With tar-split data a layer's
tar is rebuilt from its folder.
Source: github.com/moby/moby, image/fs.go, reference/store.go, layer/.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.host.trees import open_folder
from dedupe.model.disk import UNRECOGNISED, PlaceFacts, PlaceKind
from dedupe.model.identity import ChainID, DiffID, chain_ids
from dedupe.model.images import FoundImage, FoundLayer, SourceKind, TreeRef
from dedupe.model.paths import printable
from dedupe.sources.disk_places import facts_of_trees
from dedupe.sources.disk_usage import OTHER, DiskUsage, measure_parts
from dedupe.sources.docker.build_cache import SNAPSHOTS, read_build_cache
from dedupe.sources.docker.containers import Mount, container_of, mounts_of
from dedupe.sources.docker.images import StoredConfig, read_configs, read_names
from dedupe.sources.docker.layers import DRIVERS, DockerLayers, GraphDriver
from dedupe.sources.docker.remapped import id_ranges, remapped_roots
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Candidate, Contents, Descent, StoreBytes, state_after

_BUILD_CACHE = re.compile(r"[0-9a-z]{25}\Z")
#: parts of the store in its disk usage, beside those of layers and containers
_DOCUMENTS, _CACHE, _ORPHAN = "documents", "build cache", "orphan"
#: folders of a docker root beside those of layers: each may be on a disk of its own
_OWN_FOLDERS = (
    *("buildkit", "containers", "containerd", "image", "network", "plugins", "runtimes", "swarm"),
    *("tmp", "trust", "volumes"),
)


@dataclass(frozen=True, slots=True)
class DockerStore:
    """docker's root, with the images of its graph drivers."""

    kind: ClassVar[SourceKind] = SourceKind.DOCKER
    location: str
    holder: FolderHolder

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[DockerStore]":
        """A folder with images of a graph driver, or docker's folders if it cannot be read."""
        holder = candidate.holder
        if not isinstance(holder, FolderHolder):
            return []
        try:
            found = bool(_drivers_in(holder))
        except SourceError:
            found = all(holder.has(name) for name in ("image", "containers", "volumes"))
        return [cls(candidate.location, holder)] if found else []

    def read_contents(self) -> Contents:
        """Read the images and containers of all graph drivers, and measure the store.

        Errors become problems.
        """
        contents = Contents()
        root = DockerRoot(self.holder, contents)
        try:
            names = _drivers_in(self.holder)
        except SourceError as error:
            advice = ": a scan as the store's owner or root can read it"
            if error.code == "permission-denied":
                error = SourceError(error.message + advice, error.code)
            contents.add_unseen("image", error)
            names = []
        for name in names:
            if name in DRIVERS:
                root.add_driver(DRIVERS[name])
            else:
                contents.add_unseen(
                    f"image/{printable(name)}",
                    SourceError(
                        f"graph driver {printable(name)}: only {', '.join(DRIVERS)} are read",
                        "unsupported-store",
                    ),
                )
        root.finish()
        contents.moved = self.holder.store.moved_folders()
        return contents

    def descent(self) -> Descent:
        """Roots that a user namespace remaps are in docker's root."""
        return Descent(entries=remapped_roots(self.holder))


def _drivers_in(holder: FolderHolder) -> list[str]:
    """Graph drivers that have images in this docker root; raises SourceError."""
    try:
        names = holder.store.list_folder(("image",))
    except SourceError as error:
        if error.code in ("permission-denied", "link-refused"):
            raise
        return []
    return [
        name
        for name in names
        if holder.has(f"image/{name}/imagedb") or holder.has(f"image/{name}/repositories.json")
    ]


@dataclass(slots=True)
class _DriverContents:
    """The layers, containers and images of one graph driver, before its folders are measured."""

    layers: DockerLayers
    mounts: list[Mount]
    configs: list[StoredConfig] = field(default_factory=list)
    #: names of images by ID
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


class DockerRoot:
    """Reads a docker root into ``contents``: ``add_driver`` for each driver, then ``finish``."""

    def __init__(self, holder: FolderHolder, contents: Contents) -> None:
        self._root = holder.store
        self._contents = contents
        self._ids = id_ranges(holder.root)
        self._drivers: list[_DriverContents] = []
        #: part of each folder in the disk usage; remapped roots are sources of their own
        self._parts: dict[str, str | None] = dict.fromkeys(remapped_roots(holder))
        self._parts["image"] = _DOCUMENTS
        self._cache = read_build_cache(self._root, contents)
        #: orphan folders of graph drivers, and whether buildkit made them
        self._orphans: dict[str, bool] = {}
        #: errors of folders of layers that are links out of what the user named, by driver
        self._refused: dict[str, SourceError] = {}

    def add_driver(self, driver: GraphDriver) -> None:
        """Read docker's records of the images and containers of a graph driver."""
        layers = DockerLayers(self._root, driver, self._ids, self._contents)
        found = _DriverContents(layers, mounts_of(layers, self._contents))
        self._drivers.append(found)
        found.configs = sorted(
            read_configs(self._root, driver.name, self._contents),
            # if two files have the same bytes, the one with the right name comes first
            key=lambda config: not config.checked,
        )
        found.names = read_names(self._root, driver.name, self._contents)
        needed = {chain for stored in found.configs for chain in chain_ids(stored.config.diff_ids)}
        self._assign_parts(found, needed, self._layers_below(layers, self._cache.chains) - needed)

    def finish(self) -> None:
        """Measure the store, and add its images and containers to the contents."""
        try:
            usage = measure_parts(self._root, self._parts, own=_OWN_FOLDERS)
        except SourceError as error:
            self._contents.add_unseen(".", error)
            usage = DiskUsage()
        usage.report(self._contents)
        for found in self._drivers:
            images = self._images(found, usage)
            self._contents.images += images
            by_id = {image.image_id: image for image in images}
            for mount in found.mounts:
                container = container_of(self._root, found.layers, mount, by_id, self._contents)
                if found.layers.driver.name in self._refused:
                    container = replace(container, upper=None)
                used = usage.of(f"container {mount.container_id}").allocated_bytes
                self._contents.containers.append(replace(container, allocated_bytes=used))
        self._add_folder_notes(usage)
        orphan, cached = usage.of(_ORPHAN).file_bytes, usage.of(_CACHE)
        layers = sum(
            found.file_bytes for name, found in usage.parts.items() if name.startswith("layer ")
        )
        self._contents.places = usage.found_places(self._facts())
        self._contents.unpacked = StoreBytes(
            stored_bytes=usage.of(_DOCUMENTS).file_bytes + layers + orphan + cached.file_bytes,
            orphan_bytes=orphan,
            other_bytes=usage.of(OTHER).allocated_bytes + cached.allocated_bytes,
        )

    def _facts(self) -> Callable[[str, str], PlaceFacts]:
        """What each part of the store is."""
        facts = {
            _DOCUMENTS: PlaceFacts(PlaceKind.METADATA),
            _CACHE: PlaceFacts(PlaceKind.BUILD_CACHE),
            _ORPHAN: PlaceFacts(PlaceKind.ORPHAN),
            **facts_of_trees(self._contents, self._part_of),
        }
        return lambda _path, part: facts.get(part, UNRECOGNISED)

    def _part_of(self, tree: TreeRef) -> str | None:
        for found in self._drivers:
            trees = found.layers.driver.trees
            place = self._root.place(trees)
            depth = len(place.parts)
            if tree.root == place.root and tree.parts[:depth] == place.parts:
                return self._parts.get("/".join((*trees, tree.parts[depth])))
        return None

    def _layers_below(self, layers: DockerLayers, chains: Collection[str]) -> set[str]:
        """These chain IDs, as far as docker has records of them, and all those below them."""
        found: set[str] = set()
        for chain in chains:
            below: str | None = chain
            while below in layers.records and below not in found:
                found.add(below)
                below = layers.records[below].parent
        return found

    def _assign_parts(
        self, found: _DriverContents, needed: Collection[str], cached: Collection[str]
    ) -> None:
        """Assign each folder to what holds it: a layer, a container, the cache, or nothing."""
        layers = found.layers
        trees = layers.driver.trees
        owner: dict[str, str] = {}
        for chain, record in layers.records.items():
            part = _CACHE if chain in cached else _ORPHAN
            if chain in needed:
                part = f"layer {layers.driver.name} {chain}"
            self._parts["/".join((*layers.parts, "sha256", chain.partition(":")[2]))] = part
            if record.folder is not None:
                owner.setdefault(record.folder, part)
        for mount in found.mounts:
            for folder in (mount.folder, mount.init):
                if folder is not None:
                    owner.setdefault(folder, f"container {mount.container_id}")
        try:
            names = self._root.list_folder(trees)
        except SourceError as error:
            self._contents.add_unseen("/".join(trees), error)
            if error.code == "link-refused":
                self._refused[layers.driver.name] = error
            return
        for name in names:
            plain = name.removesuffix("-removing")
            place = "/".join((*trees, name))
            if name in owner:
                self._parts[place] = owner[name]
            elif name in self._cache.folders:
                self._parts[place] = _CACHE
            elif layers.is_folder_name(plain):
                self._parts[place] = _ORPHAN
                self._orphans[name] = _BUILD_CACHE.match(name) is not None
        self._report_absent(
            "/".join(trees), {name: owner[name] for name in owner.keys() - set(names)}
        )

    def _report_absent(self, trees: str, absent: Mapping[str, str]) -> None:
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
        if all(part.startswith("layer ") for part in absent.values()):
            self._contents.hide_references(trees, error)
        else:
            self._contents.add_unseen(trees, error)

    def _add_folder_notes(self, usage: DiskUsage) -> None:
        cached = usage.of(_CACHE).allocated_bytes
        if cached:
            self._contents.add_note(
                "buildkit",
                "build-cache",
                f"the build cache holds layers that no image needs: they take {cached} bytes",
            )
        if not self._orphans:
            return
        kinds = Counter(
            "half removed"
            if name.endswith("-removing")
            else "of buildkit's build cache"
            if cached
            else "left over"
            for name, cached in self._orphans.items()
        )
        if self._cache.error is not None and any(self._orphans.values()):
            self._contents.hide_references("/".join(SNAPSHOTS), self._cache.error)
        self._contents.add_note(
            min(self._orphans),
            "orphan-folders",
            f"{len(self._orphans)} folders that no image and no container needs "
            f"({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}): with "
            f"orphan layers they take {usage.of(_ORPHAN).allocated_bytes} bytes",
        )

    def _images(self, found: _DriverContents, usage: DiskUsage) -> list[FoundImage]:
        images = []
        layers: dict[ChainID, FoundLayer] = {}
        for stored in found.configs:
            config, names = stored.config, found.names.pop(stored.claimed_id, ())
            subject = names[0] if names else stored.claimed_id
            steps = list(
                zip(chain_ids(config.diff_ids), config.diff_ids, config.steps, strict=True)
            )
            for chain, diff_id, _ in steps:
                if chain not in layers:
                    layers[chain] = self._layer(found.layers, chain, diff_id, usage, subject)
            images.append(
                FoundImage(
                    image_id=stored.image_id,
                    digest=None,
                    names=names,
                    layers=tuple(
                        replace(layers[chain], claim_checked=stored.checked, created_by=step)
                        for chain, _, step in steps
                    ),
                    details=config.details,
                    config_checked=stored.checked,
                )
            )
        for image, names in found.names.items():
            for name in names:
                # the layers of the image may be in the store
                self._contents.add_unseen(
                    name, SourceError(f"{image} is not in the store", "blob-missing")
                )
        return images

    def _layer(
        self,
        layers: DockerLayers,
        chain: ChainID,
        diff_id: DiffID,
        usage: DiskUsage,
        subject: str,
    ) -> FoundLayer:
        layer = FoundLayer(digest=None, diff_id=diff_id, claim_checked=True, blob=None)
        tree = layers.tree(chain)
        try:
            if layers.driver.name in self._refused:
                raise self._refused[layers.driver.name]
            if tree is None:
                known = chain in layers.records
                missing = "has no readable record of its folder" if known else "is not in the store"
                raise SourceError(f"layer {diff_id} ({chain}) {missing}", "blob-missing")
            _check_folder(tree)
        except SourceError as error:
            self._contents.add_open_error(subject, error, diff_id)
            return replace(layer, state=state_after(error))
        used = usage.of(f"layer {layers.driver.name} {chain}").allocated_bytes
        return replace(layer, tree=tree, allocated_bytes=used)


def _check_folder(tree: TreeRef) -> None:
    """Raise SourceError if the folder cannot be opened."""
    os.close(open_folder(tree.root, tree.parts))
