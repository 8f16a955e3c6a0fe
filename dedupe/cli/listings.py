"""Commands that list what a scan found."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import TextInput, table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


class TrendBy(StrEnum):
    """What a row of the trend is about."""

    SCAN = "scan"
    REPOSITORY = "repository"


def _tree_text(tree: TextInput) -> str:
    from dedupe.report.terminal import tree_text

    # the text of a table gets the rows of any question; these are those of queries.tree()
    rows = cast("list[queries.TreeRow]", tree.shown.dicts())
    return tree_text(rows, plain=tree.options.plain)


@table()
def sources(_: "Session") -> AnyQuestion:
    """List scanned sources with their stored, allocated, unreferenced and other bytes."""
    return queries.sources()


@table(
    columns=(
        *("name", "platform", "layers", "content_bytes", "shadowed_bytes", "efficiency"),
        *("exclusive_unpacked", "attributed_unpacked"),
    )
)
def images(_: "Session") -> AnyQuestion:
    """List images with their content, how much of it is shadowed, and what each costs.

    exclusive: bytes that deleting the image alone frees. attributed: its part of the store, with
    shared bytes divided among the images that use them.
    """
    return queries.images()


@table(columns=("stored_bytes", "freed_bytes", "kind", "media_type", "about", "name"))
def artifacts(_: "Session") -> AnyQuestion:
    """List charts, models, signatures, attestations and build caches that manifests name.

    freed_bytes: what deleting it alone frees; empty if it is deleted with an image.
    """
    return queries.artifacts()


@table(columns=("content_bytes", "images", "chains", "verified", "diff_id", "created_by"))
def layers(_: "Session") -> AnyQuestion:
    """List distinct layers and how many images use each."""
    return queries.layers()


@table(
    limit=100,
    columns=(
        *("size_bytes", "cause", "image", "added_position", "hidden_position"),
        *("changed_fields", "path"),
    ),
    sorts=("images", "size_bytes", "added_position", "hidden_position"),
)
def shadowed(_: "Session") -> AnyQuestion:
    """List files that upper layers hide, with the build steps that added and hid them."""
    return queries.shadowed_files(most=None, sort="")


@table(text=_tree_text)
def tree(_: "Session") -> AnyQuestion:
    """Show which images share which layers, from the base up."""
    return queries.tree()


@table(
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
        bool, typer.Option("--files", help="List the files that were copied up, largest first.")
    ] = False,
) -> AnyQuestion:
    """List containers with the bytes that each has written, copied up and hidden."""
    return queries.copied_up() if files else queries.containers()


@table(
    every_scan=True,
    columns=(
        *("finished", "sources", "repository", "images", "layers", "stored_bytes"),
        *("unpacked_bytes", "position_loss_bytes", "growth_bytes", "incomplete_images", "scan"),
    ),
)
def trend(
    _: "Session",
    by: Annotated[
        TrendBy, typer.Option("--by", help="One row per scan, or per scan and repository.")
    ] = TrendBy.SCAN,
) -> AnyQuestion:
    """List all scans with what each found and how much it grew."""
    return queries.trend() if by is TrendBy.SCAN else queries.trend_repositories()
