"""The command that says where the bytes go."""

from enum import StrEnum
from typing import Annotated

import typer

from dedupe.cli.options import LIMIT_HELP, BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.tables import open_session, write


class ReportFormat(StrEnum):
    """Forms of the whole report."""

    TERMINAL = "terminal"
    JSON = "json"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(report)


def report(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: Annotated[
        ReportFormat, typer.Option("--format", "-f", help="Form of the report.")
    ] = ReportFormat.TERMINAL,
    output: OutputOption = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help=LIMIT_HELP)] = 1000,
    plain: BytesOption = False,
) -> None:
    """Say where the bytes go, and what is worst."""
    from dedupe.analysis.overview import overview
    from dedupe.analysis.page import page

    session = open_session(catalog, scan)
    match format:
        case ReportFormat.JSON:
            from dedupe.report import json_report

            write(json_report.render(overview(session), limit), output)
        case ReportFormat.HTML:
            from dedupe.report import html

            write(html.render(page(session)), output)
        case ReportFormat.TERMINAL:
            from dedupe.report import terminal

            write(terminal.render(overview(session), plain=plain), output)
