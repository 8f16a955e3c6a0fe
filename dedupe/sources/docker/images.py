"""Images of a docker store with a graph driver: their configs and their names."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, object_in, parse_object
from dedupe.host.store_root import StoreRoot
from dedupe.model.identity import ImageID, is_diff_id, is_hex_id, sha256_digest
from dedupe.model.paths import printable
from dedupe.sources.documents.config import Config
from dedupe.sources.interface import Contents

#: size of the file of names; some hosts have thousands of images
_MAX_NAMES_BYTES = 64 << 20
#: a file with one digest
_MAX_PARENT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class StoredConfig:
    """A config in the store."""

    #: digest in the file's name; docker's other files refer to the image by it
    claimed_id: str
    image_id: ImageID
    config: Config
    #: ``claimed_id`` of the image that a build or a commit began with; None if none is recorded
    parent: str | None = None

    @property
    def checked(self) -> bool:
        """Whether the bytes have the digest in the file's name."""
        return self.image_id == self.claimed_id


def read_configs(root: StoreRoot, driver: str, contents: Contents) -> Iterator[StoredConfig]:
    """Read all configs of a graph driver; errors become problems."""
    parts = ("image", driver, "imagedb", "content", "sha256")
    try:
        names = root.list_folder(parts)
    except SourceError as error:
        # docker makes this folder when it starts, so its layers are of images that are lost
        contents.add_unseen("/".join(parts), error)
        return
    for name in names:
        if not is_hex_id(name):
            continue
        claimed = f"sha256:{name}"
        try:
            data = root.read((*parts, name), MAX_CONFIG_BYTES)
            found = sha256_digest(data)
            parsed = Config.parse(data, claimed)
            config = StoredConfig(
                claimed, ImageID(found), parsed, _read_parent(root, driver, name, contents)
            )
        except SourceError as error:
            contents.add_unseen(claimed, error)
            continue
        if not config.checked:
            contents.add_unseen(
                claimed,
                SourceError(
                    f"digest mismatch: the config is named {claimed}, its bytes give {found}",
                    "digest-mismatch",
                ),
            )
        yield config


def _read_parent(root: StoreRoot, driver: str, name: str, contents: Contents) -> str | None:
    """The parent that docker has recorded for an image.

    docker records it for what it builds and commits, never for what is pulled or loaded.
    """
    parts = ("image", driver, "imagedb", "metadata", "sha256", name, "parent")
    try:
        parent = root.read(parts, _MAX_PARENT_BYTES).decode("utf-8", "replace").strip()
    except SourceError as error:
        if error.code != "blob-missing":
            contents.add_open_error("/".join(parts), error)
        return None
    return parent if is_diff_id(parent) else None


def cache_images(
    configs: Sequence[StoredConfig],
    names: Mapping[str, tuple[str, ...]],
    used: Collection[str],
) -> set[str]:
    """IDs of the images that docker deletes with a child: recorded parents without a name.

    ``used`` are the images that containers were made from. Damaged records may lead in a circle, or
    to a parent with other layers: such an image is not deleted with another one.
    """
    by_id = {stored.claimed_id: stored for stored in configs}
    kept = {*names, *used}
    parent_of: dict[str, str] = {}
    for stored in configs:
        above = by_id.get(stored.parent or "")
        if above is None or above.claimed_id in kept:
            continue
        known = above.config.diff_ids
        if list(stored.config.diff_ids[: len(known)]) == list(known):
            parent_of[stored.claimed_id] = above.claimed_id
    found: set[str] = set()
    for child in by_id.keys() - set(parent_of.values()):
        parent = parent_of.get(child)
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parent_of.get(parent)
    return found


def read_names(root: StoreRoot, driver: str, contents: Contents) -> dict[str, tuple[str, ...]]:
    """Read the names of each image by its ID; an error becomes a problem.

    A digest is used as a name only if its repository has no tag of the image.
    """
    parts = ("image", driver, "repositories.json")
    try:
        document = parse_object(root.read(parts, _MAX_NAMES_BYTES), "repositories.json")
        if "Repositories" not in document:
            raise SourceError("repositories.json: expected Repositories", "bad-document")
    except SourceError as error:
        contents.add_unseen(
            "/".join(parts),
            SourceError(f"{error.message}; images are listed without names", error.code),
        )
        return {}
    names: dict[str, list[str]] = {}
    for repository in object_in(document, "Repositories").values():
        if not isinstance(repository, dict):
            continue
        of_image: dict[str, list[str]] = {}
        for name, image in sorted(repository.items()):
            if is_diff_id(image):
                of_image.setdefault(image, []).append(printable(name))
        for image, known in of_image.items():
            tags = [name for name in known if "@" not in name]
            names.setdefault(image, []).extend(tags or known)
    return {image: tuple(known) for image, known in names.items()}
