"""What each file and folder of a containerd root is."""

import os
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

from dedupe.errors import SourceError
from dedupe.model.disk import (
    UNRECOGNISED,
    HolderKind,
    PlaceFacts,
    PlaceForm,
    PlaceHolder,
    PlaceKind,
)
from dedupe.model.identity import chain_ids, is_digest
from dedupe.model.images import FoundContainer
from dedupe.model.paths import path_text, printable
from dedupe.sources.containerd.blobs import CONTENT
from dedupe.sources.containerd.containers import CRI, TASKS
from dedupe.sources.containerd.holders import Holders, Target
from dedupe.sources.containerd.metadata import METADATA
from dedupe.sources.containerd.records import Metadata, Resource, Snapshot
from dedupe.sources.containerd.snapshots import (
    SNAPSHOTTER,
    ContainerdRoot,
    Snapshots,
)
from dedupe.sources.disk_places import facts_of_blobs
from dedupe.sources.interface import Contents

#: snapshotters of which each snapshot has the files of all below it
_FULL = ("native", "blockfile")
#: the store's own folders
_METADATA = PlaceFacts(PlaceKind.METADATA)
#: a folder that is being filled before it becomes that of a snapshot
_UNFINISHED = re.compile(r"new-")
#: documents of a transfer are a few words
_MAX_INGEST_BYTES = 32768
#: folders with records of the store, or with nothing
_OWN = (
    *(CONTENT, METADATA[0], CRI, *TASKS),
    *("io.containerd.grpc.v1.introspection", "io.containerd.mount-manager.v1.bolt"),
)


class RootFacts:
    """Says what the files and folders of a root are, by their path below it."""

    def __init__(
        self,
        root: ContainerdRoot,
        metadata: Metadata,
        snapshots: Snapshots,
        holders: Holders,
        targets: Mapping[str, Target],
        contents: Contents,
    ) -> None:
        self._root = root
        self._metadata = metadata
        self._snapshots = snapshots
        self._holders = holders
        self._contents = contents
        #: namespace -> chain ID -> images; of all namespaces, if names were lost
        self._chains: dict[str, dict[str, list[PlaceHolder]]] = {}
        for target in targets.values():
            for image in target.images:
                holder = PlaceHolder(HolderKind.IMAGE, image.image_id)
                chains = list(chain_ids(layer.diff_id or "" for layer in image.layers))
                for space in target.names or ("",):
                    of_space = self._chains.setdefault(space, {})
                    for chain in chains:
                        of_space.setdefault(chain, []).append(holder)
        #: ID of an image -> name to show
        self._image_names: dict[str, str] = {
            image.image_id: image.names[0] if image.names else image.digest or image.image_id
            for image in reversed(contents.images)
        }

    def snapshot_facts(
        self, snapshotter: str, uppers: Mapping[str, FoundContainer | None]
    ) -> Mapping[str, PlaceFacts]:
        """Names of the folders of snapshots that have a record -> what they are.

        ``uppers`` says which container has its writable branch in a folder, by its name.
        """
        return {
            str(snapshot.number): self._snapshot(
                snapshotter, name, snapshot, uppers.get(str(snapshot.number))
            )
            for name, snapshot in self._snapshots.records(snapshotter).items()
        }

    def folder_without_record(self, name: str) -> PlaceFacts:
        """What a folder beside those of snapshots is."""
        if _UNFINISHED.match(name):
            return PlaceFacts(PlaceKind.TEMPORARY)
        return self._unneeded()

    def blob_facts(self) -> Mapping[str, PlaceFacts]:
        """Path of each blob -> what it is."""
        known = facts_of_blobs(self._contents)
        records: dict[str, list[Resource]] = {}
        for one in self._metadata.known:
            if not one.snapshotter:
                records.setdefault(one.key, []).append(one)
        found = {}
        below = len("/".join(self._root.parts(""))) if self._root.below else 0
        for blob in self._contents.blobs or ():
            path = blob.name[below:]
            if blob.digest is None:
                found[path] = PlaceFacts(PlaceKind.UNRECOGNISED)
                continue
            found[path] = self._blob(
                blob.digest, known.get(blob.digest), records.get(blob.digest, [])
            )
        return found

    def other_facts(self) -> dict[str, PlaceFacts]:
        """Path of each other folder that is known -> what it is."""
        found = {"": _METADATA, "tmpmounts": PlaceFacts(PlaceKind.TEMPORARY)}
        found[f"{CONTENT}/blobs"] = _METADATA
        for name in self._names():
            if name in _OWN:
                found[name] = _METADATA
            elif name.startswith(SNAPSHOTTER):
                known = name.removeprefix(SNAPSHOTTER) in self._snapshots.snapshotters()
                found[name] = _METADATA if known or not self._names(name) else UNRECOGNISED
            elif name != "tmpmounts":
                found[name] = UNRECOGNISED
        found |= dict(self._transfers())
        found |= dict(self._states())
        return found

    def _snapshot(
        self, snapshotter: str, name: str, snapshot: Snapshot, upper: FoundContainer | None
    ) -> PlaceFacts:
        one = Resource(snapshot.namespace, snapshotter, snapshot.key)
        scope = f"{printable(snapshot.namespace)}/{printable(snapshotter)}"
        form = PlaceForm.FULL_TREE if snapshotter in _FULL else PlaceForm.TREE
        is_recorded = self._metadata.known.get(one, None) in ("", name)
        holders = self._holders.of(one) if is_recorded else ()
        is_layer = snapshot.committed and is_digest(snapshot.key)
        if is_layer and not holders and (is_recorded or self._metadata.errors):
            holders = self._images_of(snapshot)
        kinds = {holder.kind for holder in holders}
        subject = printable(snapshot.key)
        if upper is not None or (HolderKind.CONTAINER in kinds and not is_layer):
            return self._container(upper, holders, subject, scope)
        if is_layer and kinds & {HolderKind.IMAGE, HolderKind.CONTAINER}:
            owner = self._holders.name_of(one, holders) or self._owner(holders)
            return PlaceFacts(PlaceKind.LAYER, owner, subject, form, scope, holders)
        if holders:
            return self._held(holders, subject, form, scope)
        command = self._holders.tool.removal(one) if is_recorded else ()
        return self._unneeded(subject, form, scope, command)

    def _images_of(self, snapshot: Snapshot) -> tuple[PlaceHolder, ...]:
        """Images of the namespace whose layer it is, if no record of theirs leads to it."""
        spaces = self._chains if self._metadata.errors else (snapshot.namespace,)
        found = [
            holder
            for space in spaces
            for holder in self._chains.get(space, {}).get(snapshot.key, ())
        ]
        return tuple(dict.fromkeys(found))

    def _container(
        self,
        upper: FoundContainer | None,
        holders: tuple[PlaceHolder, ...],
        subject: str,
        scope: str,
    ) -> PlaceFacts:
        """The writable branch of a container, or the layer of its own that docker puts below."""
        mine = [each for each in holders if each.kind is HolderKind.CONTAINER]
        if upper is not None and not mine:
            # its record is nowhere, or could not be read
            mine = [PlaceHolder(HolderKind.CONTAINER, upper.name or upper.container_id)]
            holders = (*mine, *holders)
        return PlaceFacts(
            PlaceKind.CONTAINER,
            mine[0].name,
            upper.container_id if upper is not None else subject,
            scope=scope,
            holders=holders,
            command=mine[0].release,
        )

    def _blob(self, digest: str, known: PlaceFacts | None, records: list[Resource]) -> PlaceFacts:
        holders = tuple(
            dict.fromkeys(holder for one in records for holder in self._holders.of(one))
        )
        if known is not None:
            return PlaceFacts(
                known.kind, known.owner, digest, known.form, holders=holders or known.holders
            )
        if any(holder.kind in (HolderKind.IMAGE, HolderKind.ARTIFACT) for holder in holders):
            return PlaceFacts(PlaceKind.ARTIFACT, self._owner(holders), digest, holders=holders)
        if holders:
            return self._held(holders, digest)
        command = self._holders.tool.removal(records[0]) if len(records) == 1 else ()
        return self._unneeded(digest, command=command)

    def _held(
        self,
        holders: tuple[PlaceHolder, ...],
        subject: str,
        form: PlaceForm | None = None,
        scope: str | None = None,
    ) -> PlaceFacts:
        """What no image and no container needs."""
        cached = any(holder.kind is HolderKind.BUILD_CACHE for holder in holders)
        kind = PlaceKind.BUILD_CACHE if cached else PlaceKind.HELD
        command = holders[0].release if len(holders) == 1 else ()
        return PlaceFacts(kind, self._owner(holders), subject, form, scope, holders, command)

    def _unneeded(
        self,
        subject: str | None = None,
        form: PlaceForm | None = None,
        scope: str | None = None,
        command: tuple[str, ...] = (),
    ) -> PlaceFacts:
        return PlaceFacts(PlaceKind.ORPHAN, None, subject, form, scope, command=command)

    def _owner(self, holders: tuple[PlaceHolder, ...]) -> str | None:
        """The name to show for what keeps a place."""
        for holder in holders:
            match holder.kind:
                case HolderKind.LEASE:
                    return self._holders.lease_text(holder)
                case HolderKind.BUILD_CACHE:
                    return "BuildKit"
                case HolderKind.IMAGE:
                    return self._image_names.get(holder.name, holder.name)
                case _:
                    return holder.name
        return None

    def _transfers(self) -> Iterator[tuple[str, PlaceFacts]]:
        """Folders of what is being written into the content store."""
        recorded = {
            sha256(os.fsencode(each.backend_ref)).hexdigest(): each
            for each in self._metadata.ingests
        }
        for name in self._names(CONTENT, "ingest"):
            record = recorded.get(name)
            ref = record.ref if record is not None else self._word(name, "ref")
            total = self._word(name, "total")
            owner = printable(ref)
            if total.isascii() and total.isdigit():
                owner = f"{owner} ({int(total[:20]):,} bytes if complete)"
            holders: tuple[PlaceHolder, ...] = ()
            if record is not None:
                holders = self._holders.of_transfer(record.namespace, record.ref)
            command = holders[0].release if len(holders) == 1 else ()
            yield (
                f"{CONTENT}/ingest/{name}",
                PlaceFacts(PlaceKind.UPLOAD, owner or None, name, holders=holders, command=command),
            )

    def _word(self, ingest: str, name: str) -> str:
        """The text of one of a transfer's files; empty if there is none."""
        parts = self._root.parts(CONTENT, "ingest", ingest, name)
        try:
            data = self._root.store.read(parts, _MAX_INGEST_BYTES)
        except SourceError:
            return ""
        return data.decode("utf-8", "surrogateescape")

    def _states(self) -> Iterator[tuple[str, PlaceFacts]]:
        """Folders of the state of containers, and of the volumes that their images declare."""
        for folder in TASKS:
            for space in self._names(folder):
                for container_id in self._names(folder, space):
                    yield f"{folder}/{space}/{container_id}", self._state(space, container_id)
        for kind in ("containers", "sandboxes"):
            for container_id in self._names(CRI, kind):
                facts = self._state("k8s.io", container_id)
                path = f"{CRI}/{kind}/{container_id}"
                yield path, facts
                for volume in self._names(CRI, kind, container_id, "volumes"):
                    yield (
                        f"{path}/volumes/{volume}",
                        PlaceFacts(
                            PlaceKind.VOLUME,
                            facts.owner,
                            path_text(os.fsencode(volume)),
                            holders=facts.holders,
                            command=facts.command,
                        ),
                    )

    def _state(self, namespace: str, container_id: str) -> PlaceFacts:
        holder = self._holders.container(namespace, container_id)
        subject = path_text(os.fsencode(container_id))
        if holder is None:
            return PlaceFacts(PlaceKind.METADATA, None, subject)
        return PlaceFacts(
            PlaceKind.METADATA, holder.name, subject, holders=(holder,), command=holder.release
        )

    def _names(self, *folder: str) -> list[str]:
        """Names in a folder; what cannot be listed becomes a problem when it is measured."""
        try:
            return self._root.store.list_folder(self._root.parts(*folder))
        except SourceError:
            return []
