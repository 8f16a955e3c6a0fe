"""Commands that say what is wrong and how it is mended."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


class Grouping(StrEnum):
    """What duplicates are put together by."""

    CONTENT = "content"
    FOLDER = "folder"
    CACHE = "cache"
    EXTENSION = "extension"
    SIZE = "size"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @table(app, limit=50, columns=("saves_bytes", "kind", "image", "position", "files", "repair"))
    def findings(_: "Session") -> AnyQuestion:
        """List what is wrong, the step that does it, what mending it wins, and how."""
        return queries.findings()

    @table(
        app,
        limit=100,
        columns=(
            *(
                "file_class",
                "duplicate_bytes",
                "size_bytes",
                "copies",
                "contents",
                "files",
                "layers",
            ),
            *("images", "paths", "folders"),
        ),
    )
    def duplicates(
        _: "Session",
        by: Annotated[
            Grouping, typer.Option("--by", help="A row a content, whole folder, or class of files.")
        ] = Grouping.CONTENT,
    ) -> AnyQuestion:
        """List what is stored more than once."""
        match by:
            case Grouping.CONTENT:
                return queries.duplicates()
            case Grouping.FOLDER:
                return queries.duplicate_folders()
            case Grouping.CACHE | Grouping.EXTENSION | Grouping.SIZE:
                return queries.duplicate_classes(by=by.value)
