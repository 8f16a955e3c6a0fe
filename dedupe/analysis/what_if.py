"""What deleting a set of images would free, what stays, and how it would be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dedupe.analysis.freeing import by_age, by_gain
from dedupe.analysis.interface import Question, Questions, Row
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

    images: list[Row]
    freed: list[Row]
    layers: list[Row]
    containers: list[Row]
    #: by granularity, what can go at once: without the images that have a container
    freed_now: list[Row]
    #: images whose date is not believed and that therefore were left alone
    doubtful: list[Row]
    reached: Reached | None
    removals: list[Removal]
    #: where each of these comes from
    asked: Mapping[str, Question]


def what_if(questions: Questions, choice: Choice, now: datetime) -> WhatIf:
    """The answer for one choice; ``now`` is UTC without a zone.

    Raises StoreError: as ``images_matching``, and ``no-image`` where no image fits all conditions.
    """
    dates = questions.rows("what_if/dates", now=now)
    chosen, doubtful = _fitting(questions, choice, dates)
    if not chosen:
        doubts = f"; {len(doubtful)} have no date to be believed" if doubtful else ""
        raise StoreError(f"no image fits all conditions{doubts}", "no-image")
    asked = {"dates": Question("what_if/dates", {"now": now})}
    reached = None
    if choice.target is not None:
        units = _units(questions, choice.target, chosen)
        asked["units"] = units
        chosen, reached = _enough(questions, choice.target, units, dates)
    asked |= {
        name: Question(f"what_if_{name}", {"images": chosen})
        for name in ("images", "freed", "layers", "containers", "places")
    }
    rows = {
        name: questions.answer(question).dicts()
        for name, question in asked.items()
        if name not in ("dates", "units")
    }
    held = {row["image_id"] for row in rows["containers"]}
    now_gone = {"images": [image for image in chosen if image not in held]}
    asked["freed_now"] = Question("what_if/freed", now_gone)
    return WhatIf(
        images=rows["images"],
        freed=rows["freed"],
        layers=rows["layers"],
        containers=rows["containers"],
        freed_now=questions.answer(asked["freed_now"]).dicts(),
        doubtful=doubtful,
        reached=reached,
        removals=removals(rows["places"]),
        asked=asked,
    )


def _fitting(questions: Questions, choice: Choice, dates: list[Row]) -> tuple[list[str], list[Row]]:
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


def _units(questions: Questions, target: Target, candidates: list[str]) -> Question:
    """What can be freed of the candidates: those with a container can't go."""
    held = {row["image_id"] for row in questions.rows("what_if/containers", images=candidates)}
    free = [image for image in candidates if image not in held]
    return Question("what_if/units", {"images": free, "granularity": target.granularity})


def _enough(
    questions: Questions, target: Target, asked: Question, dates: list[Row]
) -> tuple[list[str], Reached]:
    """Of the images that are asked about, some that free enough."""
    rows = questions.answer(asked).dicts()
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
