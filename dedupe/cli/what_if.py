"""The command that says what deleting images frees. It deletes nothing."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dedupe.cli.options import BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.output import write
from dedupe.cli.tables import TableFormat, explanation, open_session, show
from dedupe.cli.usage import GranularityOption
from dedupe.errors import UsageError
from dedupe.model.choices import DeletionOrder, Granularity


class WhatIfFormat(StrEnum):
    """Forms of the answer."""

    TERMINAL = "terminal"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class WhatIfRows(StrEnum):
    """Rows of the forms that hold one table."""

    IMAGES = "images"
    FREED = "freed"
    LAYERS = "layers"
    CONTAINERS = "containers"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("what-if")(what_if)


def what_if(
    delete: Annotated[
        list[str] | None,
        typer.Option("--delete", metavar="IMAGE", help="A name, glob or ID of images; repeat it."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="IMAGE", help="Images that stay; alone, all others go."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="Only images older than 90d, 12w or a date."
        ),
    ] = None,
    any_date: Annotated[
        bool, typer.Option("--any-date", help="Made-up or absent dates count as old.")
    ] = False,
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", help="Images to delete, one a line; - is standard input."),
    ] = None,
    free: Annotated[
        str | None,
        typer.Option("--free", metavar="SIZE", help="Of these images, enough to free 50GB."),
    ] = None,
    order: Annotated[
        DeletionOrder, typer.Option("--order", help="With --free: which images go first.")
    ] = DeletionOrder.GAIN,
    granularity: GranularityOption = Granularity.UNPACKED,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: Annotated[
        WhatIfFormat, typer.Option("--format", "-f", help="Form of the answer.")
    ] = WhatIfFormat.TERMINAL,
    rows: Annotated[
        WhatIfRows, typer.Option("--rows", help="With CSV and Parquet: which table.")
    ] = WhatIfRows.IMAGES,
    output: OutputOption = None,
    plain: BytesOption = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the queries and their parameters instead.")
    ] = False,
) -> None:
    """Say what deleting images would free, what stays and why, and the commands. Deletes nothing.

    An image goes if it fits all that is said. What a set of images frees is more than the sum of
    what each would free alone: what only they share goes with the last of them.
    """
    from datetime import UTC, datetime

    from dedupe.analysis.amounts import moment, size_bytes
    from dedupe.analysis.what_if import DeletionFilter, Target
    from dedupe.analysis.what_if import what_if as ask
    from dedupe.report import what_if as report

    now = datetime.now(UTC).replace(tzinfo=None)
    named = [*(delete or ()), *(_lines(from_file) if from_file else ())]
    if not (named or keep or older_than or free):
        raise UsageError(
            "say which images: --delete, --from-file, --keep, --older-than or --free", "no-choice"
        )
    criteria = DeletionFilter(
        delete=named,
        keep=keep or (),
        older_than=moment(older_than, now) if older_than else None,
        any_date=any_date,
        target=Target(size_bytes(free), order, granularity) if free else None,
    )
    session = open_session(catalog, scan)
    found = ask(session, criteria, now)
    if explain:
        text = "\n\n".join(map(explanation, found.questions.values()))
        write(f"{text}\n", output)
        return
    match format:
        case WhatIfFormat.TERMINAL:
            write(report.render(found, plain=plain), output)
        case WhatIfFormat.JSON:
            write(report.as_json(found), output)
        case WhatIfFormat.CSV | WhatIfFormat.PARQUET:
            show(session.answer(found.questions[rows]), TableFormat(format.value), output)


def _lines(path: Path) -> list[str]:
    """Names of a file, without comments; raises UsageError where it cannot be read or is empty."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", "unreadable") from error
    names = [line.strip() for line in text.splitlines()]
    named = [name for name in names if name and not name.startswith("#")]
    if not named:
        raise UsageError(f"{path}: names no image", "no-choice")
    return named
