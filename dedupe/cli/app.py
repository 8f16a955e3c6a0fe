"""Commands. Heavy libraries are imported inside them: ``--help`` must answer at once."""

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dedupe import __version__
from dedupe.errors import Exit

app = typer.Typer(
    name="dedupe",
    help="Say what is shared, shadowed and stored twice in container image stores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class ReportFormat(StrEnum):
    """Forms of the whole report."""

    TERMINAL = "terminal"
    JSON = "json"


class TableFormat(StrEnum):
    """Forms of a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


CatalogOption = Annotated[
    Path | None,
    typer.Option("--catalog", help="Folder of the catalog (DEDUPE_CATALOG, else the data home)."),
]
ScanOption = Annotated[
    str | None, typer.Option("--scan", help="A scan's ID; the last one if absent.")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")]
LimitOption = Annotated[int, typer.Option("--limit", min=0, help="Rows at the most; 0 for all.")]
BytesOption = Annotated[bool, typer.Option("--bytes", help="Plain numbers of bytes.")]
TableOption = Annotated[TableFormat, typer.Option("--format", "-f", help="Form of the table.")]
SortOption = Annotated[
    str | None, typer.Option("--sort", help="Column to sort by, the largest first.")
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dedupe {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Say what is shared, shadowed and stored twice in container image stores."""


@app.command()
def scan(
    paths: Annotated[
        list[Path], typer.Argument(help="Archives, image layouts, or folders of them.")
    ],
    catalog: CatalogOption = None,
    platform: Annotated[
        str, typer.Option(help="Only images of this os/architecture[/variant].")
    ] = "",
    image: Annotated[
        list[str] | None, typer.Option(help="Only images whose name matches; may be repeated.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every blob, known or not.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Worker processes; 0 for one a core.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Read every layer of these stores once into the catalog."""
    from dedupe.cli.progress import Reporter
    from dedupe.report.scanned import problem_lines, summary
    from dedupe.scan import scan as run
    from dedupe.sources.discover import Selection, discover
    from dedupe.store.catalog import Catalog, default_catalog

    reporter = Reporter(quiet=quiet)
    outcome = run(
        discover(paths, Selection(platform, tuple(image or ()))),
        Catalog(catalog or default_catalog()),
        reporter,
        workers=jobs or None,
        verify=verify,
    )
    reporter.finish()
    for line in problem_lines(outcome):
        typer.echo(line, err=True)
    if not quiet:
        typer.echo(summary(outcome), err=True)
    if outcome.errors:
        # nothing at all could be catalogued: the class of the error; else: something was skipped
        raise typer.Exit(Exit.SKIPPED if outcome.images else 3)


@app.command()
def report(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: Annotated[
        ReportFormat, typer.Option("--format", "-f", help="Form of the report.")
    ] = ReportFormat.TERMINAL,
    output: OutputOption = None,
    limit: LimitOption = 1000,
    plain: BytesOption = False,
) -> None:
    """Say where the bytes go, and what is worst."""
    from dedupe.analysis import overview
    from dedupe.report import json_report, terminal

    session = _session(catalog, scan)
    found = overview(session)
    if format is ReportFormat.JSON:
        _write(json_report.render(found, limit), output)
    else:
        _write(terminal.render(found, plain=plain), output)


@app.command()
def images(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: TableOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 0,
    sort: SortOption = None,
    plain: BytesOption = False,
) -> None:
    """List images with what they hold, what of it can be read, and what is their own."""
    _table("images", catalog, scan, format, output, limit, sort, plain)


@app.command()
def layers(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: TableOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 0,
    sort: SortOption = None,
    plain: BytesOption = False,
) -> None:
    """List distinct layers with who shares them."""
    _table("layers", catalog, scan, format, output, limit, sort, plain)


@app.command()
def shadowed(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: TableOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 100,
    sort: SortOption = None,
    plain: BytesOption = False,
) -> None:
    """List files that no container can read, with the steps that added and hid them."""
    _table("shadowed_files", catalog, scan, format, output, limit, sort, plain)


@app.command()
def duplicates(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: TableOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 100,
    sort: SortOption = None,
    plain: BytesOption = False,
) -> None:
    """List contents that are stored more than once."""
    _table("duplicates", catalog, scan, format, output, limit, sort, plain)


@app.command()
def tree(
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    output: OutputOption = None,
    plain: BytesOption = False,
) -> None:
    """Show which images share which layers, from the base up."""
    from dedupe.report.terminal import tree as render

    _write(render(_session(catalog, scan).rows("tree"), plain=plain), output)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the catalog's tables.")],
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: TableOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 0,
    plain: BytesOption = False,
) -> None:
    """Answer a SELECT over the tables of the catalog; it can read nothing else and write nothing."""
    _show(_session(catalog, scan).ask(sql), format, output, limit, None, plain)


catalog_app = typer.Typer(help="Manage the catalog.", no_args_is_help=True)
app.add_typer(catalog_app, name="catalog")


@catalog_app.command("list")
def catalog_list(
    catalog: CatalogOption = None,
    format: TableOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """List scans and their sources."""
    _show(_session(catalog, None).rows("catalog_scans"), format, output, 0, None, False)


@catalog_app.command("forget")
def catalog_forget(
    scans: Annotated[list[str], typer.Argument(help="IDs of scans, as 'catalog list' shows them.")],
    catalog: CatalogOption = None,
) -> None:
    """Forget scans; rows that no other scan needs go with 'catalog gc'."""
    from dedupe.store.catalog import default_catalog
    from dedupe.store.retention import forget

    for scan in scans:
        forget(catalog or default_catalog(), scan)


@catalog_app.command("gc")
def catalog_gc(catalog: CatalogOption = None) -> None:
    """Remove rows of layers that no kept scan needs."""
    from dedupe.store.catalog import default_catalog
    from dedupe.store.retention import collect

    layers, freed = collect(catalog or default_catalog())
    typer.echo(f"{layers} layers removed, {freed} bytes freed", err=True)


def _table(
    query: str,
    catalog: Path | None,
    scan: str | None,
    form: TableFormat,
    output: Path | None,
    limit: int,
    sort: str | None,
    plain: bool,
) -> None:
    _show(_session(catalog, scan).rows(query), form, output, limit, sort, plain)


def _show(
    rows: list[dict[str, Any]],
    form: TableFormat,
    output: Path | None,
    limit: int,
    sort: str | None,
    plain: bool,
) -> None:
    from dedupe.report import tables

    rows, left_out = tables.chosen(rows, sort, limit)
    render: Callable[[list[dict[str, Any]], bool], str] = {
        TableFormat.TABLE: tables.as_text,
        TableFormat.JSON: tables.as_json,
        TableFormat.CSV: tables.as_csv,
    }[form]
    _write(render(rows, plain), output)
    if left_out:
        typer.echo(f"dedupe: {left_out} more rows; --limit 0 shows all", err=True)


def _session(catalog: Path | None, scan: str | None) -> Any:
    from dedupe.store.catalog import default_catalog
    from dedupe.store.session import Session

    return Session(catalog or default_catalog(), scan)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text)
