"""Containers of a docker that keeps images in containerd: named in docker's own folder."""

import os
import re

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, object_in, parse_object, text_in
from dedupe.host.files import read_below
from dedupe.host.trees import statuses_in
from dedupe.model.images import FoundContainer
from dedupe.model.paths import path_text, printable
from dedupe.sources.containerd.containers import Origins
from dedupe.sources.containerd.snapshots import Snapshots, Store
from dedupe.sources.interface import Contents

NAMESPACE = "moby"
_FOLDER = "containers"
_ID = re.compile(r"[0-9a-f]{64}\Z")


def docker_containers(
    store: Store, snapshots: Snapshots, origins: Origins, contents: Contents
) -> list[FoundContainer]:
    """Containers whose writable branch is a snapshot of the same ID; stopped ones too."""
    containers = []
    try:
        folders = [name for name, _ in statuses_in(store.root / _FOLDER)]
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        contents.failed(_FOLDER, SourceError(f"cannot be read: {reason}", "permission-denied"))
        return []
    for folder in folders:
        # those of a graph driver have no snapshot
        if _ID.match(folder) and snapshots.has(NAMESPACE, folder):
            try:
                containers.append(_container(store, snapshots, origins, folder))
            except SourceError as error:
                contents.failed(path_text(os.fsencode(f"{_FOLDER}/{folder}")), error)
    return containers


def forgotten_containers(
    snapshots: Snapshots, origins: Origins, known: set[str]
) -> list[FoundContainer]:
    """Writable branches of docker's containers whose folder is not in this root.

    Where docker uses the host's containerd, its own root has the names, and containerd a record
    only of those that run.
    """
    return [
        FoundContainer(
            container_id=key,
            name=None,
            image_id=origins.image(NAMESPACE, "", snapshots, key),
            image=None,
            upper=snapshots.upper(NAMESPACE, key),
        )
        for key in snapshots.active(NAMESPACE)
        if _ID.match(key) and key not in known
    ]


def _container(
    store: Store, snapshots: Snapshots, origins: Origins, container_id: str
) -> FoundContainer:
    parts = (_FOLDER, container_id, "config.v2.json")
    document = parse_object(read_below(store.root, parts, MAX_CONFIG_BYTES), "/".join(parts))
    image = text_in(object_in(document, "Config"), "Image")
    running = object_in(document, "State").get("Running")
    return FoundContainer(
        container_id=container_id,
        name=printable(text_in(document, "Name").lstrip("/")) or None,
        image_id=origins.image(NAMESPACE, image, snapshots, container_id),
        image=printable(image) or None,
        upper=snapshots.upper(NAMESPACE, container_id),
        running=running if isinstance(running, bool) else None,
    )
