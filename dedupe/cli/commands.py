"""How functions become commands."""

import inspect
from collections.abc import Callable
from typing import Any

import typer


def add_command(app: typer.Typer, function: Callable[..., Any], name: str | None = None) -> None:
    """Make a function a command of the application, with its docstring as help."""
    app.command(name, help=help_of(function))(function)


def help_of(documented: object) -> str:
    """A docstring with the lines of each paragraph joined.

    Typer joins the lines of the first paragraph alone: the others would be wrapped twice.
    """
    paragraphs = (inspect.getdoc(documented) or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)
