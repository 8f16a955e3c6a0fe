"""Find sources: recognise what a path or an address is, and search folders for sources."""

import contextlib
import fnmatch
import os
import posixpath
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from dedupe.errors import SourceError, reason_of
from dedupe.host.links import NamedRoots
from dedupe.host.objects import ObjectListing, is_address, public_address
from dedupe.host.places import absolute_place, place_text
from dedupe.host.trees import list_statuses
from dedupe.model.identity import Inode
from dedupe.model.images import (
    UNREAD_KINDS,
    FoundFolder,
    FoundImage,
    FoundSource,
    Platform,
    Problem,
)
from dedupe.model.paths import path_bytes, printable
from dedupe.sources.digest_names import ALGORITHMS, is_blob_file, store_of_blobs
from dedupe.sources.disk_places import (
    claims_around,
    facts_of_file,
    measure_claims,
    place_of_file,
)
from dedupe.sources.documents.layer_tar import LayerTar
from dedupe.sources.documents.layout import OciLayout
from dedupe.sources.documents.shared_blobs import BlobFolder, BlobPool, LooseBlobs
from dedupe.sources.found import found_sources
from dedupe.sources.holders.archive import open_archive
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import (
    Candidate,
    Contents,
    Descent,
    DiskClaims,
    Holder,
    HolderForm,
    Source,
)
from dedupe.sources.source_types import LOOKED_FOR, SOURCE_TYPES

#: what a search finds: layouts and folders of blobs are read at its end
_Item = Problem | OciLayout | BlobFolder | tuple[Source, Contents]
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


def discover(
    places: Sequence[Path | str],
    selection: Selection,
    also: Sequence[Path] = (),
    blobs: Sequence[Path] = (),
) -> Iterator[FoundSource | FoundFolder | Problem]:
    """Find all sources at or below these places, each once, and what could not be read.

    Places are paths, or addresses of object stores such as ``s3://bucket/prefix``. A path's sources
    have locations without links and relative parts. Links of stores may lead into these places and
    into the folders ``also``, which are not searched themselves. Image layouts may use the blobs of
    the folders ``blobs``.
    """
    named = [absolute_place(place) for place in places]
    paths = [place for place in named if isinstance(place, Path)]
    blob_folders = [Path(absolute_place(folder)) for folder in blobs]
    # absolute links may go through a path as it was named
    as_named = [Path(place) for place in places if not is_address(str(place))]
    search = _SourceSearch(paths, NamedRoots([*paths, *as_named, *also, *blob_folders]))
    for folder in blob_folders:
        search.add_blob_folder(folder)
    for place in named:
        search.enter(place)
        if isinstance(place, Path):
            search.search_named(place)
        else:
            search.search_objects(place)
    yield from search.results(selection)


@dataclass(slots=True)
class _LeftOut:
    """What a search has left out at one place."""

    links: int = 0
    files: int = 0
    #: whether a part of it was searched already, as part of another place
    searched_before: bool = False

    def description(self, unread: Mapping[str, int]) -> str:
        """What there is instead of sources; ``unread`` counts roots that are not read, by kind."""
        found = [f"{kind} ({count} recognised, not read)" for kind, count in sorted(unread.items())]
        if self.links == 1:
            found.append("1 link, not followed")
        elif self.links:
            found.append(f"{self.links} links, none of them followed")
        if self.files:
            found.append("1 other file" if self.files == 1 else f"{self.files} other files")
        return ", ".join(found) or "no files and no links"


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder that the user named."""

    path: Path
    #: range of what was found in it
    start: int
    end: int
    left_out: _LeftOut


class _SourceSearch:
    """Searches places; remembers folders and files so that each is searched once."""

    def __init__(self, named: Sequence[Path], roots: NamedRoots) -> None:
        self._named = named
        self._place = ""
        #: folders that links of stores may lead into
        self._roots = roots
        self._seen: set[Inode] = set()
        self._pool = BlobPool()
        #: files named by digests that no source has: path of the first below a folder, and counts
        self._loose: dict[Path, LooseBlobs] = {}
        #: folders that the user named, and what was found in each
        self._places: list[_Place] = []
        #: links and other files that were left out at the place that is being searched
        self._left_out = _LeftOut()
        #: what was found, in order; layouts and folders of blobs are read at the end
        self._found: list[_Item] = []

    def add_blob_folder(self, folder: Path) -> None:
        """Let layouts use the blobs of a folder that the user named as such."""
        holder = FolderHolder(folder, self._roots)
        if any(holder.is_folder(name) for name in ALGORITHMS):
            found = BlobFolder(place_text(folder), holder, named=True)
            self._pool.folders.append(found)
            self._found.append(found)
            with contextlib.suppress(OSError):
                self._is_new(folder.stat())
        else:
            self._found.append(
                Problem(
                    place_text(folder),
                    "no-such-source",
                    "expected a folder of blobs, with files such as sha256/<64 hex digits>",
                )
            )

    def enter(self, place: Path | str) -> None:
        """Search at this place from here on."""
        self._place = place_text(place)

    def search_named(self, path: Path) -> None:
        """Search a file or folder that the user named."""
        try:
            status = path.stat()
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            self._add_problem(
                path,
                "no-such-source" if missing else "permission-denied",
                f"cannot be opened: {reason_of(error)}",
            )
            return
        if stat.S_ISDIR(status.st_mode):
            start, self._left_out = len(self._found), _LeftOut()
            self._search_folder(path)
            self._places.append(_Place(path, start, len(self._found), self._left_out))
        elif stat.S_ISREG(status.st_mode):
            self._search_file(path, named=True)
        else:
            self._add_problem(
                path, "not-a-regular-file", "expected a file or a folder, found something else"
            )

    def search_objects(self, address: str) -> None:
        """Search the object store at an address, from one listing of its names."""
        # few scans have one
        from dedupe.sources.holders.objects import ObjectHolder, store_folders

        try:
            listing = ObjectListing(address)
        except SourceError as error:
            self._found.append(Problem(public_address(address), error.code, error.message))
            return
        before = len(self._found)
        for folder in store_folders(listing):
            location = printable("/".join(part for part in (address.rstrip("/"), folder) if part))
            candidate = self._candidate(location, ObjectHolder(listing, folder), HolderForm.OBJECTS)
            for source in _recognise(candidate):
                self._add(source)
        if len(self._found) == before:
            self._found.append(
                Problem(
                    public_address(address),
                    "unknown-format",
                    f"{len(listing.names)} objects, none of them of a registry or an image layout",
                )
            )

    def results(self, selection: Selection) -> Iterator[FoundSource | FoundFolder | Problem]:
        """Everything that was found; a layout may use any folder of blobs, so these come last."""
        layouts = {
            number: (item, item.read_contents())
            for number, item in enumerate(self._found)
            if isinstance(item, OciLayout)
        }
        read: list[Problem | tuple[Source, Contents]] = []
        moved = [
            folder
            for _, contents in (*layouts.values(), *filter(_is_read, self._found))
            for folder in contents.moved
        ]
        for number, item in enumerate(self._found):
            if _is_inside(_location_of(item), moved):
                # it is a folder of a store, which has read it
                continue
            if isinstance(item, OciLayout):
                read.append(layouts[number])
            elif not isinstance(item, BlobFolder):
                read.append(item)
            elif item.named or item.used:
                read.append((item, item.read_contents()))
            else:
                self._loose_in(item.holder.root).add_folder(item.holder)
        read += [
            loose.problem(place_text(folder))
            for folder, loose in self._loose.items()
            if not _is_inside(place_text(folder), moved)
        ]
        for place in self._places:
            # a folder with a part of a store is not without anything
            if not any(folder.is_relative_to(place.path) for folder in moved):
                read += self._nothing_found(place)
        rest = self._measure([item for item in read if not isinstance(item, Problem)], moved)
        yield from found_sources(read, rest, selection.wants)

    def _measure(
        self, read: Sequence[tuple[Source, Contents]], moved: Sequence[Path]
    ) -> dict[str, Contents]:
        """Measure what belongs to sources, and return what else is in the places."""
        used = [(source, contents) for source, contents in read if not contents.unused]
        roots = [*moved, *(_path_of(source) for source, _ in used)]
        for source, contents in used:
            if contents.claims is not None:
                measure_claims(contents.claims, contents, roots)
            elif contents.file_bytes is not None:
                with contextlib.suppress(OSError):
                    file = _path_of(source)
                    contents.places = [place_of_file(file, facts_of_file(contents))]
            for claims in contents.left_out:
                if _folder_of(claims) not in roots:
                    measure_claims(claims, contents, roots)
        around = [
            contents.around
            for _, contents in used
            if contents.around is not None and _folder_of(contents.around) not in roots
        ]
        rest = {}
        for place in self._places:
            if any(place.path.is_relative_to(root) for root in roots):
                continue
            found = rest[place_text(place.path)] = Contents()
            measure_claims(claims_around(place.path, around), found, roots)
            # folders that the search could not read are problems already
            found.problems.clear()
            roots.append(place.path)
        return rest

    def _nothing_found(self, place: "_Place") -> list[Problem]:
        """The error of a place with nothing to read, unless another problem explains it."""
        unread: Counter[str] = Counter()
        for item in self._found[place.start : place.end]:
            if isinstance(item, Problem | OciLayout):
                return []
            if isinstance(item, BlobFolder):
                # it is used by a layout, or else a problem of its own
                return []
            source, contents = item
            if source.kind in UNREAD_KINDS:
                unread[source.kind] += 1
            elif not contents.unused:
                return []
        store = store_of_blobs(place.path)
        explained = any(
            folder == store or folder.is_relative_to(place.path) for folder in self._loose
        )
        if explained or place.left_out.searched_before:
            return []
        found = place.left_out.description(unread)
        message = f"nothing that can be read: {found}; looked for {LOOKED_FOR}"
        return [Problem(place_text(place.path), "nothing-found", message)]

    def _search_folder(self, folder: Path) -> None:
        try:
            entries = list_statuses(folder)
            status = folder.stat()
        except OSError as error:
            self._add_problem(folder, "permission-denied", f"cannot be read: {reason_of(error)}")
            return
        if not self._is_new(status):
            self._left_out.searched_before = True
            return
        names = frozenset(name for name, _ in entries)
        holder = FolderHolder(folder, self._roots)
        candidate = self._candidate(place_text(folder), holder, HolderForm.FOLDER, names)
        sources = _recognise(candidate)
        if not sources and "oci-layout" in names and "index.json" not in names:
            self._loose_in(folder)
        for source in sources:
            self._add(source)
        descents = [source.descent() for source in sources]
        for name, status in entries:
            if any(name in descent.own for descent in descents):
                # if the user named it too, it is not searched again
                if stat.S_ISDIR(status.st_mode):
                    self._is_new(status)
            elif all(_enters(descent, name) for descent in descents):
                if stat.S_ISDIR(status.st_mode):
                    self._search_folder(folder / name)
                elif stat.S_ISREG(status.st_mode):
                    self._left_out.files += 1
                    self._search_file(folder / name, status.st_size)
                elif stat.S_ISLNK(status.st_mode):
                    self._left_out.links += 1
                else:
                    self._left_out.files += 1

    def _search_file(self, path: Path, size_bytes: int = 0, *, named: bool = False) -> None:
        """Search a file; below a named folder, files that are not archives are left out.

        Neither are blobs of a store, of which some part is missing: a layer alone is not an image.
        """
        expected = named or path.name.endswith(_ARCHIVE_SUFFIXES)
        loose = not named and is_blob_file(path)
        try:
            if not self._is_new(path.stat()):
                return
            archive = open_archive(path)
            if archive is not None:
                sources = _recognise(self._candidate(place_text(path), archive, HolderForm.ARCHIVE))
                if loose and any(isinstance(source, LayerTar) for source in sources):
                    self._loose_in(path.parent).add(size_bytes)
                    return
                for source in sources:
                    self._add(source)
            elif named:
                raise SourceError("not an image format that is known", "unknown-format")
        except SourceError as error:
            if expected:
                self._add_problem(path, error.code, error.message)

    def _loose_in(self, folder: Path) -> LooseBlobs:
        """The loose blobs of the store that a folder of them belongs to."""
        return self._loose.setdefault(store_of_blobs(folder), LooseBlobs())

    def _is_new(self, status: os.stat_result) -> bool:
        """Whether this file or folder was not seen before; from now on it was."""
        inode = (status.st_dev, status.st_ino)
        is_new = inode not in self._seen
        self._seen.add(inode)
        return is_new

    def _candidate(
        self, location: str, holder: Holder, form: HolderForm, entries: frozenset[str] = frozenset()
    ) -> Candidate:
        name = name_below(location, self._place)
        return Candidate(location, holder, form, entries, self._named, name, self._pool)

    def _add(self, source: Source) -> None:
        """Read a source now, since an archive keeps an index of its members in memory."""
        if isinstance(source, OciLayout | BlobFolder):
            self._found.append(source)
        else:
            self._found.append((source, source.read_contents()))

    def _add_problem(self, path: Path, code: str, message: str) -> None:
        self._found.append(Problem(place_text(path), code, message))


def _recognise(candidate: Candidate) -> list[Source]:
    """All sources that the candidate itself is, in the order of ``SOURCE_TYPES``."""
    found: list[Source] = []
    for source_type in SOURCE_TYPES:
        if source_type.may_be(candidate):
            found += source_type.load().recognise(candidate)
            if not all(source.descent().same_folder for source in found):
                break
    return found


def name_below(location: str, place: str) -> str:
    """The path of a source below a place, without an archive's ending; else the place's name."""
    below = location.removeprefix(place.rstrip("/") + "/") if location != place else ""
    name = below or posixpath.basename(location.rstrip("/"))
    for suffix in _ARCHIVE_SUFFIXES:
        name = name.removesuffix(suffix) or name
    return name


def _path_of(source: Source) -> Path:
    """The path of a source; that of an object store leads to nothing."""
    return Path(os.fsdecode(path_bytes(source.location)))


def _folder_of(claims: DiskClaims) -> Path:
    return claims.root.path.resolve().joinpath(*claims.below)


def _is_read(item: _Item) -> TypeGuard[tuple[Source, Contents]]:
    return isinstance(item, tuple)


def _location_of(item: _Item) -> str:
    if isinstance(item, Problem):
        return item.subject
    return item[0].location if isinstance(item, tuple) else item.location


def _is_inside(location: str, folders: Sequence[Path]) -> bool:
    return any(f"{location}/".startswith(f"{place_text(folder)}/") for folder in folders)


def _enters(descent: Descent, name: str) -> bool:
    return descent.entries is None or name in descent.entries


def _is_platform(wanted: str, found: Platform) -> bool:
    """``linux/arm64`` means all its variants, ``linux/arm/v7`` one."""
    parts = wanted.split("/")
    return parts == [found.os, found.architecture, found.variant][: len(parts)]
