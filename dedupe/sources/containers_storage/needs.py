"""Who needs which layer of a containers/storage root, and the commands that end that."""

import os
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES
from dedupe.host.store_root import StoreRoot
from dedupe.model.disk import HolderKind, PlaceFacts, PlaceHolder, PlaceKind
from dedupe.model.identity import ChainID, sha256_digest
from dedupe.model.paths import path_text
from dedupe.sources.containers_storage.records import (
    StorageContainer,
    StorageImage,
    StorageLayer,
    StorageRecords,
)
from dedupe.sources.interface import Contents

#: layers in one command
_MOST_LAYERS = 500


class Commands:
    """Commands of the store's own tools for one driver in one root."""

    def __init__(self, location: str, driver: str) -> None:
        # no tool knows the escaped name of a folder
        self._is_known = "\\" not in location
        options = ("--root", location, *(("--storage-driver", driver) if driver == "vfs" else ()))
        self._buildah = ("buildah", *options)
        self._storage = ("containers-storage", "--graph", location, "--storage-driver", driver)
        #: beginning of a command of podman; empty if it cannot be given
        self.podman: tuple[str, ...] = ("podman", *options) if self._is_known else ()

    def remove_image(self, record: StorageImage) -> tuple[str, ...]:
        """The command that deletes an image by its ID, with all its names."""
        force = ("--force",) if len(record.names) > 1 else ()
        return (*self.podman, "rmi", *force, record.image_id) if self._is_known else ()

    def remove_container(self, record: StorageContainer, *, is_builder: bool) -> tuple[str, ...]:
        """The command of the tool that made a container; ``is_builder``: buildah."""
        if record.is_cri:
            return ("crictl", "rm", record.container_id)
        tool = self._buildah if is_builder else self.podman
        return (*tool, "rm", record.container_id) if self._is_known else ()

    def remove_unfinished(self) -> tuple[str, ...]:
        """A command that opens the store, which removes layers that nothing completes any more."""
        return (*self.podman, "images") if self._is_known else ()

    def remove_layers(self, layers: Iterable[str]) -> tuple[str, ...]:
        """The command that deletes layers that no record needs, a layer before those below it."""
        return (*self._storage, "delete-layer", *layers) if self._is_known else ()


@dataclass(slots=True)
class LayerNeeds:
    """The images and containers that need each layer."""

    #: layer ID -> IDs of the records that need it
    layers: dict[str, dict[str, None]] = field(default_factory=dict)
    #: what each record holds its layers as
    holders: dict[str, PlaceHolder] = field(default_factory=dict)
    #: chain IDs of layers
    chains: dict[str, ChainID] = field(default_factory=dict)
    #: record -> whether it has a name of its own, and the name to show
    names: dict[str, tuple[bool, str]] = field(default_factory=dict)

    def add(self, layer_id: str, record: str) -> None:
        """Say that a record needs a layer."""
        self.layers.setdefault(layer_id, {})[record] = None

    def name(self, record: str, name: str, *, is_named: bool) -> None:
        """Say what a record is called; untagged images and containers are not ``is_named``."""
        self.names[record] = (is_named, name)

    def facts(self) -> dict[str, PlaceFacts]:
        """What each layer is that a record needs, by ID."""
        return {
            layer_id: PlaceFacts(
                PlaceKind.LAYER,
                owner=self._owner(records),
                subject=self.chains.get(layer_id),
                holders=tuple(
                    dict.fromkeys(
                        self.holders[record] for record in records if record in self.holders
                    )
                ),
            )
            for layer_id, records in self.layers.items()
        }

    def unneeded(
        self, layers: Mapping[str, StorageLayer], commands: Commands
    ) -> dict[str, PlaceFacts]:
        """What each layer is that no record needs, by ID; those on one another have one command."""
        found = {
            layer_id: PlaceFacts(
                PlaceKind.UPLOAD, subject=layer_id, command=commands.remove_unfinished()
            )
            for layer_id, layer in layers.items()
            if layer.incomplete and layer_id not in self.layers
        }
        orphans = layers.keys() - self.layers.keys() - found.keys()
        for tree in _trees(orphans, layers):
            # a command for very many layers is too long to be run
            ids = [*tree] if len(tree) <= _MOST_LAYERS else []
            command = commands.remove_layers(ids) if ids else ()
            for layer_id in tree:
                found[layer_id] = PlaceFacts(PlaceKind.ORPHAN, subject=layer_id, command=command)
        return found

    def borrow(
        self,
        borrowers: Iterable[StoreRoot],
        driver: str,
        layers: Mapping[str, StorageLayer],
        contents: Contents,
    ) -> list[tuple[str | None, PlaceHolder]]:
        """Add the images and containers of other roots that need ``layers``, those of this one.

        Returns such containers, each with the ID of the image that it was made from.
        """
        borrowed = []
        for root in borrowers:
            location = path_text(os.fsencode(root.path))
            read = Contents()
            records = StorageRecords(root, driver, read)
            own = records.read_layers()
            commands = Commands(location, driver)
            for image in records.read_images():
                tops = [image.layer, *image.mapped_layers]
                key = f"{location} {image.image_id}"
                if self._borrow(key, tops, own, layers):
                    self.holders[key] = PlaceHolder(HolderKind.IMAGE, _image_id(records, image))
                    self.name(
                        key, image.names[0] if image.names else image.image_id, is_named=False
                    )
            for container in records.read_containers():
                key = f"{location} {container.container_id}"
                if self._borrow(key, [container.layer], own, layers):
                    name = container.name or container.container_id
                    command = commands.remove_container(container, is_builder=False)
                    self.holders[key] = PlaceHolder(HolderKind.CONTAINER, name, command)
                    self.name(key, name, is_named=False)
                    borrowed.append((container.image, self.holders[key]))
            for reason in read.unseen_references:
                contents.hide_references(location, SourceError(reason, "unreadable"))
        return borrowed

    def _borrow(
        self,
        record: str,
        tops: Iterable[str | None],
        own: Mapping[str, StorageLayer],
        layers: Mapping[str, StorageLayer],
    ) -> bool:
        """Whether a record of another root, which has the layers ``own``, needs some of these."""
        is_borrowed = False
        seen: set[str] = set()
        for top in tops:
            layer_id = top
            while layer_id is not None and layer_id not in seen:
                seen.add(layer_id)
                found = own.get(layer_id)
                if found is None:
                    found = layers.get(layer_id)
                    if found is None:
                        break
                    self.add(layer_id, record)
                    is_borrowed = True
                layer_id = found.parent
        return is_borrowed

    def _owner(self, records: Iterable[str]) -> str | None:
        """The first of the records with a name, or else the first."""
        names = [self.names[record] for record in records if record in self.names]
        return next((name for is_named, name in names if is_named), names[0][1] if names else None)


def _trees(orphans: Set[str], layers: Mapping[str, StorageLayer]) -> Iterator[list[str]]:
    """The layers by their lowest one, each before its parent; a cycle has none and is left out."""
    children: dict[str, list[str]] = {}
    lowest = []
    for layer_id in sorted(orphans):
        parent = layers[layer_id].parent
        if parent in orphans:
            children.setdefault(str(parent), []).append(layer_id)
        else:
            lowest.append(layer_id)
    for layer_id in lowest:
        tree = [layer_id]
        for above in tree:
            tree += children.get(above, ())
        yield tree[::-1]


def _image_id(records: StorageRecords, image: StorageImage) -> str:
    key = f"sha256:{image.image_id}"
    try:
        return sha256_digest(records.read_document(image.image_id, key, MAX_CONFIG_BYTES))
    except SourceError:
        return key
