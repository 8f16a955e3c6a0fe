"""Containers that containerd keeps records of, and the images that they were made from."""

from collections.abc import Sequence
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_CONFIG_BYTES, parse_object
from dedupe.host.files import read_below
from dedupe.model.identity import ImageID, chain_ids
from dedupe.model.images import FoundContainer, FoundImage
from dedupe.model.paths import printable
from dedupe.sources.containerd.metadata import ContainerRecord, ImageRecord, Metadata
from dedupe.sources.containerd.snapshots import READABLE, Snapshots, Store
from dedupe.sources.interface import Contents

#: where CRI keeps the state of its containers, in every version of containerd
_CRI = "io.containerd.grpc.v1.cri"
_TASKS = ("io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux")


class Origins:
    """From what a container's record and its snapshot say to the image that it was made from."""

    def __init__(self) -> None:
        #: (namespace, name) -> images that the name leads to
        self._named: dict[tuple[str, str], list[FoundImage]] = {}
        #: chain ID of the topmost layer -> images
        self._tops: dict[str, list[FoundImage]] = {}

    def add(self, records: Sequence[ImageRecord], images: Sequence[FoundImage]) -> None:
        """Images of one target, and the records of this target."""
        for record in records:
            self._named.setdefault((record.namespace, record.name), []).extend(images)
        for image in images:
            stack = [layer.diff_id for layer in image.layers if layer.diff_id]
            for top in [*chain_ids(stack)][-1:]:
                self._tops.setdefault(top, []).append(image)

    def image(self, namespace: str, name: str, snapshots: Snapshots, key: str) -> ImageID | None:
        """The image whose layers lie below this snapshot; of several, that of this name."""
        named = self._named.get((namespace, name), [])
        for below in snapshots.keys_below(namespace, key):
            found = self._tops.get(below, [])
            if found:
                return next((image for image in found if image in named), found[0]).image_id
        identities = {image.image_id for image in named}
        return identities.pop() if len(identities) == 1 else None


def recorded_containers(
    store: Store, metadata: Metadata, snapshots: Snapshots, origins: Origins, contents: Contents
) -> list[FoundContainer]:
    """Containers of all namespaces; ``running`` is what CRI says, or False where none can."""
    containers = []
    for record in metadata.containers:
        # docker has its own branches, of a graph driver, where it keeps no snapshot here
        if record.namespace == "moby" and not record.snapshot_key:
            continue
        upper = snapshots.upper(record.namespace, record.snapshot_key)
        subject = printable(record.container_id)
        if upper is None and record.snapshotter in READABLE:
            contents.failed(
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
                name=_name(record.labels),
                image_id=origins.image(
                    record.namespace, record.image, snapshots, record.snapshot_key
                ),
                image=printable(record.image) or None,
                upper=upper,
                running=_running(store, record),
            )
        )
    return containers


def _name(labels: dict[str, str]) -> str | None:
    """The name that nerdctl or Kubernetes gives to a container."""
    pod = [labels.get(f"io.kubernetes.{key}", "") for key in ("pod.namespace", "pod.name")]
    pod.append(labels.get("io.kubernetes.container.name", ""))
    name = labels.get("nerdctl/name") or "/".join(part for part in pod if part)
    return printable(name) or None


def _running(store: Store, record: ContainerRecord) -> bool | None:
    """A container without a task does not run; one with a task may have ended."""
    if "/" in record.container_id or record.container_id in ("", ".", ".."):
        return None
    status = _cri_status(store, record.container_id)
    if status:
        # moments in nanoseconds; 0 is one that has not come
        return bool(status.get("StartedAt")) and not status.get("FinishedAt")
    if any(store.has_folder(task, record.namespace, record.container_id) for task in _TASKS):
        return None
    return False


def _cri_status(store: Store, container_id: str) -> dict[str, Any]:
    parts = store.parts(_CRI, "containers", container_id, "status")
    try:
        return parse_object(read_below(store.root, parts, MAX_CONFIG_BYTES), "status")
    except SourceError:
        return {}
