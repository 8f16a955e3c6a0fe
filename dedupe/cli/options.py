"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

CatalogOption = Annotated[
    Path | None,
    typer.Option("--catalog", help="Folder of the catalog (DEDUPE_CATALOG, else the data home)."),
]
ScanOption = Annotated[
    str | None, typer.Option("--scan", help="A scan's ID; the last one if absent.")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")]
BytesOption = Annotated[bool, typer.Option("--bytes", help="Plain numbers of bytes.")]
LIMIT_HELP = "Rows at the most; 0 for all."
