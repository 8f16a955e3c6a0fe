"""What deleting a set of images would free, what stays, and the commands that would do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dedupe.analysis import queries
from dedupe.analysis.freeing import by_age, by_gain
from dedupe.analysis.interface import AnyQuestion, Question, Questions
from dedupe.analysis.removal import Removal, orphan_removals, removals
from dedupe.analysis.selection import artifacts_matching, has_image, images_matching
from dedupe.errors import StoreError
from dedupe.model.choices import DeletionOrder, Granularity


@dataclass(frozen=True, slots=True)
class Target:
    """Bytes to free, counted in units of one granularity."""

    wanted_bytes: int
    order: DeletionOrder = DeletionOrder.GAIN
    granularity: Granularity = Granularity.DISK


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
    #: delete only images without a tag that no other image was built on
    dangling: bool = False
    #: delete only images of registries without a tag
    untagged: bool = False
    #: delete only images without a container
    unused: bool = False
    #: also remove what nothing references; alone: delete no image
    orphans: bool = False
    #: delete only as many of these images as free the target
    target: Target | None = None

    @property
    def chooses_images(self) -> bool:
        """Whether any condition chooses images."""
        conditions = (self.delete, self.keep, self.older_than, self.target)
        return any(conditions) or self.is_of_a_kind

    @property
    def is_of_a_kind(self) -> bool:
        """Whether all images of a kind are meant, of which a store may have none."""
        return self.dangling or self.untagged or self.unused


@dataclass(frozen=True, slots=True)
class TargetResult:
    """A target, and how many bytes can be freed for it."""

    target: Target
    #: with what is unreferenced, if that is removed too
    freed_bytes: int
    #: what deleting all images that can be deleted would free, with the same
    most_bytes: int

    @property
    def enough(self) -> bool:
        """Whether the images free as many bytes as the target wants."""
        return self.freed_bytes >= self.target.wanted_bytes


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer; rows are those of ``queries/what_if/``."""

    images: list[queries.WhatIfImagesRow]
    #: what the disk gives back, by source
    disk: list[queries.WhatIfDiskRow]
    #: what stays although all images that need it are deleted
    held: list[queries.WhatIfHeldRow]
    #: artifacts that are deleted too, one row per source
    artifacts: list[queries.WhatIfArtifactsRow]
    freed: list[queries.WhatIfFreedRow]
    layers: list[queries.WhatIfLayersRow]
    containers: list[queries.WhatIfContainersRow]
    #: one row per granularity: what can be freed now, without the images that have a container
    freed_now: list[queries.WhatIfFreedRow]
    #: images that are kept because their date is not trustworthy
    doubtful: list[queries.WhatIfDatesRow]
    #: what nothing references, by source; None if it was not asked for
    orphans: list[queries.WhatIfOrphansRow] | None
    #: what garbage collection of registries would free; None if untagged images were not asked for
    collected: list[queries.WhatIfCollectedRow] | None
    #: what was asked for and has no effect
    notes: list[str]
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

    Raises StoreError: as ``images_matching``, and ``no-image`` if no image meets all conditions. If
    all images of a kind are meant, that is only a note: a store may have none of it.
    """
    dates_question = queries.what_if_dates(now=now)
    asked: dict[str, AnyQuestion] = {"dates": dates_question}
    dates = questions.rows(dates_question)
    notes: list[str] = []
    artifacts, of_images = _artifacts(questions, criteria)
    chosen: list[str] = []
    doubtful: list[queries.WhatIfDatesRow] = []
    # without a name that may be an image's, all images would match
    if criteria.chooses_images and (of_images.delete or not criteria.delete):
        chosen, doubtful = _matching(questions, of_images, dates, notes)
    orphans = None
    if criteria.orphans:
        asked["orphans"] = unreferenced = queries.what_if_orphans(before=_seconds(criteria))
        orphans = questions.rows(unreferenced)
    elif not (chosen or artifacts):
        doubts = f"; {len(doubtful)} have no trustworthy date" if doubtful else ""
        nothing = f"no image meets all conditions{doubts}"
        if not criteria.is_of_a_kind:
            raise StoreError(nothing, "no-image")
        notes.append(nothing)
    result = None
    if criteria.target is not None:
        asked["units"] = units = _units(questions, criteria.target, chosen)
        chosen, result = _enough_for(questions, criteria.target, units, dates, orphans or [])
    collected = None
    if criteria.untagged:
        asked["collected"] = collection = queries.what_if_collected()
        collected = questions.rows(collection)
    asked["images"] = images = queries.what_if_images(images=chosen)
    deleted = [*chosen, *artifacts]
    asked["artifacts"] = others = queries.what_if_artifacts(images=deleted)
    asked["disk"] = disk = queries.what_if_disk(images=deleted)
    asked["held"] = held = queries.what_if_held(images=deleted)
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
        disk=questions.rows(disk),
        held=questions.rows(held),
        artifacts=[row for row in other_rows if row["chosen"]],
        freed=questions.rows(freed),
        layers=questions.rows(layers),
        containers=blocking,
        freed_now=questions.rows(freed_now),
        doubtful=doubtful,
        orphans=orphans,
        collected=collected,
        notes=notes,
        target_result=result,
        incomplete=questions.rows(queries.incomplete()),
        sources=questions.rows(queries.sources()),
        failed=questions.rows(queries.failed_places()),
        removals=[
            *removals(questions.rows(places), other_rows),
            *orphan_removals(orphans or []),
        ],
        questions=asked,
    )


def _seconds(criteria: DeletionFilter) -> float | None:
    """The time before which something must be unchanged, in seconds since 1970."""
    limit = criteria.older_than
    return None if limit is None else limit.replace(tzinfo=UTC).timestamp()


def _artifacts(questions: Questions, criteria: DeletionFilter) -> tuple[list[str], DeletionFilter]:
    """Digests of the artifacts to delete, and the filter without names that only artifacts have.

    Artifacts have no date and no unpacked bytes: they are deleted only if they are named, and if
    no condition is about these.
    """
    rows = questions.rows(queries.artifacts())
    named, kept = (artifacts_matching(rows, globs) for globs in (criteria.delete, criteria.keep))
    keep = [glob for glob in criteria.keep if glob not in kept or has_image(questions, glob)]
    others = criteria.dangling or criteria.untagged or criteria.unused
    if criteria.older_than is not None or criteria.target is not None or others:
        return [], replace(criteria, keep=keep)
    delete = [glob for glob in criteria.delete if glob not in named or has_image(questions, glob)]
    found = set().union(*named.values()) - set().union(*kept.values())
    return sorted(found), replace(criteria, delete=delete, keep=keep)


def _matching(
    questions: Questions,
    criteria: DeletionFilter,
    dates: list[queries.WhatIfDatesRow],
    notes: list[str],
) -> tuple[list[str], list[queries.WhatIfDatesRow]]:
    """Images that match, and those that would match if their date were trustworthy."""
    kept = _kept(questions, criteria.keep, notes)
    named = (
        set(images_matching(questions, criteria.delete, whole=True)) if criteria.delete else None
    )
    rows = [
        row
        for row in dates
        if row["image_id"] not in kept
        and (named is None or row["image_id"] in named)
        and (row["dangling"] or not criteria.dangling)
        and (row["untagged"] or not criteria.untagged)
        and (row["unused"] or not criteria.unused)
    ]
    if criteria.older_than is None:
        return sorted(row["image_id"] for row in rows), []
    doubtful = [row for row in rows if row["doubt"]]
    old = [row for row in rows if row["time"] and row["time"] < criteria.older_than]
    if criteria.any_date:
        old, doubtful = [*old, *doubtful], []
    return sorted(row["image_id"] for row in old), doubtful


def _kept(questions: Questions, globs: Sequence[str], notes: list[str]) -> set[str]:
    """Images to keep; a name that matches no image becomes a note."""
    kept: set[str] = set()
    for glob in globs:
        try:
            kept.update(images_matching(questions, [glob]))
        except StoreError as error:
            if error.code != "no-image":
                raise
            notes.append(f"--keep {error.message}")
    return kept


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
    orphans: list[queries.WhatIfOrphansRow],
) -> tuple[list[str], TargetResult]:
    """Images that free the target, chosen among those whose units are asked for.

    What is unreferenced counts first, if it is removed too and the target is one of the disk.
    """
    rows = questions.rows(units_question)
    on_disk = target.granularity is Granularity.DISK
    unreferenced = sum(row["bytes"] or 0 for row in orphans) if on_disk else 0
    wanted = max(target.wanted_bytes - unreferenced, 0)
    units = {frozenset(row["images"]): row["bytes"] for row in rows}
    if target.order is DeletionOrder.GAIN:
        found = by_gain(units, wanted)
    else:
        # images without a trustworthy date come last
        oldest = sorted(dates, key=lambda row: (row["time"] is None, row["time"] or datetime.min))
        allowed = set(units_question.parameters["images"])
        found = by_age(
            units,
            [row["image_id"] for row in oldest if row["image_id"] in allowed],
            wanted,
        )
    return sorted(found.images), TargetResult(
        target, found.freed_bytes + unreferenced, found.most_bytes + unreferenced
    )
