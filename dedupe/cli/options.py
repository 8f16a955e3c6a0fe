"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

CatalogOption = Annotated[
    Path | None,
    typer.Option(
        "--catalog", help="Catalog folder (default: $DEDUPE_CATALOG or the user's data folder)."
    ),
]
ScanOption = Annotated[
    str | None,
    typer.Option(
        "--scan",
        metavar="SCAN",
        help="One scan alone: ID, its beginning, or 'latest' (default: each source's latest scan).",
    ),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Only this source: path, folder above it, or glob; repeat it (default: all).",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write to this file (default: standard output)."),
]
BytesOption = Annotated[bool, typer.Option("--bytes", help="Show sizes as exact byte counts.")]
LimitOption = Annotated[
    int,
    typer.Option("--limit", min=0, metavar="ROWS", help="Maximum number of rows (0 = no limit)."),
]
SortOption = Annotated[
    str | None,
    typer.Option("--sort", metavar="COLUMN", help="Sort rows by this column, largest first."),
]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Print the SQL and its parameters instead of running it.")
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory for questions (default: $DEDUPE_MEMORY or half of what is free).",
    ),
]
SpillOption = Annotated[
    Path | None,
    typer.Option(
        "--spill",
        metavar="DIR",
        help="Folder for what does not fit into memory (default: $DEDUPE_SPILL or the catalog).",
    ),
]
