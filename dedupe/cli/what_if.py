"""The command that shows what deleting images frees. It deletes nothing."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import (
    BytesOption,
    CatalogOption,
    ExplainOption,
    OutputOption,
    ScanOption,
    SourceOption,
)
from dedupe.cli.output import write
from dedupe.cli.tables import TableFormat, TableOptions, explanation, open_session, show
from dedupe.errors import Exit, UsageError
from dedupe.model.choices import DeletionOrder, Granularity

if TYPE_CHECKING:
    from dedupe.analysis.what_if import WhatIf


class WhatIfFormat(StrEnum):
    """Forms of the answer."""

    TERMINAL = "terminal"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class WhatIfRows(StrEnum):
    """Rows of the forms that hold one table."""

    IMAGES = "images"
    DISK = "disk"
    HELD = "held"
    FREED = "freed"
    LAYERS = "layers"
    ARTIFACTS = "artifacts"
    CONTAINERS = "containers"
    ORPHANS = "orphans"


DeleteOption = Annotated[
    list[str] | None,
    typer.Option("--delete", metavar="IMAGE", help="Name, glob or ID of images; repeat it."),
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option("--keep", metavar="IMAGE", help="Keep these images; alone: delete all others."),
]
OlderThanOption = Annotated[
    str | None,
    typer.Option("--older-than", metavar="AGE", help="Only images older than 90d, 12w or a date."),
]
AnyDateOption = Annotated[
    bool, typer.Option("--any-date", help="Treat missing or implausible dates as old.")
]
DanglingOption = Annotated[
    bool,
    typer.Option("--dangling", help="Only images without a tag that no other image was built on."),
]
UntaggedOption = Annotated[
    bool, typer.Option("--untagged", help="Only images of registries that have no tag.")
]
UnusedOption = Annotated[
    bool, typer.Option("--unused", help="Only images from which no container was made.")
]
OrphansOption = Annotated[
    bool,
    typer.Option("--orphans", help="Also what nothing references; alone: delete no image."),
]
FromFileOption = Annotated[
    Path | None,
    typer.Option("--from-file", help="Read images to delete, one per line (- = stdin)."),
]
FreeOption = Annotated[
    str | None,
    typer.Option(
        "--free", metavar="SIZE", help="Delete only as many images as free this, such as 50GB."
    ),
]
GranularityOption = Annotated[
    Granularity,
    typer.Option(
        "--granularity",
        "-g",
        help="With --free: count bytes on disk, or of compressed blobs, unpacked layers, or "
        "distinct file contents.",
    ),
]
OrderOption = Annotated[
    DeletionOrder,
    typer.Option("--order", help="With --free: delete what frees most, or the oldest, first."),
]


def what_if(
    delete: DeleteOption = None,
    keep: KeepOption = None,
    older_than: OlderThanOption = None,
    any_date: AnyDateOption = False,
    dangling: DanglingOption = False,
    untagged: UntaggedOption = False,
    unused: UnusedOption = False,
    orphans: OrphansOption = False,
    from_file: FromFileOption = None,
    free: FreeOption = None,
    order: OrderOption = DeletionOrder.GAIN,
    granularity: GranularityOption = Granularity.DISK,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: Annotated[
        WhatIfFormat, typer.Option("--format", "-f", help="Output format.")
    ] = WhatIfFormat.TERMINAL,
    rows: Annotated[
        WhatIfRows, typer.Option("--rows", help="With CSV and Parquet: which table.")
    ] = WhatIfRows.IMAGES,
    output: OutputOption = None,
    plain: BytesOption = False,
    explain: ExplainOption = False,
) -> None:
    """Show what deleting images would free, what stays and why. Deletes nothing.

    An image is deleted only if it matches every option. Images that share layers free more
    together than the sum of what each would free alone. The commands that would delete them are
    printed in their order. Exit code 1: --free cannot be reached.
    """
    from datetime import UTC, datetime

    from dedupe.analysis.what_if import DeletionFilter, Target
    from dedupe.analysis.what_if import what_if as ask
    from dedupe.model.amounts import moment, size_bytes

    now = datetime.now(UTC).replace(tzinfo=None)
    criteria = DeletionFilter(
        delete=[*(delete or ()), *(_lines(from_file) if from_file else ())],
        keep=keep or (),
        older_than=moment(older_than, now) if older_than else None,
        any_date=any_date,
        dangling=dangling,
        untagged=untagged,
        unused=unused,
        orphans=orphans,
        target=Target(size_bytes(free), order, granularity) if free else None,
    )
    if not (criteria.chooses_images or orphans):
        raise UsageError(
            "choose images with --delete, --from-file, --keep, --older-than, --free, --dangling, "
            "--untagged or --unused, or --orphans",
            "no-choice",
        )
    if rows is WhatIfRows.ORPHANS and not orphans:
        raise UsageError("--rows orphans needs --orphans", "no-choice")
    session = open_session(catalog, scan, source)
    found = ask(session, criteria, now)
    if explain:
        write("\n\n".join(map(explanation, found.questions.values())) + "\n", output)
    elif format in (WhatIfFormat.CSV, WhatIfFormat.PARQUET):
        for note in found.notes:
            typer.echo(f"dedupe: {note}", err=True)
        show(session.answer(found.questions[rows]), TableOptions(TableFormat(format.value), output))
    else:
        write(_document(found, format, plain=plain), output)
    if found.target_result is not None and not found.target_result.enough:
        raise typer.Exit(Exit.SKIPPED)


def _document(found: "WhatIf", format: WhatIfFormat, *, plain: bool) -> str:
    from dedupe.report import what_if as report

    if format is WhatIfFormat.JSON:
        return report.to_json(found)
    return report.to_terminal(found, plain=plain)


def _lines(path: Path) -> list[str]:
    """Names in a file, without comments; raises UsageError if it has none or cannot be read."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", "unreadable") from error
    names = [line.strip() for line in text.splitlines()]
    named = [name for name in names if name and not name.startswith("#")]
    if not named:
        raise UsageError(f"{path}: names no image", "no-choice")
    return named
