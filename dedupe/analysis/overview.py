"""What every form of the report of one scan says, and the long lists that few forms have."""

from dataclasses import dataclass

from dedupe.analysis.interface import Questions, Row


@dataclass(frozen=True, slots=True)
class Overview:
    """The report's rows; the queries' headers describe them."""

    scan: Row
    sources: list[Row]
    totals: Row
    images: list[Row]
    findings: list[Row]
    containers: list[Row]
    problems: list[Row]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The report with lists that grow with layers and files."""

    found: Overview
    layers: list[Row]
    shadowed_files: list[Row]
    duplicates: list[Row]


def overview(questions: Questions) -> Overview:
    """The report of a session's scan."""
    return Overview(
        scan=questions.rows("scan")[0],
        sources=questions.rows("sources"),
        totals=questions.rows("totals")[0],
        images=questions.rows("images"),
        findings=questions.rows("findings"),
        # a store without containers is spared the merged view
        containers=questions.rows("containers") if questions.rows("container_sources") else [],
        problems=questions.rows("problems"),
    )


def inventory(questions: Questions) -> Inventory:
    """The report of a session's scan, with all lists."""
    return Inventory(
        found=overview(questions),
        layers=questions.rows("layers"),
        shadowed_files=questions.rows("shadowed_files"),
        duplicates=questions.rows("duplicates"),
    )
