"""What each file and folder of a containers/storage root is, and how much disk it takes."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from dedupe.errors import SourceError
from dedupe.host.store_root import StoreRoot
from dedupe.host.trees import open_folder
from dedupe.model.disk import (
    UNRECOGNISED,
    HolderKind,
    PlaceFacts,
    PlaceForm,
    PlaceHolder,
    PlaceKind,
)
from dedupe.model.identity import is_hex_id
from dedupe.model.images import TreeRef
from dedupe.model.paths import path_text
from dedupe.sources.containers_storage.records import DRIVERS
from dedupe.sources.disk_places import volume_owner
from dedupe.sources.disk_usage import DiskUsage, measure_parts, set_allocated_bytes
from dedupe.sources.interface import Contents, StoreBytes

METADATA = PlaceFacts(PlaceKind.METADATA)
#: folder of the artifacts that podman has pulled: an image layout, which is a source of its own
ARTIFACTS = "artifacts"
_TEMPORARY = PlaceFacts(PlaceKind.TEMPORARY)
_UPLOAD = PlaceFacts(PlaceKind.UPLOAD)
#: folders of a root beside those of its driver: each may be on a disk of its own
_FOLDERS = {
    ARTIFACTS: PlaceFacts(PlaceKind.ARTIFACT),
    "cache": METADATA,
    "libpod": METADATA,
    "mounts": METADATA,
    "networks": METADATA,
    "secrets": METADATA,
    "tmp": _TEMPORARY,
    "volumes": METADATA,
}
#: records of a root that are files
_FILES = ("db.sql", "defaultNetworkBackend", "storage.lock", "userns.lock")
#: records beside those of layers, images and containers
_RECORDS = ("containers", "images", "layers", "mountpoints")
#: what the driver keeps beside the folders of layers
_DRIVER_FILES = (
    ".has-mount-program",
    "backingFsBlockDev",
    "idmapped-lower-dir-true",
    "idmapped-lower-dir-false",
    "l",
    "metacopy()-false",
    "metacopy()-true",
    "overlay-true",
    "overlay-false",
    "volatile-true",
    "volatile-false",
)
#: folders of the driver whose entries are unfinished: of partial pulls, and of deletions
_UNFINISHED = {"staging": _UPLOAD, "tempdirs": _TEMPORARY}
#: folders in which the driver tries what the kernel can do
_TRIED = re.compile(r"(?:compat|[a-z-]+-check)[0-9]+\Z")
#: where a layer's tar-split data is, beside a folder with its other data
_SPLIT_SUFFIX = ".tar-split.gz"


@dataclass(slots=True)
class StoreFacts:
    """What the records of one driver say about the files of its root."""

    root: StoreRoot
    driver: str
    #: folder of the layers' folders
    trees: tuple[str, ...]
    #: names in that folder
    folders: list[str]
    #: what each layer is that has a record, by ID
    layers: dict[str, PlaceFacts] = field(default_factory=dict)
    #: what the documents of each image are, by the ID of its record
    images: dict[str, PlaceFacts] = field(default_factory=dict)
    #: what the files of each container are, by ID
    containers: dict[str, PlaceFacts] = field(default_factory=dict)
    #: the containers that use a volume, by the volume's name
    volume_users: dict[str, list[PlaceHolder]] = field(default_factory=dict)
    #: whether all users of volumes are known
    are_users_known: bool = False
    #: beginning of a command of podman for this root; empty if it has unprintable characters
    podman: tuple[str, ...] = ()

    def keep_image(self, image: str | None, holder: PlaceHolder) -> None:
        """Say that a container keeps an image, by the ID of its record."""
        facts = self.images.get(image or "")
        if image is not None and facts is not None:
            self.images[image] = replace(facts, holders=(*facts.holders, holder))


class _Use(Enum):
    """To which figures of the source a place belongs."""

    #: images and their layers
    STORED = auto()
    ORPHAN = auto()
    #: a writable branch
    WRITTEN = auto()
    OTHER = auto()


def is_artifact_layout(root: StoreRoot) -> bool:
    """Whether the root's artifacts are found as a source of their own."""
    return not root.is_link(ARTIFACTS) and root.has(ARTIFACTS, "index.json")


def list_layers(root: StoreRoot, trees: Sequence[str], contents: Contents) -> list[str]:
    """Names in the folder of the layers' folders.

    Raises SourceError ``permission-denied`` or ``not-a-folder``.
    """
    try:
        return root.list_folder(trees)
    except SourceError as error:
        if error.code == "link-refused":
            # the rest of the store is measured
            contents.add_unseen("/".join(trees), error)
        elif error.code != "blob-missing":
            raise
        # all layers of a store may be in another one
        return []


def measure_storage(facts: StoreFacts, contents: Contents) -> None:
    """Set the disk usage of layers, containers and the store in ``contents``.

    Raises SourceError ``permission-denied`` or ``not-a-folder`` if the root cannot be read.
    """
    root, driver, trees = facts.root, facts.driver, facts.trees
    drivers = [name for name in DRIVERS if root.has(f"{name}-images")]
    # of a root with several drivers, everything else is counted with the first
    is_first = driver == (drivers or [driver])[0]
    places = _Places(facts, contents)
    places.find(with_rest=is_first)
    own = (
        *_FOLDERS,
        *(f"{driver}-{name}" for name in ("images", "layers", "containers")),
        "/".join(trees),
    )
    parts: dict[str, str | None] = {path: path for path in places.facts}
    usage = measure_parts(root, parts | places.left_out, own=own)
    if not is_first:
        usage.places.pop("", None)
    usage.report(contents)
    place = root.place(trees)
    depth = len(place.parts)

    def part_of(tree: TreeRef) -> str | None:
        inside = tree.root == place.root and tree.parts[:depth] == place.parts
        return "/".join((*trees, tree.parts[depth])) if inside else None

    set_allocated_bytes(contents, usage, part_of)
    is_known = not contents.unseen_references

    def facts_of(path: str, _part: str) -> PlaceFacts:
        found = places.facts.get(path, METADATA)
        if found.kind is PlaceKind.ORPHAN and not is_known:
            return replace(found, kind=PlaceKind.UNRECOGNISED, command=())
        return found

    contents.places = usage.found_places(facts_of)
    contents.unpacked = _bytes(usage, places.uses)


def _bytes(usage: DiskUsage, uses: Mapping[str, _Use]) -> StoreBytes:
    found = {use: [0, 0] for use in _Use}
    for path, place in usage.places.items():
        sums = found[uses.get(path, _Use.OTHER)]
        sums[0] += place.file_bytes
        sums[1] += place.allocated_bytes
    return StoreBytes(
        stored_bytes=found[_Use.STORED][0] + found[_Use.ORPHAN][0],
        orphan_bytes=found[_Use.ORPHAN][0],
        other_bytes=found[_Use.OTHER][1],
    )


class _Places:
    """Finds what each file and folder is, by listing the store's own folders."""

    def __init__(self, known: StoreFacts, contents: Contents) -> None:
        self._known = known
        self._root = known.root
        self._contents = contents
        #: path below the root, with slashes -> what it is
        self.facts: dict[str, PlaceFacts] = {}
        self.uses: dict[str, _Use] = {}
        #: what belongs to other drivers
        self.left_out: dict[str, None] = {}

    def find(self, *, with_rest: bool) -> None:
        """Find everything of the driver; ``with_rest`` also what is of no driver."""
        driver = self._known.driver
        own = (self._known.trees[0], *(f"{driver}-{name}" for name in _RECORDS[:3]))
        others = {
            name
            for each in DRIVERS
            if each != driver and self._root.has(f"{each}-images")
            for name in (each, *(f"{each}-{name}" for name in _RECORDS[:3]))
        }
        for name in self._names(()):
            if (
                name in others
                or not (with_rest or name in own)
                or (name == ARTIFACTS and is_artifact_layout(self._root))
            ):
                self.left_out[name] = None
            elif name not in own:
                self._add((name,), _FOLDERS.get(name, METADATA if name in _FILES else UNRECOGNISED))
        self._find_trees()
        self._find_layer_records()
        self._find_images()
        self._find_containers()
        if with_rest:
            self._find_volumes()

    def _find_trees(self) -> None:
        trees = self._known.trees
        for count in range(1, len(trees) + 1):
            self._add(trees[:count], METADATA)
        # a folder that was made later is not listed: its record may be newer than those read
        for name in self._known.folders:
            path = (*trees, name)
            if is_hex_id(name):
                facts = self._layer(name)
                if facts.kind is PlaceKind.LAYER:
                    is_full = self._known.driver == "vfs"
                    form = PlaceForm.FULL_TREE if is_full else PlaceForm.TREE
                    self._add(path, replace(facts, form=form), _Use.STORED)
                elif facts.kind is PlaceKind.CONTAINER:
                    self._add(path, facts, _Use.WRITTEN)
                else:
                    is_orphan = facts.kind is PlaceKind.ORPHAN
                    self._add(path, facts, _Use.ORPHAN if is_orphan else _Use.OTHER)
            elif name in _UNFINISHED:
                self._add_entries(path, _UNFINISHED[name])
            elif name not in _DRIVER_FILES:
                self._add(path, _TEMPORARY if _TRIED.match(name) else UNRECOGNISED)
        for name, layer in self._links():
            self._add((*trees, "l", name), self._layer(layer))

    def _links(self) -> Iterator[tuple[str, str]]:
        """Short names of the overlay driver, and the layer that each leads to."""
        path = (*self._known.trees, "l")
        try:
            folder = open_folder(*self._root.find(*path))
        except SourceError:
            return
        try:
            for name in sorted(os.listdir(folder)):  # noqa: PTH208  # pathlib cannot list a descriptor
                with contextlib.suppress(OSError):
                    parts = os.readlink(name, dir_fd=folder).split("/")
                    if len(parts) == 3 and is_hex_id(parts[1]):
                        yield name, parts[1]
        finally:
            os.close(folder)

    def _find_layer_records(self) -> None:
        folder = (f"{self._known.driver}-layers",)
        self._add(folder, METADATA)
        for name in self._names(folder):
            layer = name.removesuffix(_SPLIT_SUFFIX)
            if is_hex_id(layer):
                self._add((*folder, name), self._layer(layer))
            else:
                self._add_record(folder, name)

    def _find_images(self) -> None:
        folder = (f"{self._known.driver}-images",)
        self._add(folder, METADATA, _Use.STORED)
        for name in self._names(folder):
            if is_hex_id(name):
                facts = self._known.images.get(name, _orphan(name))
                self._add((*folder, name), facts, _Use.STORED)
            else:
                self._add_record(folder, name, _Use.STORED)

    def _find_containers(self) -> None:
        folder = (f"{self._known.driver}-containers",)
        self._add(folder, METADATA)
        for name in self._names(folder):
            if not is_hex_id(name):
                self._add_record(folder, name)
                continue
            facts = self._known.containers.get(name, _orphan(name))
            self._add((*folder, name), facts)
            if facts.kind is PlaceKind.CONTAINER:
                log = replace(facts, kind=PlaceKind.LOG, command=())
                self.facts["/".join((*folder, name, "userdata", "ctr.log"))] = log

    def _find_volumes(self) -> None:
        for name in self._names(("volumes",)):
            if name == "backingFsBlockDev":
                continue
            shown = path_text(os.fsencode(name))
            command = (*self._known.podman, "volume", "rm", "--", shown)
            is_runnable = bool(self._known.podman) and shown == name
            record = PlaceHolder(HolderKind.RECORD, shown, command if is_runnable else ())
            users = self._known.volume_users.get(shown, [])
            self._add(
                ("volumes", name),
                PlaceFacts(
                    PlaceKind.VOLUME,
                    owner=volume_owner(
                        shown,
                        users,
                        # podman names a volume by an ID if the user gave it no name
                        is_anonymous=is_hex_id(shown),
                        is_known=self._known.are_users_known,
                    ),
                    subject=shown,
                    holders=(*users, record),
                    command=record.release,
                ),
            )

    def _layer(self, layer_id: str) -> PlaceFacts:
        """What the files of a layer are."""
        return self._known.layers.get(layer_id, _orphan(layer_id))

    def _add(self, path: Sequence[str], facts: PlaceFacts, use: _Use = _Use.OTHER) -> None:
        name = "/".join(path)
        self.facts[name] = facts
        self.uses[name] = use

    def _add_record(self, folder: Sequence[str], name: str, use: _Use = _Use.OTHER) -> None:
        """A file beside those of layers, images or containers."""
        stem, _, suffix = name.rpartition(".")
        if name in _UNFINISHED:
            self._add_entries((*folder, name), _UNFINISHED[name])
        elif name.startswith(".tmp-"):
            self._add((*folder, name), _TEMPORARY, use)
        elif stem.removeprefix("volatile-") in _RECORDS and suffix in ("json", "lock"):
            self._add((*folder, name), METADATA, use)
        else:
            self._add((*folder, name), UNRECOGNISED, use)

    def _add_entries(self, folder: Sequence[str], facts: PlaceFacts) -> None:
        """A folder, and each of its entries, so that each has an age."""
        self._add(folder, facts)
        for name in self._names(folder):
            self._add((*folder, name), facts)

    def _names(self, folder: Sequence[str]) -> list[str]:
        """Entries of a folder; none if it cannot be listed, which the walk reports."""
        try:
            return self._root.list_folder(folder)
        except SourceError:
            return []


def _orphan(subject: str) -> PlaceFacts:
    """What files are that no record needs."""
    return PlaceFacts(PlaceKind.ORPHAN, subject=subject)
