"""The command that compares two images, two scans or two groups of sources."""

from typing import TYPE_CHECKING, Annotated

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
from dedupe.cli.output import write
from dedupe.cli.tables import (
    TableFormat,
    TableFormatOption,
    TableOptions,
    explanation,
    open_session,
    show,
)
from dedupe.errors import UsageError

if TYPE_CHECKING:
    from dedupe.analysis.diff import Comparison
    from dedupe.model.questions import Answer
    from dedupe.store.session import Session


def diff(
    old: Annotated[str | None, typer.Argument(metavar="OLD", help="Image to compare from.")] = None,
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="Image to compare with OLD.")
    ] = None,
    scans: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="OLD NEW", help="Compare two scans, by ID or its beginning."),
    ] = None,
    sources: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="GLOB GLOB", help="Compare two groups of sources of one scan."),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only the summary, as text or with -f json.")
    ] = False,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: TableFormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 50,
    sort: SortOption = None,
    plain: BytesOption = False,
    explain: ExplainOption = False,
) -> None:
    """Compare two images, two scans, or two groups of sources.

    Shows a summary and one row per difference.
    """
    session = open_session(catalog, scan, source)
    options = TableOptions(format, output, limit, sort, plain)
    comparison = _comparison(session, (old, new), scans, sources)
    if explain:
        from dedupe.analysis.diff import questions_of

        asked = questions_of(comparison)
        write("\n\n".join(explanation(question) for question in asked) + "\n", output)
    elif summary:
        _show_summary(session, comparison, options)
    else:
        _show_rows(session, comparison, options)


def _comparison(
    session: "Session",
    images: tuple[str | None, str | None],
    scans: tuple[str, str] | None,
    sources: tuple[str, str] | None,
) -> "Comparison":
    """The comparison asked for; raises UsageError for anything but one pair of one kind."""
    from dedupe.analysis import diff as comparisons

    match images, scans, sources:
        case (str(old), str(new)), None, None:
            return comparisons.compare_images(session, old, new)
        case (None, None), (old, new), None:
            return comparisons.compare_scans(session, old, new)
        case (None, None), None, (first, second):
            return comparisons.compare_sources(session, first, second)
        case _:
            raise UsageError(
                "expected two images, --scans OLD NEW, or --sources GLOB GLOB", "not-a-pair"
            )


def _show_summary(session: "Session", comparison: "Comparison", options: TableOptions) -> None:
    from dedupe.analysis.diff import summarise
    from dedupe.report.diff import to_json, to_terminal

    match options.format:
        case TableFormat.JSON:
            write(to_json(summarise(session, comparison)), options.output)
        case TableFormat.TABLE:
            text = to_terminal(summarise(session, comparison), plain=options.plain)
            write(text, options.output)
        case TableFormat.CSV | TableFormat.PARQUET:
            raise UsageError(
                f"--summary has no format {options.format}: expected table or json", "no-form"
            )


def _show_rows(session: "Session", comparison: "Comparison", options: TableOptions) -> None:
    """One row per difference; as text below the summary, which says what could not be read."""
    from dedupe.cli.tables import doubts_of

    if options.format is not TableFormat.TABLE:
        for line in doubts_of(session, comparison.rows):
            typer.echo(f"dedupe: incomplete: {line}", err=True)

    def text(shown: "Answer") -> str:
        from dedupe.analysis.diff import summarise
        from dedupe.report import tables
        from dedupe.report.diff import to_terminal

        summary = to_terminal(summarise(session, comparison), plain=options.plain)
        rows = f"\n{tables.to_terminal(shown, plain=options.plain)}" if shown.rows else ""
        return summary + rows

    show(session.answer(comparison.rows), options, text)
