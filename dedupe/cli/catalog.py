"""Commands on the catalog itself: free queries, listing and removing scans, upgrading it."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from dedupe.analysis import queries
from dedupe.cli.commands import add_command
from dedupe.cli.options import (
    BytesOption,
    CatalogOption,
    LimitOption,
    OutputOption,
    ScanOption,
    SourceOption,
)
from dedupe.cli.tables import (
    TableFormat,
    TableFormatOption,
    TableOptions,
    TextInput,
    open_session,
    show,
    table,
)
from dedupe.errors import StoreError
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session

manage = typer.Typer(help="Manage the catalog.", no_args_is_help=True, add_completion=False)


def _scans_text(scans: TextInput) -> str:
    from dedupe.report.scans import to_terminal

    # the text of a table gets the rows of any question; these are those of queries.catalog_scans()
    return to_terminal(cast("list[queries.CatalogScansRow]", scans.shown.dicts()))


@table(text=_scans_text, every_scan=True)
def catalog_list(_: "Session") -> AnyQuestion:
    """List scans, the sources that each read, and for how many of these it answers.

    A scan answers for a source until a later scan reads it.
    """
    return queries.catalog_scans()


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT over the catalog's tables.")
    ],
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: TableFormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 0,
    plain: BytesOption = False,
) -> None:
    """Run one SELECT over the catalog's tables. It reads nothing else, and writes nothing.

    The page catalog.md describes the tables (dedupe --docs-path).
    """
    answer = open_session(catalog, scan, source).ask(sql)
    show(answer, TableOptions(format, output, limit, plain=plain))


@manage.command("forget")
def catalog_forget(
    scans: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCAN", help="IDs of scans, or their beginnings, as 'catalog list' shows them."
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Forget all rows of this source: path, folder above it, or glob; repeat it.",
        ),
    ] = None,
    catalog: CatalogOption = None,
) -> None:
    """Forget scans, or sources that were deleted; 'catalog gc' then removes rows that nothing needs.

    A source answers again with the rows of an older scan if the scan that answered is forgotten.
    """
    from dedupe.report.units import counted
    from dedupe.store.catalog import default_catalog
    from dedupe.store.retention import forget, forget_sources

    folder = catalog or default_catalog()
    forgotten = [forget(folder, scan) for scan in dict.fromkeys(scans or ())]
    if source:
        dropped = forget_sources(folder, source)
        for each in dropped.sources:
            typer.echo(f"forgotten: {each}", err=True)
        forgotten += dropped.scans
    typer.echo(f"{counted(len(forgotten), 'scan')} forgotten", err=True)


@manage.command("gc")
def catalog_gc(catalog: CatalogOption = None) -> None:
    """Remove rows of layers that no kept scan needs."""
    from dedupe.report.units import counted, human
    from dedupe.store.catalog import default_catalog
    from dedupe.store.retention import collect

    layers, freed = collect(catalog or default_catalog())
    typer.echo(f"{counted(layers, 'layer')} removed, {human(freed)} freed", err=True)


def catalog_derive(catalog: CatalogOption = None) -> None:
    """Work out now what reports of the current view need, and keep it.

    A scan of many files does so at its end, and a question does so for itself: nothing but time
    depends on it.
    """
    from dedupe.report.units import counted

    entries = open_session(catalog, None, None).derive()
    typer.echo(
        f"derived rows of {counted(entries, 'entry')} kept"
        if entries
        else "all derived rows are kept already: nothing to do",
        err=True,
    )


@manage.command("verify")
def catalog_verify(catalog: CatalogOption = None) -> None:
    """Read everything in the catalog, and name each damaged file and the command that helps.

    Exit code 5 if a file is damaged. Damaged derived rows are removed: they are made again.
    """
    from dedupe.report.units import counted
    from dedupe.store.catalog import default_catalog
    from dedupe.store.verify import verify

    damaged = 0
    for found in verify(catalog or default_catalog()):
        damaged += 1
        typer.echo(f"dedupe: {found.path}: {found.reason}; {found.advice}", err=True)
    typer.echo(
        f"{counted(damaged, 'damaged file')}" if damaged else "all files are whole", err=True
    )
    if damaged:
        raise typer.Exit(StoreError.exit_code)


@manage.command("upgrade")
def catalog_upgrade(catalog: CatalogOption = None) -> None:
    """Rewrite a catalog that an older version wrote; safe to interrupt and to repeat."""
    from dedupe.store.catalog import default_catalog
    from dedupe.store.upgrade import upgrade

    done = upgrade(catalog or default_catalog())
    if done.is_needless:
        typer.echo(f"schema version {done.version} already: nothing to do", err=True)
        return
    files = ", ".join(f"{table}: {number}" for table, number in done.rewritten.items())
    typer.echo(
        f"upgraded from schema version {done.oldest} to {done.version}; files rewritten: "
        f"{files or 'none'}",
        err=True,
    )
    if done.is_read:
        typer.echo("the older files stay while the catalog is being read: upgrade again", err=True)


add_command(manage, catalog_derive, "derive")
add_command(manage, catalog_list, "list")
