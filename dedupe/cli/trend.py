"""The command that says how stores have grown."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


class TrendBy(StrEnum):
    """What a row of the trend is about."""

    SCAN = "scan"
    REPOSITORY = "repository"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @table(
        app,
        columns=(
            *("finished", "sources", "repository", "images", "layers", "stored_bytes"),
            *("unpacked_bytes", "position_loss_bytes", "growth_bytes", "scan"),
        ),
    )
    def trend(
        _: "Session",
        by: Annotated[
            TrendBy, typer.Option("--by", help="A row a scan, or a row a scan and repository.")
        ] = TrendBy.SCAN,
    ) -> AnyQuestion:
        """List all scans of the catalog with what they found, and by how much that grew."""
        return queries.trend() if by is TrendBy.SCAN else queries.trend_repositories()
