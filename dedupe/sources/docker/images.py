"""Images that docker has noted for a graph driver: their configs and their names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, object_in, parse_object
from dedupe.host.files import read_below
from dedupe.host.trees import list_folder
from dedupe.model.identity import ImageID, is_diff_id, sha256_digest
from dedupe.model.paths import printable
from dedupe.sources.documents.config import Config
from dedupe.sources.interface import Contents

#: names of many images; some hosts have thousands
_MAX_NAMES_BYTES = 64 << 20
_HEX = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Noted:
    """A config in the store."""

    #: as the file's name claims, which is what other notes mean by it
    claimed: str
    image_id: ImageID
    config: Config

    @property
    def checked(self) -> bool:
        """Whether its bytes are those that its name claims."""
        return self.image_id == self.claimed


def configs_of(root: Path, driver: str, contents: Contents) -> Iterator[Noted]:
    """All configs of a graph driver; those that cannot be read become rows."""
    parts = ("image", driver, "imagedb", "content", "sha256")
    try:
        names = list_folder(root, parts)
    except SourceError as error:
        if error.code != "blob-missing":
            contents.failed("/".join(parts), error, once=error.code == "permission-denied")
        return
    for name in names:
        if not _HEX.match(name):
            continue
        claimed = f"sha256:{name}"
        try:
            data = read_below(root, (*parts, name), MAX_CONFIG_BYTES)
            found = sha256_digest(data)
            noted = Noted(claimed, ImageID(found), Config.parse(data, claimed))
        except SourceError as error:
            contents.failed(claimed, error)
            continue
        if not noted.checked:
            contents.failed(
                claimed,
                SourceError(
                    f"digest mismatch: the config is named {claimed}, its bytes give {found}",
                    "digest-mismatch",
                ),
            )
        yield noted


def names_of(root: Path, driver: str, contents: Contents) -> dict[str, tuple[str, ...]]:
    """Names of each image by its ID; a digest is one where its repository has no tag of it."""
    parts = ("image", driver, "repositories.json")
    try:
        document = parse_object(read_below(root, parts, _MAX_NAMES_BYTES), "repositories.json")
    except SourceError as error:
        contents.failed(
            "/".join(parts),
            SourceError(f"{error.message}; images are listed without names", error.code),
            once=error.code == "permission-denied",
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
