"""The seam to what answers questions; the store's session does."""

from typing import Protocol

from dedupe.model.questions import Answer, AnyQuestion, Question, R

__all__ = ["Answer", "AnyQuestion", "Question", "Questions"]


class Questions(Protocol):
    """Answers questions about one scan."""

    def answer(self, question: AnyQuestion) -> Answer:
        """The question's columns and rows, to be shown as a table."""
        ...

    def rows(self, question: Question[R]) -> list[R]:
        """The question's rows, one dictionary each."""
        ...
