"""The command that reports where the bytes of a scan are."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import BytesOption, CatalogOption, OutputOption, ScanOption, SourceOption
from dedupe.cli.output import write
from dedupe.cli.tables import open_session
from dedupe.report.forms import DEFAULT_LIMIT, FORMS, Form, ReportInput

if TYPE_CHECKING:
    ReportFormat = Form
else:
    # the command makes no check, so its choices are the forms that need none
    ReportFormat = StrEnum(
        "ReportFormat",
        {form.name: form.value for form, entry in FORMS.items() if not entry.needs_check},
    )


def report(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: Annotated[
        ReportFormat, typer.Option("--format", "-f", help="Output format.")
    ] = ReportFormat.TERMINAL,
    output: OutputOption = None,
    limit: Annotated[
        int,
        typer.Option("--limit", min=0, metavar="ROWS", help="Rows per list (0 = no limit)."),
    ] = DEFAULT_LIMIT,
    plain: BytesOption = False,
) -> None:
    """Show where the bytes are, and what to fix first."""
    given = ReportInput(open_session(catalog, scan, source), limit=limit, plain=plain)
    write(FORMS[Form(format)].write(given), output)
