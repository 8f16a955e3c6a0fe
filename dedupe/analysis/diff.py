"""Two things of one kind compared: two images, two scans, two groups of sources."""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dedupe.analysis.interface import Answer, Question, Questions, Row
from dedupe.analysis.selection import one_image
from dedupe.errors import StoreError

#: paths that show why a layer differs
_PATHS = 10


class Compared(StrEnum):
    """What is compared; the values are those of the JSON summary."""

    IMAGES = "images"
    SCANS = "scans"
    SOURCES = "sources"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The questions that a comparison asks."""

    compared: Compared
    #: key of the JSON summary -> question
    summary: Mapping[str, Question]
    #: what differs, a row a thing
    rows: Question
    #: of two groups of sources: the locations that each glob fits
    groups: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Differences:
    """The answers to them."""

    compared: Compared
    summary: Mapping[str, list[Row]]
    rows: Answer
    groups: Mapping[str, list[str]]


def answered(questions: Questions, comparison: Comparison) -> Differences:
    """Ask all that the comparison asks."""
    return Differences(
        comparison.compared,
        {key: questions.answer(each).dicts() for key, each in comparison.summary.items()},
        questions.answer(comparison.rows),
        comparison.groups,
    )


def compare_images(questions: Questions, old: str, new: str) -> Comparison:
    """What going from one image to another changes, and what has to be pulled for it."""
    sides = {"old": one_image(questions, old), "new": one_image(questions, new)}
    images = tuple(sorted(set(sides.values())))
    return Comparison(
        Compared.IMAGES,
        {
            "summary": Question("diff/summary", sides, images),
            "layers": Question("diff/layers", sides, images),
            "first_difference": Question("diff/first_layer", {**sides, "most": _PATHS}, images),
        },
        Question("diff/files", sides, images),
    )


def compare_scans(questions: Questions, old: str, new: str) -> Comparison:
    """What came and went between two scans that the catalog keeps."""
    sides = {"old": one_scan(questions, old), "new": one_scan(questions, new)}
    return Comparison(
        Compared.SCANS,
        {"summary": Question("diff/scan_summary", sides)},
        Question("diff/scan_changes", sides),
    )


def compare_sources(questions: Questions, first: str, second: str) -> Comparison:
    """What two groups of sources of one scan both hold, and what only one of them holds."""
    sides = {"first": sources_of(questions, first), "second": sources_of(questions, second)}
    return Comparison(
        Compared.SOURCES,
        {"summary": Question("diff/source_summary", sides)},
        Question("diff/source_content", sides),
        sides,
    )


def one_scan(questions: Questions, text: str) -> str:
    """ID of the scan that this is, or is the beginning of.

    Raises StoreError: ``no-scan`` with those that are kept, ``ambiguous-scan`` with the candidates.
    """
    known = [row["scan"] for row in questions.rows("catalog_scans")]
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
    known = sorted(row["location"] for row in questions.rows("sources"))
    found = [source for source in known if fnmatch.fnmatchcase(source, glob)]
    if not found:
        raise StoreError(f"{glob}: no such source; there are {', '.join(known)}", "no-source")
    return found
