"""docker's store if it keeps images with a graph driver; read in place, without the daemon.

Each config in ``imagedb`` is an image, with or without a name. Its diff IDs give chain IDs, and
those the folders in which the graph driver has unpacked the layers. With tar-split data a layer's
tar is rebuilt from its folder.
Source: github.com/moby/moby, image/fs.go, reference/store.go, layer/.
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.host.trees import list_folder, open_folder
from dedupe.model.identity import ChainID, DiffID, chain_ids
from dedupe.model.images import FoundImage, FoundLayer, SourceKind, TreeRef
from dedupe.model.paths import printable
from dedupe.sources.disk_usage import OTHER, DiskUsage, measure_parts
from dedupe.sources.docker.containers import Mount, container_of, mounts_of
from dedupe.sources.docker.images import StoredConfig, read_configs, read_names
from dedupe.sources.docker.layers import DRIVERS, DockerLayers, GraphDriver
from dedupe.sources.docker.remapped import id_ranges, remapped_roots
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Candidate, Contents, Descent, StoreBytes, state_after

_BUILD_CACHE = re.compile(r"[0-9a-z]{25}\Z")
#: parts of the store in its disk usage, beside those of layers and containers
_DOCUMENTS, _ORPHAN = "documents", "orphan"


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
            found = all(holder.is_folder(name) for name in ("image", "containers", "volumes"))
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
            advice = f"{error.message}: a scan as the store's owner or root can read it"
            contents.add_error("image", SourceError(advice, error.code))
            names = []
        for name in names:
            if name in DRIVERS:
                root.add_driver(DRIVERS[name])
            else:
                contents.add_error(
                    f"image/{printable(name)}",
                    SourceError(
                        f"graph driver {printable(name)}: only {', '.join(DRIVERS)} are read",
                        "unsupported-store",
                    ),
                )
        root.finish()
        return contents

    def descent(self) -> Descent:
        """Roots that a user namespace remaps are in docker's root."""
        return Descent(entries=remapped_roots(self.holder))


def _drivers_in(holder: FolderHolder) -> list[str]:
    """Graph drivers that have images in this docker root; raises SourceError."""
    names = list_folder(holder.root, ("image",)) if holder.is_folder("image") else []
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
        self._root: Path = holder.root
        self._contents = contents
        self._ids = id_ranges(holder.root)
        self._drivers: list[_DriverContents] = []
        #: part of each folder in the disk usage; remapped roots are sources of their own
        self._parts: dict[str, str | None] = dict.fromkeys(remapped_roots(holder))
        self._parts["image"] = _DOCUMENTS
        #: orphan folders of graph drivers, and whether buildkit made them
        self._orphans: dict[str, bool] = {}

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
        self._assign_parts(found, needed)

    def finish(self) -> None:
        """Measure the store, and add its images and containers to the contents."""
        try:
            usage = measure_parts(self._root, self._parts)
        except SourceError as error:
            self._contents.add_error(".", error)
            usage = DiskUsage()
        usage.report_unread(self._contents)
        for found in self._drivers:
            images = self._images(found, usage)
            self._contents.images += images
            by_id = {image.image_id: image for image in images}
            for mount in found.mounts:
                container = container_of(self._root, found.layers, mount, by_id, self._contents)
                used = usage.of(f"container {mount.container_id}").allocated_bytes
                self._contents.containers.append(replace(container, allocated_bytes=used))
        self._add_orphan_note(usage)
        orphan = usage.of(_ORPHAN).file_bytes
        layers = sum(
            found.file_bytes for name, found in usage.parts.items() if name.startswith("layer ")
        )
        self._contents.unpacked = StoreBytes(
            stored_bytes=usage.of(_DOCUMENTS).file_bytes + layers + orphan,
            orphan_bytes=orphan,
            allocated_bytes=usage.allocated_bytes,
            other_bytes=usage.of(OTHER).allocated_bytes,
        )

    def _assign_parts(self, found: _DriverContents, needed: set[ChainID]) -> None:
        """Assign each folder to the layer or container that it belongs to, or to the orphans."""
        layers = found.layers
        trees = layers.driver.trees
        owner: dict[str, str] = {}
        for chain, record in layers.records.items():
            part = f"layer {layers.driver.name} {chain}" if chain in needed else _ORPHAN
            self._parts["/".join((*layers.parts, "sha256", chain.partition(":")[2]))] = part
            if record.folder is not None:
                owner.setdefault(record.folder, part)
        for mount in found.mounts:
            for folder in (mount.folder, mount.init):
                if folder is not None:
                    owner.setdefault(folder, f"container {mount.container_id}")
        try:
            names = list_folder(self._root, trees)
        except SourceError as error:
            self._contents.add_open_error("/".join(trees), error)
            return
        for name in names:
            plain = name.removesuffix("-removing")
            if name in owner:
                self._parts["/".join((*trees, name))] = owner[name]
            elif layers.is_folder_name(plain):
                self._parts["/".join((*trees, name))] = _ORPHAN
                self._orphans[name] = _BUILD_CACHE.match(name) is not None

    def _add_orphan_note(self, usage: DiskUsage) -> None:
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
                self._contents.add_error(
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
