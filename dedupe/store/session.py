"""Questions to a catalog's current view or a scan, over relations that are made once."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast, overload

from dedupe.errors import UsageError
from dedupe.model.questions import Answer, Question, R
from dedupe.model.view import View
from dedupe.store.current import Choice
from dedupe.store.selects import fetched, lock, require_select, run_select
from dedupe.store.sql import load_query, needed_relations, relations, tables_read
from dedupe.store.views import connect, damaged, readable, table_files


class Session:
    """The current view of a catalog, one scan or some sources of it, ready for questions.

    ``scan`` is an ID, its beginning or ``latest``; ``sources`` are locations, globs or folders.
    With ``images`` the session is as if the view held no others. A relation is made when a question
    first reads it. ``waiting`` is entered around every query. Close a session that others follow:
    it holds the rows of all relations that it made.

    Raises StoreError: ``no-catalog``, ``no-scan``, ``ambiguous-scan``, ``no-source``,
    ``schema-version`` or ``bad-catalog``.
    """

    def __init__(
        self,
        folder: Path,
        scan: str | None = None,
        images: tuple[str, ...] = (),
        waiting: AbstractContextManager[object] | None = None,
        *,
        sources: Sequence[str] = (),
        view: View | None = None,
    ) -> None:
        self._folder = folder.resolve()
        self._images = images
        self._waiting = waiting or contextlib.nullcontext()
        with self._waiting:
            self._connection, self.view = connect(
                self._folder, view or Choice(scan, tuple(sources)), images
            )
        spill = _private_folder()
        self._connection.execute("SET temp_directory = $folder", {"folder": spill})
        self._remove_folder = weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True)
        self._made: set[str] = set()
        self._narrowed: dict[tuple[str, ...], Session] = {}
        self._is_locked = False

    @property
    def scan(self) -> str:
        """The last scan that the view considers."""
        return self.view.scan

    def answer(self, question: Question[Any]) -> Answer:
        """Rows of ``queries/<name>.sql`` with its parameters.

        Raises StoreError ``bad-catalog`` if a file of the catalog is damaged.
        """
        if question.images not in ((), self._images):
            return self._about(question.images).answer(question)
        text = load_query(question.name)
        with self._waiting, readable(self._folder):
            self._make_relations(tables_read(text))
            return fetched(self._connection.execute(text, dict(question.parameters)))

    @overload
    def rows(self, question: Question[R]) -> list[R]: ...

    @overload
    def rows(self, question: str, **parameters: Any) -> list[dict[str, Any]]: ...

    def rows(
        self, question: Question[R] | str, **parameters: Any
    ) -> list[R] | list[dict[str, Any]]:
        """Rows of a question, one dictionary each; those of a question's name are not typed.

        Raises StoreError as ``answer`` does.
        """
        if isinstance(question, str):
            return self.answer(Question(question, parameters)).dicts()
        return cast("list[R]", self.answer(question).dicts())

    def beside(self, orders: Mapping[str, Sequence[int]]) -> Session:
        """A session on these images alone, each once more as ``proposed:ID`` in another order.

        An order lists today's positions, the lowest first. Raises StoreError as ``answer`` does.
        """
        session = Session(self._folder, None, tuple(orders), self._waiting, view=self.view)
        placed = [
            (image, position, place)
            for image, order in orders.items()
            for place, position in enumerate(order)
        ]
        images, positions, proposed = zip(*placed, strict=True)
        with self._waiting, readable(self._folder):
            session._replace_view("scan_images", "reorder/proposed_images")
            session._replace_view(
                "scan_image_layers",
                "reorder/proposed_layers",
                {"images": images, "positions": positions, "proposed": proposed},
            )
        return session

    def close(self) -> None:
        """Release memory and files; the session can answer nothing afterwards."""
        self._connection.close()
        self._remove_folder()

    def ask(self, text: str) -> Answer:
        """Answer to one SELECT of a user over the catalog's tables and the scan's relations.

        It can read nothing else and write nothing. Raises UsageError for anything but one SELECT
        and for one that DuckDB refuses, and StoreError ``bad-catalog`` if a file is damaged.
        """
        import duckdb

        try:
            tables = require_select(self._connection, text, relations())
            with readable(self._folder):
                self._make_relations(tables)
                if not self._is_locked:
                    lock(self._connection, table_files(self._folder))
                    self._is_locked = True
            return run_select(self._connection, text)
        except duckdb.Error as error:
            if isinstance(error, duckdb.IOException) or str(self._folder) in str(error):
                raise damaged(self._folder, error) from error
            raise UsageError(f"query: {error}", "bad-query") from error

    def _about(self, images: tuple[str, ...]) -> Session:
        """A session on these images of the scan alone, which costs less than the whole scan."""
        if images not in self._narrowed:
            self._narrowed[images] = Session(
                self._folder, None, images, self._waiting, view=self.view
            )
        return self._narrowed[images]

    def _replace_view(
        self, view: str, query: str, parameters: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        """Replace a view of the scan by the rows of one of our queries over it."""
        made = f"CREATE TABLE other AS {load_query(query)}"
        self._connection.execute(made, dict(parameters or {}))
        self._connection.execute(f"DROP VIEW {view}")
        self._connection.execute(f"ALTER TABLE other RENAME TO {view}")

    def _make_relations(self, tables: Iterable[str]) -> None:
        """Make the relations among these tables, and those that they read, once."""
        for name in needed_relations(tables):
            if name not in self._made:
                self._connection.execute(f"CREATE TEMP TABLE {name} AS {relations()[name]}")
                self._made.add(name)


def _private_folder() -> str:
    """A new folder for what does not fit into memory; empty if none can be made.

    DuckDB's own choice is ``.tmp`` in the working folder. Anyone may have put a link there, and a
    locked connection may still read and write in it.
    """
    # without a place, Python would try several by writing to them, the working folder too
    place = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  # in it, a random name of mode 0700
    try:
        return tempfile.mkdtemp(prefix="dedupe-", dir=place)
    except OSError:
        return ""
