"""What the file system gives to the layers and containers of a containers/storage root."""

from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.trees import list_folder
from dedupe.sources.containers_storage.records import is_id
from dedupe.sources.disk_usage import OTHER, Usage, measure, note_taken
from dedupe.sources.interface import Contents, Held

#: parts of a store that are no layer that something needs
_DOCUMENTS, _ORPHAN = "documents", "orphan"


def measure_storage(
    root: Path, trees: tuple[str, ...], documents: str, needed: set[str], contents: Contents
) -> None:
    """Note in ``contents`` what each layer and container takes, and what the store holds in all.

    ``trees`` is the folder of the layers' folders, ``documents`` that of manifests and configs,
    ``needed`` has the IDs of layers that an image or a container needs.
    Raises SourceError where the root or the layers' folder cannot be read.
    """
    parts: dict[str, str | None] = {documents: _DOCUMENTS}
    for name in _names(root, trees):
        if is_id(name):
            parts["/".join((*trees, name))] = name if name in needed else _ORPHAN
    usage = measure(root, parts)
    usage.tell(contents)
    place = len(trees)
    note_taken(contents, root, usage, lambda parts: parts[place])
    written = {container.upper.parts[place] for container in contents.containers if container.upper}
    contents.held = Held(
        stored_bytes=_file_bytes(usage, {OTHER, *written}),
        orphan_bytes=usage.of(_ORPHAN).file_bytes,
        allocated_bytes=usage.allocated_bytes,
        other_bytes=usage.of(OTHER).allocated_bytes,
    )


def _names(root: Path, trees: tuple[str, ...]) -> list[str]:
    try:
        return list_folder(root, trees)
    except SourceError as error:
        # a store may borrow every layer that it has
        if error.code == "blob-missing":
            return []
        raise


def _file_bytes(usage: Usage, but: set[str]) -> int:
    return sum(amount.file_bytes for part, amount in usage.amounts.items() if part not in but)
