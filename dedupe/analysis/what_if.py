"""What deleting a set of images would free, what stays, and the commands that would do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dedupe.analysis import queries
from dedupe.analysis.freeing import by_age, by_gain
from dedupe.analysis.interface import AnyQuestion, Question, Questions
from dedupe.analysis.removal import Removal, removals
from dedupe.analysis.selection import artifacts_matching, has_image, images_matching
from dedupe.errors import StoreError
from dedupe.model.choices import DeletionOrder, Granularity


@dataclass(frozen=True, slots=True)
class Target:
    """Bytes to free, counted in units of one granularity."""

    wanted_bytes: int
    order: DeletionOrder = DeletionOrder.GAIN
    granularity: Granularity = Granularity.UNPACKED


@dataclass(frozen=True, slots=True)
class DeletionFilter:
    """Which images to delete: those that meet all conditions."""

    #: names or globs of images to delete; empty for all images
    delete: Sequence[str] = ()
    #: names or globs of images to keep
    keep: Sequence[str] = ()
    #: delete only images created before this time, UTC
    older_than: datetime | None = None
    #: whether an image without a trustworthy date counts as old
    any_date: bool = False
    #: delete only as many of these images as free the target
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class TargetResult:
    """A target, and how many bytes can be freed for it."""

    target: Target
    freed_bytes: int
    #: what deleting all images that can be deleted would free
    most_bytes: int

    @property
    def enough(self) -> bool:
        """Whether the images free as many bytes as the target wants."""
        return self.freed_bytes >= self.target.wanted_bytes


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer; rows are those of ``queries/what_if/``."""

    images: list[queries.WhatIfImagesRow]
    #: artifacts that are deleted too, one row per source
    artifacts: list[queries.WhatIfArtifactsRow]
    freed: list[queries.WhatIfFreedRow]
    layers: list[queries.WhatIfLayersRow]
    containers: list[queries.WhatIfContainersRow]
    #: one row per granularity: what can be freed now, without the images that have a container
    freed_now: list[queries.WhatIfFreedRow]
    #: images that are kept because their date is not trustworthy
    doubtful: list[queries.WhatIfDatesRow]
    target_result: TargetResult | None
    #: why images of the scan are incomplete
    incomplete: list[queries.IncompleteRow]
    sources: list[queries.SourcesRow]
    #: places at which the last scan found nothing
    failed: list[queries.FailedPlacesRow]
    removals: list[Removal]
    #: the questions that gave the rows, by the name of the rows
    questions: Mapping[str, AnyQuestion]


def what_if(questions: Questions, criteria: DeletionFilter, now: datetime) -> WhatIf:
    """The answer for the images of a filter; ``now`` is UTC without a zone.

    Raises StoreError: as ``images_matching``, and ``no-image`` if no image meets all conditions.
    """
    dates_question = queries.what_if_dates(now=now)
    asked: dict[str, AnyQuestion] = {"dates": dates_question}
    dates = questions.rows(dates_question)
    artifacts, of_images = _artifacts(questions, criteria)
    chosen: list[str] = []
    doubtful: list[queries.WhatIfDatesRow] = []
    # without a name that may be an image's, all images would match
    if of_images.delete or not criteria.delete:
        chosen, doubtful = _matching(questions, of_images, dates)
    if not (chosen or artifacts):
        doubts = f"; {len(doubtful)} have no trustworthy date" if doubtful else ""
        raise StoreError(f"no image meets all conditions{doubts}", "no-image")
    result = None
    if criteria.target is not None:
        asked["units"] = units = _units(questions, criteria.target, chosen)
        chosen, result = _enough_for(questions, criteria.target, units, dates)
    asked["images"] = images = queries.what_if_images(images=chosen)
    deleted = [*chosen, *artifacts]
    asked["artifacts"] = others = queries.what_if_artifacts(images=deleted)
    asked["freed"] = freed = queries.what_if_freed(images=deleted)
    asked["layers"] = layers = queries.what_if_layers(images=chosen)
    asked["containers"] = containers = queries.what_if_containers(images=chosen)
    asked["places"] = places = queries.what_if_places(images=chosen)
    blocking = questions.rows(containers)
    in_use = {row["image_id"] for row in blocking}
    deletable = [image for image in deleted if image not in in_use]
    asked["freed_now"] = freed_now = queries.what_if_freed(images=deletable)
    other_rows = questions.rows(others)
    return WhatIf(
        images=questions.rows(images),
        artifacts=[row for row in other_rows if row["chosen"]],
        freed=questions.rows(freed),
        layers=questions.rows(layers),
        containers=blocking,
        freed_now=questions.rows(freed_now),
        doubtful=doubtful,
        target_result=result,
        incomplete=questions.rows(queries.incomplete()),
        sources=questions.rows(queries.sources()),
        failed=questions.rows(queries.failed_places()),
        removals=removals(questions.rows(places), other_rows),
        questions=asked,
    )


def _artifacts(questions: Questions, criteria: DeletionFilter) -> tuple[list[str], DeletionFilter]:
    """Digests of the artifacts to delete, and the filter without names that only artifacts have.

    Artifacts have no date and no unpacked bytes: they are deleted only if they are named, and if
    no condition is about these.
    """
    rows = questions.rows(queries.artifacts())
    named, kept = (artifacts_matching(rows, globs) for globs in (criteria.delete, criteria.keep))
    keep = [glob for glob in criteria.keep if glob not in kept or has_image(questions, glob)]
    if criteria.older_than is not None or criteria.target is not None:
        return [], replace(criteria, keep=keep)
    delete = [glob for glob in criteria.delete if glob not in named or has_image(questions, glob)]
    found = set().union(*named.values()) - set().union(*kept.values())
    return sorted(found), replace(criteria, delete=delete, keep=keep)


def _matching(
    questions: Questions, criteria: DeletionFilter, dates: list[queries.WhatIfDatesRow]
) -> tuple[list[str], list[queries.WhatIfDatesRow]]:
    """Images that match, and those that would match if their date were trustworthy."""
    kept = set(images_matching(questions, criteria.keep)) if criteria.keep else set()
    named = (
        set(images_matching(questions, criteria.delete, whole=True)) if criteria.delete else None
    )
    rows = [
        row
        for row in dates
        if row["image_id"] not in kept and (named is None or row["image_id"] in named)
    ]
    if criteria.older_than is None:
        return sorted(row["image_id"] for row in rows), []
    doubtful = [row for row in rows if row["doubt"]]
    old = [row for row in rows if row["time"] and row["time"] < criteria.older_than]
    if criteria.any_date:
        old, doubtful = [*old, *doubtful], []
    return sorted(row["image_id"] for row in old), doubtful


def _units(
    questions: Questions, target: Target, candidates: list[str]
) -> Question[queries.WhatIfUnitsRow]:
    """The units that can be freed; candidates that have a container cannot be deleted."""
    in_use = {
        row["image_id"] for row in questions.rows(queries.what_if_containers(images=candidates))
    }
    free = [image for image in candidates if image not in in_use]
    return queries.what_if_units(images=free, granularity=target.granularity.value)


def _enough_for(
    questions: Questions,
    target: Target,
    units_question: Question[queries.WhatIfUnitsRow],
    dates: list[queries.WhatIfDatesRow],
) -> tuple[list[str], TargetResult]:
    """Images that free the target, chosen among those whose units are asked for."""
    rows = questions.rows(units_question)
    units = {frozenset(row["images"]): row["bytes"] for row in rows}
    if target.order is DeletionOrder.GAIN:
        found = by_gain(units, target.wanted_bytes)
    else:
        # images without a trustworthy date come last
        oldest = sorted(dates, key=lambda row: (row["time"] is None, row["time"] or datetime.min))
        allowed = set(units_question.parameters["images"])
        found = by_age(
            units,
            [row["image_id"] for row in oldest if row["image_id"] in allowed],
            target.wanted_bytes,
        )
    return sorted(found.images), TargetResult(target, found.freed_bytes, found.most_bytes)
