"""Find sources: recognise what a path or an address is, and search folders for sources."""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dedupe.errors import SourceError, reason_of
from dedupe.host.objects import ObjectListing, public_address
from dedupe.host.places import absolute_place, place_text
from dedupe.host.trees import list_statuses
from dedupe.model.identity import Digest, ImageID
from dedupe.model.images import FoundImage, FoundSource, Platform, Problem, StoredBlob
from dedupe.model.paths import printable
from dedupe.sources.holders.archive import open_archive
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.holders.objects import ObjectHolder, store_folders
from dedupe.sources.interface import Candidate, Descent, Holder, Source
from dedupe.sources.source_types import SOURCE_TYPES

_ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".oci")


@dataclass(frozen=True, slots=True)
class Selection:
    """The images of a source that are wanted; empty fields mean all."""

    platform: str = ""
    image_globs: tuple[str, ...] = ()

    def wants(self, image: FoundImage) -> bool:
        """Whether the image has the platform, and any of its names or IDs matches."""
        if self.platform and not _is_platform(self.platform, image.details.platform):
            return False
        if not self.image_globs:
            return True
        known = (*image.names, image.image_id, image.digest or "")
        return any(fnmatch.fnmatchcase(name, glob) for name in known for glob in self.image_globs)


def discover(places: Sequence[Path | str], selection: Selection) -> Iterator[FoundSource | Problem]:
    """Find all sources at or below these places, each once, and what could not be read.

    Places are paths, or addresses of object stores such as ``s3://bucket/prefix``. A path's sources
    have locations without links and relative parts.
    """
    named = [absolute_place(place) for place in places]
    search = _SourceSearch(selection, [place for place in named if isinstance(place, Path)])
    for place in named:
        if isinstance(place, Path):
            yield from search.search_named(place)
        else:
            yield from search.search_objects(place)


class _SourceSearch:
    """Searches places; remembers folders and files so that each is searched once."""

    def __init__(self, selection: Selection, named: Sequence[Path]) -> None:
        self._selection = selection
        self._named = named
        #: device and inode number
        self._seen: set[tuple[int, int]] = set()

    def search_named(self, path: Path) -> Iterator[FoundSource | Problem]:
        """Search a file or folder that the user named."""
        try:
            status = path.stat()
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            yield Problem(
                place_text(path),
                "no-such-source" if missing else "permission-denied",
                f"cannot be opened: {reason_of(error)}",
            )
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._search_folder(path, named=True)
        elif stat.S_ISREG(status.st_mode):
            yield from self._search_file(path, named=True)
        else:
            yield Problem(
                place_text(path),
                "not-a-regular-file",
                "expected a file or a folder, found something else",
            )

    def search_objects(self, address: str) -> Iterator[FoundSource | Problem]:
        """Search the object store at an address, from one listing of its names."""
        try:
            listing = ObjectListing(address)
        except SourceError as error:
            yield Problem(public_address(address), error.code, error.message)
            return
        found = False
        for folder in store_folders(listing):
            location = printable("/".join(part for part in (address.rstrip("/"), folder) if part))
            for source in self._recognise(location, ObjectHolder(listing, folder)):
                found = True
                yield from self._read(source)
        if not found:
            yield Problem(
                public_address(address),
                "unknown-format",
                f"{len(listing.names)} objects, none of them of a registry or an image layout",
            )

    def _search_folder(self, folder: Path, *, named: bool) -> Iterator[FoundSource | Problem]:
        try:
            entries = list_statuses(folder)
            status = folder.stat()
        except OSError as error:
            yield Problem(
                place_text(folder), "permission-denied", f"cannot be read: {reason_of(error)}"
            )
            return
        if not self._is_new(status):
            return
        sources = self._recognise(place_text(folder), FolderHolder(folder))
        if named and not sources and _lacks_index({name for name, _ in entries}):
            yield Problem(
                place_text(folder), "blob-missing", "an image layout without its index.json"
            )
        for source in sources:
            yield from self._read(source)
        descents = [source.descent() for source in sources]
        for name, status in entries:
            if any(name in descent.own for descent in descents):
                # if the user named it too, it is not searched again
                if stat.S_ISDIR(status.st_mode):
                    self._is_new(status)
            elif all(_enters(descent, name) for descent in descents):
                if stat.S_ISDIR(status.st_mode):
                    yield from self._search_folder(folder / name, named=False)
                elif stat.S_ISREG(status.st_mode):
                    yield from self._search_file(folder / name, named=False)

    def _search_file(self, path: Path, *, named: bool) -> Iterator[FoundSource | Problem]:
        """Search a file; below a named folder, files that are not archives are left out."""
        expected = named or path.name.endswith(_ARCHIVE_SUFFIXES)
        try:
            if not self._is_new(path.stat()):
                return
            archive = open_archive(path)
            if archive is not None:
                for source in self._recognise(place_text(path), archive):
                    yield from self._read(source)
            elif named:
                raise SourceError("not an image format that is known", "unknown-format")
        except SourceError as error:
            if expected:
                yield Problem(place_text(path), error.code, error.message)

    def _is_new(self, status: os.stat_result) -> bool:
        """Whether this file or folder was not seen before; from now on it was."""
        inode = (status.st_dev, status.st_ino)
        is_new = inode not in self._seen
        self._seen.add(inode)
        return is_new

    def _recognise(self, location: str, holder: Holder) -> list[Source]:
        """All sources that the place itself is, in the order of ``SOURCE_TYPES``."""
        candidate = Candidate(location, holder, self._named)
        found: list[Source] = []
        for source_type in SOURCE_TYPES:
            found += source_type.recognise(candidate)
            if not all(source.descent().same_folder for source in found):
                break
        return found

    def _read(self, source: Source) -> Iterator[FoundSource]:
        contents = source.read_contents()
        if contents.unused:
            return
        blobs, unpacked = contents.blobs or [], contents.unpacked
        blob_bytes = sum(blob.stored_bytes for blob in blobs)
        unseen = _unseen_text(contents.unseen_references)
        # a blob that nothing seems to need may be needed by what could not be read
        orphan_blob_bytes = None if unseen else _orphan_bytes(blobs, contents.referenced)
        stored_bytes = blob_bytes + (unpacked.stored_bytes if unpacked else 0)
        yield FoundSource(
            location=source.location,
            kind=source.kind,
            images=[
                image for image in _merge_names(contents.images) if self._selection.wants(image)
            ],
            others=contents.others,
            blobs=blobs,
            problems=contents.problems,
            containers=contents.containers,
            stored_bytes=stored_bytes if contents.file_bytes is None else contents.file_bytes,
            orphan_blob_bytes=None if contents.blobs is None else orphan_blob_bytes,
            orphan_unpacked_bytes=unpacked.orphan_bytes if unpacked and not unseen else None,
            unseen_references=unseen,
            allocated_bytes=unpacked.allocated_bytes if unpacked else None,
            other_bytes=unpacked.other_bytes if unpacked else contents.other_bytes,
        )


def _enters(descent: Descent, name: str) -> bool:
    return descent.entries is None or name in descent.entries


def _lacks_index(names: set[str]) -> bool:
    """Whether a folder looks like an image layout whose ``index.json`` is missing."""
    return "index.json" not in names and not names.isdisjoint(("oci-layout", "blobs"))


def _merge_names(images: list[FoundImage]) -> list[FoundImage]:
    """Merge images of one manifest into one that has all their names."""
    merged: dict[tuple[ImageID, Digest | None], FoundImage] = {}
    names: dict[tuple[ImageID, Digest | None], dict[str, None]] = {}
    without_id = []
    for image in images:
        if not image.image_id:
            without_id.append(image)
            continue
        key = (image.image_id, image.digest)
        merged.setdefault(key, image)
        names.setdefault(key, {}).update(dict.fromkeys(image.names))
    return [
        *(replace(image, names=tuple(names[key])) for key, image in merged.items()),
        *without_id,
    ]


def _orphan_bytes(blobs: list[StoredBlob], referenced: set[Digest]) -> int:
    return sum(
        blob.stored_bytes
        for blob in blobs
        if blob.digest is not None and blob.digest not in referenced
    )


def _unseen_text(reasons: list[str]) -> str | None:
    """One text of all reasons why references are unseen; None if there are none."""
    if not reasons:
        return None
    more = len(reasons) - 1
    return reasons[0] + (f" (and {more} more)" if more else "")


def _is_platform(wanted: str, found: Platform) -> bool:
    """``linux/arm64`` means all its variants, ``linux/arm/v7`` one."""
    parts = wanted.split("/")
    return parts == [found.os, found.architecture, found.variant][: len(parts)]
