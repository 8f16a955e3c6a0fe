"""What each file and folder of a source is, who needs it, and how much disk it takes.

A source that finds its blobs by listing says which file is what, and is walked once all sources are
known: the walk leaves out what belongs to others. A store with unpacked layers walks itself.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from dedupe.errors import SourceError
from dedupe.host.store_root import StoreRoot
from dedupe.host.trees import list_statuses
from dedupe.model.disk import (
    UNRECOGNISED,
    FoundPlace,
    HolderKind,
    PlaceFacts,
    PlaceForm,
    PlaceHolder,
    PlaceKind,
)
from dedupe.model.identity import Digest
from dedupe.model.images import FoundImage, FoundOther
from dedupe.sources.disk_usage import OTHER, measure_parts
from dedupe.sources.documents.others import relate_others
from dedupe.sources.interface import Contents, DiskClaims

#: kinds of what manifests name and is not an image
_OTHER_KINDS = {
    "artifact": PlaceKind.ARTIFACT,
    "attestation": PlaceKind.ATTESTATION,
    "cache": PlaceKind.CACHE,
}
#: a source's own record
METADATA = PlaceFacts(PlaceKind.METADATA)


def measure_claims(claims: DiskClaims, contents: Contents, others: Iterable[Path]) -> None:
    """Add the places of a source to its contents; errors become problems.

    ``others`` are the roots of other sources, and folders that are parts of them. A folder that the
    search or the source could not read is a problem already.
    """
    root = claims.root.path.resolve().joinpath(*claims.below)
    parts: dict[str, str | None] = {path: path for path in claims.facts}
    for other in others:
        if other != root and other.is_relative_to(root):
            parts[str(other.relative_to(root))] = None
    try:
        usage = measure_parts(claims.root, parts, below=claims.below, own=claims.own)
    except SourceError as error:
        if not contents.unseen_references:
            contents.add_unseen("/".join(claims.below) or ".", error)
        return
    if contents.unseen_references:
        usage.unread = None
    usage.report(contents)
    contents.places += usage.found_places(
        lambda _path, part: claims.rest if part == OTHER else claims.facts[part], claims.below
    )


def claims_around(place: Path, around: Iterable[DiskClaims]) -> DiskClaims:
    """What is known of a folder from sources in it, whose surroundings are not sources."""
    facts: dict[str, PlaceFacts] = {}
    own: list[str] = []
    rest = UNRECOGNISED
    for claims in around:
        root = claims.root.path.resolve()
        if not root.is_relative_to(place.resolve()):
            continue
        below = root.relative_to(place.resolve()).parts
        facts |= {"/".join((*below, path)): found for path, found in claims.facts.items()}
        own += ["/".join((*below, path)) for path in claims.own]
        if below:
            facts["/".join(below)] = claims.rest
        else:
            rest = claims.rest
    return DiskClaims(StoreRoot(place), facts, rest, own)


def facts_of_file(contents: Contents) -> PlaceFacts:
    """What a source that is one file is: the layers of all its images."""
    holders = [PlaceHolder(HolderKind.IMAGE, image.image_id) for image in contents.images]
    for other in contents.others:
        holders += _holders_of(other)
    return PlaceFacts(
        PlaceKind.LAYER,
        _names(contents),
        form=PlaceForm.BLOB,
        holders=tuple(dict.fromkeys(holders)),
    )


def place_of_file(path: Path, facts: PlaceFacts) -> FoundPlace:
    """The place of a source that is one file; raises OSError."""
    status = path.stat()
    return FoundPlace("", facts, status.st_blocks * 512, status.st_size, 1, status.st_mtime)


def volume_owner(
    name: str, users: Sequence[PlaceHolder], *, is_anonymous: bool, is_known: bool
) -> str:
    """The volume's name, and the containers that use it, if they are known."""
    shown = name[:12] if is_anonymous else name
    if users:
        used = f"used by {_first([user.name for user in users])}"
    else:
        used = "unused" if is_known else "its users are unknown"
    return f"{shown} ({'anonymous, ' if is_anonymous else ''}{used})"


def facts_of_blobs(contents: Contents) -> dict[Digest, PlaceFacts]:
    """What each blob is that an image or another manifest needs, and who needs it."""
    found: dict[Digest, PlaceFacts] = {}
    layers: dict[Digest, list[PlaceHolder]] = {}
    documents: dict[Digest, list[PlaceHolder]] = {}
    owners: dict[Digest, str | None] = {}
    for image in contents.images:
        holder = PlaceHolder(HolderKind.IMAGE, image.image_id)
        for layer in image.layers:
            if layer.digest is not None:
                layers.setdefault(layer.digest, []).append(holder)
                owners.setdefault(layer.digest, _name_of(image))
        for document in image.documents:
            documents.setdefault(document, []).append(holder)
            owners.setdefault(document, _name_of(image))
    others: dict[Digest, list[FoundOther]] = {}
    for other in contents.others:
        for blob in other.blobs:
            others.setdefault(blob, []).append(other)
    for digest in layers.keys() | documents.keys() | others.keys():
        named = others.get(digest, [])
        kind = _OTHER_KINDS.get(named[0].kind, PlaceKind.METADATA) if named else PlaceKind.METADATA
        holders = [*layers.get(digest, ()), *documents.get(digest, ())]
        for other in named:
            holders += _holders_of(other)
        owner = owners.get(digest) or (_other_name(named[0]) if named else None)
        found[digest] = PlaceFacts(
            kind=PlaceKind.LAYER if digest in layers else kind,
            owner=owner,
            subject=digest,
            form=PlaceForm.BLOB if digest in layers else None,
            holders=tuple(dict.fromkeys(holders)),
        )
    return found


@dataclass(frozen=True, slots=True)
class BlobCommands:
    """Commands of a store's own tools for its blobs; empty if there are none."""

    #: removes all blobs that nothing references
    orphans: tuple[str, ...] = ()
    #: deletes an artifact, an attestation or a build cache
    of_other: Callable[[FoundOther], tuple[str, ...]] = lambda _other: ()


NO_COMMANDS = BlobCommands()


def claims_of_blobs(
    root: StoreRoot,
    contents: Contents,
    *,
    more: Mapping[str, PlaceFacts] = MappingProxyType({}),
    rest: PlaceFacts = METADATA,
    own: Sequence[str] = (),
    folders: bool = False,
    commands: BlobCommands = NO_COMMANDS,
) -> DiskClaims:
    """The claims of a source that keeps blobs; ``folders``: each blob is in one of its own.

    ``more`` has what is known of other paths, and ``rest`` what everything else is.
    """
    relate_others(contents)
    known = facts_of_blobs(contents)
    for other in contents.others:
        command = commands.of_other(other) if other.digest in known else ()
        for digest in other.blobs if command else ():
            facts = known[digest]
            if facts.kind in _OTHER_KINDS.values() and len(facts.holders) == 1:
                known[digest] = replace(facts, command=command)
    facts_of = dict(more)
    for blob in contents.blobs or ():
        path = blob.name.rpartition("/")[0] if folders else blob.name
        found = known.get(Digest(blob.digest or "")) or _unneeded(blob.digest, contents)
        if found.kind is PlaceKind.ORPHAN:
            found = replace(found, command=commands.orphans)
        facts_of.setdefault(path, found)
    return DiskClaims(root, facts_of, rest, own)


def unknown_entries(folder: Path, known: Collection[str]) -> list[str]:
    """Names in a folder that are not among those that are known; none if it cannot be read."""
    try:
        return [name for name, _ in list_statuses(folder) if name not in known]
    except OSError:
        # the walk of the source reports it
        return []


def _unneeded(digest: Digest | None, contents: Contents) -> PlaceFacts:
    """A blob of which nothing is known but that something, or nothing, refers to it."""
    if digest is None or contents.unseen_references:
        return PlaceFacts(PlaceKind.UNRECOGNISED, subject=digest)
    if digest in contents.referenced:
        # by a manifest of schema 1, or by an index without images
        record = PlaceHolder(HolderKind.RECORD, "a manifest that is not listed")
        return PlaceFacts(PlaceKind.HELD, subject=digest, holders=(record,))
    return PlaceFacts(PlaceKind.ORPHAN, subject=digest)


def _holders_of(other: FoundOther) -> list[PlaceHolder]:
    """The images that it is deleted with, else itself."""
    if other.images:
        return [PlaceHolder(HolderKind.IMAGE, image) for image in other.images]
    return [PlaceHolder(HolderKind.ARTIFACT, other.digest or _other_name(other) or "")]


def _other_name(other: FoundOther) -> str | None:
    return other.names[0] if other.names else other.digest


def _name_of(image: FoundImage) -> str:
    return image.names[0] if image.names else image.store_id or image.digest or image.image_id


def _names(contents: Contents) -> str | None:
    return _first([_name_of(image) for image in contents.images]) or None


def _first(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
