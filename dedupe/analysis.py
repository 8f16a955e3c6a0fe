"""Answers that reports are made of: a finished value each, figures from ``queries/``."""

from dataclasses import dataclass
from typing import Any, Protocol

Row = dict[str, Any]


class Questions(Protocol):
    """Whatever answers ``queries/<name>.sql``; a session of the store does."""

    def rows(self, query: str) -> list[Row]:
        """The answer's rows."""
        ...


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the report of one scan says; the queries' headers describe the rows."""

    scan: Row
    sources: list[Row]
    totals: Row
    images: list[Row]
    layers: list[Row]
    shadowed_files: list[Row]
    duplicates: list[Row]
    problems: list[Row]


def overview(questions: Questions) -> Overview:
    """The whole report of a session's scan; raises StoreError where there is none."""
    return Overview(
        scan=questions.rows("scan")[0],
        sources=questions.rows("sources"),
        totals=questions.rows("totals")[0],
        images=questions.rows("images"),
        layers=questions.rows("layers"),
        shadowed_files=questions.rows("shadowed_files"),
        duplicates=questions.rows("duplicates"),
        problems=questions.rows("problems"),
    )
