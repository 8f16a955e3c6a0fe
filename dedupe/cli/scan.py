"""The command that fills the catalog."""

from pathlib import Path
from typing import Annotated

import typer

from dedupe.cli.options import CatalogOption
from dedupe.errors import StoreError


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(scan)


def scan(
    paths: Annotated[
        list[str],
        typer.Argument(help="Archives, image stores, folders of them, or s3://bucket/prefix."),
    ],
    catalog: CatalogOption = None,
    platform: Annotated[
        str, typer.Option(help="Only images of this platform: linux/arm64, linux/arm/v7.")
    ] = "",
    image: Annotated[
        list[str] | None, typer.Option(help="Only images whose name matches; may be repeated.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every blob, known or not.")
    ] = False,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read every layer anew and replace its rows.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Worker processes; 0 for one a core.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Read every layer of these stores once into the catalog."""
    from dedupe.cli.progress import Reporter
    from dedupe.report.scanned import problem_lines, summary
    from dedupe.scan import scan_sources
    from dedupe.sources.discover import Selection, discover
    from dedupe.store.catalog import Catalog, default_catalog

    reporter = Reporter(quiet=quiet)
    sink = Catalog(catalog or default_catalog())
    with sink.writing():
        outcome = scan_sources(
            discover(paths, Selection(platform, tuple(image or ()))),
            sink,
            reporter,
            workers=jobs or None,
            verify=verify,
            rehash=rehash,
        )
    reporter.finish()
    for line in problem_lines(outcome):
        typer.echo(line, err=True)
    if not quiet:
        typer.echo(summary(outcome), err=True)
        if outcome.images:
            typer.echo(_next(catalog, outcome.scan_id), err=True)
        elif outcome.sources and (platform or image):
            typer.echo(
                "dedupe: no image is of this --platform and --image: leave them out", err=True
            )
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def _next(catalog: Path | None, scan: str) -> str:
    """The commands to call next; what was scanned is kept, whatever becomes of them."""
    from dedupe.analysis.advice import GENERAL, advice
    from dedupe.cli.tables import open_session
    from dedupe.report.advice import render

    options = ("--catalog", str(catalog)) if catalog else ()
    try:
        return render(advice(open_session(catalog, scan)), options)
    except StoreError:
        return render(GENERAL, options)
