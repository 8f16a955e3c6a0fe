"""Containers of a docker store with a graph driver: their writable folders and their configs."""

from collections.abc import Mapping
from dataclasses import dataclass

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, object_in, parse_object, text_in
from dedupe.host.store_root import StoreRoot
from dedupe.model.identity import ImageID, chain_ids, is_diff_id, is_hex_id
from dedupe.model.images import FoundContainer, FoundImage, TreeRef
from dedupe.model.paths import printable
from dedupe.sources.docker.layers import DockerLayers
from dedupe.sources.interface import Contents


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


def mounts_of(layers: DockerLayers, contents: Contents) -> list[Mount]:
    """Folders of all containers of the graph driver; damaged records become problems."""
    mounts = []
    for name in layers.names("mounts", contents):
        if not is_hex_id(name):
            continue
        try:
            folder = layers.read_value("mounts", name, "mount-id")
            init = layers.read_value("mounts", name, "init-id")
            parent = layers.read_value("mounts", name, "parent")
            for file, value in (("mount-id", folder), ("init-id", init)):
                if not layers.is_folder_name(value) and not (value is None and file == "init-id"):
                    raise SourceError(
                        f"{file}: expected the name of a folder, found "
                        f"{printable(repr(value))[:100]}",
                        "bad-document",
                    )
        except SourceError as error:
            contents.add_unseen(f"container {name}", error)
            folder, init, parent = None, None, None
        mounts.append(
            Mount(
                container_id=name,
                folder=folder,
                init=init,
                parent=parent if is_diff_id(parent) else None,
            )
        )
    return mounts


def container_of(
    root: StoreRoot,
    layers: DockerLayers,
    mount: Mount,
    images: Mapping[ImageID, FoundImage],
    contents: Contents,
) -> FoundContainer:
    """The container of this mount; errors of reading its config become problems."""
    parts = ("containers", mount.container_id, "config.v2.json")
    name, image, running = None, None, None
    image_id: ImageID | None = None
    try:
        document = parse_object(root.read(parts, MAX_CONFIG_BYTES), "/".join(parts))
        name = printable(text_in(document, "Name").removeprefix("/")) or None
        image = printable(text_in(object_in(document, "Config"), "Image")) or None
        state = object_in(document, "State").get("Running")
        running = state if isinstance(state, bool) else None
        recorded = text_in(document, "Image")
        image_id = ImageID(recorded) if is_diff_id(recorded) else None
    except SourceError as error:
        contents.add_open_error(f"container {mount.container_id}", error)
    if image_id is None and mount.parent is not None:
        image_id = next(
            (known.image_id for known in images.values() if mount.parent == _top_chain(known)),
            None,
        )
    return FoundContainer(
        container_id=mount.container_id,
        name=name,
        image_id=image_id,
        image=image,
        upper=_upper(layers, mount),
        running=running,
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
