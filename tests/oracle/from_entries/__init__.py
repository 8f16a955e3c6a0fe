"""Figures worked out from entries alone: SQL that keeps nothing, as the judge of derived rows.

``queries/`` beside this file has relations that are made of the entries of all layers, and the
questions that must differ from the product's to read them. All other questions are the product's
own: their rows come from these relations too. The judge is never made faster, and changes only if a
question changes its meaning.
"""

import atexit
import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from headers import name_of, parameters_of, questions_in
from here import PROJECT

from dedupe.model.questions import Answer, Question
from dedupe.store import sql
from dedupe.store.session import Session

#: what the judge has of its own
OWN = Path(__file__).parent / "queries"
PRODUCT = PROJECT / "queries"
#: questions about what only the product has: numbers of rows, and relations that narrow a search
NOT_JUDGED = frozenset(
    {
        *("counts/duplicates", "counts/shadowed_files", "image_candidates"),
        *("reorder/movable_conflicts", "reorder/movable_images"),
    }
)
#: judged question -> its file
FILES: Mapping[str, Path] = {
    name: OWN / f"{name}.sql" if (OWN / f"{name}.sql").exists() else path
    for path in questions_in(PRODUCT)
    if (name := name_of(path, PRODUCT)) not in NOT_JUDGED
}
#: parameters of each question that is judged
PARAMETERS: Mapping[str, frozenset[str]] = {
    name: frozenset(parameters_of(path)) for name, path in FILES.items()
}


@contextlib.contextmanager
def entries_session(folder: Path, **chosen: Any) -> Iterator["EntriesSession"]:
    """A session on a catalog whose answers come from entries alone.

    In the body no other session may be asked: it would read the relations of the judge.
    """
    with _queries_of_judge():
        session = Session(folder, keep=False, **chosen)
        yield EntriesSession(session)
        session.close()


class EntriesSession:
    """Answers of the judge."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def answer(self, question: Question[Any]) -> Answer:
        """Rows of a question; parameters that it did not have are left out."""
        known = PARAMETERS[question.name]
        parameters = {key: value for key, value in question.parameters.items() if key in known}
        return self._session.answer(Question(question.name, parameters, question.images))


@contextlib.contextmanager
def _queries_of_judge() -> Iterator[None]:
    with (
        mock.patch.object(sql, "queries_folder", return_value=_judging()),
        # all relations of the judge are of the whole view
        mock.patch.dict(sql.PARTS, clear=True),
    ):
        sql.relations.cache_clear()
        try:
            yield
        finally:
            sql.relations.cache_clear()


@cache
def _judging() -> Path:
    """A folder of all SQL of the judge: no derivation, no relation and no macro of the product."""
    folder = Path(tempfile.mkdtemp(prefix="judge-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(OWN, folder, dirs_exist_ok=True)
    for name, path in FILES.items():
        copy = folder / f"{name}.sql"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


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
