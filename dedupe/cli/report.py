"""The command that says where the bytes go."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import LIMIT_HELP, BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.output import write
from dedupe.cli.tables import open_session

if TYPE_CHECKING:
    from dedupe.store.session import Session


class ReportFormat(StrEnum):
    """Forms of the whole report."""

    TERMINAL = "terminal"
    JSON = "json"
    HTML = "html"
    MARKDOWN = "markdown"
    CSV = "csv"
    SARIF = "sarif"
    OPENMETRICS = "openmetrics"


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
    session = open_session(catalog, scan)
    write(_rendered(session, format, limit=limit, plain=plain), output)


def _rendered(session: "Session", format: ReportFormat, *, limit: int, plain: bool) -> str:
    from dedupe.analysis.metrics import metrics
    from dedupe.analysis.overview import inventory, overview
    from dedupe.analysis.page import page

    match format:
        case ReportFormat.TERMINAL:
            from dedupe.report import terminal

            return terminal.render(overview(session), plain=plain)
        case ReportFormat.JSON:
            from dedupe.report import json_report

            return json_report.render(inventory(session), limit)
        case ReportFormat.HTML:
            from dedupe.report import html

            return html.render(page(session))
        case ReportFormat.MARKDOWN:
            from dedupe.report import markdown

            return markdown.render(overview(session), plain=plain)
        case ReportFormat.CSV:
            from dedupe.report import csv_report

            return csv_report.render(overview(session), limit)
        case ReportFormat.SARIF:
            from dedupe.report import sarif

            return sarif.render(overview(session), limit)
        case ReportFormat.OPENMETRICS:
            from dedupe.report import openmetrics

            return openmetrics.render(metrics(session))
