"""Disk usage of containerd's blobs, snapshots and the rest of its root."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from dedupe.errors import SourceError
from dedupe.host.links import Place
from dedupe.model.disk import PlaceFacts, PlaceKind
from dedupe.model.images import FoundContainer, TreeRef
from dedupe.sources.containerd.blobs import CONTENT
from dedupe.sources.containerd.metadata import METADATA
from dedupe.sources.containerd.places import RootFacts
from dedupe.sources.containerd.snapshots import SNAPSHOTTER, ContainerdRoot, Snapshots
from dedupe.sources.disk_usage import DiskUsage, measure_parts, set_allocated_bytes
from dedupe.sources.interface import Contents, StoreBytes

_BLOBS = f"{CONTENT}/blobs"
#: folders of a docker root, or of containerd's, that may be on a disk of their own
_OWN_FOLDERS = (METADATA[0], "tmpmounts", _BLOBS)


def measure_containerd(
    root: ContainerdRoot, snapshots: Snapshots, known: RootFacts, contents: Contents
) -> None:
    """Set the disk usage of unpacked layers, containers and the store in ``contents``.

    ``contents`` has everything else already. Errors become problems.
    """
    #: path of each snapshotter's folder of snapshots -> names in it
    names = _list_snapshots(root, snapshots, contents)
    folders = {root.place(*folder.split("/")): folder for folder in names}

    def part_of(tree: TreeRef) -> str | None:
        # native has the tree in the snapshot's folder, overlayfs in the folder fs of it
        for count in (len(tree.parts) - 1, len(tree.parts) - 2):
            folder = folders.get(Place(tree.root, tree.parts[:count]))
            if folder is not None:
                return f"{folder}/{tree.parts[count]}"
        return None

    uppers = {part_of(each.upper) or "": each for each in contents.containers if each.upper}
    facts = {**known.other_facts(), **known.blob_facts(), **_snapshot_facts(names, known, uppers)}
    own = (*_OWN_FOLDERS, *(f"{SNAPSHOTTER}{name}/snapshots" for name in snapshots.snapshotters()))
    parts: dict[str, str | None] = {path: path for path in facts if path}
    try:
        usage = measure_parts(root.store, parts, below=root.below, own=own)
    except SourceError as error:
        contents.add_unseen(".", error)
        return
    usage.report(contents)
    set_allocated_bytes(contents, usage, part_of)
    _set_places(usage, facts, set(uppers), contents)


def _list_snapshots(
    root: ContainerdRoot, snapshots: Snapshots, contents: Contents
) -> dict[str, list[str]]:
    """Path of each snapshotter's folder of snapshots -> names in it."""
    found = {}
    for snapshotter in snapshots.snapshotters():
        folder = f"{SNAPSHOTTER}{snapshotter}"
        try:
            names = root.store.list_folder(root.parts(folder, "snapshots"))
        except SourceError as error:
            # a folder that cannot be read becomes a problem below; one may never have been used
            if error.code == "link-refused":
                contents.add_unseen(folder, error)
            continue
        found[f"{folder}/snapshots"] = names
    return found


def _snapshot_facts(
    folders: Mapping[str, Sequence[str]], known: RootFacts, uppers: Mapping[str, FoundContainer]
) -> dict[str, PlaceFacts]:
    """Path of each entry of these folders -> what it is."""
    found: dict[str, PlaceFacts] = {}
    for folder, names in folders.items():
        snapshotter = folder.removeprefix(SNAPSHOTTER).rpartition("/")[0]
        of_numbers = known.snapshot_facts(
            snapshotter, {name: uppers.get(f"{folder}/{name}") for name in names}
        )
        for name in names:
            found[f"{folder}/{name}"] = of_numbers.get(name) or known.folder_without_record(name)
    return found


def _set_places(
    usage: DiskUsage, facts: Mapping[str, PlaceFacts], uppers: Collection[str], contents: Contents
) -> None:
    """Set the places of the contents, and the bytes of its snapshots and of the rest."""
    is_unseen = bool(contents.unseen_references)

    def facts_of(_path: str, part: str) -> PlaceFacts:
        found = facts[part]
        if is_unseen and found.kind is PlaceKind.ORPHAN:
            # something may need it that could not be read
            return replace(found, kind=PlaceKind.UNRECOGNISED, command=())
        return found

    contents.places = usage.found_places(facts_of)
    stored = orphan = other = 0
    for path, place in usage.places.items():
        kind = facts[place.part].kind
        if (
            "/snapshots/" in path
            and path.startswith(SNAPSHOTTER)
            and kind is not PlaceKind.TEMPORARY
        ):
            if path not in uppers:
                stored += place.file_bytes
                orphan += place.file_bytes if kind is PlaceKind.ORPHAN else 0
        elif path != _BLOBS and not path.startswith(f"{_BLOBS}/"):
            other += place.allocated_bytes
    contents.unpacked = StoreBytes(stored, orphan, other)
