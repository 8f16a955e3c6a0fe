"""Finding sources: what a path is, told by its signature, and a folder walked for all it holds."""

import fnmatch
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.trees import statuses_in
from dedupe.model.identity import Digest, ImageID
from dedupe.model.images import (
    BlobRef,
    FoundImage,
    FoundLayer,
    FoundSource,
    Platform,
    Problem,
    SourceKind,
    StoredBlob,
)
from dedupe.model.paths import path_text, printable
from dedupe.sources.containerd.snapshots import Store
from dedupe.sources.containerd.store import (
    DOCKER_ROOT,
    content_blobs,
    is_containerd,
    read_containerd,
)
from dedupe.sources.containers_storage.store import StorageReader, drivers_in, stores_beside
from dedupe.sources.docker.store import is_docker, read_docker, remapped_roots
from dedupe.sources.documents.directory import blobs_in, is_directory, read_directory
from dedupe.sources.documents.docker_archive import is_docker_archive, read_docker_archive
from dedupe.sources.documents.layout import blobs_of, is_layout, read_layout
from dedupe.sources.documents.registry import Registry, registry_prefix
from dedupe.sources.holders.archive import ArchiveHolder, open_archive
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.holders.objects import Listing, ObjectHolder, is_address, shown, stores_in
from dedupe.sources.interface import Contents, Holder

_ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".oci")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which images of a source are wanted; empty fields mean all."""

    platform: str = ""
    image_globs: tuple[str, ...] = ()

    def wants(self, image: FoundImage) -> bool:
        """Whether this image was asked for, by platform and by any of its names."""
        if self.platform and not _same_platform(self.platform, image.platform):
            return False
        if not self.image_globs:
            return True
        known = (*image.names, image.image_id, image.digest or "")
        return any(fnmatch.fnmatchcase(name, glob) for name in known for glob in self.image_globs)


def discover(places: Sequence[Path | str], selection: Selection) -> Iterator[FoundSource | Problem]:
    """Every source at or below these places, each once, and what could not be read on the way.

    Places are paths, or addresses of object stores such as ``s3://bucket/prefix``.
    """
    seen: set[tuple[int, int]] = set()
    # an image of one store may have its layers in another that is named beside it
    lenders = [
        Path(place)
        for place in places
        if not is_address(str(place)) and drivers_in(FolderHolder(Path(place)))
    ]
    for place in places:
        if isinstance(place, str) and is_address(place):
            yield from _objects(place, selection)
            continue
        path = Path(place)
        try:
            status = path.stat()
        except OSError as error:
            yield Problem(
                path_text(os.fsencode(path)),
                "no-such-source" if isinstance(error, FileNotFoundError) else "permission-denied",
                f"cannot be opened: {(error.strerror or str(error)).lower()}",
            )
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(path, selection, seen, lenders, named=True)
        elif stat.S_ISREG(status.st_mode):
            yield from _file(path, selection, seen, named=True)
        else:
            yield Problem(
                path_text(os.fsencode(path)),
                "not-a-regular-file",
                "expected a file or a folder, found something else",
            )


def _walk(
    folder: Path,
    selection: Selection,
    seen: set[tuple[int, int]],
    lenders: Sequence[Path],
    *,
    named: bool,
) -> Iterator[FoundSource | Problem]:
    location = path_text(os.fsencode(folder))
    try:
        entries = statuses_in(folder)
        status = folder.stat()
    except OSError as error:
        yield Problem(
            location, "permission-denied", f"cannot be read: {(error.strerror or '').lower()}"
        )
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    holder = FolderHolder(folder)
    if is_containerd(holder):
        yield _containerd(location, SourceKind.CONTAINERD, Store(folder), selection)
        return
    in_docker = is_containerd(holder, DOCKER_ROOT)
    if in_docker:
        source = _containerd(
            path_text(os.fsencode(folder.joinpath(*DOCKER_ROOT))),
            SourceKind.DOCKER_CONTAINERD,
            Store(folder, DOCKER_ROOT),
            selection,
        )
        # a docker with a graph driver has a containerd too, without images
        if source.blobs or source.containers or source.problems or not holder.has("image"):
            yield source
    drivers = drivers_in(holder)
    for driver in drivers:
        yield _storage(location, folder, driver, selection, lenders)
    if drivers:
        return
    docker = is_docker(holder)
    if docker:
        yield _read(
            location,
            SourceKind.DOCKER,
            selection,
            lambda contents: read_docker(folder, contents),
            lambda _: [],
        )
    if in_docker or docker:
        for name in remapped_roots(holder):
            yield from _walk(folder / name, selection, seen, lenders, named=False)
        return
    prefix = registry_prefix(holder.is_folder)
    if prefix is not None:
        yield _registry(location, holder, prefix, selection)
        if not prefix:
            return
        # other stores may lie beside it
        beside = (folder / prefix.partition("/")[0]).stat()
        seen.add((beside.st_dev, beside.st_ino))
    layout = is_layout(holder)
    if layout:
        yield _layout(location, holder, selection)
    elif is_directory(holder):
        name = path_text(os.fsencode(folder.resolve().name))
        yield _read(
            location,
            SourceKind.DIR,
            selection,
            lambda contents: read_directory(holder, contents, name),
            lambda _: blobs_in(holder),
        )
        return
    elif (
        named
        and (holder.has("oci-layout") or holder.has("blobs"))
        and not any(name == "index.json" for name, _ in entries)
    ):
        yield Problem(location, "blob-missing", "an image layout without its index.json")
    for name, status in entries:
        below = folder / name
        if stat.S_ISDIR(status.st_mode):
            if not (layout and name == "blobs"):
                yield from _walk(below, selection, seen, lenders, named=False)
        elif stat.S_ISREG(status.st_mode) and not (layout and name in ("index.json", "oci-layout")):
            yield from _file(below, selection, seen, named=False)


def _file(
    path: Path, selection: Selection, seen: set[tuple[int, int]], *, named: bool
) -> Iterator[FoundSource | Problem]:
    """An archive or a tar; in a walk, other files are none of our business."""
    location = path_text(os.fsencode(path))
    expected = named or path.name.endswith(_ARCHIVE_SUFFIXES)
    try:
        status = path.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        holder = open_archive(path)
        if holder is None:
            if named:
                raise SourceError("no image format that is known", "unknown-format")
            return
        yield _archive(path, location, holder, status.st_size, selection)
    except SourceError as error:
        if expected:
            yield Problem(location, error.code, error.message)


def _objects(address: str, selection: Selection) -> Iterator[FoundSource | Problem]:
    """All stores below an address, from one listing of it."""
    try:
        listing = Listing(address)
    except SourceError as error:
        yield Problem(shown(address), error.code, error.message)
        return
    found = False
    for kind, folder in stores_in(listing):
        found = True
        location = printable("/".join(part for part in (address.rstrip("/"), folder) if part))
        holder = ObjectHolder(listing, folder)
        if kind is SourceKind.REGISTRY:
            prefix = registry_prefix(holder.is_folder) or ""
            yield _registry(location, holder, prefix, selection)
        else:
            yield _layout(location, holder, selection)
    if not found:
        yield Problem(
            shown(address),
            "unknown-format",
            f"{len(listing.names)} objects, none of them of a registry or an image layout",
        )


def _registry(location: str, holder: Holder, prefix: str, selection: Selection) -> FoundSource:
    registry = Registry(holder, prefix)
    source = _read(
        location, SourceKind.REGISTRY, selection, registry.read, lambda _: registry.blobs
    )
    source.other_bytes = registry.other_bytes
    return source


def _layout(location: str, holder: Holder, selection: Selection) -> FoundSource:
    return _read(
        location,
        SourceKind.OCI_LAYOUT,
        selection,
        lambda contents: read_layout(holder, contents),
        lambda contents: blobs_of(holder, contents),
    )


def _archive(
    path: Path, location: str, holder: ArchiveHolder, size: int, selection: Selection
) -> FoundSource:
    if is_docker_archive(holder):
        kind = SourceKind.DOCKER_ARCHIVE
        source = _read(
            location,
            kind,
            selection,
            lambda contents: read_docker_archive(holder, contents),
            lambda contents: blobs_of(holder, contents),
        )
    elif is_layout(holder):
        kind = SourceKind.OCI_ARCHIVE
        source = _read(
            location,
            kind,
            selection,
            lambda contents: read_layout(holder, contents),
            lambda contents: blobs_of(holder, contents),
        )
    else:
        image = FoundImage(
            image_id=ImageID(""),
            digest=None,
            names=(path_text(os.fsencode(path.name)),),
            platform=Platform(),
            layers=(
                FoundLayer(
                    digest=None,
                    diff_id=None,
                    claim_checked=False,
                    blob=_whole(path, size),
                ),
            ),
        )
        source = FoundSource(location, SourceKind.TAR)
        source.images = [image] if selection.wants(image) else []
    source.stored_bytes = size
    return source


def _storage(
    location: str, root: Path, driver: str, selection: Selection, lenders: Sequence[Path]
) -> FoundSource:
    def read(contents: Contents) -> None:
        others = [store for store in (*stores_beside(root), *lenders) if store != root]
        try:
            StorageReader(root, driver, contents, others).read()
        except SourceError as error:
            contents.failed(driver, error)

    return _read(location, SourceKind.CONTAINERS_STORAGE, selection, read, lambda _: [])


def _containerd(location: str, kind: SourceKind, store: Store, selection: Selection) -> FoundSource:
    docker = kind is SourceKind.DOCKER_CONTAINERD
    return _read(
        location,
        kind,
        selection,
        lambda contents: read_containerd(store, contents, docker=docker),
        lambda contents: content_blobs(store, contents),
    )


def _read(
    location: str,
    kind: SourceKind,
    selection: Selection,
    read: Callable[[Contents], None],
    list_blobs: Callable[[Contents], list[StoredBlob]],
) -> FoundSource:
    contents = Contents()
    read(contents)
    blobs = list_blobs(contents)
    held = contents.held
    return FoundSource(
        location=location,
        kind=kind,
        images=[image for image in _merged(contents.images) if selection.wants(image)],
        others=contents.others,
        blobs=blobs,
        problems=contents.problems,
        containers=contents.containers,
        stored_bytes=sum(blob.stored_bytes for blob in blobs) + (held.stored_bytes if held else 0),
        orphan_bytes=_orphan_bytes(blobs, contents.referenced) + (held.orphan_bytes if held else 0),
        allocated_bytes=held.allocated_bytes if held else None,
        other_bytes=held.other_bytes if held else None,
    )


def _merged(images: list[FoundImage]) -> list[FoundImage]:
    """One entry a manifest: names of the same manifest belong together."""
    merged: dict[tuple[ImageID, Digest | None], FoundImage] = {}
    names: dict[tuple[ImageID, Digest | None], dict[str, None]] = {}
    unnamed = []
    for image in images:
        if not image.image_id:
            unnamed.append(image)
            continue
        key = (image.image_id, image.digest)
        merged.setdefault(key, image)
        names.setdefault(key, {}).update(dict.fromkeys(image.names))
    return [
        *(replace(image, names=tuple(names[key])) for key, image in merged.items()),
        *unnamed,
    ]


def _orphan_bytes(blobs: list[StoredBlob], referenced: set[Digest]) -> int:
    return sum(
        blob.stored_bytes
        for blob in blobs
        if blob.digest is not None and blob.digest not in referenced
    )


def _whole(path: Path, size: int) -> BlobRef:
    return BlobRef(path, (), 0, size)


def _same_platform(wanted: str, found: Platform) -> bool:
    """``linux/arm64`` asks for every variant, ``linux/arm/v7`` for one."""
    parts = wanted.split("/")
    return parts == [found.os, found.architecture, found.variant][: len(parts)]
