"""Containers of a docker that keeps its images in containerd."""

import os

from dedupe.errors import SourceError
from dedupe.model.identity import is_hex_id
from dedupe.model.images import FoundContainer
from dedupe.model.paths import path_text
from dedupe.sources.containerd.containers import Origins
from dedupe.sources.containerd.snapshots import ContainerdRoot, Snapshots
from dedupe.sources.docker.containers import read_record
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
            record = read_record(root.store, folder)
            if record.error is not None:
                contents.add_error(path_text(os.fsencode(f"{_FOLDER}/{folder}")), record.error)
                continue
            image = record.image or ""
            containers.append(
                FoundContainer(
                    container_id=folder,
                    name=record.name,
                    image_id=origins.image_id(NAMESPACE, image, snapshots, folder),
                    image=record.image,
                    upper=snapshots.upper(NAMESPACE, folder),
                    running=record.running,
                )
            )
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
