"""Questions to a catalog: a DuckDB connection with its tables, and the relations of one scan."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from dedupe.errors import StoreError, UsageError
from dedupe.installed import queries_folder
from dedupe.model.questions import Answer, Question, R
from dedupe.model.tables import SCAN_TABLES, TABLES
from dedupe.store.catalog import file_name, scan_ids
from dedupe.store.selects import require_select

if TYPE_CHECKING:
    import duckdb


def load_query(name: str) -> str:
    """Text of ``queries/<name>.sql``."""
    return (queries_folder() / f"{name}.sql").read_text()


@cache
def relations() -> dict[str, str]:
    """Name -> SQL of ``queries/relations/NN_name.sql``, each after those that it is made of."""
    files = sorted((queries_folder() / "relations").glob("*.sql"))
    return {file.stem.partition("_")[2]: file.read_text() for file in files}


def needed_relations(text: str) -> list[str]:
    """Relations that a query, or a relation that it needs, names: in the order to make them.

    A word of the query that only looks like a relation's name costs its making, and nothing else.
    """
    needed: set[str] = set()
    for name in reversed(relations()):
        if name in _words(text) or any(name in _tables(relations()[other]) for other in needed):
            needed.add(name)
    return [name for name in relations() if name in needed]


@cache
def _words(sql: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", re.sub(r"--[^\n]*", "", sql)))


@cache
def _tables(sql: str) -> frozenset[str]:
    """What our own SQL reads from: its columns may have the names of tables."""
    return frozenset(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", re.sub(r"--[^\n]*", "", sql)))


class Session:
    """One scan of a catalog, ready for questions; with ``images``, as if it held no others.

    Relations that several questions need are made once, when a question first names them.
    ``waiting`` is entered whenever somebody has to wait.
    """

    def __init__(
        self,
        folder: Path,
        scan: str | None = None,
        images: tuple[str, ...] = (),
        waiting: AbstractContextManager[object] | None = None,
    ) -> None:
        known = scan_ids(folder)
        if not known:
            raise StoreError(
                f"catalog {folder}: no scan yet: run 'dedupe scan PATH' first", "no-scan"
            )
        if scan is not None and scan not in known:
            raise StoreError(
                f"catalog {folder}: no scan {scan}; the last is {known[-1]}", "no-scan"
            )
        self.scan = scan or known[-1]
        self._folder = folder.resolve()
        self._images = images
        self._waiting = waiting or contextlib.nullcontext()
        with self._waiting, _readable(self._folder):
            self._connection = connect(self._folder, self.scan, images)
            spill = _private_folder()
            self._connection.execute("SET temp_directory = $folder", {"folder": spill})
        self._remove_folder = weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True)
        self._made: set[str] = set()
        self._narrowed: dict[tuple[str, ...], Session] = {}
        self._closed = False

    def answer(self, question: Question[Any]) -> Answer:
        """Rows of ``queries/<name>.sql``, its parameters bound."""
        if question.images not in ((), self._images):
            return self._about(question.images).answer(question)
        text = load_query(question.name)
        with self._waiting, _readable(self._folder):
            self._prepare(text)
            return _answer(self._connection.execute(text, dict(question.parameters)))

    @overload
    def rows(self, question: Question[R]) -> list[R]: ...

    @overload
    def rows(self, question: str, **parameters: Any) -> list[dict[str, Any]]: ...

    def rows(
        self, question: Question[R] | str, **parameters: Any
    ) -> list[R] | list[dict[str, Any]]:
        """Rows of a question, one dictionary each; by its name alone they are not typed."""
        if isinstance(question, str):
            return self.answer(Question(question, parameters)).dicts()
        return cast("list[R]", self.answer(question).dicts())

    def beside(self, orders: Mapping[str, Sequence[int]]) -> Session:
        """These images alone, each once more as ``proposed:ID`` with its layers in another order.

        An order lists today's positions, the lowest first. Close the session after use: it holds
        the relations of all that it was asked.
        """
        session = Session(self._folder, self.scan, tuple(orders), self._waiting)
        placed = [
            (image, position, place)
            for image, order in orders.items()
            for place, position in enumerate(order)
        ]
        images, positions, proposed = zip(*placed, strict=True)
        with self._waiting, _readable(self._folder):
            session._replace("scan_images", "reorder/proposed_images")
            session._replace(
                "scan_image_layers",
                "reorder/proposed_layers",
                {"images": images, "positions": positions, "proposed": proposed},
            )
        return session

    def close(self) -> None:
        """Give back what it holds; it answers nothing any more."""
        self._connection.close()
        self._remove_folder()

    def ask(self, text: str) -> Answer:
        """Answer to one SELECT of a user's over the catalog's tables and the scan's relations.

        It can read nothing else and write nothing. Raises UsageError for anything but one SELECT,
        and for one that DuckDB refuses.
        """
        import duckdb

        try:
            require_select(self._connection, text, relations())
            self._prepare(text)
            self._close()
            # a second lock: it alone would stop INSERT, UPDATE and DELETE, but not COPY TO
            self._connection.execute("BEGIN TRANSACTION READ ONLY")
            try:
                return _answer(self._connection.execute(text))
            finally:
                self._connection.execute("ROLLBACK")
        except duckdb.Error as error:
            raise UsageError(f"query: {error}", "bad-query") from error

    def _about(self, images: tuple[str, ...]) -> Session:
        """The same scan with these images alone: what it costs grows with them, not the scan."""
        if images not in self._narrowed:
            self._narrowed[images] = Session(self._folder, self.scan, images, self._waiting)
        return self._narrowed[images]

    def _close(self) -> None:
        """Allow no file but those of the catalog's tables from here on, for good."""
        if self._closed:
            return
        # not their folder: other files could be read and made in it
        self._connection.execute("SET allowed_paths = $files", {"files": _files(self._folder)})
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")
        self._closed = True

    def _replace(
        self, view: str, query: str, parameters: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        """Let a view of the scan say what a query of ours says of it."""
        made = f"CREATE TABLE other AS {load_query(query)}"
        self._connection.execute(made, dict(parameters or {}))
        self._connection.execute(f"DROP VIEW {view}")
        self._connection.execute(f"ALTER TABLE other RENAME TO {view}")

    def _prepare(self, text: str) -> None:
        """Make the relations that a query names, and those that they name, once."""
        for name in needed_relations(text):
            if name not in self._made:
                self._connection.execute(f"CREATE TEMP TABLE {name} AS {relations()[name]}")
                self._made.add(name)


@contextlib.contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Raises StoreError where a file of the catalog is damaged or has gone."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        said = str(error).partition("\n")[0]
        raise StoreError(
            f"catalog {folder}: {said}; 'dedupe scan --rehash PATH' writes it anew", "bad-catalog"
        ) from error


def _private_folder() -> str:
    """A folder of our own for what does not fit into memory; empty where none can be made.

    DuckDB's own choice is ``.tmp`` in the working folder, which anybody may have put there, maybe
    as a link, and which a closed connection may still read and write.
    """
    # the place is named, since Python would try out several by writing to them, that one too
    place = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  # in it, a random name of mode 0700
    try:
        return tempfile.mkdtemp(prefix="dedupe-", dir=place)
    except OSError:
        return ""


def _files(folder: Path) -> list[str]:
    """Paths of the files that hold the catalog's tables, as its views name them."""
    of_scans = [
        folder / "scans" / scan / f"{table}.parquet"
        for scan in scan_ids(folder)
        for table in SCAN_TABLES
    ]
    of_layers = [
        file
        for table in TABLES
        if table not in SCAN_TABLES
        for file in _layer_files(folder / table, None)
    ]
    return [str(file) for file in (*of_scans, *of_layers)]


def _answer(cursor: duckdb.DuckDBPyConnection) -> Answer:
    columns = {column[0]: str(column[1]) for column in cursor.description or ()}
    return Answer(columns, cursor.fetchall())


def connect(folder: Path, scan: str, images: tuple[str, ...] = ()) -> duckdb.DuckDBPyConnection:
    """A connection with all tables of the catalog, and ``scan_…`` for those of one scan.

    With ``images``, what the scan says of others, and what only others hold, is left out.
    """
    import duckdb

    connection = duckdb.connect(
        config={
            "preserve_insertion_order": False,
            # a name that is no table could be a variable of ours
            "python_enable_replacements": False,
        }
    )
    connection.execute(load_query("macros"))
    scans = folder / "scans"
    for table in SCAN_TABLES:
        files = [scans / known / f"{table}.parquet" for known in scan_ids(folder)]
        _view(connection, f"scan_{table}", table, [scans / scan / f"{table}.parquet"], images)
        _view(connection, table, table, files)
    kept = _layers_of_scan(connection) if images else None
    for table in TABLES:
        if table not in SCAN_TABLES:
            _view(connection, table, table, _layer_files(folder / table, kept))
    return connection


def _layers_of_scan(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """File names of the layers that the scan's images and their containers have."""
    rows = connection.execute(
        "SELECT layer FROM scan_image_layers UNION SELECT layer FROM scan_containers"
    ).fetchall()
    return {file_name(layer) for (layer,) in rows if layer is not None}


def _layer_files(folder: Path, kept: set[str] | None) -> list[Path]:
    """Files of a table that is kept by layer; entries are in several, with a number each."""
    return [
        file
        for file in sorted(folder.glob("*.parquet"))
        if not file.name.startswith(".")
        and (kept is None or file.stem in kept or file.stem.rpartition("-")[0] in kept)
    ]


def _view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: str,
    files: list[Path],
    images: tuple[str, ...] = (),
) -> None:
    # a view takes no parameters; names are ours, and the quotes of values are doubled
    columns = TABLES[table]
    if files:
        listed = ", ".join(_quoted(str(file)) for file in files)
        source = f"SELECT {', '.join(columns)} FROM read_parquet([{listed}])"  # noqa: S608
        if images and "image_id" in columns:
            source += f" WHERE image_id IN ({', '.join(_quoted(each) for each in images)})"
    else:
        typed = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
        source = f"SELECT {typed} WHERE false"
    connection.execute(f"CREATE VIEW {name} AS {source}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
