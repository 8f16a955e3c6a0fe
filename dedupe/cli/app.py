"""The application. Heavy libraries are imported inside commands: ``--help`` must answer at once."""

from typing import Annotated

import typer

from dedupe import __version__
from dedupe.cli import (
    audit,
    catalog,
    check,
    containers,
    diff,
    findings,
    listings,
    paths,
    reorder,
    report,
    scan,
    trend,
    usage,
    what_if,
)
from dedupe.cli.welcome import welcome

app = typer.Typer(
    name="dedupe",
    help="Say what is shared, shadowed and stored twice in container image stores.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dedupe {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Say what is shared, shadowed and stored twice in container image stores."""
    if context.invoked_subcommand is None:
        welcome()


for commands in (
    scan,
    report,
    findings,
    listings,
    containers,
    paths,
    diff,
    usage,
    what_if,
    reorder,
    check,
    trend,
    audit,
    catalog,
):
    commands.register(app)
