"""What sources hold, as a scan takes it: each file counted once over all of them.

Layouts may be hard links of each other, as zot and caches make them, or use each other's files
through links. Such a file is stored once, so the first source that has it counts it. It is
unreferenced only if no source refers to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dedupe.model.disk import FoundPlace, PlaceFacts, PlaceForm, PlaceKind
from dedupe.model.identity import Digest, ImageID, Inode
from dedupe.model.images import (
    FoundFolder,
    FoundImage,
    FoundOther,
    FoundSource,
    HeldBlob,
    Problem,
    StoredBlob,
)
from dedupe.sources.documents.others import held_blobs, relate_others
from dedupe.sources.interface import Contents, Source


def found_sources(
    read: Sequence[Problem | tuple[Source, Contents]],
    rest: Mapping[str, Contents],
    wants: Callable[[FoundImage], bool],
) -> Iterator[FoundSource | FoundFolder | Problem]:
    """The sources with their figures, and the problems, in the order in which they were found.

    ``rest`` has what is in the folders that were named, and in no source.
    """
    files = _Files()
    sources = [item[1] for item in read if not isinstance(item, Problem)]
    for contents in sources:
        relate_others(contents)
        files.add_references(contents)
    for contents in sources:
        files.add_holders(contents, wants)
        files.add_linked(contents.places)
    for item in read:
        if isinstance(item, Problem):
            yield item
        elif not item[1].unused:
            yield _found_source(*item, files, wants)
    for location, contents in rest.items():
        places = files.unplaced(contents.places)
        yield FoundFolder(location, places, contents.all_problems())


@dataclass(slots=True)
class _Files:
    """The files of all sources."""

    #: files that a source refers to, or may refer to
    needed: set[Inode] = field(default_factory=set)
    #: files that a source has counted
    counted: set[Inode] = field(default_factory=set)
    #: files with names in several sources whose disk usage a source has counted
    placed: set[Inode] = field(default_factory=set)
    #: size of each blob of the scan
    sizes: dict[Digest, int] = field(default_factory=dict)
    #: blobs that an image or another manifest of the scan needs
    listed: set[Digest] = field(default_factory=set)
    #: blob with names in several sources -> what it is in the source that says most
    linked: dict[Inode, PlaceFacts] = field(default_factory=dict)

    def add_references(self, contents: Contents) -> None:
        """Keep the files that a source refers to; all of its files if references are unseen."""
        self.needed |= contents.borrowed
        for blob in contents.blobs or ():
            if blob.digest is not None:
                self.sizes[blob.digest] = max(
                    blob.stored_bytes, self.sizes.get(blob.digest, blob.stored_bytes)
                )
            if blob.inode is not None and (
                contents.unseen_references or blob.digest in contents.referenced
            ):
                self.needed.add(blob.inode)

    def add_holders(self, contents: Contents, wants: Callable[[FoundImage], bool]) -> None:
        """Keep the blobs that the images and other manifests of a source need."""
        images = [image for image in contents.images if wants(image)]
        self.listed.update(
            layer.digest
            for image in images
            for layer in image.layers
            if layer.digest is not None and layer.blob is not None
        )
        self.listed.update(held.digest for held in held_blobs(images, contents.others, self.sizes))

    def rest_bytes(self, blobs: Sequence[StoredBlob], orphans: Sequence[StoredBlob]) -> int:
        """Bytes of the blobs that are neither listed nor known to be unreferenced."""
        known = {blob.name for blob in orphans}
        return sum(
            blob.stored_bytes
            for blob in blobs
            if blob.name not in known and (blob.digest is None or blob.digest not in self.listed)
        )

    def uncounted(self, blobs: Sequence[StoredBlob]) -> list[StoredBlob]:
        """The blobs of which no source has counted the file; from now on one has."""
        found = []
        for blob in blobs:
            if blob.inode is None:
                found.append(blob)
            elif blob.inode not in self.counted:
                self.counted.add(blob.inode)
                found.append(blob)
        return found

    def add_linked(self, places: Sequence[FoundPlace]) -> None:
        """Keep what a source knows of blobs that are files of other sources too."""
        for place in places:
            for inode, _, _ in place.links if _is_blob(place) else ():
                first = self.linked.get(inode, place.facts)
                holders = dict.fromkeys((*first.holders, *place.facts.holders))
                known = place.facts if first.kind is PlaceKind.ORPHAN else first
                self.linked[inode] = replace(known, holders=tuple(holders))

    def _facts(self, place: FoundPlace) -> PlaceFacts:
        """What a place is for all sources: a blob that any of them needs stays."""
        if len(place.links) != 1 or not _is_blob(place):
            return place.facts
        return self.linked.get(place.links[0][0], place.facts)

    def unplaced(self, places: Sequence[FoundPlace]) -> list[FoundPlace]:
        """The places without the files that a source before has counted."""
        found = []
        for place in (replace(one, facts=self._facts(one)) for one in places):
            known = [link for link in place.links if link[0] in self.placed]
            self.placed.update(inode for inode, _, _ in place.links)
            found.append(
                replace(
                    place,
                    allocated_bytes=place.allocated_bytes - sum(link[1] for link in known),
                    file_bytes=place.file_bytes - sum(link[2] for link in known),
                    files=place.files - len(known),
                )
                if known
                else place
            )
        return found


def _is_blob(place: FoundPlace) -> bool:
    """Whether a place is one blob."""
    is_tree = place.facts.form in (PlaceForm.TREE, PlaceForm.FULL_TREE)
    return place.files == 1 and place.facts.subject is not None and not is_tree


def _found_source(
    source: Source, contents: Contents, files: _Files, wants: Callable[[FoundImage], bool]
) -> FoundSource:
    blobs, unpacked = contents.blobs or [], contents.unpacked
    own = files.uncounted(blobs)
    others = _measured(contents.others, blobs) if contents.blobs is not None else contents.others
    _report_caches(others, contents)
    unseen = _unseen_text(contents.unseen_references)
    # a blob that nothing seems to need may be needed by what could not be read
    orphans = [] if unseen else _orphans(own, contents.referenced, files.needed)
    orphan_blob_bytes = None if unseen else sum(blob.stored_bytes for blob in orphans)
    images = [image for image in _merge_names(contents.images) if wants(image)]
    held = held_blobs(images, others, files.sizes)
    blob_bytes = sum(blob.stored_bytes for blob in own)
    stored_bytes = blob_bytes + (unpacked.stored_bytes if unpacked else 0)
    places = files.unplaced(contents.places)
    allocated_bytes = sum(place.allocated_bytes for place in places) if places else None
    return FoundSource(
        location=source.location,
        kind=source.kind,
        images=images,
        others=others,
        blobs=blobs,
        problems=contents.all_problems(),
        containers=contents.containers,
        stored_bytes=stored_bytes if contents.file_bytes is None else contents.file_bytes,
        orphan_blob_bytes=None if contents.blobs is None else orphan_blob_bytes,
        rest_blob_bytes=_rest_bytes(contents, images, held, orphan_blob_bytes)
        if contents.file_bytes is not None
        else files.rest_bytes(own, orphans)
        if contents.blobs is not None
        else None,
        held_blobs=held,
        orphan_unpacked_bytes=unpacked.orphan_bytes if unpacked and not unseen else None,
        unseen_references=unseen,
        names_images=contents.names_images,
        allocated_bytes=allocated_bytes,
        other_bytes=unpacked.other_bytes if unpacked else contents.other_bytes,
        places=places,
    )


def _measured(others: list[FoundOther], blobs: list[StoredBlob]) -> list[FoundOther]:
    """The same with the bytes that the source has of each."""
    sizes = {blob.digest: blob.stored_bytes for blob in blobs if blob.digest is not None}
    return [
        replace(other, stored_bytes=sum(sizes.get(digest, 0) for digest in other.blobs))
        for other in others
    ]


def _report_caches(others: list[FoundOther], contents: Contents) -> None:
    """Say that some manifests are build caches: otherwise nothing shows what their bytes are."""
    caches = [other for other in others if other.kind == "cache"]
    if not caches:
        return
    needed = frozenset[Digest]().union(*(cache.blobs for cache in caches))
    size = sum(blob.stored_bytes for blob in contents.blobs or () if blob.digest in needed)
    names = dict.fromkeys(name for cache in caches for name in cache.names)
    contents.add_note(
        next(iter(names), caches[0].digest or ""),
        "build-cache",
        f"build caches of BuildKit, which are not images: {len(caches)}, with {size:,} bytes",
    )


def _merge_names(images: list[FoundImage]) -> list[FoundImage]:
    """Merge images of one manifest into one with all their names and the documents above them."""
    merged: dict[tuple[ImageID, Digest | None], FoundImage] = {}
    names: dict[tuple[ImageID, Digest | None], dict[str, None]] = {}
    documents: dict[tuple[ImageID, Digest | None], set[Digest]] = {}
    without_id = []
    for image in images:
        if not image.image_id:
            without_id.append(image)
            continue
        key = (image.image_id, image.digest)
        merged.setdefault(key, image)
        names.setdefault(key, {}).update(dict.fromkeys(image.names))
        documents.setdefault(key, set()).update(image.documents)
    return [
        *(
            replace(image, names=tuple(names[key]), documents=frozenset(documents[key]))
            for key, image in merged.items()
        ),
        *without_id,
    ]


def _orphans(
    blobs: list[StoredBlob], referenced: set[Digest], needed: set[Inode]
) -> list[StoredBlob]:
    return [
        blob
        for blob in blobs
        if blob.digest is not None
        and blob.digest not in referenced
        and (blob.inode is None or blob.inode not in needed)
    ]


def _rest_bytes(
    contents: Contents,
    images: list[FoundImage],
    held: list[HeldBlob],
    orphan_bytes: int | None,
) -> int | None:
    """Bytes of an archive without its blobs: headers, padding, names.

    None for an archive that is compressed as a whole, and so may be smaller than its blobs.
    """
    sizes: dict[object, int] = {one.digest: one.stored_bytes for one in held}
    for image in images:
        for layer in image.layers:
            if layer.blob is not None:
                sizes[layer.digest or layer.diff_id or layer.blob] = layer.blob.size
    rest = (contents.file_bytes or 0) - sum(sizes.values()) - (orphan_bytes or 0)
    return rest if rest >= 0 else None


def _unseen_text(reasons: list[str]) -> str | None:
    """One text of all reasons why references are unseen; None if there are none."""
    if not reasons:
        return None
    more = len(reasons) - 1
    return reasons[0] + (f" (and {more} more)" if more else "")
