"""The command that compares two images, two scans or two groups of sources."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import LIMIT_HELP, BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.output import write
from dedupe.cli.tables import TableFormat, explanation, open_session, show
from dedupe.errors import UsageError

if TYPE_CHECKING:
    from dedupe.analysis.diff import Comparison
    from dedupe.store.session import Session


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(diff)


def diff(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[OLD NEW]", help="Two images.")
    ] = None,
    scans: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="OLD NEW", help="Two scans, by ID or its beginning."),
    ] = None,
    sources: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="GLOB GLOB", help="Two groups of sources of one scan."),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="The summary alone: as text, or with -f json.")
    ] = False,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: Annotated[
        TableFormat, typer.Option("--format", "-f", help="Form of the rows of what differs.")
    ] = TableFormat.TABLE,
    output: OutputOption = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help=LIMIT_HELP)] = 50,
    sort: Annotated[
        str | None, typer.Option("--sort", help="Column to sort by, the largest first.")
    ] = None,
    plain: BytesOption = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the queries and their parameters instead.")
    ] = False,
) -> None:
    """Say what differs between two images, two scans, or two groups of sources."""
    session = open_session(catalog, scan)
    comparison = _comparison(session, images or [], scans, sources)
    if explain:
        from dedupe.analysis.diff import questions_of

        asked = questions_of(comparison)
        write("\n\n".join(explanation(question) for question in asked) + "\n", output)
    elif summary:
        _show_summary(session, comparison, format, output, plain)
    elif format is TableFormat.TABLE:
        _show_all(session, comparison, output, limit, sort, plain)
    else:
        show(session.answer(comparison.rows), format, output, limit, sort, plain)


def _comparison(
    session: "Session",
    images: list[str],
    scans: tuple[str, str] | None,
    sources: tuple[str, str] | None,
) -> "Comparison":
    """What is compared; raises UsageError for anything but one pair of one kind."""
    from dedupe.analysis import diff as comparisons

    match images, scans, sources:
        case [old, new], None, None:
            return comparisons.compare_images(session, old, new)
        case [], (old, new), None:
            return comparisons.compare_scans(session, old, new)
        case [], None, (first, second):
            return comparisons.compare_sources(session, first, second)
        case _:
            raise UsageError(
                "expected two images, --scans OLD NEW, or --sources GLOB GLOB", "not-a-pair"
            )


def _show_summary(
    session: "Session",
    comparison: "Comparison",
    format: TableFormat,
    output: Path | None,
    plain: bool,
) -> None:
    from dedupe.analysis.diff import summarise
    from dedupe.report.diff import as_json, as_text

    match format:
        case TableFormat.JSON:
            write(as_json(summarise(session, comparison)), output)
        case TableFormat.TABLE:
            write(as_text(summarise(session, comparison), plain=plain), output)
        case TableFormat.CSV | TableFormat.PARQUET:
            raise UsageError(f"a summary has no form {format}: expected table or json", "no-form")


def _show_all(
    session: "Session",
    comparison: "Comparison",
    output: Path | None,
    limit: int,
    sort: str | None,
    plain: bool,
) -> None:
    """The summary, and the rows of what differs below it."""
    from dedupe.analysis.diff import summarise
    from dedupe.report import tables
    from dedupe.report.diff import as_text

    found = summarise(session, comparison)
    answer = session.answer(comparison.rows)
    chosen, left_out = tables.chosen(answer, sort, limit)
    rows = "\n" + tables.as_text(chosen, plain=plain) if chosen.rows else ""
    write(as_text(found, plain=plain) + rows, output)
    if left_out:
        typer.echo(f"dedupe: {left_out} more rows; --limit 0 shows all", err=True)
