"""What every form of the report of one scan says, and the long lists that few forms have."""

from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions


@dataclass(frozen=True, slots=True)
class Overview:
    """The report's rows; the queries' headers describe them."""

    scan: queries.ScanRow
    sources: list[queries.SourcesRow]
    totals: queries.TotalsRow
    images: list[queries.ImagesRow]
    findings: list[queries.FindingsRow]
    containers: list[queries.ContainersRow]
    problems: list[queries.ProblemsRow]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The report with lists that grow with layers and files."""

    found: Overview
    layers: list[queries.LayersRow]
    shadowed_files: list[queries.ShadowedFilesRow]
    duplicates: list[queries.DuplicatesRow]


def overview(questions: Questions) -> Overview:
    """The report of a session's scan."""
    return Overview(
        scan=questions.rows(queries.scan())[0],
        sources=questions.rows(queries.sources()),
        totals=questions.rows(queries.totals())[0],
        images=questions.rows(queries.images()),
        findings=questions.rows(queries.findings()),
        # a store without containers is spared the merged view
        containers=questions.rows(queries.containers())
        if questions.rows(queries.container_sources())
        else [],
        problems=questions.rows(queries.problems()),
    )


def inventory(questions: Questions) -> Inventory:
    """The report of a session's scan, with all lists."""
    return Inventory(
        found=overview(questions),
        layers=questions.rows(queries.layers()),
        shadowed_files=questions.rows(queries.shadowed_files()),
        duplicates=questions.rows(queries.duplicates()),
    )
