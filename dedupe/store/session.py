"""Questions to a catalog's current view or a scan, over relations that are made once."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast, overload

from dedupe.errors import UsageError
from dedupe.host.locks import reading
from dedupe.model.questions import Answer, Question, R
from dedupe.model.tables import DERIVED_TABLES
from dedupe.model.view import View
from dedupe.store.current import Choice
from dedupe.store.derived.deriver import Deriver
from dedupe.store.layer_files import LAYERS
from dedupe.store.layer_views import show_entries, show_source
from dedupe.store.opening import connect, table_files
from dedupe.store.reading import damaged, readable
from dedupe.store.resources import close_connection, shortage
from dedupe.store.selects import fetched, lock, require_select, run_select
from dedupe.store.sql import (
    PARTS,
    SOURCE,
    SOURCES,
    derived_read,
    load_query,
    making,
    needed_relations,
    reads,
    relations,
    tables_read,
)

#: parameters that a question by its name need not have: they choose all rows in their usual order
_ALL_ROWS = {"most": None, "sort": ""}
#: entries of a session about some images that are kept in memory: about 250 bytes each
_MOST_ENTRIES_HELD = 400_000


class Session:
    """The current view of a catalog, one scan or some sources of it, ready for questions.

    ``scan`` is an ID, its beginning or ``latest``; ``sources`` are locations, globs or folders.
    With ``images`` the session is as if the view held no others. A relation is made when a question
    first reads it. ``waiting`` is entered around every query. Close a session that others follow:
    it holds the rows of all relations that it made, and files that were replaced meanwhile stay as
    long as it is open. ``keep`` lets it write derived rows into the catalog.

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
        keep: bool = True,
    ) -> None:
        self._folder = folder.resolve()
        self._images = images
        self._waiting = waiting or contextlib.nullcontext()
        self._held = contextlib.ExitStack()
        self._held.enter_context(reading(self._folder / LAYERS))
        with self._waiting:
            self._connection, self.view = connect(
                self._folder, view or Choice(scan, tuple(sources)), images
            )
        self._made: set[str] = set()
        self._deriver = Deriver(self._connection, self._folder, self._make_relations, keep=keep)
        self._narrowed: dict[tuple[str, ...], Session] = {}
        self._has_read_entries = False
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
            return fetched(self._connection.execute(text, _parameters(text, question)))

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
        session = Session(
            self._folder, None, tuple(orders), self._waiting, view=self.view, keep=False
        )
        placed = [
            (image, position, place)
            for image, order in orders.items()
            for place, position in enumerate(order)
        ]
        images, positions, proposed = zip(*placed, strict=True)
        with self._waiting, readable(self._folder):
            session._replace_table("scan_images", "reorder/proposed_images")
            session._replace_table(
                "scan_image_layers",
                "reorder/proposed_layers",
                {"images": images, "positions": positions, "proposed": proposed},
            )
        return session

    def derive(self) -> int:
        """Keep all derived rows that are missing; returns the entries whose rows were made.

        Raises StoreError as ``answer`` does.
        """
        with self._waiting, readable(self._folder):
            return sum(
                self._deriver.provide(group, tables, keep_from=0)
                for group, tables in DERIVED_TABLES.items()
            )

    def close(self) -> None:
        """Release memory and files; the session can answer nothing afterwards."""
        close_connection(self._connection)
        self._held.close()
        for narrowed in self._narrowed.values():
            narrowed.close()

    def ask(self, text: str) -> Answer:
        """Answer to one SELECT of a user over the catalog's tables and the scan's relations.

        It can read nothing else and write nothing. Raises UsageError for anything but one SELECT
        and for one that DuckDB refuses, and StoreError ``bad-catalog`` if a file is damaged.
        """
        import duckdb

        try:
            tables = require_select(self._connection, text, relations())
            with readable(self._folder):
                # a query of what there is shows the entries too
                listed = {"entries"} if tables & {"columns", "tables"} else set()
                self._make_relations(tables | listed)
                if not self._is_locked:
                    files = [*table_files(self._folder), *self._deriver.freeze()]
                    lock(self._connection, files)
                    self._is_locked = True
            return run_select(self._connection, text)
        except duckdb.Error as error:
            lacking = shortage(error)
            if lacking:
                raise lacking from error
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

    def _replace_table(
        self, table: str, query: str, parameters: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        """Replace a table of the scan by the rows of one of our queries over it."""
        made = f"CREATE TABLE other AS {load_query(query)}"
        self._connection.execute(made, dict(parameters or {}))
        self._connection.execute(f"DROP TABLE {table}")
        self._connection.execute(f"ALTER TABLE other RENAME TO {table}")

    def _make_relations(self, tables: Iterable[str]) -> None:
        """Make the relations among these tables, and those that they read, once."""
        tables = list(tables)
        for name in needed_relations(tables, without=self._made):
            if name not in self._made:
                self._provide(reads(name))
                if name in PARTS:
                    self._make_of_part(name)
                else:
                    if SOURCE in reads(name):
                        show_source(self._connection, self._folder, load_query(SOURCES[name]))
                    self._connection.execute(making(name))
                self._made.add(name)
        self._provide(tables)

    def _make_of_part(self, name: str) -> None:
        """Make a relation on a connection that has the relations of a part of the view."""
        parts = PARTS[name]
        sql = relations()[name]
        needed = [each for each in needed_relations(tables_read(sql), parts) if each not in parts]
        read = {table for each in needed for table in reads(each)}
        for group, tables in derived_read(read).items():
            self._deriver.provide(group, tables)
        for relation, query in parts.items():
            self._connection.execute(f"CREATE TABLE part_{relation} AS {load_query(query)}")
        # what a cursor calls TEMP is its own, and is found before what the session has
        with contextlib.closing(self._connection.cursor()) as cursor:
            for relation in parts:
                cursor.execute(f"CREATE TEMP VIEW {relation} AS FROM part_{relation}")
            if "entries" in read:
                # those of the part's layers, from no other files than theirs
                show_source(cursor, self._folder, "SELECT layer FROM node", "entries")
            for relation in needed:
                cursor.execute(making(relation))
            cursor.execute(f"CREATE TABLE {name} AS {sql}")
        for relation in parts:
            self._connection.execute(f"DROP TABLE part_{relation}")

    def _provide(self, tables: Collection[str]) -> None:
        """Make the derived tables among these names, and the entries."""
        if "entries" in tables and not self._has_read_entries:
            self._has_read_entries = True
            self._read_entries()
        for group, read in derived_read(tables).items():
            self._deriver.provide(group, read)

    def _read_entries(self) -> None:
        """Make the view of entries, and keep them in memory if they are few.

        Several relations read them. In a large catalog it takes longer to find them in its files
        than to work with them.
        """
        show_entries(self._connection, self._folder, is_narrowed=bool(self._images))
        found = self._connection.execute("SELECT sum(entries) FROM main.layers").fetchone()
        if found and (found[0] or 0) <= _MOST_ENTRIES_HELD:
            # a temporary table is found before the view of the same name
            self._connection.execute("CREATE TEMP TABLE entries AS FROM main.entries")


def _parameters(text: str, question: Question[Any]) -> dict[str, Any]:
    """The parameters of a question, with those that choose all rows in their usual order."""
    usual = {name: value for name, value in _ALL_ROWS.items() if f"${name}" in text}
    return usual | dict(question.parameters)
