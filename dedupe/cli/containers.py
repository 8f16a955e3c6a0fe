"""Commands on the writable branches of containers."""

from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @table(
        app,
        limit=100,
        columns=(
            *("name", "container", "image", "running", "ro_branches", "upper_bytes"),
            *("copied_up_bytes", "metadata_only_bytes", "hidden_bytes", "allocated_bytes"),
            *("size_bytes", "below_bytes", "metadata_only", "position", "path"),
        ),
    )
    def containers(
        _: "Session",
        files: Annotated[
            bool, typer.Option("--files", help="The files that were copied up, the largest first.")
        ] = False,
    ) -> AnyQuestion:
        """List containers with what each has written, copied up and hidden over its image."""
        return queries.copied_up() if files else queries.containers()
