"""Commands on the catalog itself: free questions, its scans, what it may forget."""

from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.options import LIMIT_HELP, BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.tables import TableFormat, TableOptions, open_session, show, table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session

manage = typer.Typer(help="Manage the catalog.", no_args_is_help=True)


@table()
def catalog_list(_: "Session") -> AnyQuestion:
    """List scans and their sources."""
    return queries.catalog_scans()


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the catalog's tables.")],
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: Annotated[
        TableFormat, typer.Option("--format", "-f", help="Form of the table.")
    ] = TableFormat.TABLE,
    output: OutputOption = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help=LIMIT_HELP)] = 0,
    plain: BytesOption = False,
) -> None:
    """Answer a SELECT over the tables of the catalog; it can read and write nothing else."""
    answer = open_session(catalog, scan).ask(sql)
    show(answer, TableOptions(format, output, limit, plain=plain))


@manage.command("forget")
def catalog_forget(
    scans: Annotated[
        list[str] | None, typer.Argument(help="IDs of scans, as 'catalog list' shows them.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Forget every scan that holds only sources that match this glob."),
    ] = None,
    catalog: CatalogOption = None,
) -> None:
    """Forget scans; rows that no other scan needs go with 'catalog gc'."""
    from dedupe.report.units import counted
    from dedupe.store.catalog import default_catalog
    from dedupe.store.retention import forget, scans_of

    folder = catalog or default_catalog()
    gone = [*(scans or ()), *scans_of(folder, source or ())]
    for scan in dict.fromkeys(gone):
        forget(folder, scan)
    typer.echo(f"{counted(len(set(gone)), 'scan')} forgotten", err=True)


@manage.command("gc")
def catalog_gc(catalog: CatalogOption = None) -> None:
    """Remove rows of layers that no kept scan needs."""
    from dedupe.report.units import counted, human
    from dedupe.store.catalog import default_catalog
    from dedupe.store.retention import collect

    layers, freed = collect(catalog or default_catalog())
    typer.echo(f"{counted(layers, 'layer')} removed, {human(freed)} freed", err=True)
