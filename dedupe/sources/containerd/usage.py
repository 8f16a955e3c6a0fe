"""Disk usage of containerd's snapshots and the rest of its root."""

from collections.abc import Collection

from dedupe.errors import SourceError
from dedupe.host.links import Place
from dedupe.model.disk import UNRECOGNISED, PlaceFacts, PlaceKind
from dedupe.model.identity import chain_ids
from dedupe.model.images import TreeRef
from dedupe.sources.containerd.blobs import CONTENT
from dedupe.sources.containerd.metadata import METADATA, SnapshotKey
from dedupe.sources.containerd.snapshots import (
    READABLE,
    SNAPSHOTTER,
    ContainerdRoot,
    Snapshots,
)
from dedupe.sources.disk_places import facts_of_trees
from dedupe.sources.disk_usage import OTHER, measure_parts, set_allocated_bytes
from dedupe.sources.interface import Contents, StoreBytes

_BLOBS = "blobs"
#: folders of a docker root, or of containerd's, that may be on a disk of their own
_OWN_FOLDERS = (METADATA[0], "tmpmounts")


def measure_containerd(
    root: ContainerdRoot, snapshots: Snapshots, held: Collection[SnapshotKey], contents: Contents
) -> None:
    """Set the disk usage of unpacked layers, containers and the store in ``contents``.

    ``held`` has snapshots that something other than an image needs. Sizes of blobs are listed
    elsewhere. Errors become problems.
    """
    parts: dict[str, str | None] = {f"{CONTENT}/blobs": _BLOBS}
    #: root and names of each snapshotter's folder of snapshots -> snapshotter
    folders: dict[Place, str] = {}
    for snapshotter in READABLE:
        folder = SNAPSHOTTER + snapshotter
        try:
            names = root.store.list_folder(root.parts(folder, "snapshots"))
        except SourceError as error:
            # a folder that cannot be read becomes a problem below; one may never have been used
            if error.code == "link-refused":
                contents.add_unseen(folder, error)
            continue
        parts |= {f"{folder}/snapshots/{name}": f"{snapshotter}/{name}" for name in names}
        folders[root.place(folder, "snapshots")] = snapshotter
    own = (
        *_OWN_FOLDERS,
        f"{CONTENT}/blobs",
        *(f"{SNAPSHOTTER}{name}/snapshots" for name in READABLE),
    )
    try:
        usage = measure_parts(root.store, parts, below=root.below, own=own)
    except SourceError as error:
        contents.add_unseen(".", error)
        return
    usage.report(contents)

    def part_of(tree: TreeRef) -> str | None:
        # native has the tree in the snapshot's folder, overlayfs in the folder fs of it
        for count in (len(tree.parts) - 1, len(tree.parts) - 2):
            snapshotter = folders.get(Place(tree.root, tree.parts[:count]))
            if snapshotter is not None:
                return f"{snapshotter}/{tree.parts[count]}"
        return None

    set_allocated_bytes(contents, usage, part_of)
    chains = {
        chain
        for image in contents.images
        for chain in chain_ids(layer.diff_id or "" for layer in image.layers)
    }
    uppers = {part_of(each.upper) or OTHER for each in contents.containers if each.upper}
    needed = snapshots.folders_needed(chains, held, uppers)
    unpacked = {
        part: found.file_bytes
        for part, found in usage.parts.items()
        if part not in (OTHER, _BLOBS) and part not in uppers
    }
    facts = {_BLOBS: PlaceFacts(PlaceKind.LAYER), **facts_of_trees(contents, part_of)}
    contents.places = usage.found_places(
        lambda _path, part: facts.get(part, UNRECOGNISED), root.below
    )
    contents.unpacked = StoreBytes(
        stored_bytes=sum(unpacked.values()),
        orphan_bytes=sum(size for part, size in unpacked.items() if part not in needed),
        other_bytes=usage.of(OTHER).allocated_bytes,
    )
