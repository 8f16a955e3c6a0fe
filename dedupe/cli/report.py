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
    from dedupe.report import json_report, terminal

    found = overview(open_session(catalog, scan))
    match format:
        case ReportFormat.JSON:
            write(json_report.render(found, limit), output)
        case ReportFormat.TERMINAL:
            write(terminal.render(found, plain=plain), output)
