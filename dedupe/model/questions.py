"""Questions to a catalog and their answers, for the store and for everything above it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

#: a TypedDict with the columns of a question's rows
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Question(Generic[R_co]):
    """One of ``queries/<name>.sql``, with values for its parameters.

    ``dedupe.analysis.queries`` has a function for each that types its parameters and rows.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: IDs of the images that it is about, so that relations are made of these alone; empty for all
    images: tuple[str, ...] = ()


#: a question whose rows are not typed, since they are only shown
AnyQuestion = Question[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a question, in the order of its query."""

    #: column -> DuckDB type
    columns: dict[str, str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """One dictionary per row."""
        names = tuple(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]
