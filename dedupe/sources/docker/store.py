"""Docker's own store where it keeps images with a graph driver, read in place without the daemon.

Every config in ``imagedb`` is an image, named or not; the diff IDs in it lead over chain IDs to
what the graph driver has unpacked. With tar-split data the tar of a layer is made again from there.
Source: github.com/moby/moby, image/fs.go, reference/store.go, layer/.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.trees import list_folder, open_folder
from dedupe.model.identity import (
    ChainID,
    DiffID,
    chain_ids,
)
from dedupe.model.images import FoundImage, FoundLayer, IdRange, LayerState, TreeRef
from dedupe.model.paths import printable
from dedupe.sources.disk_usage import OTHER, Usage, measure
from dedupe.sources.docker.containers import Mount, container_of, mounts_of
from dedupe.sources.docker.images import Noted, configs_of, names_of
from dedupe.sources.docker.layers import DRIVERS, Driver, Layers
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Contents, Held

_REMAPPED = re.compile(r"([0-9]{1,10})\.([0-9]{1,10})\Z")
_BUILD_CACHE = re.compile(r"[0-9a-z]{25}\Z")
_DOCUMENTS, _ORPHAN = "documents", "orphan"
_LARGEST_ID = 1 << 32


def is_docker(holder: FolderHolder) -> bool:
    """Whether this is the root of a docker with a graph driver, open to us or not."""
    try:
        return bool(_drivers_of(holder))
    except SourceError:
        return all(holder.is_folder(name) for name in ("image", "containers", "volumes"))


def _drivers_of(holder: FolderHolder) -> list[str]:
    """Graph drivers that this docker root has images of; raises SourceError."""
    names = list_folder(holder.root, ("image",)) if holder.is_folder("image") else []
    return [
        name
        for name in names
        if holder.has(f"image/{name}/imagedb") or holder.has(f"image/{name}/repositories.json")
    ]


def remapped_roots(holder: FolderHolder) -> list[str]:
    """Folders of roots whose IDs a user namespace shifts: ``<uid>.<gid>``."""
    try:
        return [name for name in list_folder(holder.root, ()) if _REMAPPED.match(name)]
    except SourceError:
        return []


def read_docker(root: Path, contents: Contents) -> None:
    """All images and containers of all graph drivers, and what they take; problems become rows."""
    store = _Store(root, contents)
    try:
        names = _drivers_of(FolderHolder(root))
    except SourceError as error:
        contents.failed(
            "image",
            SourceError(
                f"{error.message}: a scan as the store's owner or root can read it", error.code
            ),
        )
        names = []
    for name in names:
        if name in DRIVERS:
            store.add(DRIVERS[name])
        else:
            contents.failed(
                f"image/{printable(name)}",
                SourceError(
                    f"graph driver {printable(name)}: only {', '.join(DRIVERS)} are read",
                    "unsupported-store",
                ),
            )
    store.finish()


@dataclass(slots=True)
class _Found:
    """What one graph driver has, before its folders are measured."""

    layers: Layers
    mounts: list[Mount]
    configs: list[Noted] = field(default_factory=list)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


class _Store:
    def __init__(self, root: Path, contents: Contents) -> None:
        self._root = root
        self._contents = contents
        # the user may have named the folder by another name
        remapped = _REMAPPED.match(root.resolve().name)
        self._ids = _id_ranges(remapped) if remapped else None
        self._found: list[_Found] = []
        # sources of their own
        self._parts: dict[str, str | None] = dict.fromkeys(remapped_roots(FolderHolder(root)))
        self._parts["image"] = _DOCUMENTS
        #: folder of a graph driver -> whether buildkit made it
        self._orphans: dict[str, bool] = {}

    def add(self, driver: Driver) -> None:
        """Read what docker noted of this driver's images and containers."""
        layers = Layers(self._root, driver, self._ids, self._contents)
        found = _Found(layers, mounts_of(layers, self._contents))
        self._found.append(found)
        found.configs = sorted(
            configs_of(self._root, driver.name, self._contents),
            # of two files with one content, that of the right name speaks for it
            key=lambda noted: not noted.checked,
        )
        found.names = names_of(self._root, driver.name, self._contents)
        needed = {chain for noted in found.configs for chain in chain_ids(noted.config.diff_ids)}
        self._assign(found, needed)

    def finish(self) -> None:
        """Measure the store, and list what was found."""
        try:
            usage = measure(self._root, self._parts)
        except SourceError as error:
            self._contents.failed(".", error)
            usage = Usage()
        usage.tell(self._contents)
        for found in self._found:
            images = self._images(found, usage)
            self._contents.images += images
            by_id = {image.image_id: image for image in images}
            for mount in found.mounts:
                container = container_of(self._root, found.layers, mount, by_id, self._contents)
                amount = usage.of(f"container {mount.container_id}")
                self._contents.containers.append(
                    replace(container, allocated_bytes=amount.allocated_bytes)
                )
        self._tell_orphans(usage)
        orphan = usage.of(_ORPHAN).file_bytes
        layers = sum(
            amount.file_bytes for part, amount in usage.amounts.items() if part.startswith("layer ")
        )
        self._contents.held = Held(
            stored_bytes=usage.of(_DOCUMENTS).file_bytes + layers + orphan,
            orphan_bytes=orphan,
            allocated_bytes=usage.allocated_bytes,
            other_bytes=usage.of(OTHER).allocated_bytes,
        )

    def _assign(self, found: _Found, needed: set[ChainID]) -> None:
        """Say of each folder which layer or container it belongs to, and which to none."""
        layers = found.layers
        trees = layers.driver.trees
        owner: dict[str, str] = {}
        for chain, record in layers.records.items():
            part = f"layer {layers.driver.name} {chain}" if chain in needed else _ORPHAN
            self._parts["/".join((*layers.place, "sha256", chain.partition(":")[2]))] = part
            if record.folder is not None:
                owner.setdefault(record.folder, part)
        for mount in found.mounts:
            for folder in (mount.folder, mount.init):
                if folder is not None:
                    owner.setdefault(folder, f"container {mount.container_id}")
        try:
            names = list_folder(self._root, trees)
        except SourceError as error:
            self._contents.failed("/".join(trees), error, once=error.code == "permission-denied")
            return
        for name in names:
            plain = name.removesuffix("-removing")
            if name in owner:
                self._parts["/".join((*trees, name))] = owner[name]
            elif layers.is_folder_name(plain):
                self._parts["/".join((*trees, name))] = _ORPHAN
                self._orphans[name] = _BUILD_CACHE.match(name) is not None

    def _tell_orphans(self, usage: Usage) -> None:
        if not self._orphans:
            return
        kinds = Counter(
            "removed by half"
            if name.endswith("-removing")
            else "of buildkit's build cache"
            if cached
            else "left over"
            for name, cached in self._orphans.items()
        )
        self._contents.note(
            min(self._orphans),
            "orphan-folders",
            f"{len(self._orphans)} folders that no image and no container needs "
            f"({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}): with "
            f"orphan layers they take {usage.of(_ORPHAN).allocated_bytes} bytes",
        )

    def _images(self, found: _Found, usage: Usage) -> list[FoundImage]:
        images = []
        layers: dict[ChainID, FoundLayer] = {}
        for noted in found.configs:
            config, names = noted.config, found.names.pop(noted.claimed, ())
            subject = names[0] if names else noted.claimed
            steps = list(
                zip(chain_ids(config.diff_ids), config.diff_ids, config.steps, strict=True)
            )
            for chain, diff_id, _ in steps:
                if chain not in layers:
                    layers[chain] = self._layer(found.layers, chain, diff_id, usage, subject)
            images.append(
                FoundImage(
                    image_id=noted.image_id,
                    digest=None,
                    names=names,
                    platform=config.platform,
                    layers=tuple(
                        replace(layers[chain], claim_checked=noted.checked, created_by=step)
                        for chain, _, step in steps
                    ),
                    created=config.created,
                    config_checked=noted.checked,
                )
            )
        for image, names in found.names.items():
            for name in names:
                self._contents.failed(
                    name, SourceError(f"{image} is not in the store", "blob-missing")
                )
        return images

    def _layer(
        self, layers: Layers, chain: ChainID, diff_id: DiffID, usage: Usage, subject: str
    ) -> FoundLayer:
        layer = FoundLayer(digest=None, diff_id=diff_id, claim_checked=True, blob=None)
        tree = layers.tree(chain)
        try:
            if tree is None:
                known = chain in layers.records
                missing = "has no sound note of its folder" if known else "is not in the store"
                raise SourceError(f"layer {diff_id} ({chain}) {missing}", "blob-missing")
            _check(tree)
        except SourceError as error:
            self._contents.failed(subject, error, once=error.code == "permission-denied")
            absent = error.code == "blob-missing"
            return replace(layer, state=LayerState.ABSENT if absent else LayerState.BROKEN)
        amount = usage.of(f"layer {layers.driver.name} {chain}")
        return replace(layer, tree=tree, allocated_bytes=amount.allocated_bytes)


def _check(tree: TreeRef) -> None:
    """Raises SourceError where the folder cannot be opened."""
    os.close(open_folder(tree.root, tree.parts))


def _id_ranges(remapped: re.Match[str]) -> tuple[IdRange, IdRange]:
    """User and group IDs of a root whose name says where they begin; the end is not noted."""
    uid, gid = int(remapped[1]), int(remapped[2])
    return IdRange(0, uid, _LARGEST_ID - uid), IdRange(0, gid, _LARGEST_ID - gid)
