"""Which untagged images podman deletes with their child.

podman records no parents: it compares layers and histories. An image is the parent of another one
if the other has the same topmost layer or one more, and the same history and one more step. Of
several, podman takes the first: those with the same layer before those with the layer below.
Source: github.com/containers/common, libimage: layer_tree.go (parent) and oci.go
(areParentAndChild).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import parse_object
from dedupe.model.identity import DiffID, ImageID

#: a time of RFC 3339, as Go writes it
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))\Z", re.ASCII
)
#: keys of a step of a history that podman compares, beside its time
_TEXTS = ("created_by", "author", "comment")

#: what podman compares of a step
_Step = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What podman compares of an image to find its parent."""

    image_id: ImageID
    #: ID of the topmost layer; None without layers
    layer: str | None
    diff_ids: tuple[DiffID, ...]
    history: tuple[_Step, ...]


def history_of(config: bytes) -> tuple[_Step, ...]:
    """What podman compares of an image's history; empty if the config cannot be parsed."""
    try:
        steps = parse_object(config, "config").get("history")
    except SourceError:
        return ()
    if not isinstance(steps, list):
        return ()
    return tuple(_step(step) for step in steps if isinstance(step, dict))


def parents_of(
    images: Sequence[BuiltImage], parent_layers: Mapping[str, str | None]
) -> dict[ImageID, ImageID]:
    """The parent of each image that has one; ``images`` in the order of the records.

    ``parent_layers`` has the lower layer of each layer, by ID.
    """
    by_layer: dict[str | None, list[BuiltImage]] = {}
    for image in images:
        by_layer.setdefault(image.layer, []).append(image)
    parents: dict[ImageID, ImageID] = {}
    for child in images:
        candidates = list(by_layer[child.layer])
        lower = parent_layers.get(child.layer) if child.layer is not None else None
        if lower is not None:
            candidates += by_layer.get(lower, ())
        for candidate in candidates:
            if candidate.image_id != child.image_id and _is_parent(candidate, child):
                parents[child.image_id] = candidate.image_id
                break
    return parents


def _is_parent(parent: BuiltImage, child: BuiltImage) -> bool:
    return (
        len(parent.history) + 1 == len(child.history)
        and child.diff_ids[: len(parent.diff_ids)] == parent.diff_ids
        and child.history[: len(parent.history)] == parent.history
    )


def _step(step: dict[str, Any]) -> _Step:
    texts = (step.get(key) or "" for key in _TEXTS)
    return (_instant(step.get("created")), *map(str, texts), bool(step.get("empty_layer")))


def _instant(created: object) -> object:
    """A time that equals the same time in another zone; None without one."""
    found = _TIME.match(created) if isinstance(created, str) else None
    if found is None:
        return None if created is None else str(created)
    seconds, fraction, sign, hours, minutes = found.groups()
    try:
        instant = datetime.fromisoformat(seconds)
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            instant -= offset if sign == "+" else -offset
    except (ValueError, OverflowError):
        return created
    return instant, (fraction or "").ljust(9, "0")
