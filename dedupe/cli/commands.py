"""How functions become commands."""

import inspect
from collections.abc import Callable
from typing import Any

import typer

from dedupe.cli.options import MemoryOption, SpillOption


def add_command(app: typer.Typer, function: Callable[..., Any], name: str | None = None) -> None:
    """Make a function a command of the application, with its docstring as help.

    A command that has a catalog has the options for memory and disk space, too.
    """
    limited = "catalog" in inspect.signature(function).parameters
    app.command(name, help=help_of(function))(_limited(function) if limited else function)


def _limited(function: Callable[..., None]) -> Callable[..., None]:
    """The command with two more options, which hold for all questions that it asks."""

    def command(memory: MemoryOption = None, spill: SpillOption = None, **given: Any) -> None:
        if memory is None and spill is None:
            return function(**given)
        from dedupe.store.resources import using

        with using(memory, spill):
            return function(**given)

    added = list(inspect.signature(command).parameters.values())[:2]
    own = list(inspect.signature(function).parameters.values())
    # typer reads a command's options from its signature
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *added)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # a function has one
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__name__ = function.__name__
    return command


def help_of(documented: object) -> str:
    """A docstring with the lines of each paragraph joined.

    Typer joins the lines of the first paragraph alone: the others would be wrapped twice.
    """
    paragraphs = (inspect.getdoc(documented) or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)
