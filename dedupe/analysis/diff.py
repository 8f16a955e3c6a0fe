"""Comparisons of two images, two scans, or two groups of sources.

A ``…Comparison`` is the questions of a comparison: a summary, and rows that can be many and are
asked for only if they are shown. ``summarise`` asks the questions of the summary and returns the
``…Differences``.
"""

from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import AnyQuestion, Question, Questions
from dedupe.analysis.selection import one_image, one_scan, sources_matching

#: paths to show for the first layer that differs
_MOST_PATHS = 10


@dataclass(frozen=True, slots=True)
class ImageComparison:
    """Questions about the change from one image to another, and what a pull transfers."""

    summary: Question[queries.DiffSummaryRow]
    layers: Question[queries.DiffLayersRow]
    first_difference: Question[queries.DiffFirstLayerRow]
    #: one row per path that differs
    rows: Question[queries.DiffFilesRow]


@dataclass(frozen=True, slots=True)
class ScanComparison:
    """Questions about what changed between two scans of the catalog."""

    summary: Question[queries.DiffScanSummaryRow]
    #: one row per source, image, name and layer that changed
    rows: Question[queries.DiffScanChangesRow]


@dataclass(frozen=True, slots=True)
class SourceComparison:
    """Questions about what two groups of sources of one scan have in common."""

    summary: Question[queries.DiffSourceSummaryRow]
    #: one row per image and layer of either group
    rows: Question[queries.DiffSourceContentRow]
    #: locations of the sources in each group
    first: list[str]
    second: list[str]


Comparison = ImageComparison | ScanComparison | SourceComparison


@dataclass(frozen=True, slots=True)
class ImageDifferences:
    """What differs between two images."""

    summary: queries.DiffSummaryRow
    layers: list[queries.DiffLayersRow]
    #: None when all layers are the same
    first_difference: queries.DiffFirstLayerRow | None


@dataclass(frozen=True, slots=True)
class ScanDifferences:
    """What changed between two scans."""

    summary: queries.DiffScanSummaryRow


@dataclass(frozen=True, slots=True)
class SourceDifferences:
    """What two groups of sources have in common."""

    #: one row per granularity
    summary: list[queries.DiffSourceSummaryRow]
    #: locations of the sources in each group
    first: list[str]
    second: list[str]


Differences = ImageDifferences | ScanDifferences | SourceDifferences


def questions_of(comparison: Comparison) -> list[AnyQuestion]:
    """All questions of the comparison, that for the rows last."""
    match comparison:
        case ImageComparison(summary, layers, first_difference, rows):
            return [summary, layers, first_difference, rows]
        case ScanComparison() | SourceComparison():
            return [comparison.summary, comparison.rows]


def summarise(questions: Questions, comparison: Comparison) -> Differences:
    """Ask the questions of the summary."""
    match comparison:
        case ImageComparison():
            (summary,) = questions.rows(comparison.summary)
            first = questions.rows(comparison.first_difference)
            return ImageDifferences(
                summary, questions.rows(comparison.layers), first[0] if first else None
            )
        case ScanComparison():
            (row,) = questions.rows(comparison.summary)
            return ScanDifferences(row)
        case SourceComparison():
            return SourceDifferences(
                questions.rows(comparison.summary), comparison.first, comparison.second
            )


def compare_images(questions: Questions, old: str, new: str) -> ImageComparison:
    """Compare two images; raises StoreError as ``one_image``."""
    older, newer = one_image(questions, old), one_image(questions, new)
    about = tuple(sorted({older, newer}))
    return ImageComparison(
        queries.diff_summary(old=older, new=newer, about=about),
        queries.diff_layers(old=older, new=newer, about=about),
        queries.diff_first_layer(old=older, new=newer, most=_MOST_PATHS, about=about),
        queries.diff_files(old=older, new=newer, about=about),
    )


def compare_scans(questions: Questions, old: str, new: str) -> ScanComparison:
    """Compare two scans of the catalog; raises StoreError as ``one_scan``."""
    older, newer = one_scan(questions, old), one_scan(questions, new)
    return ScanComparison(
        queries.diff_scan_summary(old=older, new=newer),
        queries.diff_scan_changes(old=older, new=newer),
    )


def compare_sources(questions: Questions, first: str, second: str) -> SourceComparison:
    """Compare the sources that each glob matches; raises StoreError as ``sources_matching``."""
    one, other = sources_matching(questions, first), sources_matching(questions, second)
    return SourceComparison(
        queries.diff_source_summary(first=one, second=other),
        queries.diff_source_content(first=one, second=other),
        one,
        other,
    )
