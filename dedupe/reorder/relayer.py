"""New layers for a set of images: files that the same images show, merged down to a layer budget.

A *class* is all files that exactly the same images show. One layer a class stores every file once
(the least that any division into layers can store), but an image may have thousands of classes.
Two layers A and B merge without changing any image: images that have both get one layer A + B;
those that have one of them keep that one. No image ever gets a file that it does not have, so
what A and B hold may be stored twice afterwards.

Phases:
1. An image with more than ``_SPREAD`` times the budget keeps its largest classes; the rest of them
   become one layer of it, shared by the images with the same rest. It bounds the work that follows.
2. As long as an image is over the budget, the pair among its smallest layers whose merge adds least
   per image that it helps is merged. Ties go to smaller layers, then to earlier ones.

A merge takes one layer from each image that has both and gives none to others, so it ends. Each
image has each of its classes in exactly one layer, so what is stored is never more than images that
share nothing.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

#: layers that an image may have: about what people's builds have today, so that a pull asks for no
#: more blobs, and far below the 127 that overlay2 mounts, which leaves room to build upon
DEFAULT_LAYERS = 20
#: candidates for merging by image, in budgets: so many that small shared classes still meet
_SPREAD = 4
#: smallest layers of an image among which a pair is sought; merging small ones costs least
_CANDIDATES = 12


class Prefer(StrEnum):
    """What a merge should add least to; the other decides ties."""

    STORAGE = "storage"
    PULLS = "pulls"


@dataclass(frozen=True, slots=True)
class FileClass:
    """All files that exactly these images show."""

    #: numbers of the images, from 0
    images: tuple[int, ...]
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NewLayer:
    """A layer of some images: all files of some classes."""

    images: tuple[int, ...]
    #: indexes of the classes, ascending
    classes: tuple[int, ...]
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Layer:
    """Sets are bits: of images, and of tag steps by the image that they lead to or come from."""

    images: int
    newer: int
    older: int
    classes: frozenset[int]
    size_bytes: int

    @property
    def pulled_bytes(self) -> int:
        """What this layer costs over all tag steps: those that lead to it from without it."""
        return self.size_bytes * (self.newer & ~self.older).bit_count()

    def within(self, other: "_Layer") -> "_Layer":
        """For the images that have the other one too: both in one."""
        return _Layer(
            self.images & other.images,
            self.newer & other.newer,
            self.older & other.older,
            self.classes | other.classes,
            self.size_bytes + other.size_bytes,
        )

    def without(self, other: "_Layer") -> "_Layer":
        """For the images that do not have the other one."""
        return _Layer(
            self.images & ~other.images,
            self.newer & ~other.newer,
            self.older & ~other.older,
            self.classes,
            self.size_bytes,
        )


def new_layers(
    classes: Sequence[FileClass],
    budget: int = DEFAULT_LAYERS,
    prefer: Prefer = Prefer.STORAGE,
    steps: Sequence[tuple[int, int]] = (),
) -> list[NewLayer]:
    """Layers of which no image has more than ``budget`` (at least 1), the largest first.

    ``steps`` are pairs of images of which the second is pulled where the first is held.
    """
    if budget < 1:
        raise ValueError(f"layer budget: expected at least 1, found {budget}")
    division = _Division(classes, budget, prefer, steps)
    division.merge()
    found = [
        NewLayer(
            tuple(_bits(layer.images)),
            tuple(sorted(layer.classes)),
            sum(classes[number].files for number in layer.classes),
            layer.size_bytes,
        )
        for layer in division.layers.values()
    ]
    return sorted(found, key=lambda layer: (-layer.size_bytes, layer.classes))


class _Division:
    """Layers by number, and of each image which it has."""

    def __init__(
        self,
        classes: Sequence[FileClass],
        budget: int,
        prefer: Prefer,
        steps: Sequence[tuple[int, int]],
    ) -> None:
        self.budget = budget
        self.prefer = prefer
        self.layers: dict[int, _Layer] = {}
        self.held: dict[int, set[int]] = defaultdict(set)
        self._made = 0
        #: images over the budget, as bits
        self._over = 0
        #: the same classes are one layer, whoever has them
        self._by_classes: dict[frozenset[int], int] = {}
        self._newer, self._older = defaultdict[int, int](int), defaultdict[int, int](int)
        for number, (older, newer) in enumerate(steps):
            self._older[older] |= 1 << number
            self._newer[newer] |= 1 << number
        for images, chosen in _begun(classes, budget):
            self._add(self._layer(images, chosen, classes))

    def merge(self) -> None:
        """Merge until every image keeps the budget."""
        for image in sorted(self.held, key=lambda image: (-len(self.held[image]), image)):
            while len(self.held[image]) > self.budget:
                self._merge_one(image)

    def _merge_one(self, image: int) -> None:
        smallest = heapq.nsmallest(
            _CANDIDATES,
            self.held[image],
            key=lambda number: (self.layers[number].size_bytes, number),
        )
        one, other = min(combinations(smallest, 2), key=self._cost)
        left, right = self._remove(one), self._remove(other)
        for layer in (left.within(right), left.without(right), right.without(left)):
            if layer.images:
                self._add(layer)

    def _cost(self, pair: tuple[int, int]) -> tuple[float, float, int, int, int]:
        """Added bytes per image over the budget that the merge helps."""
        one, other = pair
        left, right = self.layers[one], self.layers[other]
        after = [left.within(right), left.without(right), right.without(left)]
        helped = (left.images & right.images & self._over).bit_count()
        stored = sum(layer.size_bytes for layer in after if layer.images)
        stored -= left.size_bytes + right.size_bytes
        pulled = sum(layer.pulled_bytes for layer in after)
        pulled -= left.pulled_bytes + right.pulled_bytes
        costs = (stored / helped, pulled / helped)
        if self.prefer is Prefer.PULLS:
            costs = (costs[1], costs[0])
        return (*costs, left.size_bytes + right.size_bytes, one, other)

    def _layer(
        self, images: Sequence[int], chosen: frozenset[int], classes: Sequence[FileClass]
    ) -> _Layer:
        bits = newer = older = 0
        for image in images:
            bits |= 1 << image
            newer |= self._newer[image]
            older |= self._older[image]
        return _Layer(bits, newer, older, chosen, sum(classes[each].size_bytes for each in chosen))

    def _add(self, layer: _Layer) -> None:
        known = self._by_classes.get(layer.classes)
        if known is not None:
            there = self._remove(known)
            layer = _Layer(
                there.images | layer.images,
                there.newer | layer.newer,
                there.older | layer.older,
                layer.classes,
                layer.size_bytes,
            )
        self._made += 1
        self.layers[self._made] = layer
        self._by_classes[layer.classes] = self._made
        for image in _bits(layer.images):
            self.held[image].add(self._made)
            if len(self.held[image]) > self.budget:
                self._over |= 1 << image

    def _remove(self, number: int) -> _Layer:
        layer = self.layers.pop(number)
        del self._by_classes[layer.classes]
        for image in _bits(layer.images):
            self.held[image].remove(number)
            if len(self.held[image]) <= self.budget:
                self._over &= ~(1 << image)
        return layer


def _begun(
    classes: Sequence[FileClass], budget: int
) -> Iterator[tuple[Sequence[int], frozenset[int]]]:
    """Images and classes of the layers to begin with: one a class, and the rests of images."""
    own: dict[int, list[int]] = defaultdict(list)
    for number, each in enumerate(classes):
        for image in each.images:
            own[image].append(number)
    rests: dict[frozenset[int], list[int]] = defaultdict(list)
    kept: dict[int, list[int]] = defaultdict(list)
    for image, numbers in sorted(own.items()):
        by_size = sorted(numbers, key=lambda number: (-classes[number].size_bytes, number))
        many = len(by_size) > _SPREAD * budget
        split = _SPREAD * budget - 1 if many else len(by_size)
        for number in by_size[:split]:
            kept[number].append(image)
        if many:
            rests[frozenset(by_size[split:])].append(image)
    for number, images in sorted(kept.items()):
        yield images, frozenset((number,))
    for chosen, images in rests.items():
        yield images, chosen


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
