"""docker's store if it keeps images with a graph driver; read in place, without the daemon.

Each config in ``imagedb`` is an image, with or without a name. Its diff IDs give chain IDs, and
those the folders in which the graph driver has unpacked the layers. With tar-split data a layer's
tar is rebuilt from its folder.
Source: github.com/moby/moby, image/fs.go, reference/store.go, layer/.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.host.trees import open_folder
from dedupe.model.identity import ChainID, DiffID, chain_ids
from dedupe.model.images import FoundImage, FoundLayer, SourceKind, TreeRef
from dedupe.model.paths import printable
from dedupe.sources.disk_usage import OTHER, DiskUsage, measure_parts
from dedupe.sources.docker.build_cache import SNAPSHOTS, read_build_cache
from dedupe.sources.docker.containers import container_of, mounts_of, read_record
from dedupe.sources.docker.driver_places import (
    CACHE,
    DOCUMENTS,
    HELD,
    LAYER,
    ORPHAN,
    DriverPlaces,
    DriverRecords,
    places_of_driver,
)
from dedupe.sources.docker.images import read_configs, read_names
from dedupe.sources.docker.layers import DRIVERS, DockerLayers, GraphDriver
from dedupe.sources.docker.remapped import id_ranges, remapped_roots
from dedupe.sources.docker.root_folders import METADATA, OWN_FOLDERS, places_of_root, read_records
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import (
    Candidate,
    Contents,
    Descent,
    DiskClaims,
    StoreBytes,
    state_after,
)

#: docker's own containerd, which is a source of its own if docker keeps images in it
CONTAINERD = ("containerd", "daemon")


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


class DockerRoot:
    """Reads a docker root into ``contents``: ``add_driver`` for each driver, then ``finish``."""

    def __init__(self, holder: FolderHolder, contents: Contents) -> None:
        self._root = holder.store
        self._contents = contents
        self._ids = id_ranges(holder.root)
        self._drivers: list[tuple[DriverRecords, DriverPlaces]] = []
        #: part of each folder in the disk usage; other sources have those without a part
        self._parts: dict[str, str | None] = {"image": DOCUMENTS}
        self._cache = read_build_cache(self._root, contents)
        self._records = read_records(self._root)
        self._facts = places_of_root(self._root, self._records)
        self._leave_out(holder)

    def _leave_out(self, holder: FolderHolder) -> None:
        """Leave out what other sources may have: it is measured if they do not."""
        for name in remapped_roots(holder):
            self._parts[name] = None
            self._contents.left_out.append(DiskClaims(self._root, below=(name,)))
        if holder.has("/".join(CONTAINERD)):
            self._parts["/".join(CONTAINERD)] = None
            claims = DiskClaims(self._root, rest=METADATA, below=CONTAINERD)
            self._contents.left_out.append(claims)

    def add_driver(self, driver: GraphDriver) -> None:
        """Read docker's records of the images and containers of a graph driver."""
        layers = DockerLayers(self._root, driver, self._ids, self._contents)
        mounts, steps = mounts_of(layers, self._contents)
        for mount in mounts:
            if mount.container_id not in self._records:
                record = read_record(self._root, mount.container_id)
                self._records[mount.container_id] = record
        configs = sorted(
            read_configs(self._root, driver.name, self._contents),
            # if two files have the same bytes, the one with the right name comes first
            key=lambda config: not config.checked,
        )
        names = read_names(self._root, driver.name, self._contents)
        records = DriverRecords(layers, mounts, steps, configs, names, self._cache, self._records)
        places = places_of_driver(self._root, records, self._contents)
        self._drivers.append((records, places))
        self._parts |= places.parts
        self._facts |= places.facts

    def finish(self) -> None:
        """Measure the store, and add its images and containers to the contents."""
        parts = dict.fromkeys(self._facts, OTHER) | self._parts
        try:
            usage = measure_parts(self._root, parts, own=OWN_FOLDERS)
        except SourceError as error:
            self._contents.add_unseen(".", error)
            usage = DiskUsage()
        usage.report(self._contents)
        for records, places in self._drivers:
            images = self._images(records, places, usage)
            self._contents.images += images
            by_id = {image.image_id: image for image in images}
            for mount in records.mounts:
                record = records.containers[mount.container_id]
                container = container_of(record, records.layers, mount, by_id, self._contents)
                if places.refused is not None:
                    container = replace(container, upper=None)
                used = usage.of(f"container {mount.container_id}").allocated_bytes
                self._contents.containers.append(replace(container, allocated_bytes=used))
        self._add_folder_notes(usage)
        orphan, cached = usage.of(ORPHAN).file_bytes, usage.of(CACHE)
        layers = sum(
            found.file_bytes
            for name, found in usage.parts.items()
            if name.startswith((LAYER, HELD))
        )
        self._contents.places = usage.found_places(
            lambda path, _part: self._facts.get(path, METADATA)
        )
        self._contents.unpacked = StoreBytes(
            stored_bytes=usage.of(DOCUMENTS).file_bytes + layers + orphan + cached.file_bytes,
            orphan_bytes=orphan,
            other_bytes=usage.of(OTHER).allocated_bytes + cached.allocated_bytes,
        )

    def _add_folder_notes(self, usage: DiskUsage) -> None:
        cached = usage.of(CACHE).allocated_bytes
        if cached:
            self._contents.add_note(
                "buildkit",
                "build-cache",
                f"the build cache holds layers that no image needs: they take {cached} bytes",
            )
        orphans: dict[str, bool] = {}
        for _, places in self._drivers:
            orphans |= places.orphans
        if not orphans:
            return
        kinds = Counter(
            "half removed"
            if name.endswith("-removing")
            else "of buildkit's build cache"
            if of_cache
            else "left over"
            for name, of_cache in orphans.items()
        )
        if self._cache.error is not None and any(orphans.values()):
            self._contents.hide_references("/".join(SNAPSHOTS), self._cache.error)
        self._contents.add_note(
            min(orphans),
            "orphan-folders",
            f"folders that no image and no container needs: {len(orphans)} "
            f"({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}): with "
            f"orphan layers they take {usage.of(ORPHAN).allocated_bytes} bytes",
        )

    def _images(
        self, records: DriverRecords, places: DriverPlaces, usage: DiskUsage
    ) -> list[FoundImage]:
        images = []
        layers: dict[ChainID, FoundLayer] = {}
        ids = {stored.claimed_id: stored.image_id for stored in records.configs}
        for stored in records.configs:
            config, names = stored.config, records.names.get(stored.claimed_id, ())
            subject = names[0] if names else stored.claimed_id
            steps = list(
                zip(chain_ids(config.diff_ids), config.diff_ids, config.steps, strict=True)
            )
            for chain, diff_id, _ in steps:
                if chain not in layers:
                    layers[chain] = self._layer(places, chain, diff_id, usage, subject)
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
                    parent_id=ids.get(stored.parent or ""),
                )
            )
        for image in records.names.keys() - ids.keys():
            for name in records.names[image]:
                # the layers of the image may be in the store
                self._contents.add_unseen(
                    name, SourceError(f"{image} is not in the store", "blob-missing")
                )
        return images

    def _layer(
        self,
        places: DriverPlaces,
        chain: ChainID,
        diff_id: DiffID,
        usage: DiskUsage,
        subject: str,
    ) -> FoundLayer:
        layer = FoundLayer(digest=None, diff_id=diff_id, claim_checked=True, blob=None)
        tree = places.layers.tree(chain)
        try:
            if places.refused is not None:
                raise places.refused
            if tree is None:
                known = chain in places.layers.records
                missing = "has no readable record of its folder" if known else "is not in the store"
                raise SourceError(f"layer {diff_id} ({chain}) {missing}", "blob-missing")
            _check_folder(tree)
        except SourceError as error:
            self._contents.add_open_error(subject, error, diff_id)
            return replace(layer, state=state_after(error))
        used = usage.of(places.layer_part(chain)).allocated_bytes
        return replace(layer, tree=tree, allocated_bytes=used)


def _check_folder(tree: TreeRef) -> None:
    """Raise SourceError if the folder cannot be opened."""
    os.close(open_folder(tree.root, tree.parts))
