"""Containers in containerd's metadata, and the images that they were made from."""

from collections.abc import Sequence
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, parse_object
from dedupe.model.identity import ImageID, chain_ids
from dedupe.model.images import FoundContainer, FoundImage
from dedupe.model.paths import printable
from dedupe.sources.containerd.records import ContainerdContainer, ContainerdImage, Metadata
from dedupe.sources.containerd.snapshots import READABLE, ContainerdRoot, Snapshots
from dedupe.sources.interface import Contents

#: folder of the state of CRI's containers, in every version of containerd
CRI = "io.containerd.grpc.v1.cri"
#: folders of the state of other containers, by namespace
TASKS = ("io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux")


class Origins:
    """Finds the image that a container was made from, by its record and its snapshot."""

    def __init__(self) -> None:
        #: (namespace, name) -> images that the name leads to
        self._named: dict[tuple[str, str], list[FoundImage]] = {}
        #: chain ID of the topmost layer -> images
        self._tops: dict[str, list[FoundImage]] = {}

    def add(self, records: Sequence[ContainerdImage], images: Sequence[FoundImage]) -> None:
        """Add the images of one target, and the records that name it."""
        for record in records:
            self._named.setdefault((record.namespace, record.name), []).extend(images)
        for image in images:
            stack = [layer.diff_id for layer in image.layers if layer.diff_id]
            for top in [*chain_ids(stack)][-1:]:
                self._tops.setdefault(top, []).append(image)

    def image_id(self, namespace: str, name: str, snapshots: Snapshots, key: str) -> ImageID | None:
        """The image whose layers are below this snapshot; of several, the one of this name."""
        named = self._named.get((namespace, name), [])
        for below in snapshots.keys_below(namespace, key):
            found = self._tops.get(below, [])
            if found:
                return next((image for image in found if image in named), found[0]).image_id
        identities = {image.image_id for image in named}
        return identities.pop() if len(identities) == 1 else None


def recorded_containers(
    root: ContainerdRoot,
    metadata: Metadata,
    snapshots: Snapshots,
    origins: Origins,
    contents: Contents,
) -> list[FoundContainer]:
    """Containers of all namespaces; a missing writable branch becomes a problem."""
    containers = []
    for record in metadata.containers:
        # without a snapshot, docker keeps the writable branch with a graph driver
        if record.namespace == "moby" and not record.snapshot_key:
            continue
        upper = snapshots.upper(record.namespace, record.snapshot_key, record.snapshotter)
        subject = printable(record.container_id)
        if upper is None and record.snapshotter in READABLE and snapshots.are_known:
            contents.add_error(
                subject,
                SourceError(
                    f"snapshot {printable(record.snapshot_key)} of {record.snapshotter}: "
                    "no such folder",
                    "snapshot-missing",
                ),
            )
        containers.append(
            FoundContainer(
                container_id=subject,
                name=container_name(record.labels),
                image_id=origins.image_id(
                    record.namespace, record.image, snapshots, record.snapshot_key
                ),
                image=printable(record.image) or None,
                upper=upper,
                running=_is_running(root, record),
            )
        )
    return containers


def container_name(labels: dict[str, str]) -> str | None:
    """The name of a container in nerdctl, or in Kubernetes: namespace, pod and container."""
    pod = [labels.get(f"io.kubernetes.{key}", "") for key in ("pod.namespace", "pod.name")]
    pod.append(labels.get("io.kubernetes.container.name", ""))
    name = labels.get("nerdctl/name") or "/".join(part for part in pod if part)
    return printable(name) or None


def _is_running(root: ContainerdRoot, record: ContainerdContainer) -> bool | None:
    """Whether a container runs; None if it is not known.

    CRI keeps it in its state. Else a container without a task does not run, but one with a task may
    have exited.
    """
    if "/" in record.container_id or record.container_id in ("", ".", ".."):
        return None
    status = _cri_status(root, record.container_id)
    if status:
        # times in nanoseconds; 0 if it has not happened
        return bool(status.get("StartedAt")) and not status.get("FinishedAt")
    if any(root.has_folder(task, record.namespace, record.container_id) for task in TASKS):
        return None
    return False


def _cri_status(root: ContainerdRoot, container_id: str) -> dict[str, Any]:
    parts = root.parts(CRI, "containers", container_id, "status")
    try:
        return parse_object(root.store.read(parts, MAX_CONFIG_BYTES), "status")
    except SourceError:
        return {}
