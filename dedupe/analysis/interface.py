"""The seam to whatever answers questions; a session of the store does."""

from typing import Any, Protocol

from dedupe.model.questions import Answer, Question, Row

__all__ = ["Answer", "Question", "Questions", "Row"]


class Questions(Protocol):
    """Answers questions about one scan."""

    def answer(self, question: Question) -> Answer:
        """The question's rows and columns."""
        ...

    def rows(self, query: str, **parameters: Any) -> list[Row]:
        """Rows of ``queries/<query>.sql``, a dictionary a row."""
        ...
