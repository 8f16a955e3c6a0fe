"""Commands that answer one question with a table, and the options that all of them have.

Such a command is a function from a session and its own options to an ``AnyQuestion``. The decorator
``table`` adds the common options, asks the question, and writes the answer.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dedupe.cli.options import (
    BytesOption,
    CatalogOption,
    ExplainOption,
    LimitOption,
    OutputOption,
    ScanOption,
    SortOption,
    SourceOption,
)
from dedupe.cli.output import write, write_bytes
from dedupe.model.questions import Question

if TYPE_CHECKING:
    from dedupe.model.questions import Answer, AnyQuestion
    from dedupe.store.session import Session


class TableFormat(StrEnum):
    """Forms of a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


TableFormatOption = Annotated[
    TableFormat, typer.Option("--format", "-f", help="Output format of the rows.")
]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What the user chose for the output of a table."""

    format: TableFormat = TableFormat.TABLE
    output: Path | None = None
    #: rows at most; 0 for all
    limit: int = 0
    sort: str | None = None
    #: exact byte counts instead of sizes with units
    plain: bool = False
    #: all columns, instead of those that fit a screen
    wide: bool = False


@dataclass(frozen=True, slots=True)
class TextInput:
    """What a table in text is written from."""

    question: "AnyQuestion"
    #: all rows, for totals
    answer: "Answer"
    #: the rows to show
    shown: "Answer"
    options: TableOptions


def table(
    *,
    limit: int = 0,
    columns: tuple[str, ...] = (),
    text: Callable[[TextInput], str] | None = None,
    every_scan: bool = False,
    sorts: tuple[str, ...] = (),
) -> "Callable[[Callable[..., AnyQuestion]], Callable[..., None]]":
    """Make a command of a function that turns ``(session, own options)`` into an AnyQuestion.

    ``limit`` is the default of ``--limit``. As text a table is written by ``text``; without it, as
    these ``columns``, or all with ``--wide``. Above it stands what of the scan could not be read,
    unless the table is about ``every_scan``; with other formats that is on standard error. A query
    with the parameters ``most`` and ``sort`` itself sorts by the columns ``sorts`` and by none.
    """
    write_text = text or partial(_aligned, columns)

    def decorate(function: "Callable[..., AnyQuestion]") -> Callable[..., None]:
        own = list(inspect.signature(function).parameters.values())[1:]
        common = list(inspect.signature(_common(limit)).parameters.values())
        names = [parameter.name for parameter in common]

        def command(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in names}
            explain = chosen.pop("explain")
            session = open_session(*(chosen.pop(name) for name in ("catalog", "scan", "source")))
            options = TableOptions(**chosen)
            question = _limited(function(session, **given), options, sorts)
            if explain:
                typer.echo(explanation(question))
                return
            answer = session.answer(question)
            lines = [] if every_scan else doubts_of(session, question)
            if options.format is not TableFormat.TABLE:
                for line in lines:
                    typer.echo(f"dedupe: incomplete: {line}", err=True)
            head = "".join(f"INCOMPLETE: {line}.\n" for line in lines)
            show(
                answer,
                options,
                lambda shown: head + write_text(TextInput(question, answer, shown, options)),
                found=_rows_found(session, question),
            )

        # typer reads a command's options from its signature
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # a function has one
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *common)]
        )
        command.__annotations__ = {each.name: each.annotation for each in (*own, *common)}
        command.__doc__ = function.__doc__
        command.__name__ = function.__name__
        return command

    return decorate


def _common(rows: int) -> Callable[..., None]:
    """A function whose signature holds the options of every table."""

    def options(
        catalog: CatalogOption = None,
        scan: ScanOption = None,
        source: SourceOption = None,
        format: TableFormatOption = TableFormat.TABLE,
        output: OutputOption = None,
        limit: LimitOption = rows,
        sort: SortOption = None,
        plain: BytesOption = False,
        wide: Annotated[bool, typer.Option("--wide", help="Show all columns.")] = False,
        explain: ExplainOption = False,
    ) -> None:
        """Only the signature is used."""

    return options


def open_session(
    catalog: Path | None, scan: str | None, sources: Sequence[str] | None = None
) -> "Session":
    """The session for a command's options, which shows elapsed time while it computes.

    Standard error tells what the command is about, unless it is the last scan and nothing else.
    """
    from dedupe.cli.elapsed import ElapsedTime
    from dedupe.report.view import about
    from dedupe.store.catalog import default_catalog
    from dedupe.store.session import Session

    session = Session(
        catalog or default_catalog(), scan, waiting=ElapsedTime(), sources=sources or ()
    )
    line = about(session.view)
    if line:
        typer.echo(f"dedupe: {line}", err=True)
    return session


def _limited(
    question: "AnyQuestion", options: TableOptions, sorts: tuple[str, ...]
) -> "AnyQuestion":
    """The question for no more rows than are shown, if its query can choose these."""
    if "sort" not in question.parameters or not (options.sort is None or options.sort in sorts):
        return question
    chosen = {"most": options.limit or None, "sort": options.sort or ""}
    return replace(question, parameters={**question.parameters, **chosen})


def _rows_found(session: "Session", question: "AnyQuestion") -> int | None:
    """The number of all rows, if the answer may have fewer."""
    if "sort" not in question.parameters or question.parameters["most"] is None:
        return None
    counted: AnyQuestion = Question(f"counts/{question.name}", {}, question.images)
    (row,) = session.rows(counted)
    found: int = row["found"]
    return found


def show(
    answer: "Answer",
    options: TableOptions,
    text: "Callable[[Answer], str] | None" = None,
    *,
    found: int | None = None,
) -> None:
    """Write an answer as the options say; standard error tells how many rows were left out.

    ``text`` writes the chosen rows as text; without it they are an aligned table of all columns.
    ``found`` is the number of all rows, if the answer may have fewer.
    """
    from dedupe.report import tables

    chosen, left_out = tables.select_rows(answer, options.sort, options.limit)
    if found is not None:
        left_out = found - len(chosen.rows)
    match options.format:
        case TableFormat.PARQUET:
            write_bytes(tables.to_parquet(chosen), options.output)
        case TableFormat.JSON:
            write(tables.to_json(chosen), options.output)
        case TableFormat.CSV:
            write(tables.to_csv(chosen), options.output)
        case TableFormat.TABLE if text:
            write(text(chosen), options.output)
        case TableFormat.TABLE:
            write(tables.to_terminal(chosen, plain=options.plain), options.output)
    if left_out:
        typer.echo(f"dedupe: {left_out} more rows; --limit 0 shows all", err=True)


def _aligned(columns: tuple[str, ...], table: TextInput) -> str:
    from dedupe.report import tables

    shown = () if table.options.wide else columns
    return tables.to_terminal(table.shown, plain=table.options.plain, columns=shown)


def doubts_of(session: "Session", question: "AnyQuestion") -> list[str]:
    """What could not be read of the images that a question is about; empty if all was."""
    from dedupe.analysis import queries
    from dedupe.report.doubts import doubts, of_images

    incomplete = session.rows(queries.incomplete(about=question.images))
    if question.images:
        return of_images(incomplete, session.rows(queries.sources(about=question.images)))
    sources = session.rows(queries.sources())
    return doubts(incomplete, sources, session.rows(queries.failed_places()))


def explanation(question: "AnyQuestion") -> str:
    """The query's file, its parameters and its SQL, whose header names the definitions."""
    from dedupe.installed import locate_pages
    from dedupe.store.sql import load_query

    values = "".join(f"-- ${name} = {value!r}\n" for name, value in question.parameters.items())
    images = "".join(f"-- of image {each}\n" for each in question.images)
    sql = locate_pages(load_query(question.name))
    return f"-- queries/{question.name}.sql\n{images}{values}{sql}".rstrip()
