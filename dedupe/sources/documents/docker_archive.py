"""docker-archive: what ``docker save``, ``podman save`` and ``skopeo`` write.

``manifest.json`` decides about order and names. docker ≥ 25 and containerd put an image layout into
the same file, which adds manifest digests and other platforms. Archives of docker before 1.10 have
only ``repositories`` and a chain of v1 layers.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dedupe.errors import SourceError
from dedupe.formats.documents import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    object_in,
    parse_list,
    parse_object,
    text_in,
)
from dedupe.model.identity import Digest, ImageID, is_hex_id, sha256_digest
from dedupe.model.images import (
    FoundImage,
    FoundLayer,
    ImageDetails,
    LayerState,
    Platform,
    SourceKind,
)
from dedupe.model.paths import printable
from dedupe.sources.documents.config import Config, platform_of
from dedupe.sources.documents.layout import is_layout, list_layout_blobs, read_index
from dedupe.sources.holders.archive import ArchiveHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent, state_after

_CONFIG_NAME = re.compile(r"(?:blobs/sha256/|sha256:)?([0-9a-f]{64})(?:\.json)?\Z")
_BLOB_NAME = re.compile(r"blobs/sha256/([0-9a-f]{64})\Z")
_DOCUMENTS = ("manifest.json", "repositories", "index.json")
#: docker refuses longer chains
_MAX_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class DockerArchive:
    """A docker-archive."""

    kind: ClassVar[SourceKind] = SourceKind.DOCKER_ARCHIVE
    location: str
    holder: ArchiveHolder

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[DockerArchive]":
        """An archive with a list of images, or of v1 layers."""
        holder = candidate.holder
        if isinstance(holder, ArchiveHolder) and _is_docker_archive(holder):
            return [cls(candidate.location, holder)]
        return []

    def read_contents(self) -> Contents:
        """Read all images of the archive; errors become problems."""
        contents = Contents(file_bytes=self.holder.size_bytes)
        _read_images(self.holder, contents)
        list_layout_blobs(self.holder, contents)
        return contents

    def descent(self) -> Descent:
        """Nothing: an archive holds no other source."""
        return NO_DESCENT


def _is_docker_archive(holder: ArchiveHolder) -> bool:
    """Whether ``manifest.json`` is a list of images, or ``repositories`` names v1 layers."""
    if holder.has("manifest.json"):
        try:
            return isinstance(_manifest(holder), list)
        except SourceError as error:
            # a root file system may have a file of this name, but not the others of an archive
            return error.code == "not-json" and (holder.has("repositories") or is_layout(holder))
    return holder.has("repositories") and not is_layout(holder)


def _read_images(holder: ArchiveHolder, contents: Contents) -> None:
    repeated = [name for name in _DOCUMENTS if name in holder.repeated]
    if repeated:
        contents.add_error(
            repeated[0],
            SourceError(
                f"more than once in the archive: {', '.join(repeated)}; tools differ in which "
                "one they read, here it is the last",
                "duplicate-member",
            ),
        )
    try:
        if holder.has("manifest.json"):
            for item in _manifest(holder):
                _add_item(holder, contents, item)
        else:
            _read_v1(holder, contents)
    except SourceError as error:
        contents.add_unseen("manifest.json", error)
    if is_layout(holder):
        _add_layout(holder, contents)
    elif contents.has_problem("blob-missing") and not contents.unseen_references:
        # no digest proves manifest.json; of a layout, index.json names the blobs too
        contents.unseen_references.append(
            "manifest.json: a blob that it names is missing, so its names may be damaged"
        )


def _manifest(holder: ArchiveHolder) -> list[Any]:
    return parse_list(holder.read_file("manifest.json", MAX_MANIFEST_BYTES), "manifest.json")


def _add_item(holder: ArchiveHolder, contents: Contents, item: object) -> None:
    if not isinstance(item, dict):
        raise SourceError("manifest.json: expected a list of objects", "bad-document")
    tags = item.get("RepoTags")
    names = tuple(
        printable(tag) for tag in (tags if isinstance(tags, list) else []) if isinstance(tag, str)
    )
    try:
        image = _image(holder, contents, item, names)
    except SourceError as error:
        contents.add_unseen(names[0] if names else printable(text_in(item, "Config")), error)
        return
    contents.images.append(image)


def _image(
    holder: ArchiveHolder, contents: Contents, item: dict[str, Any], names: tuple[str, ...]
) -> FoundImage:
    config_name = _member(text_in(item, "Config"))
    named = _BLOB_NAME.match(config_name)
    if named:
        contents.referenced.add(Digest(f"sha256:{named[1]}"))
    data = holder.read_file(config_name, MAX_CONFIG_BYTES)
    config = Config.parse(data, printable(config_name))
    image_id = ImageID(sha256_digest(data))
    subject = names[0] if names else image_id
    claimed = _CONFIG_NAME.match(config_name)
    checked = claimed is not None and image_id == f"sha256:{claimed[1]}"
    if claimed is not None and not checked:
        contents.add_unseen(
            subject,
            SourceError(
                f"digest mismatch: the config is named {printable(config_name)}, "
                f"its bytes give {image_id}",
                "digest-mismatch",
            ),
        )
    files = item.get("Layers")
    if files is None:
        # Go writes an empty list as null: an image without layers
        files = []
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise SourceError("Layers: expected a list of names", "bad-document")
    if len(files) != len(config.diff_ids):
        raise SourceError(
            f"{len(files)} layers in manifest.json, {len(config.diff_ids)} diff IDs in the config",
            "layer-count-mismatch",
        )
    return FoundImage(
        image_id=image_id,
        digest=None,
        names=names,
        layers=tuple(
            replace(
                _layer(holder, contents, _member(name), subject),
                diff_id=diff_id,
                claim_checked=checked,
                created_by=step,
            )
            for name, diff_id, step in zip(files, config.diff_ids, config.steps, strict=True)
        ),
        details=config.details,
        config_checked=checked,
    )


def _layer(holder: ArchiveHolder, contents: Contents, name: str, subject: str) -> FoundLayer:
    named = _BLOB_NAME.match(name)
    found = FoundLayer(
        digest=Digest(f"sha256:{named[1]}") if named else None,
        diff_id=None,
        claim_checked=False,
        blob=None,
    )
    if found.digest is not None:
        contents.referenced.add(found.digest)
    try:
        return replace(found, blob=holder.blob(name))
    except SourceError as error:
        contents.add_error(subject, error, found.digest or printable(name))
        return replace(found, state=state_after(error))


def _read_v1(holder: ArchiveHolder, contents: Contents) -> None:
    """Add the images of ``repositories``: each layer's ``json`` names its parent."""
    repositories = parse_object(
        holder.read_file("repositories", MAX_MANIFEST_BYTES), "repositories"
    )
    names_of: dict[str, list[str]] = {}
    for repository, tags in repositories.items():
        for tag, top in tags.items() if isinstance(tags, dict) else ():
            if not is_hex_id(top):
                raise SourceError(
                    f"repositories: bad layer ID for {printable(tag)}", "bad-document"
                )
            names_of.setdefault(str(top), []).append(printable(f"{repository}:{tag}"))
    for top, names in sorted(names_of.items()):
        try:
            contents.images.append(_v1_image(holder, contents, top, tuple(names)))
        except SourceError as error:
            contents.add_unseen(names[0], error)
    _check_v1_layers(holder, contents)


def _check_v1_layers(holder: ArchiveHolder, contents: Contents) -> None:
    """Report layers that belong to no image: docker saves only those that some image needs."""
    if contents.unseen_references:
        # an image that could not be read has layers too
        return
    used = {layer.blob for image in contents.images for layer in image.layers}
    unused = [
        file.name
        for file in holder.list_files("")
        if file.name.endswith("/layer.tar") and holder.blob(file.name) not in used
    ]
    if unused:
        contents.add_unseen(
            "repositories",
            SourceError(
                f"{len(unused)} layers belong to no named image, the first is "
                f"{printable(unused[0])}: any chain may lack its lower layers",
                "bad-document",
            ),
        )
        contents.images = [_with_unknown_base(image) for image in contents.images]


def _with_unknown_base(image: FoundImage) -> FoundImage:
    """The image with a lowest layer that does not count as one."""
    base, *upper = image.layers
    return replace(image, layers=(replace(base, state=LayerState.BROKEN), *upper))


def _v1_image(
    holder: ArchiveHolder, contents: Contents, top: str, names: tuple[str, ...]
) -> FoundImage:
    layers: list[FoundLayer] = []
    platform = Platform()
    current: str | None = top
    while current:
        if len(layers) > _MAX_LAYERS or not is_hex_id(current):
            raise SourceError("a chain of v1 layers that does not end", "index-cycle")
        document = parse_object(holder.read_file(f"{current}/json", MAX_CONFIG_BYTES), current)
        command = object_in(document, "container_config").get("Cmd")
        step = " ".join(str(word) for word in command) if isinstance(command, list) else ""
        layers.append(
            replace(
                _layer(holder, contents, f"{current}/layer.tar", names[0]),
                created_by=printable(step) or None,
            )
        )
        platform = platform_of(document) if current == top else platform
        current = text_in(document, "parent") or None
    # there is no config: the scan names the image after its diff IDs
    return FoundImage(ImageID(""), None, names, tuple(reversed(layers)), ImageDetails(platform))


def _add_layout(holder: ArchiveHolder, contents: Contents) -> None:
    """Add what only the image layout in the same file has: digests and other platforms."""
    layout = Contents()
    read_index(holder, layout)
    contents.referenced |= layout.referenced
    contents.others += layout.others
    by_id = {image.image_id: index for index, image in enumerate(contents.images)}
    known = set(by_id)
    for image in layout.images:
        if image.image_id not in known:
            contents.images.append(image)
        elif contents.images[by_id[image.image_id]].digest is None:
            position = by_id[image.image_id]
            contents.images[position] = replace(contents.images[position], digest=image.digest)
    # a document that is damaged for both is one problem
    reported = {problem.code for problem in contents.problems}
    contents.problems += [one for one in layout.all_problems() if one.code not in reported]
    contents.unseen_references += layout.unseen_references


def _member(name: str) -> str:
    """Normalise a name of manifest.json, as the names of members are."""
    return posixpath.normpath(name.removeprefix("./")) if name else name
