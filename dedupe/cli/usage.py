"""Commands that divide the store's bytes among images, and show what is stored more than once."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import TextInput, table
from dedupe.model.choices import SharedGranularity
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


#: Up to so many images with a content in common are all compared with each other. 64 give 2,016
#: pairs; the number grows with the square.
_WIDEST_CLASS = 64


class By(StrEnum):
    """Groups of images, or layers, that bytes are counted for."""

    IMAGE = "image"
    REPOSITORY = "repository"
    NAMESPACE = "namespace"
    TAG_SERIES = "tag-series"
    BASE = "base"
    LAYER = "layer"


GranularityOption = Annotated[
    SharedGranularity,
    typer.Option(
        "--granularity",
        "-g",
        help="Unit to count once: compressed blob, unpacked layer, or distinct file content.",
    ),
]


def _usage_text(usage: TextInput) -> str:
    from dedupe.report.usage import to_terminal

    return to_terminal(usage.question, usage.answer, usage.shown, plain=usage.options.plain)


@table(text=_usage_text)
def usage(
    _: "Session",
    by: Annotated[By, typer.Option("--by", help="What to group by.")] = By.REPOSITORY,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            metavar="GLOB",
            help="Group images whose names match; repeat it for more groups. A name belongs to "
            "the first group that it matches.",
        ),
    ] = None,
    granularity: GranularityOption = SharedGranularity.UNPACKED,
) -> AnyQuestion:
    """Show who uses the bytes of the store, in rows that add up to its total.

    attributed, exclusive and dead add up to the store's total, with one row for bytes that several
    groups use and one for bytes that no image uses. referenced and shared don't add up: they count
    a unit in every group that uses it. JSON, CSV and Parquet have all three granularities.
    """
    if group:
        return queries.usage_groups(by="group", globs=group, granularity=granularity.value)
    if by is By.LAYER:
        return queries.usage_layers(granularity=granularity.value)
    return queries.usage_groups(by=by.value, globs=[], granularity=granularity.value)


@table(
    columns=(
        *("position_loss_bytes", "position", "copy", "copies", "created_by", "split_by"),
        "image_names",
    )
)
def positions(_: "Session") -> AnyQuestion:
    """List layers that are stored several times because they have different parents.

    The column position_loss_bytes adds up to the most that another order of layers can save.
    """
    return queries.usage_positions()


@table()
def bases(_: "Session") -> AnyQuestion:
    """List images that are built on another image, and the bytes they share with it."""
    return queries.usage_bases()


@table(limit=100)
def twins(
    session: "Session",
    similarity: Annotated[
        float,
        typer.Option(
            "--similarity",
            min=0.0,
            max=1.0,
            help="Least share of file contents that a pair has in common, by bytes.",
        ),
    ] = 0.5,
    gain: Annotated[
        str,
        typer.Option("--gain", metavar="SIZE", help="Least that a common base would save."),
    ] = "1MB",
    groups: Annotated[
        bool, typer.Option("--groups", help="One row per group of similar images, not per pair.")
    ] = False,
) -> AnyQuestion:
    """List pairs of images with nearly the same files but few layers in common.

    The column gain_bytes is what a pair would save on a common base. Pairs overlap, so their gains
    don't add up. Groups don't overlap.
    """
    from dedupe.model.amounts import size_bytes

    pairs = queries.usage_twins(
        similarity=similarity, gain_bytes=size_bytes(gain), widest=_WIDEST_CLASS
    )
    if not groups:
        return pairs
    rows = session.rows(pairs)
    return queries.usage_twin_groups(
        image_ids=[row["image_id"] for row in rows], twin_ids=[row["twin_id"] for row in rows]
    )
