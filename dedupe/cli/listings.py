"""Commands that list what a scan holds."""

from typing import TYPE_CHECKING, cast

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.questions import Answer, AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


def _tree_text(
    question: AnyQuestion,  # noqa: ARG001 - the seam passes what other tables need
    answer: Answer,  # noqa: ARG001
    shown: Answer,
    *,
    plain: bool,
) -> str:
    from dedupe.report.terminal import tree_text

    # the seam passes rows of any question; these are those of queries.tree()
    return tree_text(cast("list[queries.TreeRow]", shown.dicts()), plain=plain)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @table(app)
    def sources(_: "Session") -> AnyQuestion:
        """List what was scanned, with what is stored, allocated, orphaned and other."""
        return queries.sources()

    @table(
        app,
        columns=(
            *("name", "platform", "layers", "content_bytes", "shadowed_bytes", "efficiency"),
            *("exclusive_unpacked", "attributed_unpacked"),
        ),
    )
    def images(_: "Session") -> AnyQuestion:
        """List images with what they hold, what of it can be read, and what is their own."""
        return queries.images()

    @table(app, columns=("content_bytes", "images", "chains", "verified", "diff_id", "created_by"))
    def layers(_: "Session") -> AnyQuestion:
        """List distinct layers with who shares them."""
        return queries.layers()

    @table(
        app,
        limit=100,
        columns=(
            *("size_bytes", "cause", "image", "added_position", "hidden_position"),
            *("changed_fields", "path"),
        ),
    )
    def shadowed(_: "Session") -> AnyQuestion:
        """List files that no container can read, with the steps that added and hid them."""
        return queries.shadowed_files()

    @table(app, text=_tree_text)
    def tree(_: "Session") -> AnyQuestion:
        """Show which images share which layers, from the base up."""
        return queries.tree()
