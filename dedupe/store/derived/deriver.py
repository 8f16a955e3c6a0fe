"""Derived rows of what a session is about: found in the catalog, or worked out and kept there.

A group of derived tables is provided as views ``kept_<table>``: the rows of the catalog's runs, and
those of this session. Rows that are missing are made in batches, each on a connection of its own on
which the relations are those of the batch, so that memory does not grow with the store. They are
written into the catalog if it can be written and they are many enough to be worth it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.errors import StoreError
from dedupe.host.locks import waiting_lock
from dedupe.model.tables import DERIVED_TABLES, KEEP_FROM_ENTRIES
from dedupe.store.derived.groups import GROUPS
from dedupe.store.derived.rules import relations_for, rules_of
from dedupe.store.derived.runs import Run, all_runs, keeps_any, sweep, valid_runs, write_run
from dedupe.store.layer_views import show_source
from dedupe.store.reading import listed, no_rows, quoted
from dedupe.store.sql import (
    KEPT,
    SOURCE,
    derivations,
    derivations_needed,
    load_query,
    making,
    tables_read,
)

if TYPE_CHECKING:
    import duckdb

#: entries of a batch
BATCH_ENTRIES = 12_000_000
#: a group with more runs is written anew as one
_MOST_RUNS = 24
#: in the folder of the catalog
LOCK = "derived.lock"


class Deriver:
    """Provides the derived tables of one session.

    ``make_relations`` makes relations of the session. ``keep`` says whether rows may be written
    into the catalog.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        make_relations: Callable[[Iterable[str]], None],
        *,
        keep: bool = True,
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._make_relations = make_relations
        self._keep = keep
        self._provided: set[str] = set()
        #: groups of which the catalog keeps nothing -> tables that were made for this session
        self._unkept: dict[str, set[str]] = {}
        #: group -> its runs, if no later ones may be read
        self._frozen: dict[str, list[Run]] | None = None

    def provide(
        self, group: str, tables: Collection[str], keep_from: int = KEEP_FROM_ENTRIES
    ) -> int:
        """Make the views of these tables of a group, at least.

        Returns the entries whose rows were made and kept. ``keep_from`` is the least number of
        entries whose rows are the first to be kept.
        """
        if group in self._unkept:
            self._derive_unkept(group, tables)
        if group in self._provided:
            return 0
        self._provided.add(group)
        self._make_relations(GROUPS[group].read)
        runs = self._runs(group)
        if not runs and self._entries() < keep_from:
            self._begin_unkept(group)
            self._derive_unkept(group, tables)
            return 0
        self._show(group, runs)
        if not self._plan(group):
            return 0
        lacking = self._lacking()
        if self._keep and lacking and (runs or lacking >= keep_from):
            kept = self._derive_and_keep(group)
            if kept is not None:
                return kept
        self._derive_here(group, self._batches())
        return 0

    def freeze(self) -> list[Path]:
        """Read no later runs and write none from now on; returns the files that may be read."""
        self._keep = False
        self._frozen = {group: self._runs(group) for group in GROUPS}
        return [
            run.file(table) for runs in self._frozen.values() for run in runs for table in run.files
        ]

    def _begin_unkept(self, group: str) -> None:
        """Make what all rows of a group are made of, if the catalog keeps none of them."""
        self._unkept[group] = set()
        queries = {name: load_query(query) for name, query in GROUPS[group].all_new.items()}
        read = {name for sql in queries.values() for name in tables_read(sql)}
        nothing = [table for table in DERIVED_TABLES[group] if f"{KEPT}{table}" in read]
        for table in nothing:
            columns = no_rows(DERIVED_TABLES[group][table])
            self._connection.execute(f"CREATE TEMP VIEW {KEPT}{table} AS {columns}")
        self._make_relations(("entries",))
        for view in (SOURCE, *GROUPS[group].sources.values()):
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS FROM entries")
        for name, sql in queries.items():
            self._connection.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        for table in nothing:
            self._connection.execute(f"DROP VIEW {KEPT}{table}")

    def _derive_unkept(self, group: str, tables: Collection[str]) -> None:
        """Make these tables with the rows of everything, for this session alone.

        Only these: of a small store, most of the time goes into making tables.
        """
        made = self._unkept[group]
        for table, sql in derivations_needed(group, tables).items():
            if table not in made:
                made.add(table)
                # these relations are those of the session, which other questions may need
                self._make_relations(tables_read(sql))
                # not TEMP: what is made of a part of the view reads them on another connection
                self._connection.execute(f"CREATE TABLE new_{table} AS {sql}")
                self._connection.execute(f"CREATE VIEW {KEPT}{table} AS FROM new_{table}")

    def _derive_here(self, group: str, batches: Sequence[int]) -> None:
        """Make the rows of these batches for this session alone."""
        for number, batch in enumerate(batches):
            with self._batch(group, batch) as cursor:
                for table in DERIVED_TABLES[group]:
                    made = (
                        f"INSERT INTO fresh_{table}" if number else f"CREATE TABLE fresh_{table} AS"
                    )
                    cursor.execute(f"{made} FROM new_{table}")
            if GROUPS[group].is_sequence:
                self._show(group, self._runs(group), has_fresh=True)
        self._show(group, self._runs(group), has_fresh=bool(batches))

    def _derive_and_keep(self, group: str) -> int | None:
        """Make what is missing, and keep it; returns its entries, or None if it cannot be kept."""
        import duckdb

        with contextlib.ExitStack() as held:
            try:
                held.enter_context(waiting_lock(self._folder / LOCK))
            except StoreError:
                return None
            # another process may have kept some or all while this one waited
            self._show(group, self._runs(group))
            self._plan(group)
            kept = self._lacking()
            try:
                for batch in self._batches():
                    if batch >= 0:
                        self._keep_batch(group, batch)
                runs = self._runs(group)
                if len(runs) > _MOST_RUNS:
                    self._merge(group, runs[len(_large(runs)) :], _large(runs))
                sweep(self._folder, group, rules_of(group))
            except (OSError, duckdb.IOException):
                # a full disk, for example: what is missing is made for this session
                self._show(group, self._runs(group))
                self._plan(group)
                return None
        self._show(group, self._runs(group))
        self._derive_here(group, [batch for batch in self._batches() if batch < 0])
        return kept

    def _keep_batch(self, group: str, batch: int) -> None:
        """Make the rows of a batch, and a run of the catalog of them."""
        with self._batch(group, batch) as cursor:
            before = [run.path.name for run in self._runs(group)]
            self._write(cursor, group, "new_", before)
        if GROUPS[group].is_sequence:
            self._show(group, self._runs(group))

    def _merge(self, group: str, runs: Sequence[Run], before: Sequence[Run]) -> None:
        """Write the rows of the last runs as one run; those before them stay."""
        with contextlib.closing(self._connection.cursor()) as cursor:
            for table in DERIVED_TABLES[group]:
                several = self._selected(group, table, runs, has_fresh=False)
                cursor.execute(f"CREATE TEMP VIEW several_{table} AS {several}")
            for table in DERIVED_TABLES[group]:
                query = GROUPS[group].merged.get(table)
                merged = load_query(query) if query else f"FROM several_{table}"
                cursor.execute(f"CREATE TEMP TABLE merged_{table} AS {merged}")
            # runs that are not valid, as one that they depend on was missing, must not return
            replaced = {run.path.name for run in (*runs, *all_runs(self._folder, group))}
            kept = [run.path.name for run in before]
            self._write(cursor, group, "merged_", kept, sorted(replaced.difference(kept)))

    def _write(
        self,
        cursor: duckdb.DuckDBPyConnection,
        group: str,
        prefix: str,
        before: Sequence[str],
        replaced: Sequence[str] = (),
    ) -> None:
        def write(table: str, file: Path) -> int:
            copied = cursor.execute(
                f"COPY (FROM {prefix}{table}) TO {quoted(file)} "
                "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 60_000)"
            ).fetchone()
            return int(copied[0]) if copied else 0

        follows = before if GROUPS[group].is_sequence else ()
        write_run(self._folder, group, rules_of(group), write, replaced, follows)

    @contextlib.contextmanager
    def _batch(self, group: str, batch: int) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that has the new rows of a batch as tables ``new_<table>``."""
        # what a cursor calls TEMP is its own, and is found before what the session has
        with contextlib.closing(self._connection.cursor()) as cursor:
            for number, (name, query) in enumerate(GROUPS[group].batch.items()):
                text = load_query(query)
                parameters = {"batch": batch} if "$batch" in text else None
                cursor.execute(f"CREATE TEMP TABLE {name} AS {text}", parameters)
                # the first table has the layers of the batch
                view = GROUPS[group].sources.get(name) if number else SOURCE
                if view:
                    show_source(cursor, self._folder, f"SELECT layer FROM {name}", view)  # noqa: S608  # ours
            for name, query in GROUPS[group].views.items():
                cursor.execute(f"CREATE TEMP VIEW {name} AS {load_query(query)}")
            for name in relations_for(group):
                if name not in GROUPS[group].batch:
                    cursor.execute(making(name))
            for table, sql in derivations(group).items():
                cursor.execute(f"CREATE TEMP TABLE new_{table} AS {sql}")
            yield cursor

    def _plan(self, group: str) -> bool:
        """Make the table of what lacks rows, by batch; False if all rows are kept."""
        self._connection.execute(
            f"CREATE OR REPLACE TABLE derive_plan AS {load_query(GROUPS[group].plan)}",
            {"entries": BATCH_ENTRIES},
        )
        if not self._number("SELECT count(*) FROM derive_plan"):
            return False
        for name in GROUPS[group].given:
            self._connection.execute(f"CREATE OR REPLACE TABLE given_{name} AS FROM {name}")
        return True

    def _batches(self) -> list[int]:
        rows = self._connection.execute("SELECT DISTINCT batch FROM derive_plan ORDER BY batch")
        return [batch for (batch,) in rows.fetchall()]

    def _lacking(self) -> int:
        """Entries of what lacks rows and can have kept ones."""
        return self._number("SELECT sum(entries) FROM derive_plan WHERE is_new AND batch >= 0")

    def _entries(self) -> int:
        """Entries of all layers of the session."""
        return self._number(
            "SELECT sum(entries) FROM layers WHERE layer IN (SELECT layer FROM node)"
        )

    def _number(self, sql: str) -> int:
        found = self._connection.execute(sql).fetchone()
        return int(found[0] or 0) if found else 0

    def _runs(self, group: str) -> list[Run]:
        if self._frozen is not None:
            return self._frozen[group]
        # the rules of a group are read from many files
        return valid_runs(self._folder, group, rules_of(group)) if keeps_any(self._folder) else []

    def _show(self, group: str, runs: Sequence[Run], *, has_fresh: bool = False) -> None:
        """Make the views of a group's tables."""
        for table in DERIVED_TABLES[group]:
            selected = self._selected(group, table, runs, has_fresh=has_fresh)
            self._connection.execute(f"CREATE OR REPLACE VIEW {KEPT}{table} AS {selected}")

    def _selected(self, group: str, table: str, runs: Sequence[Run], *, has_fresh: bool) -> str:
        columns = DERIVED_TABLES[group][table]
        files = [run.file(table) for run in runs if table in run.files]
        selected = ", ".join(columns)
        parts = []
        if files:
            parts.append(f"SELECT {selected} FROM read_parquet([{listed(files)}])")  # noqa: S608  # quoted
        if has_fresh:
            parts.append(f"SELECT {selected} FROM fresh_{table}")  # noqa: S608  # ours
        return " UNION ALL ".join(parts) or no_rows(columns)


def _large(runs: Sequence[Run]) -> Sequence[Run]:
    """The first runs that are larger than all after them: to merge them would take too long."""
    sizes = [sum(size for size, _ in run.files.values()) for run in runs]
    number = 0
    while number < len(runs) - 2 and sizes[number] > sum(sizes[number + 1 :]):
        number += 1
    return runs[:number]
