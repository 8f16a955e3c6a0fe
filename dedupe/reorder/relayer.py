"""New layers for a set of images: files that the same images show, merged down to a layer budget.

A *class* is all files that exactly the same images show. One layer per class stores every file
once, which is the least that any set of layers can store, but an image may have thousands of
classes. Two layers A and B merge without changing any image: images that have both get one layer A
+ B, and images that have one of them keep that one. No image ever gets a file that it does not
have, so the files of A and B may be stored twice afterwards.

Phases:
1. An image with more classes than ``_CLASSES_PER_LAYER`` times the budget keeps its largest
   classes. Its other classes become one layer, which it shares with the images that have the same
   other classes. This bounds the work of phase 2.
2. As long as an image is over the budget, merge two of its smallest layers: the pair whose merge
   adds fewest bytes per image over the budget that it helps. Ties are decided for the smaller
   layers, then for the earlier ones.

A merge takes one layer from each image that has both and gives none to the others, so phase 2 ends.
Each image has each of its classes in exactly one layer, so the layers never store more than images
that share nothing.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from dedupe.model.choices import DEFAULT_LAYERS, Prefer

#: classes that an image starts with, per layer of the budget: enough that small classes which
#: several images share are still separate layers when pairs are chosen
_CLASSES_PER_LAYER = 4
#: smallest layers of an image among which a pair is chosen: merging small layers adds fewest bytes
_CANDIDATES = 12


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
    """A layer while layers are merged; sets are bits.

    A tag step leads from the older to the newer of two consecutive images of a tag series.
    """

    images: int
    #: tag steps whose newer image has the layer
    newer: int
    #: tag steps whose older image has the layer
    older: int
    classes: frozenset[int]
    size_bytes: int

    @property
    def pulled_bytes(self) -> int:
        """Bytes pulled over all tag steps: only the newer image of the step has the layer."""
        return self.size_bytes * (self.newer & ~self.older).bit_count()

    def merged_with(self, other: "_Layer") -> "_Layer":
        """The merged layer, for the images that have both layers."""
        return _Layer(
            self.images & other.images,
            self.newer & other.newer,
            self.older & other.older,
            self.classes | other.classes,
            self.size_bytes + other.size_bytes,
        )

    def without(self, other: "_Layer") -> "_Layer":
        """The same layer, for the images that do not have the other one."""
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
    """New layers, the largest first; no image has more than ``budget`` of them.

    ``steps`` are pairs of images (older, newer): the newer is pulled by hosts that have the older.
    Raises ValueError for a budget below 1.
    """
    if budget < 1:
        raise ValueError(f"layer budget: expected at least 1, found {budget}")
    layers = _MergedLayers(classes, budget, prefer, steps)
    layers.merge()
    found = [
        NewLayer(
            tuple(_bits(layer.images)),
            tuple(sorted(layer.classes)),
            sum(classes[number].files for number in layer.classes),
            layer.size_bytes,
        )
        for layer in layers.by_number.values()
    ]
    return sorted(found, key=lambda layer: (-layer.size_bytes, layer.classes))


class _MergedLayers:
    """Layers by number, and the numbers of the layers that each image has."""

    def __init__(
        self,
        classes: Sequence[FileClass],
        budget: int,
        prefer: Prefer,
        steps: Sequence[tuple[int, int]],
    ) -> None:
        self.budget = budget
        self.prefer = prefer
        self.by_number: dict[int, _Layer] = {}
        self._of_image: dict[int, set[int]] = defaultdict(set)
        #: the number of the last layer
        self._last = 0
        #: images over the budget, as bits
        self._over = 0
        #: two layers of the same classes are one layer of more images
        self._by_classes: dict[frozenset[int], int] = {}
        self._newer, self._older = defaultdict[int, int](int), defaultdict[int, int](int)
        for number, (older, newer) in enumerate(steps):
            self._older[older] |= 1 << number
            self._newer[newer] |= 1 << number
        for images, chosen in _first_layers(classes, budget):
            self._add(self._layer(images, chosen, classes))

    def merge(self) -> None:
        """Merge layers until every image is within the budget."""
        for image in sorted(self._of_image, key=lambda image: (-len(self._of_image[image]), image)):
            while len(self._of_image[image]) > self.budget:
                self._merge_pair(image)

    def _merge_pair(self, image: int) -> None:
        smallest = heapq.nsmallest(
            _CANDIDATES,
            self._of_image[image],
            key=lambda number: (self.by_number[number].size_bytes, number),
        )
        one, other = min(combinations(smallest, 2), key=self._cost)
        left, right = self._remove(one), self._remove(other)
        for layer in (left.merged_with(right), left.without(right), right.without(left)):
            if layer.images:
                self._add(layer)

    def _cost(self, pair: tuple[int, int]) -> tuple[float, float, int, int, int]:
        """Bytes that the merge adds per image over the budget that has both; ties after them."""
        one, other = pair
        left, right = self.by_number[one], self.by_number[other]
        after = [left.merged_with(right), left.without(right), right.without(left)]
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
            same = self._remove(known)
            layer = _Layer(
                same.images | layer.images,
                same.newer | layer.newer,
                same.older | layer.older,
                layer.classes,
                layer.size_bytes,
            )
        self._last += 1
        self.by_number[self._last] = layer
        self._by_classes[layer.classes] = self._last
        for image in _bits(layer.images):
            self._of_image[image].add(self._last)
            if len(self._of_image[image]) > self.budget:
                self._over |= 1 << image

    def _remove(self, number: int) -> _Layer:
        layer = self.by_number.pop(number)
        del self._by_classes[layer.classes]
        for image in _bits(layer.images):
            self._of_image[image].remove(number)
            if len(self._of_image[image]) <= self.budget:
                self._over &= ~(1 << image)
        return layer


def _first_layers(
    classes: Sequence[FileClass], budget: int
) -> Iterator[tuple[Sequence[int], frozenset[int]]]:
    """Images and classes of the layers after phase 1."""
    own: dict[int, list[int]] = defaultdict(list)
    for number, each in enumerate(classes):
        for image in each.images:
            own[image].append(number)
    other_classes: dict[frozenset[int], list[int]] = defaultdict(list)
    kept: dict[int, list[int]] = defaultdict(list)
    for image, numbers in sorted(own.items()):
        by_size = sorted(numbers, key=lambda number: (-classes[number].size_bytes, number))
        many = len(by_size) > _CLASSES_PER_LAYER * budget
        split = _CLASSES_PER_LAYER * budget - 1 if many else len(by_size)
        for number in by_size[:split]:
            kept[number].append(image)
        if many:
            other_classes[frozenset(by_size[split:])].append(image)
    for number, images in sorted(kept.items()):
        yield images, frozenset((number,))
    for chosen, images in other_classes.items():
        yield images, chosen


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
