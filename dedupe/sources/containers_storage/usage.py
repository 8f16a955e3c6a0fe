"""Disk usage of the layers and containers of a containers/storage root."""

from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.trees import list_folder
from dedupe.model.identity import is_hex_id
from dedupe.sources.disk_usage import OTHER, DiskUsage, measure_parts, set_allocated_bytes
from dedupe.sources.interface import Contents, StoreBytes

#: parts beside those of layers that an image or a container needs
_DOCUMENTS, _ORPHAN = "documents", "orphan"


def measure_storage(
    root: Path, trees: tuple[str, ...], documents: str, needed: set[str], contents: Contents
) -> None:
    """Set the disk usage of layers, containers and the store in ``contents``.

    ``trees`` is the folder of the layers' folders, ``documents`` that of manifests and configs,
    ``needed`` has the IDs of layers that an image or a container needs.
    Raises SourceError ``permission-denied`` or ``not-a-folder`` if the root or the layers' folder
    cannot be read.
    """
    parts: dict[str, str | None] = {documents: _DOCUMENTS}
    for name in _layer_folders(root, trees):
        if is_hex_id(name):
            parts["/".join((*trees, name))] = name if name in needed else _ORPHAN
    usage = measure_parts(root, parts)
    usage.report_unread(contents)
    depth = len(trees)
    set_allocated_bytes(contents, root, usage, lambda parts: parts[depth])
    written = {container.upper.parts[depth] for container in contents.containers if container.upper}
    contents.unpacked = StoreBytes(
        stored_bytes=_file_bytes(usage, {OTHER, *written}),
        orphan_bytes=usage.of(_ORPHAN).file_bytes,
        allocated_bytes=usage.allocated_bytes,
        other_bytes=usage.of(OTHER).allocated_bytes,
    )


def _layer_folders(root: Path, trees: tuple[str, ...]) -> list[str]:
    try:
        return list_folder(root, trees)
    except SourceError as error:
        # all layers of a store may be in another one
        if error.code == "blob-missing":
            return []
        raise


def _file_bytes(usage: DiskUsage, without: set[str]) -> int:
    return sum(found.file_bytes for part, found in usage.parts.items() if part not in without)
