"""Containers of a docker that keeps its images in containerd."""

import os

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, object_in, parse_object, text_in
from dedupe.model.identity import is_hex_id
from dedupe.model.images import FoundContainer
from dedupe.model.paths import path_text, printable
from dedupe.sources.containerd.containers import Origins
from dedupe.sources.containerd.snapshots import ContainerdRoot, Snapshots
from dedupe.sources.interface import Contents

NAMESPACE = "moby"
_FOLDER = "containers"


def docker_containers(
    root: ContainerdRoot, snapshots: Snapshots, origins: Origins, contents: Contents
) -> list[FoundContainer]:
    """Containers in docker's own folder, running or not; errors become problems.

    The writable branch of such a container is the snapshot with the container's ID.
    """
    containers = []
    try:
        folders = root.store.list_folder((_FOLDER,))
    except SourceError as error:
        if error.code != "blob-missing":
            contents.add_error(_FOLDER, error)
        return []
    for folder in folders:
        # containers of a graph driver have no snapshot
        if is_hex_id(folder) and snapshots.has(NAMESPACE, folder):
            try:
                containers.append(_container(root, snapshots, origins, folder))
            except SourceError as error:
                contents.add_error(path_text(os.fsencode(f"{_FOLDER}/{folder}")), error)
    return containers


def forgotten_containers(
    snapshots: Snapshots, origins: Origins, known: set[str]
) -> list[FoundContainer]:
    """Containers of docker that have a writable branch, but no folder in this root.

    If docker uses the host's containerd, the folders are in docker's own root, and containerd has
    records only of containers that run.
    """
    return [
        FoundContainer(
            container_id=key,
            name=None,
            image_id=origins.image_id(NAMESPACE, "", snapshots, key),
            image=None,
            upper=snapshots.upper(NAMESPACE, key),
        )
        for key in snapshots.active(NAMESPACE)
        if is_hex_id(key) and key not in known
    ]


def _container(
    root: ContainerdRoot, snapshots: Snapshots, origins: Origins, container_id: str
) -> FoundContainer:
    parts = (_FOLDER, container_id, "config.v2.json")
    document = parse_object(root.store.read(parts, MAX_CONFIG_BYTES), "/".join(parts))
    image = text_in(object_in(document, "Config"), "Image")
    running = object_in(document, "State").get("Running")
    return FoundContainer(
        container_id=container_id,
        name=printable(text_in(document, "Name").lstrip("/")) or None,
        image_id=origins.image_id(NAMESPACE, image, snapshots, container_id),
        image=printable(image) or None,
        upper=snapshots.upper(NAMESPACE, container_id),
        running=running if isinstance(running, bool) else None,
    )
