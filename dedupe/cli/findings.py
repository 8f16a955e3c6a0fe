"""Commands that list problems and their fixes."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


class Grouping(StrEnum):
    """What duplicates are grouped by."""

    CONTENT = "content"
    FOLDER = "folder"
    CACHE = "cache"
    EXTENSION = "extension"
    SIZE = "size"


@table(limit=50, columns=("saves_bytes", "kind", "image", "position", "files", "fix"))
def findings(_: "Session") -> AnyQuestion:
    """List problems: the build step at fault, the bytes a fix saves, and the fix."""
    return queries.findings()


@table(
    limit=100,
    columns=(
        *("file_class", "duplicate_bytes", "size_bytes", "copies", "contents", "files"),
        *("layers", "images", "paths", "folders"),
    ),
    sorts=("size_bytes", "copies", "layers", "images", "duplicate_bytes"),
)
def duplicates(
    _: "Session",
    by: Annotated[
        Grouping,
        typer.Option(
            "--by",
            help="Group by identical content, whole folder, or class of file: package cache, "
            "extension or size.",
        ),
    ] = Grouping.CONTENT,
) -> AnyQuestion:
    """List file content that is stored more than once."""
    match by:
        case Grouping.CONTENT:
            return queries.duplicates(most=None, sort="")
        case Grouping.FOLDER:
            return queries.duplicate_folders()
        case Grouping.CACHE | Grouping.EXTENSION | Grouping.SIZE:
            return queries.duplicate_classes(by=by.value)
