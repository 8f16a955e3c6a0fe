"""A cheap set of images that frees so many bytes.

A unit is freed when the last image that references it goes, so gains depend on what has gone
before, and choosing the fewest images is as hard as covering sets with weights: no quick way is
always right. Three phases:

1. Grow, by one of two orders. ``gain``: each step takes, from the single images and from the sets
   of images that share some unit alone, the move with the most bytes an image; its worth is the
   units of the set plus what its images hold alone, all recomputed after each step. ``oldest``:
   images by date, until it is enough.
2. Thin: images are given back, the last taken first, while what remains still frees enough. So
   no image of the answer can be left out, whatever the order.
3. Where the target is out of reach, everything that frees anything is the answer, thinned alike.

``gain`` is exact where images share nothing that only they hold. Else it can take more images than
the best set: it weighs sets of images only where some unit's holders are that set. tests compare
it with all subsets of small stores.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: bytes that are freed when all of these images are gone
Units = Mapping[frozenset[str], int]


@dataclass(frozen=True, slots=True)
class Freeing:
    """Images to delete, in the order that they were taken, and what that frees."""

    images: tuple[str, ...]
    freed_bytes: int
    #: what deleting every candidate would free
    most_bytes: int


def freed(units: Units, images: Iterable[str]) -> int:
    """Bytes of the units that none but these images reference."""
    gone = frozenset(images)
    return sum(size for holders, size in units.items() if holders <= gone)


def by_gain(units: Units, target: int) -> Freeing:
    """Images that free ``target`` bytes, those that free the most for each first."""
    most = sum(units.values())
    wanted = min(target, most)
    taken: list[str] = []
    left = dict(units)
    so_far = 0
    while so_far < wanted:
        move = _best_move(left)
        taken += move
        remaining: dict[frozenset[str], int] = {}
        for holders, size in left.items():
            rest = holders.difference(move)
            if rest:
                remaining[rest] = remaining.get(rest, 0) + size
            else:
                so_far += size
        left = remaining
    return _thinned(units, taken, wanted, most)


def by_age(units: Units, oldest_first: Sequence[str], target: int) -> Freeing:
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


def _best_move(left: Units) -> list[str]:
    alone = {next(iter(holders)): size for holders, size in left.items() if len(holders) == 1}

    def worth(holders: frozenset[str]) -> tuple[float, int, list[str]]:
        shared = left[holders] if len(holders) > 1 else 0
        gain = shared + sum(alone.get(image, 0) for image in holders)
        return -gain / len(holders), len(holders), sorted(holders)

    return min(worth(holders) for holders in left)[2]


def _thinned(units: Units, taken: list[str], wanted: int, most: int) -> Freeing:
    kept = list(taken)
    gone = set(taken)
    enough = freed(units, gone)
    for image in reversed(taken):
        lost = sum(size for holders, size in units.items() if image in holders and holders <= gone)
        if enough - lost >= wanted:
            enough -= lost
            gone.remove(image)
            kept.remove(image)
    return Freeing(tuple(kept), enough, most)
