"""Commands that list what a scan holds."""

from typing import TYPE_CHECKING

import typer

from dedupe.cli.options import BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.output import write
from dedupe.cli.tables import open_session, table
from dedupe.model.questions import Question

if TYPE_CHECKING:
    from dedupe.store.session import Session


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @table(app)
    def sources(_: "Session") -> Question:
        """List what was scanned, with what is stored, allocated, orphaned and other."""
        return Question("sources")

    @table(
        app,
        columns=(
            *("name", "platform", "layers", "content_bytes", "shadowed_bytes", "efficiency"),
            *("exclusive_unpacked", "attributed_unpacked"),
        ),
    )
    def images(_: "Session") -> Question:
        """List images with what they hold, what of it can be read, and what is their own."""
        return Question("images")

    @table(app, columns=("content_bytes", "images", "chains", "verified", "diff_id", "created_by"))
    def layers(_: "Session") -> Question:
        """List distinct layers with who shares them."""
        return Question("layers")

    @table(
        app,
        limit=100,
        columns=(
            *("size_bytes", "cause", "image", "added_position", "hidden_position"),
            *("changed_fields", "path"),
        ),
    )
    def shadowed(_: "Session") -> Question:
        """List files that no container can read, with the steps that added and hid them."""
        return Question("shadowed_files")

    @app.command()
    def tree(
        catalog: CatalogOption = None,
        scan: ScanOption = None,
        output: OutputOption = None,
        plain: BytesOption = False,
    ) -> None:
        """Show which images share which layers, from the base up."""
        from dedupe.report.terminal import tree as render

        write(render(open_session(catalog, scan).rows("tree"), plain=plain), output)
