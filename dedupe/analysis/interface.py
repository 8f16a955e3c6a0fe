"""The interface to the catalog: the analysis asks questions, the store's session answers."""

from typing import Protocol

from dedupe.model.questions import Answer, AnyQuestion, Question, R

__all__ = ["Answer", "AnyQuestion", "Question", "Questions"]


class Questions(Protocol):
    """Answers questions about one scan."""

    def answer(self, question: AnyQuestion) -> Answer:
        """The columns and rows of a question, to be shown as a table."""
        ...

    def rows(self, question: Question[R]) -> list[R]:
        """The rows of a question, one dictionary per row."""
        ...
