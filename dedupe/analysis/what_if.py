"""What deleting a set of images would free, what stays, and how it would be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dedupe.analysis import queries
from dedupe.analysis.freeing import by_age, by_gain
from dedupe.analysis.interface import AnyQuestion, Question, Questions
from dedupe.analysis.removal import Removal, removals
from dedupe.analysis.selection import images_matching
from dedupe.errors import StoreError


class Order(StrEnum):
    """Which images are to go first."""

    GAIN = "gain"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Target:
    """So many bytes are to be freed, counted in units of one granularity."""

    wanted_bytes: int
    order: Order = Order.GAIN
    granularity: str = "unpacked"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which images are to go; they must fit all that is said."""

    #: names or globs; empty means any image
    delete: Sequence[str] = ()
    #: names or globs of images that stay
    keep: Sequence[str] = ()
    #: created before this, UTC
    older_than: datetime | None = None
    #: images whose date is not believed count as old
    any_date: bool = False
    #: of these images, so many that it is enough
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of a target."""

    target: Target
    freed_bytes: int
    #: what deleting all images that may be deleted would free
    most_bytes: int

    @property
    def enough(self) -> bool:
        """Whether the images free as much as was asked for."""
        return self.freed_bytes >= self.target.wanted_bytes


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer; rows are those of ``queries/what_if_*.sql``."""

    images: list[queries.WhatIfImagesRow]
    freed: list[queries.WhatIfFreedRow]
    layers: list[queries.WhatIfLayersRow]
    containers: list[queries.WhatIfContainersRow]
    #: by granularity, what can go at once: without the images that have a container
    freed_now: list[queries.WhatIfFreedRow]
    #: images whose date is not believed and that therefore were left alone
    doubtful: list[queries.WhatIfDatesRow]
    reached: Reached | None
    removals: list[Removal]
    #: where each of these comes from
    asked: Mapping[str, AnyQuestion]


def what_if(questions: Questions, choice: Choice, now: datetime) -> WhatIf:
    """The answer for one choice; ``now`` is UTC without a zone.

    Raises StoreError: as ``images_matching``, and ``no-image`` where no image fits all conditions.
    """
    asked: dict[str, AnyQuestion] = {"dates": queries.what_if_dates(now=now)}
    dates = questions.rows(queries.what_if_dates(now=now))
    chosen, doubtful = _fitting(questions, choice, dates)
    if not chosen:
        doubts = f"; {len(doubtful)} have no date to be believed" if doubtful else ""
        raise StoreError(f"no image fits all conditions{doubts}", "no-image")
    reached = None
    if choice.target is not None:
        asked["units"] = units = _units(questions, choice.target, chosen)
        chosen, reached = _enough(questions, choice.target, units, dates)
    asked["images"] = images = queries.what_if_images(images=chosen)
    asked["freed"] = freed = queries.what_if_freed(images=chosen)
    asked["layers"] = layers = queries.what_if_layers(images=chosen)
    asked["containers"] = containers = queries.what_if_containers(images=chosen)
    asked["places"] = places = queries.what_if_places(images=chosen)
    blocking = questions.rows(containers)
    held = {row["image_id"] for row in blocking}
    deletable = [image for image in chosen if image not in held]
    asked["freed_now"] = freed_now = queries.what_if_freed(images=deletable)
    return WhatIf(
        images=questions.rows(images),
        freed=questions.rows(freed),
        layers=questions.rows(layers),
        containers=blocking,
        freed_now=questions.rows(freed_now),
        doubtful=doubtful,
        reached=reached,
        removals=removals(questions.rows(places)),
        asked=asked,
    )


def _fitting(
    questions: Questions, choice: Choice, dates: list[queries.WhatIfDatesRow]
) -> tuple[list[str], list[queries.WhatIfDatesRow]]:
    """Images that fit, and those that would if their date were believed."""
    kept = set(images_matching(questions, choice.keep)) if choice.keep else set()
    named = set(images_matching(questions, choice.delete)) if choice.delete else None
    rows = [
        row
        for row in dates
        if row["image_id"] not in kept and (named is None or row["image_id"] in named)
    ]
    if choice.older_than is None:
        return sorted(row["image_id"] for row in rows), []
    doubtful = [row for row in rows if row["doubt"]]
    old = [row for row in rows if row["time"] and row["time"] < choice.older_than]
    if choice.any_date:
        old, doubtful = [*old, *doubtful], []
    return sorted(row["image_id"] for row in old), doubtful


def _units(
    questions: Questions, target: Target, candidates: list[str]
) -> Question[queries.WhatIfUnitsRow]:
    """What can be freed of the candidates: those with a container can't go."""
    held = {
        row["image_id"] for row in questions.rows(queries.what_if_containers(images=candidates))
    }
    free = [image for image in candidates if image not in held]
    return queries.what_if_units(images=free, granularity=target.granularity)


def _enough(
    questions: Questions,
    target: Target,
    asked: Question[queries.WhatIfUnitsRow],
    dates: list[queries.WhatIfDatesRow],
) -> tuple[list[str], Reached]:
    """Of the images that are asked about, some that free enough."""
    rows = questions.rows(asked)
    units = {frozenset(row["images"]): row["bytes"] for row in rows}
    if target.order is Order.GAIN:
        found = by_gain(units, target.wanted_bytes)
    else:
        # an image without a date that can be believed is taken last
        oldest = sorted(dates, key=lambda row: (row["time"] is None, row["time"] or datetime.min))
        allowed = set(asked.parameters["images"])
        found = by_age(
            units,
            [row["image_id"] for row in oldest if row["image_id"] in allowed],
            target.wanted_bytes,
        )
    return sorted(found.images), Reached(target, found.freed_bytes, found.most_bytes)
