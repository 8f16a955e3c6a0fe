"""Stores that delete images, in plain Python: who is left, and which places nothing needs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StoredImage:
    """An image in one store."""

    name: str
    #: whether it has a tag
    tagged: bool = True
    #: the image that it was built on, as the store recorded it
    parent: str | None = None
    #: names of its containers
    containers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """A file or folder of a store."""

    path: str
    size_bytes: int
    #: images that need it
    images: frozenset[str]
    #: what else does, as KIND:NAME
    others: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ImageStore:
    """A store of docker or podman, or another one, which knows no parents."""

    kind: str
    images: Mapping[str, StoredImage] = field(default_factory=dict)
    places: tuple[Place, ...] = ()


def left_after(store: ImageStore, chosen: Collection[str]) -> set[str]:
    """Images that are left once the tool was told to delete these, in the best order."""
    left = dict(store.images)
    tagged = {name for name, image in left.items() if image.tagged}
    wanted = {name for name in chosen if name in left and not _blocks(store, left[name])}
    if store.kind == "docker":
        tagged -= wanted
    #: parents whose last child is deleted are deleted too, if they have no tag
    orphaned: set[str] = set()
    while True:
        free = [
            name
            for name in left
            if (name in wanted or name in orphaned)
            and not _blocks(store, left[name])
            and not _keeps_for_children(store, name, left, tagged, name in wanted)
        ]
        if not free:
            return set(left)
        for name in free:
            above = left.pop(name).parent
            while above is not None:
                if above in left and above not in tagged:
                    orphaned.add(above)
                above = store.images[above].parent


def _blocks(store: ImageStore, image: StoredImage) -> bool:
    return store.kind != "containerd" and bool(image.containers)


def _keeps_for_children(
    store: ImageStore, name: str, left: Mapping[str, StoredImage], tagged: set[str], wanted: bool
) -> bool:
    """Whether images that are left were built on it, and the tool then keeps it."""
    if store.kind == "podman" and wanted and name in tagged:
        return False
    return any(name in _lineage(store, other) for other in left)


def _lineage(store: ImageStore, name: str) -> Iterable[str]:
    """The recorded parents of an image, their parents and so on."""
    above = store.images[name].parent
    while above is not None:
        yield above
        above = store.images[above].parent if above in store.images else None


def freed_bytes(store: ImageStore, chosen: Collection[str]) -> int:
    """Bytes of the places that an image needed before the deletion, and nothing needs after it."""
    left = left_after(store, chosen)
    return sum(
        place.size_bytes
        for place in store.places
        if place.images and not place.images & left and not place.others
    )
