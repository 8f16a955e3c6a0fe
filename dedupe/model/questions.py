"""Questions to a catalog and their answers, as every part above the store passes them on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One of ``queries/<name>.sql``, with values for its parameters."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: IDs of the images that it is about: relations are made of these alone; none for all images
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a question in the order that its query gives them."""

    #: column -> DuckDB type
    columns: dict[str, str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[Row]:
        """A dictionary a row."""
        names = tuple(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]
