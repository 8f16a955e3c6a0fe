"""The application. A command is imported when it is called, and heavy libraries when it runs."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from dedupe import __version__
from dedupe.cli.commands import add_command

#: command -> its module and its function, in the order of the help
_COMMANDS = {
    "scan": "scan.scan",
    "report": "report.report",
    "disk": "disk.disk",
    "findings": "findings.findings",
    "duplicates": "findings.duplicates",
    "sources": "listings.sources",
    "images": "listings.images",
    "artifacts": "listings.artifacts",
    "layers": "listings.layers",
    "shadowed": "listings.shadowed",
    "tree": "listings.tree",
    "containers": "listings.containers",
    "ls": "paths.ls",
    "find": "paths.find",
    "which": "paths.which",
    "history": "paths.history",
    "diff": "diff.diff",
    "usage": "usage.usage",
    "positions": "usage.positions",
    "bases": "usage.bases",
    "twins": "usage.twins",
    "what-if": "what_if.what_if",
    "check": "check.check",
    "trend": "listings.trend",
    "audit": "audit.audit",
    "query": "catalog.query",
    # these have commands of their own
    "reorder": "reorder.reorder",
    "catalog": "catalog.manage",
}


class _Commands(Mapping[str, Any]):
    """The commands by name; each is imported when it is first looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, object] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, *_COMMANDS[name].split("."))
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class _Group(TyperGroup):
    """The group of all commands, none of which is imported yet."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("Any", _Commands())


def _load(name: str, module: str, function: str) -> Any:
    """Import a command, or a group of commands."""
    found = getattr(import_module(f"dedupe.cli.{module}"), function)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False)
        add_command(alone, found, name)
        return get_command(alone)
    group = get_command(found)
    group.name = name
    return group


app = typer.Typer(
    name="dedupe",
    cls=_Group,
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
        from dedupe.cli.welcome import welcome

        welcome()
