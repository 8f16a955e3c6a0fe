"""Two things of one kind compared: two images, two scans, two groups of sources."""

import fnmatch
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import AnyQuestion, Question, Questions
from dedupe.analysis.selection import one_image
from dedupe.errors import StoreError

#: paths that show why a layer differs
_PATHS = 10


@dataclass(frozen=True, slots=True)
class ImageComparison:
    """The questions about going from one image to another, and what has to be pulled for it."""

    summary: Question[queries.DiffSummaryRow]
    layers: Question[queries.DiffLayersRow]
    first_difference: Question[queries.DiffFirstLayerRow]
    #: every path that differs
    rows: Question[queries.DiffFilesRow]


@dataclass(frozen=True, slots=True)
class ScanComparison:
    """The questions about what changed between two scans that the catalog keeps."""

    summary: Question[queries.DiffScanSummaryRow]
    #: every source, image, name and layer that changed
    rows: Question[queries.DiffScanChangesRow]


@dataclass(frozen=True, slots=True)
class SourceComparison:
    """The questions about what two groups of sources of one scan both hold, or only one."""

    summary: Question[queries.DiffSourceSummaryRow]
    #: every image and layer of either group
    rows: Question[queries.DiffSourceContentRow]
    #: locations of the sources that each glob matches
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
    """What two groups of sources share, one row per granularity."""

    summary: list[queries.DiffSourceSummaryRow]
    #: locations of the sources of each group
    first: list[str]
    second: list[str]


Differences = ImageDifferences | ScanDifferences | SourceDifferences


def questions_of(comparison: Comparison) -> list[AnyQuestion]:
    """Every question that the comparison asks, the rows last."""
    match comparison:
        case ImageComparison(summary, layers, first_difference, rows):
            return [summary, layers, first_difference, rows]
        case ScanComparison() | SourceComparison():
            return [comparison.summary, comparison.rows]


def summarised(questions: Questions, comparison: Comparison) -> Differences:
    """The summary of a comparison; its rows are a question of their own."""
    match comparison:
        case ImageComparison():
            (summary,) = questions.rows(comparison.summary)
            return ImageDifferences(
                summary,
                questions.rows(comparison.layers),
                next(iter(questions.rows(comparison.first_difference)), None),
            )
        case ScanComparison():
            (scans,) = questions.rows(comparison.summary)
            return ScanDifferences(scans)
        case SourceComparison():
            return SourceDifferences(
                questions.rows(comparison.summary), comparison.first, comparison.second
            )


def compare_images(questions: Questions, old: str, new: str) -> ImageComparison:
    """What going from one image to another changes, and what has to be pulled for it."""
    older, newer = one_image(questions, old), one_image(questions, new)
    about = tuple(sorted({older, newer}))
    return ImageComparison(
        queries.diff_summary(old=older, new=newer, about=about),
        queries.diff_layers(old=older, new=newer, about=about),
        queries.diff_first_layer(old=older, new=newer, most=_PATHS, about=about),
        queries.diff_files(old=older, new=newer, about=about),
    )


def compare_scans(questions: Questions, old: str, new: str) -> ScanComparison:
    """What changed between two scans that the catalog keeps."""
    older, newer = one_scan(questions, old), one_scan(questions, new)
    return ScanComparison(
        queries.diff_scan_summary(old=older, new=newer),
        queries.diff_scan_changes(old=older, new=newer),
    )


def compare_sources(questions: Questions, first: str, second: str) -> SourceComparison:
    """What two groups of sources of one scan both hold, and what only one of them holds."""
    one, other = sources_of(questions, first), sources_of(questions, second)
    return SourceComparison(
        queries.diff_source_summary(first=one, second=other),
        queries.diff_source_content(first=one, second=other),
        one,
        other,
    )


def one_scan(questions: Questions, text: str) -> str:
    """ID of the scan that this is, or is the beginning of.

    Raises StoreError: ``no-scan`` with those that are kept, ``ambiguous-scan`` with the candidates.
    """
    known = [row["scan"] for row in questions.rows(queries.catalog_scans())]
    found = [scan for scan in known if scan.startswith(text)]
    if text in known or len(found) == 1:
        return text if text in known else found[0]
    if found:
        raise StoreError(f"{text}: names several scans: {', '.join(found)}", "ambiguous-scan")
    raise StoreError(f"{text}: no such scan; there are {', '.join(known)}", "no-scan")


def sources_of(questions: Questions, glob: str) -> list[str]:
    """Locations that the glob fits, sorted.

    Raises StoreError ``no-source`` with all locations where there is none.
    """
    known = sorted(row["location"] for row in questions.rows(queries.sources()))
    found = [source for source in known if fnmatch.fnmatchcase(source, glob)]
    if not found:
        raise StoreError(f"{glob}: no such source; there are {', '.join(known)}", "no-source")
    return found
