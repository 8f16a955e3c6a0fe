"""The command that says what deleting images frees."""

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
