"""What keeps content and snapshots of containerd, and the commands that remove it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dedupe.model.disk import HolderKind, PlaceHolder
from dedupe.model.identity import chain_ids, is_digest
from dedupe.model.images import FoundContainer, FoundImage, FoundOther
from dedupe.model.paths import printable
from dedupe.sources.containerd.containers import container_name
from dedupe.sources.containerd.docker import NAMESPACE
from dedupe.sources.containerd.holds import Keeper, KeeperKind, Kept
from dedupe.sources.containerd.metadata import ROOT_LABEL
from dedupe.sources.containerd.records import ContainerdContainer, Lease, Metadata, Resource

#: socket of the containerd that docker starts
_DOCKER_SOCKET = "/run/docker/containerd/containerd.sock"
#: ID of a record of BuildKit's cache, and of the leases that go with it
_BUILDKIT = re.compile(r"([0-9a-z]{25})(?:-view|-variants)?\Z")


@dataclass(slots=True)
class Target:
    """What a digest leads to that has names."""

    images: list[FoundImage] = field(default_factory=list)
    others: list[FoundOther] = field(default_factory=list)
    #: namespace -> all names as recorded
    names: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ctr:
    """Commands for containerd, or for the one that docker starts."""

    docker: bool

    def words(self, namespace: str, *words: str) -> tuple[str, ...]:
        """A command of ``ctr`` in a namespace."""
        address = ("--address", _DOCKER_SOCKET) if self.docker else ()
        return ("ctr", *address, "--namespace", printable(namespace), *words)

    def removal(self, one: Resource) -> tuple[str, ...]:
        """The command that deletes a snapshot or content."""
        return self._of_resource(one, "rm")

    def label_removal(self, one: Resource) -> tuple[str, ...]:
        """The command after which the label on a snapshot or content does not keep it.

        An image may need what a label keeps too, so only snapshots without a layer are deleted.
        """
        if one.snapshotter and not is_digest(one.key):
            return self.removal(one)
        return self._of_resource(one, "label", f"{ROOT_LABEL}=")

    def _of_resource(self, one: Resource, verb: str, *words: str) -> tuple[str, ...]:
        what: tuple[str, ...] = ("content",)
        if one.snapshotter:
            what = ("snapshots", "--snapshotter", printable(one.snapshotter))
        return self.words(one.namespace, *what, verb, printable(one.key), *words)

    def lease_removal(self, lease: Lease) -> tuple[str, ...]:
        """The command that deletes a lease, and what it alone keeps."""
        return self.words(lease.namespace, "leases", "rm", "--sync", printable(lease.lease_id))

    def container_removal(self, container: ContainerdContainer) -> tuple[str, ...]:
        """The command that deletes a container that does not run, and its writable branch."""
        container_id = printable(container.container_id)
        match container.labels.get("io.cri-containerd.kind"):
            case "sandbox":
                return ("crictl", "rmp", container_id)
            case "container":
                return ("crictl", "rm", container_id)
            case _:
                return self.words(container.namespace, "containers", "rm", container_id)


class Holders:
    """Finds what keeps content, snapshots and transfers."""

    def __init__(
        self,
        metadata: Metadata,
        kept: Kept,
        targets: Mapping[str, Target],
        containers: Iterable[FoundContainer],
        tool: Ctr,
    ) -> None:
        """Leases of ``metadata`` hold; ``containers`` are docker's, with a record or without."""
        self.tool = tool
        self._kept = kept
        self._targets = targets
        self._leases = {(each.namespace, each.lease_id): each for each in metadata.leases}
        #: namespace and name of a transfer -> leases that keep it
        self._transfers: dict[tuple[str, str], list[Lease]] = {}
        for lease in metadata.leases:
            for ref in lease.ingests:
                self._transfers.setdefault((lease.namespace, ref), []).append(lease)
        #: ID of a lease, as it is shown -> the lease with its times
        self._lease_texts = {
            printable(each.lease_id): _lease_text(each) for each in metadata.leases
        }
        #: namespace and ID -> container
        self._containers = {
            (each.namespace, each.container_id): PlaceHolder(
                HolderKind.CONTAINER,
                container_name(each.labels) or printable(each.container_id),
                tool.container_removal(each),
            )
            for each in metadata.containers
        }
        for each in containers:
            name = each.name or each.container_id
            self._containers[NAMESPACE, each.container_id] = PlaceHolder(
                HolderKind.CONTAINER, name, ("docker", "rm", "--", name)
            )
        #: ID of an image -> digests and chain IDs that it consists of
        self._parts: dict[int, frozenset[str]] = {}

    def of(self, one: Resource) -> tuple[PlaceHolder, ...]:
        """What keeps this content or snapshot."""
        found: dict[PlaceHolder, None] = {}
        for keeper in self._kept.get(one, ()):
            found.update(dict.fromkeys(self._of_keeper(keeper, one)))
        return tuple(found)

    def of_transfer(self, namespace: str, ref: str) -> tuple[PlaceHolder, ...]:
        """The leases that keep a transfer."""
        return tuple(map(self._of_lease, self._transfers.get((namespace, ref), ())))

    def container(self, namespace: str, container_id: str) -> PlaceHolder | None:
        """The container of this ID, if it is known."""
        return self._containers.get((namespace, container_id))

    def lease_text(self, holder: PlaceHolder) -> str:
        """A lease with its times."""
        return self._lease_texts.get(holder.name, holder.name)

    def name_of(self, one: Resource, images: Sequence[PlaceHolder]) -> str | None:
        """The name of an image among the holders, in the namespace if it has one there."""
        wanted = {holder.name for holder in images if holder.kind is HolderKind.IMAGE}
        for keeper in self._kept.get(one, ()):
            target = self._targets.get(keeper.name)
            if keeper.kind is not KeeperKind.IMAGE or target is None:
                continue
            here = {printable(name) for name in target.names.get(keeper.namespace, ())}
            for image in target.images:
                if image.image_id in wanted:
                    names = [name for name in image.names if name in here] or image.names
                    return names[0] if names else image.digest or image.image_id
        return None

    def _of_keeper(self, keeper: Keeper, one: Resource) -> Sequence[PlaceHolder]:
        match keeper.kind:
            case KeeperKind.IMAGE:
                return self._of_target(keeper, one)
            case KeeperKind.CONTAINER:
                return (self._containers[keeper.namespace, keeper.name],)
            case KeeperKind.LEASE:
                return (self._of_lease(self._leases[keeper.namespace, keeper.name]),)
            case KeeperKind.LABEL:
                rooted = Resource(keeper.namespace, keeper.snapshotter, keeper.name)
                release = self.tool.label_removal(rooted)
                return (PlaceHolder(HolderKind.RECORD, printable(keeper.name), release),)

    def _of_target(self, keeper: Keeper, one: Resource) -> Sequence[PlaceHolder]:
        """The images that need it; if it belongs to none of a target's images, all of them."""
        target = self._targets.get(keeper.name, Target())
        images = [image for image in target.images if one.key in self._parts_of(image)]
        if target.images:
            return [
                PlaceHolder(HolderKind.IMAGE, each.image_id) for each in images or target.images
            ]
        others = [other for other in target.others if other.kind != "absent"]
        if others:
            named = [other for other in others if one.key in other.blobs] or others
            return [
                PlaceHolder(HolderKind.ARTIFACT, other.digest or printable(keeper.name))
                for other in named
            ]
        # the target cannot be read
        names = target.names.get(keeper.namespace, ())
        removal = self.tool.words(keeper.namespace, "images", "rm", "--sync", "--")
        return [
            PlaceHolder(HolderKind.RECORD, printable(name), (*removal, printable(name)))
            for name in names
        ]

    def _of_lease(self, lease: Lease) -> PlaceHolder:
        container = self._containers.get((lease.namespace, lease.lease_id))
        if container is not None and lease.namespace == NAMESPACE:
            # docker keeps a container's snapshots with a lease of the container's ID
            return container
        cached = _BUILDKIT.match(lease.lease_id)
        if cached and lease.flat:
            release = ("docker", "builder", "prune") if self.tool.docker else ("buildctl", "prune")
            return PlaceHolder(HolderKind.BUILD_CACHE, cached[1], release)
        return PlaceHolder(
            HolderKind.LEASE, printable(lease.lease_id), self.tool.lease_removal(lease)
        )

    def _parts_of(self, image: FoundImage) -> frozenset[str]:
        known = self._parts.get(id(image))
        if known is None:
            layers = (layer.digest for layer in image.layers if layer.digest)
            chains = chain_ids(layer.diff_id or "" for layer in image.layers)
            known = self._parts[id(image)] = frozenset((*image.documents, *layers, *chains))
        return known


def _lease_text(lease: Lease) -> str:
    text = f"lease {printable(lease.lease_id)} in namespace {printable(lease.namespace)}"
    if lease.created is not None:
        text += f", made {datetime.fromtimestamp(lease.created, UTC):%Y-%m-%d %H:%M} UTC"
    if lease.expires is not None:
        text += f", ends {lease.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return text
