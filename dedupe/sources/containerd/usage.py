"""Disk usage of containerd's snapshots and the rest of its root."""

from dedupe.errors import SourceError
from dedupe.host.trees import list_folder
from dedupe.model.identity import chain_ids
from dedupe.sources.containerd.snapshots import (
    READABLE,
    SNAPSHOTTER,
    ContainerdRoot,
    Snapshots,
)
from dedupe.sources.disk_usage import OTHER, measure_parts, set_allocated_bytes
from dedupe.sources.interface import Contents, StoreBytes

_BLOBS = "blobs"


def measure_containerd(
    root: ContainerdRoot, blobs: tuple[str, ...], snapshots: Snapshots, contents: Contents
) -> None:
    """Set the disk usage of unpacked layers, containers and the store in ``contents``.

    ``blobs`` is the folder of blobs, whose sizes are listed elsewhere. Errors become problems.
    """
    parts: dict[str, str | None] = {"/".join(blobs): _BLOBS}
    for snapshotter in READABLE:
        folder = SNAPSHOTTER + snapshotter
        try:
            names = list_folder(root.folder, root.parts(folder, "snapshots"))
        except SourceError:
            # never used; or not readable, which becomes a problem below
            continue
        parts |= {f"{folder}/snapshots/{name}": f"{folder}/{name}" for name in names}
    try:
        usage = measure_parts(root.folder.joinpath(*root.below), parts)
    except SourceError as error:
        contents.add_open_error(".", error)
        return
    usage.report_unread(contents)
    below = len(root.below)

    def part_of(tree: tuple[str, ...]) -> str:
        return f"{tree[below]}/{tree[below + 2]}"

    set_allocated_bytes(contents, root.folder, usage, part_of)
    chains = {
        chain
        for image in contents.images
        for chain in chain_ids(layer.diff_id or "" for layer in image.layers)
    }
    layers = {f"{SNAPSHOTTER}{name}/{number}" for name, number in snapshots.numbers_of(chains)}
    uppers = {part_of(each.upper.parts) for each in contents.containers if each.upper}
    unpacked = {
        part: found.file_bytes
        for part, found in usage.parts.items()
        if part not in (OTHER, _BLOBS) and part not in uppers
    }
    contents.unpacked = StoreBytes(
        stored_bytes=sum(unpacked.values()),
        orphan_bytes=sum(size for part, size in unpacked.items() if part not in layers),
        allocated_bytes=usage.allocated_bytes,
        other_bytes=usage.of(OTHER).allocated_bytes,
    )
