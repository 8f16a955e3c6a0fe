"""The command that proposes orders of layers. It builds nothing."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.options import BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.output import write
from dedupe.cli.tables import TableFormat, open_session, show
from dedupe.errors import UsageError
from dedupe.model.choices import Grade, Objective

if TYPE_CHECKING:
    from dedupe.analysis.reorder.plans import ReorderOptions
    from dedupe.model.questions import Answer
    from dedupe.store.session import Session


class ReorderFormat(StrEnum):
    """Forms of the answer."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("reorder")(reorder)


def reorder(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE]...", help="Names or globs of images that may change."),
    ] = None,
    objective: Annotated[
        Objective, typer.Option("--for", help="Fewest bytes stored, or pulled by a release.")
    ] = Objective.STORAGE,
    grade: Annotated[
        Grade,
        typer.Option("--grade", help="Equivalent leaves mtimes of shared directories aside."),
    ] = Grade.EQUIVALENT,
    budget: Annotated[
        str, typer.Option("--budget", metavar="TIME", help="Time for improving the plan: 30s, 2m.")
    ] = "10s",
    keep_bases: Annotated[
        bool, typer.Option("--keep-bases", help="No layer moves into or out of a base image.")
    ] = False,
    steps: Annotated[
        bool, typer.Option("--steps/--no-steps", help="Also orders of build steps.")
    ] = True,
    proof: Annotated[
        bool, typer.Option("--proof/--no-proof", help="Hash the merged views of both orders.")
    ] = True,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="IMAGE", help="Say why each layer sits where it does."),
    ] = None,
    entries: Annotated[
        str | None,
        typer.Option("--entries", metavar="IMAGE", help="Compare both orders entry by entry."),
    ] = None,
    relayer: Annotated[
        bool, typer.Option("--relayer", help="New layers instead: by which images show a file.")
    ] = False,
    layers: Annotated[
        int, typer.Option("--layers", min=1, help="With --relayer: layers of an image at the most.")
    ] = 20,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Images to show, or entries; 0 for all.")
    ] = 10,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: Annotated[
        ReorderFormat, typer.Option("--format", "-f", help="Form of the answer.")
    ] = ReorderFormat.TERMINAL,
    output: OutputOption = None,
    plain: BytesOption = False,
) -> None:
    """Propose orders of layers that store or pull less, with a proof that images stay the same.

    Layers move only where no path of one meets a path of the other. It builds nothing: the orders
    are advice for build files and for tools that assemble layers.
    """
    from dedupe.analysis.amounts import seconds
    from dedupe.analysis.reorder.input import reorder_input
    from dedupe.analysis.reorder.layers import plan_layers
    from dedupe.analysis.reorder.plans import ReorderOptions
    from dedupe.analysis.reorder.steps import plan_steps
    from dedupe.report.reorder import json_report, markdown, terminal

    options = ReorderOptions(
        objective=objective,
        grade=grade,
        budget_seconds=seconds(budget),
        images=images or (),
        keep_bases=keep_bases,
        prove=proof,
        explain=explain or entries or "",
    )
    session = open_session(catalog, scan)
    if relayer:
        write(_new_layers(session, options, layers, format, plain=plain, limit=limit), output)
        return
    if entries:
        compared = _entries(session, options)
        form = TableFormat.JSON if format is ReorderFormat.JSON else TableFormat.TABLE
        show(compared, form, output, limit)
        return
    given = reorder_input(session, options)
    plan = plan_layers(session, given)
    rebuilt = None
    if steps and objective is not Objective.PULLS and not explain:
        rebuilt = plan_steps(session, given)
    match format:
        case ReorderFormat.TERMINAL if explain:
            write(terminal.explain(plan, plain=plain), output)
        case ReorderFormat.TERMINAL:
            write(terminal.render(plan, rebuilt, plain=plain, limit=limit), output)
        case ReorderFormat.JSON:
            write(json_report.as_json(plan, rebuilt), output)
        case ReorderFormat.MARKDOWN:
            write(markdown.render(plan, rebuilt, plain=plain, limit=limit), output)


def _entries(session: "Session", options: "ReorderOptions") -> "Answer":
    """Both views of an image, entry by entry."""
    from dataclasses import replace

    from dedupe.analysis.reorder.input import reorder_input
    from dedupe.analysis.reorder.layers import plan_layers

    plan = plan_layers(session, reorder_input(session, replace(options, prove=False)))
    if plan.explained is None:
        raise ValueError("the plan explains no image")
    beside = session.beside({plan.explained.image_id: plan.explained.order})
    try:
        return beside.answer(queries.reorder_view_entries())
    finally:
        beside.close()


def _new_layers(
    session: "Session",
    options: "ReorderOptions",
    layers: int,
    format: ReorderFormat,
    *,
    plain: bool,
    limit: int,
) -> str:
    """Other divisions of the images into layers."""
    from dedupe.analysis.reorder.relayer import plan_new_layers
    from dedupe.reorder.relayer import Prefer
    from dedupe.report.reorder import relayer as relayering

    if options.images:
        raise UsageError(
            "--relayer divides all images of the scan: leave the names out", "no-choice"
        )
    pulls = options.objective is Objective.PULLS
    found = plan_new_layers(session, layers, Prefer.PULLS if pulls else Prefer.STORAGE)
    match format:
        case ReorderFormat.TERMINAL:
            return relayering.render(found, plain=plain, limit=limit)
        case ReorderFormat.JSON:
            return relayering.as_json(found)
        case ReorderFormat.MARKDOWN:
            return relayering.as_markdown(found, plain=plain, limit=limit)
