"""The rows that the forms of a scan's report are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.model.images import SourceKind
from dedupe.model.measures import Cause


def hides_images(source: queries.SourcesRow) -> bool:
    """Whether a document of the source that could not be read may be that of an image."""
    # a folder of shared blobs has no documents: it is only unknown who uses its blobs
    return source["unseen_references"] is not None and source["kind"] != SourceKind.BLOBS


@dataclass(frozen=True, slots=True)
class Overview:
    """The rows that every form has; the queries' headers describe them."""

    scan: queries.ScanRow
    sources: list[queries.SourcesRow]
    #: disk usage, one row per source and kind
    disk: list[queries.DiskRow]
    totals: queries.TotalsRow
    images: list[queries.ImagesRow]
    findings: list[queries.FindingsRow]
    containers: list[queries.ContainersRow]
    problems: list[queries.ProblemsRow]
    #: why images are incomplete; empty if none is
    incomplete: list[queries.IncompleteRow]
    #: places at which the last scan found nothing
    failed: list[queries.FailedPlacesRow]

    @property
    def is_partial(self) -> bool:
        """Whether totals of content are lower bounds, because images were not read or not seen."""
        unseen = any(hides_images(row) for row in self.sources)
        return unseen or self.totals["incomplete_images"] > 0

    @property
    def is_unread(self) -> bool:
        """Whether contents of files were not read, because a quick scan listed their layers."""
        return any(row["listed_layers"] for row in self.sources)

    @property
    def is_old(self) -> bool:
        """Whether some of it could not be read by the last scan that was to read it."""
        return bool(self.failed) or any(row["stale_since"] is not None for row in self.sources)


@dataclass(frozen=True, slots=True)
class Inventory:
    """The overview, and lists that grow with the number of layers and files."""

    found: Overview
    layers: list[queries.LayersRow]
    #: the first rows of all shadowed files, and how many there are
    shadowed_files: list[queries.ShadowedFilesRow]
    all_shadowed_files: int
    #: the first rows of all duplicates, and how many there are
    duplicates: list[queries.DuplicatesRow]
    all_duplicates: int
    #: disk usage, one row per source, kind and owner
    disk_owners: list[queries.DiskRow]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The overview, and what is attributed to each repository."""

    found: Overview
    #: groups of ``usage`` by repository, without the row of what nothing references
    repositories: list[queries.UsageGroupsRow]


def overview(questions: Questions) -> Overview:
    """The overview of a session's scan."""
    return Overview(
        scan=questions.rows(queries.scan())[0],
        sources=questions.rows(queries.sources()),
        disk=questions.rows(queries.disk(by="kind", kinds=[], below="")),
        totals=questions.rows(queries.totals())[0],
        images=questions.rows(queries.images()),
        findings=questions.rows(queries.findings()),
        # the query needs the merged view of every image, which a store without containers can skip
        containers=questions.rows(queries.containers())
        if questions.rows(queries.container_sources())
        else [],
        problems=questions.rows(queries.problems()),
        incomplete=questions.rows(queries.incomplete()),
        failed=questions.rows(queries.failed_places()),
    )


def inventory(questions: Questions, found: Overview, limit: int) -> Inventory:
    """The overview with the lists of the same session's scan.

    Lists of files have at most ``limit`` rows; 0 for all.
    """
    return Inventory(
        found=found,
        layers=questions.rows(queries.layers()),
        shadowed_files=questions.rows(queries.shadowed_files(most=limit or None, sort="")),
        all_shadowed_files=questions.rows(queries.counts_shadowed_files())[0]["found"],
        duplicates=questions.rows(queries.duplicates(most=limit or None, sort="")),
        all_duplicates=questions.rows(queries.counts_duplicates())[0]["found"],
        disk_owners=questions.rows(queries.disk(by="owner", kinds=[], below="")),
    )


def metrics(questions: Questions, found: Overview) -> Metrics:
    """The overview with the repositories of the same session's scan."""
    rows = questions.rows(queries.usage_groups(by="repository", globs=[], granularity="unpacked"))
    return Metrics(found, [row for row in rows if row["kind"] == "group"])


def shadowed_by_cause(image: queries.ImagesRow) -> dict[Cause, int | None]:
    """The shadowed bytes of an image, by what hides them; they add up.

    None if it is incomplete, and for the three causes that contents decide if these were not read.
    """
    return {
        Cause.MODIFIED: image["modified"],
        Cause.METADATA_ONLY: image["metadata_only"],
        Cause.UNCHANGED: image["unchanged"],
        Cause.DELETED: image["deleted"],
        Cause.OPAQUE: image["opaque"],
        Cause.REPLACED: image["replaced"],
        Cause.SUPERSEDED: image["superseded"],
    }


def shadowed_totals(images: Sequence[queries.ImagesRow]) -> dict[Cause, int | None]:
    """The shadowed bytes of all complete images, by what hides them; None if that is not known."""
    rows = [shadowed_by_cause(row) for row in images if row["complete"]]
    return {cause: _known_sum(row[cause] for row in rows) for cause in Cause}


def _known_sum(values: Iterable[int | None]) -> int | None:
    """The sum; None if one of the values is."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None
