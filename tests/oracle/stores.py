"""Stores in plain Python: which bytes images share, and how those are divided among them.

An image is a list of layer names. Two layers are the same if their members are equal, so the tuple
of members stands for the diff ID, and a tuple of layers for the chain ID.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from builders import Layer, tar_of

from oracle.stacks import stack

GRANULARITIES = ("compressed", "unpacked", "content")

Layers = Mapping[str, Layer]
Images = Mapping[str, Sequence[str]]
#: each unit's weight, and the images that reference it
Units = dict[Hashable, tuple[int, frozenset[str]]]


@dataclass(frozen=True)
class Store:
    """Layers by name, and the layer names of each image."""

    layers: dict[str, Layer]
    images: dict[str, tuple[str, ...]]

    @property
    def stacks(self) -> dict[str, tuple[Layer, ...]]:
        """The layers of each image, base first."""
        return {
            image: tuple(self.layers[name] for name in names)
            for image, names in self.images.items()
        }


def units(
    layers: Layers,
    images: Images,
    granularity: str = "unpacked",
    documents: Mapping[str, Mapping[str, int]] | None = None,
) -> Units:
    """The units of a store: "unpacked" chains, "content" hashes, or layers by diff ID.

    The weight of a layer is that of its files in "layers", and of its tar in "compressed", as
    blobs here are plain tars. ``documents`` has digest and size of each image's manifest and
    config, which are blobs too.
    """
    weights: dict[Hashable, int] = {}
    holders: dict[Hashable, set[str]] = {}
    for image in images if granularity == "compressed" and documents else ():
        for digest, size in (documents or {})[image].items():
            weights[digest] = size
            holders.setdefault(digest, set()).add(image)
    for image, names in images.items():
        built = tuple(layers[name] for name in names)
        for position, layer in enumerate(built):
            found: list[tuple[Hashable, int]] = []
            if granularity == "unpacked":
                found = [(built[: position + 1], layer_bytes(layer))]
            elif granularity == "layers":
                found = [(layer, layer_bytes(layer))]
            elif granularity == "compressed":
                found = [(layer, len(tar_of(layer)))]
            else:
                found = [(it.content, len(it.content)) for it in layer if it.kind == "f"]
            for unit, weight in found:
                weights[unit] = weight
                holders.setdefault(unit, set()).add(image)
    return {unit: (weights[unit], frozenset(holders[unit])) for unit in weights}


def layer_bytes(layer: Layer) -> int:
    """``content_bytes`` of one layer."""
    return sum(len(member.content) for member in layer if member.kind == "f")


def total(found: Units) -> int:
    """The weight of all units, each once."""
    return sum(weight for weight, _ in found.values())


def exclusive(found: Units, chosen: Collection[str]) -> int:
    """Bytes that deleting all the chosen images frees."""
    return sum(weight for weight, holders in found.values() if holders <= set(chosen))


def attributed(found: Units, images: Collection[str]) -> dict[str, Fraction]:
    """Each image's share: every unit split evenly among the images that reference it."""
    shares = dict.fromkeys(images, Fraction(0))
    for weight, holders in found.values():
        for image in holders:
            shares[image] += Fraction(weight, len(holders))
    return shares


def rounded(shares: Mapping[str, Fraction]) -> dict[str, int]:
    """Whole bytes with the same sum, by largest remainder; equal ones in order of the keys."""
    whole = {image: int(share) for image, share in shares.items()}
    missing = int(sum(shares.values())) - sum(whole.values())
    by_remainder = sorted(shares, key=lambda image: (whole[image] - shares[image], image))
    for image in by_remainder[:missing]:
        whole[image] += 1
    return whole


def partition(found: Units, groups: Mapping[str, Collection[str]]) -> Counter[str]:
    """Bytes by group, "shared" if a unit's images are in several groups; sums to the total."""
    rows: Counter[str] = Counter()
    for weight, holders in found.values():
        named = {group for image in holders for group in groups[image]}
        rows[named.pop() if len(named) == 1 else "shared"] += weight
    return rows


def totals(layers: Layers, images: Images) -> dict[str, int]:
    """The figures of a whole store."""
    stored = total(units(layers, images, "layers"))
    unpacked = total(units(layers, images, "unpacked"))
    unique = total(units(layers, images, "content"))
    naive = sum(layer_bytes(layers[name]) for names in images.values() for name in names)
    used = {layers[name] for names in images.values() for name in names}
    return {
        "images": len(images),
        "layers": len(used),
        "layer_bytes": stored,
        "unpacked_bytes": unpacked,
        "naive_bytes": naive,
        "unique_content_bytes": unique,
        "dead_bytes": dead_bytes(layers, images),
        "cow_savings_bytes": naive - unpacked,
        "position_loss_bytes": unpacked - stored,
        "duplicate_content_bytes": stored - unique,
        "orphan_bytes": sum(layer_bytes(layer) for layer in set(layers.values()) - used),
    }


def dead_bytes(layers: Layers, images: Images) -> int:
    """Bytes of (layer, member) that are shadowed wherever an image holds the layer."""
    dead: dict[tuple[Layer, int], bool] = {}
    for names in images.values():
        built = [layers[name] for name in names]
        hidden = stack(built).hidden
        for position, layer in enumerate(built):
            for index, member in enumerate(layer):
                if member.kind == "f":
                    key = (layer, index)
                    dead[key] = dead.get(key, True) and (position, index) in hidden
    return sum(len(layer[index].content) for (layer, index), is_dead in dead.items() if is_dead)


@dataclass(frozen=True)
class Recorded:
    """An image as one store has it, by the names of its layers."""

    layers: tuple[str, ...]
    named: bool = False
    #: whether a container was made from it
    used: bool = False
    #: the image that the store records as its parent
    parent: str | None = None


def cache_images(stores: Sequence[Mapping[str, Recorded]]) -> set[str]:
    """Images that each of their stores deletes with a child, and that no name or container keeps.

    A store deletes an image with a child if a path of children leads from it to an image that has
    none.
    """
    kept = {
        image for store in stores for image, found in store.items() if found.named or found.used
    }
    deleted = [
        {image for image in store if image not in kept and _leads_to_leaf(store, image, kept, ())}
        for store in stores
    ]
    return {
        image
        for store in stores
        for image in store
        if all(image in found for found, each in zip(deleted, stores, strict=True) if image in each)
    }


def _leads_to_leaf(
    store: Mapping[str, Recorded], image: str, kept: Collection[str], seen: tuple[str, ...]
) -> bool:
    layers = store[image].layers
    children = [
        name
        for name, found in store.items()
        if found.parent == image and found.layers[: len(layers)] == layers
    ]
    return any(
        child in kept
        or not _has_child(store, child)
        or (child not in seen and _leads_to_leaf(store, child, kept, (*seen, image)))
        for child in children
    )


def _has_child(store: Mapping[str, Recorded], image: str) -> bool:
    layers = store[image].layers
    return any(
        found.parent == image and found.layers[: len(layers)] == layers for found in store.values()
    )
