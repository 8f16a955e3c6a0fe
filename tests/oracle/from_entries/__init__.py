"""Figures worked out from entries alone: SQL that keeps nothing, as the judge of derived rows.

``queries/`` beside this file answers every question from the entries of all layers. It is never
made faster, and changes only if a question changes its meaning.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from headers import name_of, parameters_of, questions_in

from dedupe.model.questions import Answer, Question
from dedupe.store import sql
from dedupe.store.session import Session

QUERIES = Path(__file__).parent / "queries"
#: parameters of each question that is judged
PARAMETERS: Mapping[str, frozenset[str]] = {
    name_of(path, QUERIES): frozenset(parameters_of(path)) for path in questions_in(QUERIES)
}


@contextlib.contextmanager
def entries_session(folder: Path, **chosen: Any) -> Iterator["EntriesSession"]:
    """A session on a catalog whose answers come from entries alone."""
    with _old_queries():
        session = Session(folder, keep=False, **chosen)
        yield EntriesSession(session)
        session.close()


class EntriesSession:
    """Answers of the SQL in this folder."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def answer(self, question: Question[Any]) -> Answer:
        """Rows of a question; parameters that it did not have are left out."""
        known = PARAMETERS[question.name]
        parameters = {key: value for key, value in question.parameters.items() if key in known}
        with _old_queries():
            return self._session.answer(Question(question.name, parameters, question.images))


@contextlib.contextmanager
def _old_queries() -> Iterator[None]:
    with mock.patch.object(sql, "queries_folder", return_value=QUERIES):
        sql.relations.cache_clear()
        try:
            yield
        finally:
            sql.relations.cache_clear()


def same_rows(answer: Answer, expected: Answer) -> bool:
    """Whether two answers have the same rows, in the columns of both, in any order.

    IDs of findings and classes are digests: they are compared by what is equal in them.
    """
    shared = [name for name in expected.columns if name in answer.columns]
    return _rows(answer, shared) == _rows(expected, shared)


def _rows(answer: Answer, columns: list[str]) -> list[str]:
    places = [list(answer.columns).index(name) for name in columns]
    return sorted(
        re.sub(r"\s+", " ", repr([row[place] for place in places])) for row in answer.rows
    )
