"""Containers of a docker root: their configs, and their writable folders with a graph driver."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, object_in, parse_object, text_in
from dedupe.host.store_root import StoreRoot
from dedupe.model.disk import HolderKind, PlaceHolder
from dedupe.model.identity import ImageID, chain_ids, is_diff_id, is_hex_id
from dedupe.model.images import FoundContainer, FoundImage, TreeRef
from dedupe.model.paths import printable
from dedupe.sources.docker.layers import DockerLayers
from dedupe.sources.interface import Contents

FOLDER = "containers"
#: names of containers and volumes; Source: github.com/moby/moby, daemon/names
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """What docker's own folder of a container says."""

    container_id: str
    name: str | None = None
    #: name of the image that it was made from
    image: str | None = None
    image_id: ImageID | None = None
    running: bool | None = None
    #: names of its volumes
    volumes: tuple[str, ...] = ()
    #: why the rest is not known; None if it is
    error: SourceError | None = None

    @property
    def holder(self) -> PlaceHolder:
        """The container as the holder of what it needs."""
        shown = self.name or self.container_id
        known = shown if is_docker_name(shown) else self.container_id
        if self.error is not None:
            # docker does not know a container without its config
            return PlaceHolder(HolderKind.CONTAINER, shown)
        force = ("--force",) if self.running else ()
        return PlaceHolder(HolderKind.CONTAINER, shown, ("docker", "rm", *force, known))


@dataclass(frozen=True, slots=True)
class Mount:
    """The folders that a container is mounted from."""

    container_id: str
    #: folder of its writable branch; None if docker's record is damaged
    folder: str | None
    #: folder below it of files that docker adds, such as an empty ``/etc/hosts``
    init: str | None
    #: chain ID of its image
    parent: str | None


def mounts_of(layers: DockerLayers, contents: Contents) -> tuple[list[Mount], list[Mount]]:
    """Folders of all containers of the graph driver, and those of steps of builds.

    Damaged records become problems.
    """
    containers, steps = [], []
    for name in layers.names("mounts", contents):
        if is_hex_id(name):
            containers.append(_mount(layers, name, contents))
        elif layers.is_folder_name(name):
            steps.append(_mount(layers, name, contents))
    return containers, steps


def _mount(layers: DockerLayers, name: str, contents: Contents) -> Mount:
    try:
        folder = layers.read_value("mounts", name, "mount-id")
        init = layers.read_value("mounts", name, "init-id")
        parent = layers.read_value("mounts", name, "parent")
        for file, value in (("mount-id", folder), ("init-id", init)):
            if not layers.is_folder_name(value) and not (value is None and file == "init-id"):
                raise SourceError(
                    f"{file}: expected the name of a folder, found {printable(repr(value))[:100]}",
                    "bad-document",
                )
    except SourceError as error:
        contents.add_unseen(f"container {name}", error)
        folder, init, parent = None, None, None
    return Mount(
        container_id=name,
        folder=folder,
        init=init,
        parent=parent if is_diff_id(parent) else None,
    )


def is_docker_name(name: str) -> bool:
    """Whether docker may have given this name to a container or a volume."""
    return _NAME.match(name) is not None


def read_record(root: StoreRoot, container_id: str) -> ContainerRecord:
    """Read what docker's folder of this container says; an error is in the record."""
    parts = (FOLDER, container_id, "config.v2.json")
    try:
        document = parse_object(root.read(parts, MAX_CONFIG_BYTES), "/".join(parts))
    except SourceError as error:
        return ContainerRecord(container_id, error=error)
    state = object_in(document, "State").get("Running")
    recorded = text_in(document, "Image")
    mounts = object_in(document, "MountPoints").values()
    volumes = [text_in(mount, "Name") for mount in mounts if isinstance(mount, dict)]
    return ContainerRecord(
        container_id,
        name=printable(text_in(document, "Name").removeprefix("/")) or None,
        image=printable(text_in(object_in(document, "Config"), "Image")) or None,
        image_id=ImageID(recorded) if is_diff_id(recorded) else None,
        running=state if isinstance(state, bool) else None,
        volumes=tuple(dict.fromkeys(filter(None, volumes))),
    )


def container_of(
    record: ContainerRecord,
    layers: DockerLayers,
    mount: Mount,
    images: Mapping[ImageID, FoundImage],
    contents: Contents,
) -> FoundContainer:
    """The container of this mount; an error of reading its config becomes a problem."""
    if record.error is not None:
        contents.add_open_error(f"container {mount.container_id}", record.error)
    image_id = record.image_id
    if image_id is None and mount.parent is not None:
        image_id = next(
            (known.image_id for known in images.values() if mount.parent == _top_chain(known)),
            None,
        )
    return FoundContainer(
        container_id=mount.container_id,
        name=record.name,
        image_id=image_id,
        image=record.image,
        upper=_upper(layers, mount),
        running=record.running,
    )


def _upper(layers: DockerLayers, mount: Mount) -> TreeRef | None:
    if mount.folder is None:
        return None
    below = mount.init or _folder_of(layers, mount.parent)
    return layers.folder(mount.folder, below=below)


def _folder_of(layers: DockerLayers, chain: str | None) -> str | None:
    record = layers.records.get(chain or "")
    return record.folder if record else None


def _top_chain(image: FoundImage) -> str | None:
    chains = list(chain_ids(layer.diff_id or "" for layer in image.layers))
    return chains[-1] if chains else None
