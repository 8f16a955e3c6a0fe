"""The application. Commands import heavy libraries when they run, so that ``--help`` is fast."""

from typing import Annotated

import typer

from dedupe import __version__
from dedupe.cli.audit import audit
from dedupe.cli.catalog import catalog_derive, catalog_list, manage, query
from dedupe.cli.check import check
from dedupe.cli.commands import add_command
from dedupe.cli.diff import diff
from dedupe.cli.disk import disk
from dedupe.cli.findings import duplicates, findings
from dedupe.cli.listings import (
    artifacts,
    containers,
    images,
    layers,
    shadowed,
    sources,
    tree,
    trend,
)
from dedupe.cli.paths import find, history, ls, which
from dedupe.cli.reorder import reorder
from dedupe.cli.report import report
from dedupe.cli.scan import scan
from dedupe.cli.usage import bases, positions, twins, usage
from dedupe.cli.welcome import welcome
from dedupe.cli.what_if import what_if

app = typer.Typer(
    name="dedupe",
    help="Show what is shared, shadowed and stored twice in container image stores.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dedupe {__version__}")
        raise typer.Exit


def _docs_path(asked: bool) -> None:
    if asked:
        from dedupe.installed import docs_folder

        typer.echo(docs_folder())
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    __: Annotated[
        bool,
        typer.Option(
            "--docs-path",
            callback=_docs_path,
            is_eager=True,
            help="Show the folder of the documentation.",
        ),
    ] = False,
) -> None:
    """Run before every command, and alone if there is none."""
    if context.invoked_subcommand is None:
        welcome()


#: in the order of the help
for command in (scan, report, disk, findings, duplicates, sources, images, artifacts, layers):
    add_command(app, command)
for command in (shadowed, tree, containers, ls, find, which, history, diff, usage, positions):
    add_command(app, command)
for command in (bases, twins):
    add_command(app, command)
add_command(app, what_if)
app.add_typer(reorder, name="reorder")
for command in (check, trend, audit, query):
    add_command(app, command)
add_command(manage, catalog_derive, "derive")
add_command(manage, catalog_list, "list")
app.add_typer(manage, name="catalog")
