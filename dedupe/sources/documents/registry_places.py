"""What the files and folders of a registry's storage are, and who needs them.

A delete through the API removes the link of a revision and the folders of the tags that name it;
``registry garbage-collect`` then removes the folders of blobs. Links of layers stay, and so do the
folders of links: they are records of the store.
Source: distribution/distribution, registry/storage/linkedblobstore.go, tagstore.go, vacuum.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dedupe.model.disk import UNRECOGNISED, HolderKind, PlaceFacts, PlaceHolder, PlaceKind
from dedupe.model.identity import Digest
from dedupe.model.images import FoundOther
from dedupe.model.paths import printable
from dedupe.sources.disk_places import (
    METADATA,
    BlobCommands,
    claims_of_blobs,
    facts_of_blobs,
    unknown_entries,
)
from dedupe.sources.documents.others import relate_others
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Contents, DiskClaims

#: configuration of the registry where its packages put it
CONFIG = "/etc/docker/registry/config.yml"
#: entries of the folders down to ``v2`` that the registry itself makes
_OWN = {
    "docker": ("registry",),
    "registry": ("v2", "lockfiles"),
    "v2": ("blobs", "repositories", "lockfiles"),
}
#: written by a pull-through cache beside ``docker``
_SCHEDULER = "scheduler-state.json"


@dataclass(slots=True)
class RegistryPlaces:
    """What a listing has found beside blobs; paths are below the registry's root."""

    #: path of an unfinished push -> its repository
    uploads: dict[str, str] = field(default_factory=dict)
    #: folder of a tag or file of a revision's link -> its name, and the document that it names
    links: dict[str, tuple[str, Digest]] = field(default_factory=dict)
    #: files that the registry does not write
    unknown: list[str] = field(default_factory=list)

    def add_file(self, name: str, repository: str, below: Sequence[str]) -> None:
        """Keep a file of a repository if it is an upload's or not the registry's."""
        match below:
            case ["_uploads", _, *rest] if rest:
                path = "/".join(name.split("/")[: -len(rest)])
                self.uploads.setdefault(path, repository)
            case ["_manifests" | "_layers", *_]:
                pass
            case _:
                self.unknown.append(name)

    def add_link(self, name: str, repository: str, tag: str, target: Digest) -> None:
        """Keep the link of a tag, or of a revision if there is no tag."""
        if tag:
            # <tag>/current/link
            path = name.rpartition("/")[0].rpartition("/")[0]
            self.links[path] = (f"{repository}:{tag}", target)
        else:
            self.links[name] = (f"{repository}@{target}", target)


def registry_claims(
    holder: FolderHolder, prefix: str, contents: Contents, places: RegistryPlaces
) -> DiskClaims:
    """Which file or folder of a registry's root is what; ``prefix`` leads to ``blobs``."""
    relate_others(contents)
    known = facts_of_blobs(contents)
    more: dict[str, PlaceFacts] = {}
    for path in places.unknown:
        more[path] = UNRECOGNISED
    for path, repository in places.uploads.items():
        more[path] = PlaceFacts(
            PlaceKind.UPLOAD, printable(repository), printable(path.rpartition("/")[2])
        )
    images: dict[Digest | None, dict[PlaceHolder, None]] = {}
    for image in contents.images:
        images.setdefault(image.digest, {})[PlaceHolder(HolderKind.IMAGE, image.image_id)] = None
    for path, (name, target) in places.links.items():
        if target in known:
            holders = tuple(images.get(target, ())) or known[target].holders
            more[path] = PlaceFacts(PlaceKind.METADATA, printable(name), target, holders=holders)
    more |= _folders_above(holder, prefix)
    return claims_of_blobs(
        holder.store,
        contents,
        more=more,
        # what is beside the folder ``docker`` is not the registry's
        rest=UNRECOGNISED if prefix else METADATA,
        own=[f"{prefix}/{name}" if prefix else name for name in ("blobs", "repositories")],
        folders=True,
        commands=BlobCommands(("registry", "garbage-collect", CONFIG), _delete_command),
    )


def _folders_above(holder: FolderHolder, prefix: str) -> dict[str, PlaceFacts]:
    """The folders down to ``v2``, and what the registry did not write in them."""
    found: dict[str, PlaceFacts] = {}
    if not prefix:
        return dict.fromkeys(unknown_entries(holder.root, _OWN["v2"]), UNRECOGNISED)
    parts = prefix.split("/")
    found[parts[0]] = METADATA
    if holder.has(_SCHEDULER):
        found[_SCHEDULER] = METADATA
    for depth, part in enumerate(parts, start=1):
        path = "/".join(parts[:depth])
        for name in unknown_entries(Path(holder.root, path), _OWN[part]):
            found[f"{path}/{name}"] = UNRECOGNISED
    return found


def _delete_command(other: FoundOther) -> tuple[str, ...]:
    """The command that deletes a manifest; empty if it has no name or one that was escaped."""
    repositories = sorted({_repository(name) for name in other.names})
    if other.digest is None or len(repositories) != 1 or "\\" in repositories[0]:
        return ()
    return ("skopeo", "delete", f"docker://REGISTRY/{repositories[0]}@{other.digest}")


def _repository(name: str) -> str:
    path = name.partition("@")[0]
    head, colon, tag = path.rpartition(":")
    return head if colon and "/" not in tag else path
