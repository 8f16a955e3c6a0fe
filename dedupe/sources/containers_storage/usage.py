"""Disk usage of the layers and containers of a containers/storage root."""

from collections.abc import Collection

from dedupe.errors import SourceError
from dedupe.host.store_root import StoreRoot
from dedupe.model.disk import UNRECOGNISED, PlaceFacts, PlaceKind
from dedupe.model.identity import is_hex_id
from dedupe.model.images import TreeRef
from dedupe.sources.disk_places import facts_of_trees
from dedupe.sources.disk_usage import OTHER, DiskUsage, measure_parts, set_allocated_bytes
from dedupe.sources.interface import Contents, StoreBytes

#: parts beside those of layers that an image or a container needs
_DOCUMENTS, _ORPHAN = "documents", "orphan"
#: folders of a root beside those of layers and images: each may be on a disk of its own
_OWN_FOLDERS = ("artifacts", "cache", "libpod", "networks", "secrets", "tmp", "volumes")


def measure_storage(
    root: StoreRoot,
    driver: str,
    trees: tuple[str, ...],
    needed: Collection[str],
    contents: Contents,
) -> None:
    """Set the disk usage of layers, containers and the store in ``contents``.

    ``trees`` is the folder of the layers' folders, ``needed`` has the IDs of layers that an image
    or a container needs.
    Raises SourceError ``permission-denied`` or ``not-a-folder`` if the root or the layers' folder
    cannot be read.
    """
    parts: dict[str, str | None] = {f"{driver}-images": _DOCUMENTS}
    for name in _layer_folders(root, trees, contents):
        if is_hex_id(name):
            parts["/".join((*trees, name))] = name if name in needed else _ORPHAN
    own = (
        *_OWN_FOLDERS,
        *(f"{driver}-{name}" for name in ("images", "layers", "containers")),
        "/".join(trees),
    )
    usage = measure_parts(root, parts, own=own)
    usage.report(contents)
    place = root.place(trees)
    depth = len(place.parts)

    def part_of(tree: TreeRef) -> str | None:
        inside = tree.root == place.root and tree.parts[:depth] == place.parts
        return tree.parts[depth] if inside else None

    set_allocated_bytes(contents, usage, part_of)
    facts = {
        _DOCUMENTS: PlaceFacts(PlaceKind.METADATA),
        _ORPHAN: PlaceFacts(PlaceKind.ORPHAN),
        **facts_of_trees(contents, part_of),
    }
    contents.places = usage.found_places(lambda _path, part: facts.get(part, UNRECOGNISED))
    written = {part_of(each.upper) for each in contents.containers if each.upper} - {None}
    contents.unpacked = StoreBytes(
        stored_bytes=_file_bytes(usage, {OTHER, *(part for part in written if part)}),
        orphan_bytes=usage.of(_ORPHAN).file_bytes,
        other_bytes=usage.of(OTHER).allocated_bytes,
    )


def _layer_folders(root: StoreRoot, trees: tuple[str, ...], contents: Contents) -> list[str]:
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


def _file_bytes(usage: DiskUsage, without: Collection[str]) -> int:
    return sum(found.file_bytes for part, found in usage.parts.items() if part not in without)
