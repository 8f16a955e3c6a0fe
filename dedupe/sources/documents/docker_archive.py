"""docker-archive: what ``docker save``, ``podman save`` and ``skopeo`` write.

``manifest.json`` is authoritative for order and names. docker ≥ 25 and containerd put an image
layout into the same file; it adds manifest digests and other platforms. Archives of docker before
1.10 have ``repositories`` and a chain of v1 layers only.
"""

import posixpath
import re
from dataclasses import replace
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    object_in,
    parse_list,
    parse_object,
    text_in,
)
from dedupe.model.identity import Digest, ImageID, sha256_digest
from dedupe.model.images import FoundImage, FoundLayer, LayerState, Platform
from dedupe.model.paths import printable
from dedupe.sources.documents.config import Config, platform_of
from dedupe.sources.documents.layout import is_layout, read_layout
from dedupe.sources.holders.archive import ArchiveHolder
from dedupe.sources.interface import Contents

_CONFIG_NAME = re.compile(r"(?:blobs/sha256/|sha256:)?([0-9a-f]{64})(?:\.json)?\Z")
_BLOB_NAME = re.compile(r"blobs/sha256/([0-9a-f]{64})\Z")
_V1_ID = re.compile(r"[0-9a-f]{64}\Z")
_DOCUMENTS = ("manifest.json", "repositories", "index.json")
#: docker refuses longer chains
_MAX_LAYERS = 1000


def is_docker_archive(holder: ArchiveHolder) -> bool:
    """Whether ``manifest.json`` is a list of images, or ``repositories`` names v1 layers."""
    if holder.has("manifest.json"):
        try:
            return isinstance(_manifest(holder), list)
        except SourceError as error:
            # a root file system may well have a file of this name; an archive has blobs beside it
            return error.code == "not-json" and (holder.has("repositories") or is_layout(holder))
    return holder.has("repositories") and not is_layout(holder)


def read_docker_archive(holder: ArchiveHolder, contents: Contents) -> None:
    """All images of the archive; problems become rows."""
    repeated = [name for name in _DOCUMENTS if name in holder.repeated]
    if repeated:
        contents.failed(
            repeated[0],
            SourceError(
                f"more than once in the archive: {', '.join(repeated)}; tools differ in which "
                "they take, the last is taken here",
                "duplicate-member",
            ),
        )
    try:
        if holder.has("manifest.json"):
            for item in _manifest(holder):
                _take_item(holder, contents, item)
        else:
            _read_v1(holder, contents)
    except SourceError as error:
        contents.failed("manifest.json", error)
    if is_layout(holder):
        _add_layout(holder, contents)


def _manifest(holder: ArchiveHolder) -> list[Any]:
    return parse_list(holder.read("manifest.json", MAX_MANIFEST_BYTES), "manifest.json")


def _take_item(holder: ArchiveHolder, contents: Contents, item: object) -> None:
    if not isinstance(item, dict):
        raise SourceError("manifest.json: expected a list of objects", "bad-document")
    tags = item.get("RepoTags")
    names = tuple(
        printable(tag) for tag in (tags if isinstance(tags, list) else []) if isinstance(tag, str)
    )
    try:
        image = _image(holder, contents, item, names)
    except SourceError as error:
        contents.failed(names[0] if names else printable(text_in(item, "Config")), error)
        return
    contents.images.append(image)


def _image(
    holder: ArchiveHolder, contents: Contents, item: dict[str, Any], names: tuple[str, ...]
) -> FoundImage:
    config_name = _member(text_in(item, "Config"))
    data = holder.read(config_name, MAX_CONFIG_BYTES)
    config = Config.parse(data, printable(config_name))
    image_id = ImageID(sha256_digest(data))
    claimed = _CONFIG_NAME.match(config_name)
    checked = claimed is not None and image_id == f"sha256:{claimed[1]}"
    if claimed is not None and not checked:
        contents.failed(
            names[0] if names else image_id,
            SourceError(
                f"digest mismatch: the config is named {printable(config_name)}, "
                f"its bytes give {image_id}",
                "digest-mismatch",
            ),
        )
    files = item.get("Layers")
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise SourceError("Layers: expected a list of names", "bad-document")
    if len(files) != len(config.diff_ids):
        raise SourceError(
            f"{len(files)} layers in manifest.json, {len(config.diff_ids)} diff IDs in the config",
            "layer-count-mismatch",
        )
    subject = names[0] if names else image_id
    return FoundImage(
        image_id=image_id,
        digest=None,
        names=names,
        platform=config.platform,
        layers=tuple(
            replace(
                _layer(holder, contents, _member(name), subject),
                diff_id=diff_id,
                claim_checked=checked,
                created_by=step,
            )
            for name, diff_id, step in zip(files, config.diff_ids, config.steps, strict=True)
        ),
        created=config.created,
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
        contents.failed(subject, error)
        absent = error.code == "blob-missing"
        return replace(found, state=LayerState.ABSENT if absent else LayerState.BROKEN)


def _read_v1(holder: ArchiveHolder, contents: Contents) -> None:
    """Images of ``repositories``: each layer's ``json`` names its parent; there is no config."""
    repositories = parse_object(holder.read("repositories", MAX_MANIFEST_BYTES), "repositories")
    names_of: dict[str, list[str]] = {}
    for repository, tags in repositories.items():
        for tag, top in tags.items() if isinstance(tags, dict) else ():
            if not isinstance(top, str) or not _V1_ID.match(top):
                raise SourceError(
                    f"repositories: bad layer ID for {printable(tag)}", "bad-document"
                )
            names_of.setdefault(top, []).append(printable(f"{repository}:{tag}"))
    for top, names in sorted(names_of.items()):
        try:
            contents.images.append(_v1_image(holder, contents, top, tuple(names)))
        except SourceError as error:
            contents.failed(names[0], error)


def _v1_image(
    holder: ArchiveHolder, contents: Contents, top: str, names: tuple[str, ...]
) -> FoundImage:
    layers: list[FoundLayer] = []
    platform = Platform()
    current: str | None = top
    while current:
        if len(layers) > _MAX_LAYERS or not _V1_ID.match(current):
            raise SourceError("a chain of v1 layers that does not end", "index-cycle")
        document = parse_object(holder.read(f"{current}/json", MAX_CONFIG_BYTES), current)
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
    # the format has no config: the scan names the image after its chain of diff IDs
    return FoundImage(ImageID(""), None, names, platform, tuple(reversed(layers)))


def _add_layout(holder: ArchiveHolder, contents: Contents) -> None:
    """What the image layout in the same file knows besides: digests, and other platforms."""
    layout = Contents()
    read_layout(holder, layout)
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
    if not contents.images:
        contents.problems += layout.problems


def _member(name: str) -> str:
    """A name in manifest.json as the archive's index has it."""
    return posixpath.normpath(name.removeprefix("./")) if name else name
