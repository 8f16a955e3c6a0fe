"""Commands that say who pays for what, and why it is stored more than once."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.choices import Granularity
from dedupe.model.questions import Answer, AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session


#: pairs among so many images are all compared; 64 give 2,016 pairs a class of contents
_WIDEST_CLASS = 64


class By(StrEnum):
    """Groups that bytes are counted by."""

    IMAGE = "image"
    REPOSITORY = "repository"
    NAMESPACE = "namespace"
    TAG_SERIES = "tag-series"
    BASE = "base"
    LAYER = "layer"


GranularityOption = Annotated[
    Granularity,
    typer.Option(
        "--granularity",
        "-g",
        help="Count blobs as stored, layers unpacked in their place, or distinct file contents.",
    ),
]


def _usage_text(question: AnyQuestion, answer: Answer, shown: Answer, *, plain: bool) -> str:
    from dedupe.report.usage import render

    return render(question, answer, shown, plain=plain)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @table(app, text=_usage_text)
    def usage(
        _: "Session",
        by: Annotated[By, typer.Option("--by", help="What to group by.")] = By.REPOSITORY,
        group: Annotated[
            list[str] | None,
            typer.Option(
                "--group",
                metavar="GLOB",
                help="A group of your own, of the names that fit; repeat it. The first that fits counts.",
            ),
        ] = None,
        granularity: GranularityOption = Granularity.UNPACKED,
    ) -> AnyQuestion:
        """Say who pays for what, in rows that add up to the whole store.

        The columns attributed, exclusive and dead add up to the store's total, with a row for what
        lies between groups and one for what nothing references. The columns referenced and shared
        count a unit in every group that holds it, so they don't. JSON, CSV and Parquet have all
        three granularities.
        """
        if group:
            return queries.usage_groups(by="group", globs=group, granularity=granularity.value)
        if by is By.LAYER:
            return queries.usage_layers(granularity=granularity.value)
        return queries.usage_groups(by=by.value, globs=[], granularity=granularity.value)

    @table(
        app,
        columns=(
            *("lost_bytes", "position", "copy", "copies", "created_by", "split_by"),
            "image_names",
        ),
    )
    def positions(_: "Session") -> AnyQuestion:
        """List layers that are stored several times because they sit on different parents.

        The column lost_bytes adds up to the store's position loss: the most that another order of
        layers can win.
        """
        return queries.usage_positions()

    @table(app)
    def bases(_: "Session") -> AnyQuestion:
        """List images that are built on another image, and the bytes they share with it."""
        return queries.usage_bases()

    @table(app, limit=100)
    def twins(
        session: "Session",
        similarity: Annotated[
            float,
            typer.Option(
                "--similarity",
                min=0.0,
                max=1.0,
                help="Least share of contents in common, by bytes.",
            ),
        ] = 0.5,
        gain: Annotated[
            str, typer.Option("--gain", metavar="SIZE", help="Least gain on a common base.")
        ] = "1MB",
        groups: Annotated[
            bool, typer.Option("--groups", help="A row a group of twins instead of a pair.")
        ] = False,
    ) -> AnyQuestion:
        """List pairs of images with nearly the same contents and few layers in common.

        The column gain_bytes is what a pair would share on a common base. Gains of pairs overlap:
        they don't add up. Those of groups don't overlap.
        """
        from dedupe.analysis.amounts import size_bytes

        pairs = queries.usage_twins(
            similarity=similarity, gain_bytes=size_bytes(gain), widest=_WIDEST_CLASS
        )
        if not groups:
            return pairs
        rows = session.rows(pairs)
        return queries.usage_twin_groups(
            image_ids=[row["image_id"] for row in rows], twin_ids=[row["twin_id"] for row in rows]
        )
