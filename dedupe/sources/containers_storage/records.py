"""Records of containers/storage: the layers, images and containers in its JSON files.

Source: github.com/containers/storage, docs/containers-storage.md and the files of real stores.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from dedupe.errors import SourceError
from dedupe.formats.documents import object_in, parse_list, parse_object, text_in
from dedupe.host.store_root import StoreRoot
from dedupe.model.identity import is_hex_id
from dedupe.model.images import IdRange
from dedupe.model.paths import printable
from dedupe.sources.interface import Contents

#: drivers whose images are recognised
DRIVERS = ("overlay", "vfs", "btrfs", "zfs")
#: hosts with thousands of layers have files of this size
_MAX_RECORDS_BYTES = 256 << 20
_Record = TypeVar("_Record")
#: keys of big data that are used as file names unchanged
_PLAIN_KEY = re.compile(r"[0-9a-z.]+\Z")


@dataclass(frozen=True, slots=True)
class StorageLayer:
    """A layer, or a container's writable branch."""

    layer_id: str
    parent: str | None
    diff_digest: str | None
    #: size of its tar in bytes; 0 if it is not known
    diff_size: int
    incomplete: bool
    partial: bool
    uids: tuple[IdRange, ...]
    gids: tuple[IdRange, ...]


@dataclass(frozen=True, slots=True)
class StorageImage:
    """An image: its names, its topmost layer and its documents."""

    image_id: str
    names: tuple[str, ...]
    #: None for an image without layers
    layer: str | None
    data_names: tuple[str, ...]
    #: copies of the topmost layer for containers with other IDs
    mapped_layers: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Its first name, or its ID."""
        return printable(self.names[0]) if self.names else self.image_id

    @property
    def is_list(self) -> bool:
        """Whether it is a list of manifests, which has no layers and no config."""
        return self.layer is None and "instances.json" in self.data_names


@dataclass(frozen=True, slots=True)
class StorageContainer:
    """A container; its layer is the writable branch."""

    container_id: str
    name: str | None
    image: str | None
    image_name: str | None
    layer: str
    #: whether CRI-O made it
    is_cri: bool = False


class StorageRecords:
    """The JSON files of one driver in one root; the store replaces them one by one."""

    def __init__(self, root: StoreRoot, driver: str, contents: Contents) -> None:
        self.root = root
        self.driver = driver
        self._contents = contents
        #: files of records that could not be read
        self.unread: set[str] = set()

    def read_layers(self) -> dict[str, StorageLayer]:
        """Layers by ID, with those of volatile containers; errors become problems."""
        found: dict[str, StorageLayer] = {}
        for name in ("layers.json", "volatile-layers.json"):
            for record in self._records(f"{self.driver}-layers", name, _layer):
                found[record.layer_id] = record
        return found

    def read_images(self) -> list[StorageImage]:
        """All images, with or without a name; errors become problems."""
        return list(self._records(f"{self.driver}-images", "images.json", _image))

    def read_containers(self) -> list[StorageContainer]:
        """All containers, running or not; errors become problems."""
        return [
            record
            for name in ("containers.json", "volatile-containers.json")
            for record in self._records(f"{self.driver}-containers", name, _container)
        ]

    def has_images(self) -> bool:
        """Whether there may be records of images: without any image, a new store has none."""
        return "images.json" in self.unread or self.root.has(f"{self.driver}-images", "images.json")

    def read_document(self, image_id: str, key: str, limit: int) -> bytes:
        """Read an image's big data under ``key``.

        Raises SourceError as ``read_below`` does, and ``bad-record``.
        """
        parts = (f"{self.driver}-images", image_id, data_file(key))
        return self.root.read(parts, limit)

    def _records(
        self, folder: str, name: str, parse: Callable[[dict[str, Any]], _Record]
    ) -> Iterator[_Record]:
        """The records of a file; damaged ones become problems. A missing file has no records."""
        place = f"{folder}/{name}"
        try:
            entries = parse_list(self.root.read((folder, name), _MAX_RECORDS_BYTES), place)
        except SourceError as error:
            if error.code != "blob-missing":
                self.unread.add(name)
            if error.code == "permission-denied":
                # the user may read nothing of the store: say once what to do
                advice = f"{error.message}: a scan as the store's owner or root can read it"
                self._contents.add_unseen(place, SourceError(advice, error.code))
            elif error.code != "blob-missing":
                self._contents.add_unseen(place, error)
            return
        for number, entry in enumerate(entries):
            try:
                if not isinstance(entry, dict):
                    raise SourceError("expected an object", "bad-record")
                record = parse(entry)
            except SourceError as error:
                self._contents.add_unseen(f"{place}, record {number}", error)
            else:
                yield record


def data_file(key: str) -> str:
    """File name of big data: the key if it is plain, else its base64.

    Raises SourceError ``bad-record`` if base64 gives no file name.
    """
    if _PLAIN_KEY.match(key) and key not in (".", ".."):
        return key
    name = "=" + base64.b64encode(key.encode("utf-8", "surrogatepass")).decode()
    if "/" in name or len(name) > 255:
        raise SourceError(f"{printable(key)[:100]}: no file has this name", "bad-record")
    return name


def trees_of(driver: str) -> tuple[str, ...]:
    """Folder of the layers' folders."""
    below = {"vfs": ("dir",), "btrfs": ("subvolumes",), "zfs": ("graph",)}
    return (driver, *below.get(driver, ()))


def _layer(entry: dict[str, Any]) -> StorageLayer:
    size = entry.get("diff-size")
    parent = text_in(entry, "parent")
    names = entry.get("big-data-names")
    return StorageLayer(
        layer_id=_id(entry, "id"),
        parent=_id(entry, "parent") if parent else None,
        diff_digest=text_in(entry, "diff-digest") or None,
        diff_size=size if isinstance(size, int) and 0 < size < 1 << 62 else 0,
        incomplete=bool(object_in(entry, "flags").get("incomplete")),
        partial=bool(entry.get("toc-digest"))
        or (isinstance(names, list) and "zstd-chunked-manifest" in names),
        uids=_ranges(entry, "uidmap"),
        gids=_ranges(entry, "gidmap"),
    )


def _image(entry: dict[str, Any]) -> StorageImage:
    layer = text_in(entry, "layer")
    return StorageImage(
        image_id=_id(entry, "id"),
        names=_texts(entry, "names"),
        layer=_id(entry, "layer") if layer else None,
        data_names=_texts(entry, "big-data-names"),
        mapped_layers=_texts(entry, "mapped-layers"),
    )


def _container(entry: dict[str, Any]) -> StorageContainer:
    names = _texts(entry, "names")
    try:
        metadata = parse_object(text_in(entry, "metadata").encode() or b"{}", "metadata")
    except SourceError:
        metadata = {}
    image = text_in(entry, "image")
    return StorageContainer(
        container_id=_id(entry, "id"),
        name=printable(names[0]) if names else None,
        image=image or None,
        image_name=printable(text_in(metadata, "image-name")) or None,
        layer=_id(entry, "layer"),
        is_cri="pod-id" in metadata,
    )


def _id(entry: dict[str, Any], key: str) -> str:
    found = entry.get(key)
    if not is_hex_id(found):
        shown = printable(json.dumps(found, default=str))[:100]
        raise SourceError(f"{key}: expected 64 hexadecimal digits, found {shown}", "bad-record")
    return str(found)


def _texts(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _ranges(entry: dict[str, Any], key: str) -> tuple[IdRange, ...]:
    value = entry.get(key)
    found = []
    for item in value if isinstance(value, list) else []:
        numbers = [
            item.get(name) if isinstance(item, dict) else None
            for name in ("container_id", "host_id", "size")
        ]
        if all(isinstance(number, int) and 0 <= number < 1 << 32 for number in numbers):
            found.append(IdRange(*(int(number) for number in numbers if number is not None)))
    return tuple(found)
