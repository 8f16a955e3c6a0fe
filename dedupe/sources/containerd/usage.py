"""What the file system gives to containerd's blobs, snapshots and the rest."""

from dedupe.errors import SourceError
from dedupe.host.trees import list_folder
from dedupe.model.identity import chain_ids
from dedupe.sources.containerd.snapshots import READABLE, SNAPSHOTTER, Snapshots, Store
from dedupe.sources.disk_usage import OTHER, measure, note_taken
from dedupe.sources.interface import Contents, Held

_BLOBS = "blobs"


def measure_containerd(
    store: Store, blobs: tuple[str, ...], snapshots: Snapshots, contents: Contents
) -> None:
    """Note in ``contents`` what each unpacked layer and container takes, and the store in all.

    ``blobs`` is the folder of blobs, which are counted one by one elsewhere.
    """
    root = store.root.joinpath(*store.below)
    parts: dict[str, str | None] = {"/".join(blobs): _BLOBS}
    for snapshotter in READABLE:
        folder = SNAPSHOTTER + snapshotter
        try:
            names = list_folder(store.root, store.parts(folder, "snapshots"))
        except SourceError:
            # never used, or closed: then the walk says so
            continue
        parts |= {f"{folder}/snapshots/{name}": f"{folder}/{name}" for name in names}
    try:
        usage = measure(root, parts)
    except SourceError as error:
        contents.failed(".", error, once=error.code == "permission-denied")
        return
    usage.tell(contents)
    below = len(store.below)

    def part_of(tree: tuple[str, ...]) -> str:
        return f"{tree[below]}/{tree[below + 2]}"

    note_taken(contents, store.root, usage, part_of)
    chains = {
        chain
        for image in contents.images
        for chain in chain_ids(layer.diff_id or "" for layer in image.layers)
    }
    layers = {f"{SNAPSHOTTER}{name}/{number}" for name, number in snapshots.numbers_of(chains)}
    uppers = {part_of(each.upper.parts) for each in contents.containers if each.upper}
    unpacked = {
        part: amount.file_bytes
        for part, amount in usage.amounts.items()
        if part not in (OTHER, _BLOBS) and part not in uppers
    }
    contents.held = Held(
        stored_bytes=sum(unpacked.values()),
        orphan_bytes=sum(size for part, size in unpacked.items() if part not in layers),
        allocated_bytes=usage.allocated_bytes,
        other_bytes=usage.of(OTHER).allocated_bytes,
    )
