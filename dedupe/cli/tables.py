"""Commands that answer one question with a table: what they share is written once, here.

Such a command is a function from a session and its own options to a ``AnyQuestion``. The decorator
``table`` adds the common options, asks, and writes the answer in the form that was asked for.
"""

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from dedupe.cli.options import LIMIT_HELP, BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.output import write, write_bytes

if TYPE_CHECKING:
    from dedupe.model.questions import Answer, AnyQuestion
    from dedupe.store.session import Session


class Text(Protocol):
    """Writes an answer to a question for people."""

    def __call__(
        self, question: "AnyQuestion", answer: "Answer", shown: "Answer", *, plain: bool
    ) -> str:
        """The rows that are to be shown, as text; totals are those of the whole answer."""
        ...


class TableFormat(StrEnum):
    """Forms of a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def table(
    app: typer.Typer,
    *,
    limit: int = 0,
    name: str | None = None,
    text: "Text | None" = None,
    columns: tuple[str, ...] = (),
) -> "Callable[[Callable[..., AnyQuestion]], Callable[..., None]]":
    """Make a command of a function that turns ``(session, own options)`` into a AnyQuestion.

    ``columns`` are those that people see first, unless they ask for all; ``text`` writes its table
    for people, where columns as they stand would not do.
    """

    def register(function: "Callable[..., AnyQuestion]") -> Callable[..., None]:
        own = list(inspect.signature(function).parameters.values())[1:]
        common = list(inspect.signature(_common(limit)).parameters.values())
        names = [parameter.name for parameter in common]

        def command(**given: Any) -> None:
            options = {name: given.pop(name) for name in names}
            explain, catalog, scan = (options.pop(name) for name in ("explain", "catalog", "scan"))
            session = open_session(catalog, scan)
            question = function(session, **given)
            if explain:
                typer.echo(explanation(question))
            else:
                show(
                    session.answer(question),
                    **options,
                    text=text and partial(text, question),
                    columns=columns,
                )

        # typer reads a command's options from its signature
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *common)]
        )
        command.__annotations__ = {each.name: each.annotation for each in (*own, *common)}
        command.__doc__ = function.__doc__
        command.__name__ = function.__name__
        app.command(name)(command)
        return command

    return register


def _common(rows: int) -> Callable[..., None]:
    """A function whose signature holds the options of every table."""

    def options(
        catalog: CatalogOption = None,
        scan: ScanOption = None,
        format: Annotated[
            TableFormat, typer.Option("--format", "-f", help="Form of the table.")
        ] = TableFormat.TABLE,
        output: OutputOption = None,
        limit: Annotated[int, typer.Option("--limit", min=0, help=LIMIT_HELP)] = rows,
        sort: Annotated[
            str | None, typer.Option("--sort", help="Column to sort by, the largest first.")
        ] = None,
        plain: BytesOption = False,
        wide: Annotated[bool, typer.Option("--wide", help="All columns of the table.")] = False,
        explain: Annotated[
            bool, typer.Option("--explain", help="Show the query and its parameters instead.")
        ] = False,
    ) -> None:
        """Only its signature is used."""

    return options


def open_session(catalog: Path | None, scan: str | None) -> "Session":
    """The session that a command's options ask for."""
    from dedupe.cli.patience import Patience
    from dedupe.store.catalog import default_catalog
    from dedupe.store.session import Session

    return Session(catalog or default_catalog(), scan, waiting=Patience())


def show(
    answer: "Answer",
    format: TableFormat,
    output: Path | None,
    limit: int = 0,
    sort: str | None = None,
    plain: bool = False,
    wide: bool = False,
    text: "Callable[..., str] | None" = None,
    columns: tuple[str, ...] = (),
) -> None:
    """Write an answer in a form, and say on standard error what is left out of it.

    ``text`` takes the whole answer and the rows to show of it.
    """
    from dedupe.report import tables

    chosen, left_out = tables.chosen(answer, sort, limit)
    match format:
        case TableFormat.PARQUET:
            write_bytes(tables.as_parquet(chosen), output)
        case TableFormat.JSON:
            write(tables.as_json(chosen), output)
        case TableFormat.CSV:
            write(tables.as_csv(chosen), output)
        case TableFormat.TABLE:
            if text is None:
                write(tables.as_text(chosen, plain=plain, columns=() if wide else columns), output)
            else:
                write(text(answer, chosen, plain=plain), output)
    if left_out:
        typer.echo(f"dedupe: {left_out} more rows; --limit 0 shows all", err=True)


def explanation(question: "AnyQuestion") -> str:
    """The query's file, its parameters and its text: where every figure comes from."""
    from dedupe.store.sql import load_query

    values = "".join(f"-- ${name} = {value!r}\n" for name, value in question.parameters.items())
    images = "".join(f"-- of image {each}\n" for each in question.images)
    return f"-- queries/{question.name}.sql\n{images}{values}{load_query(question.name)}".rstrip()
