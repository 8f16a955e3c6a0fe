"""A small set of images whose deletion frees a number of bytes.

A *unit* (a blob, a layer in its place, or a file content) is freed when the last image that
references it is deleted. So what an image frees depends on the images deleted before it, and
finding the smallest set is as hard as weighted set cover: no fast algorithm always finds it.

Phases:
1. Grow the set until it frees enough, in one of two ways. ``gain``: each step adds a single image,
   or all images that reference one unit, whichever frees most bytes per image. The bytes are the
   unit and everything that only one of these images references; they are computed again after each
   step. ``oldest``: each step adds the oldest image.
2. Thin the set: remove images, the last added first, as long as the others still free enough. After
   that no image of the set can be left out.

If all images together free less than the target, the target becomes what they free.

``gain`` finds the smallest set if every unit is referenced by a single image. Else it can take more
images than necessary, because it tries only those sets of images that reference a unit. Tests
compare it with all subsets of small stores.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: images that reference a unit -> bytes that are freed when all of them are deleted
Units = Mapping[frozenset[str], int]


@dataclass(frozen=True, slots=True)
class DeletionSet:
    """Images to delete, in the order in which they were chosen, and what that frees."""

    images: tuple[str, ...]
    freed_bytes: int
    #: what deleting every candidate would free
    most_bytes: int


def freed(units: Units, images: Iterable[str]) -> int:
    """Bytes of the units that only these images reference."""
    deleted = frozenset(images)
    return sum(size for holders, size in units.items() if holders <= deleted)


def by_gain(units: Units, target: int) -> DeletionSet:
    """Images that free ``target`` bytes, those that free most per image first."""
    most = sum(units.values())
    wanted = min(target, most)
    taken: list[str] = []
    left = dict(units)
    so_far = 0
    while so_far < wanted:
        images = _best_images(left)
        taken += images
        remaining: dict[frozenset[str], int] = {}
        for holders, size in left.items():
            rest = holders.difference(images)
            if rest:
                remaining[rest] = remaining.get(rest, 0) + size
            else:
                so_far += size
        left = remaining
    return _thinned(units, taken, wanted, most)


def by_age(units: Units, oldest_first: Sequence[str], target: int) -> DeletionSet:
    """Images that free ``target`` bytes, the oldest first."""
    most = sum(units.values())
    wanted = min(target, most)
    taken: list[str] = []
    waiting = {holders: set(holders) for holders in units}
    holding: dict[str, list[frozenset[str]]] = {}
    for holders in units:
        for image in holders:
            holding.setdefault(image, []).append(holders)
    so_far = 0
    for image in oldest_first:
        if so_far >= wanted:
            break
        taken.append(image)
        for holders in holding.get(image, ()):
            waiting[holders].discard(image)
            so_far += units[holders] if not waiting[holders] else 0
    return _thinned(units, taken, wanted, most)


def _best_images(left: Units) -> list[str]:
    """The images that reference one unit and free most bytes per image."""
    alone = {next(iter(holders)): size for holders, size in left.items() if len(holders) == 1}

    def rank(holders: frozenset[str]) -> tuple[float, int, list[str]]:
        shared = left[holders] if len(holders) > 1 else 0
        freed_bytes = shared + sum(alone.get(image, 0) for image in holders)
        return -freed_bytes / len(holders), len(holders), sorted(holders)

    return min(rank(holders) for holders in left)[2]


def _thinned(units: Units, taken: list[str], wanted: int, most: int) -> DeletionSet:
    needed = list(taken)
    deleted = set(taken)
    freed_bytes = freed(units, deleted)
    for image in reversed(taken):
        by_image = sum(
            size for holders, size in units.items() if image in holders and holders <= deleted
        )
        if freed_bytes - by_image >= wanted:
            freed_bytes -= by_image
            deleted.remove(image)
            needed.remove(image)
    return DeletionSet(tuple(needed), freed_bytes, most)
