"""Commands that propose orders of layers. They build nothing."""

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from dedupe.analysis import queries
from dedupe.cli.commands import add_command
from dedupe.cli.options import (
    BytesOption,
    CatalogOption,
    LimitOption,
    OutputOption,
    ScanOption,
    SortOption,
    SourceOption,
)
from dedupe.cli.output import write
from dedupe.cli.paths import ImageArgument
from dedupe.cli.tables import TableFormat, TableFormatOption, TableOptions, open_session, show
from dedupe.model.choices import DEFAULT_LAYERS, Grade, Objective, Prefer

if TYPE_CHECKING:
    from dedupe.analysis.reorder.plans import ReorderOptions


class ReorderFormat(StrEnum):
    """Forms of plans and divisions."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


class ExplainFormat(StrEnum):
    """Forms of one image's explanation."""

    TERMINAL = "terminal"
    JSON = "json"


class PlanByDefault(TyperGroup):
    """A group whose command ``plan`` may be left out."""

    # Any: typer has no public name for the type of a context here
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``plan`` in front of what does not begin with a command."""
        # completion of the first word should offer the commands
        first = args[0] if args or ctx.resilient_parsing else ""
        if first not in self.commands and first != "--help":
            args = ["plan", *args]
        return super().parse_args(ctx, args)


ObjectiveOption = Annotated[
    Objective,
    typer.Option("--for", help="Save bytes in storage, bytes that a release pulls, or both."),
]
GradeOption = Annotated[
    Grade,
    typer.Option(
        "--grade",
        help="Merged view that must stay: identical, or all but mtimes of shared directories.",
    ),
]
BudgetOption = Annotated[
    str, typer.Option("--budget", metavar="TIME", help="Time for the search: 30s, 2m.")
]
KeepBasesOption = Annotated[
    bool, typer.Option("--keep-bases", help="Move no layer into or out of a base image.")
]
ProofOption = Annotated[
    bool, typer.Option("--proof/--no-proof", help="Compare the merged views of both orders.")
]
FormatOption = Annotated[ReorderFormat, typer.Option("--format", "-f", help="Output format.")]
ShownOption = Annotated[
    int,
    typer.Option("--limit", min=0, metavar="NUMBER", help="Entries per list (0 = no limit)."),
]


def plan(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE", help="Names or globs of images that may change (default: all)."
        ),
    ] = None,
    objective: ObjectiveOption = Objective.STORAGE,
    grade: GradeOption = Grade.EQUIVALENT,
    budget: BudgetOption = "10s",
    keep_bases: KeepBasesOption = False,
    steps: Annotated[
        bool, typer.Option("--steps/--no-steps", help="Propose orders of build steps too.")
    ] = True,
    proof: ProofOption = True,
    limit: ShownOption = 10,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: FormatOption = ReorderFormat.TERMINAL,
    output: OutputOption = None,
    plain: BytesOption = False,
) -> None:
    """Propose layer orders for all images, or for some, with a proof for each.

    Shows today's order beside the proposed one, and a build file for it.
    """
    from dedupe.analysis.reorder.input import reorder_input
    from dedupe.analysis.reorder.layers import plan_layers
    from dedupe.analysis.reorder.steps import plan_steps
    from dedupe.report.reorder import json_report, markdown, terminal

    options = replace(
        _options(objective, grade, budget, keep_bases), images=images or (), prove=proof
    )
    session = open_session(catalog, scan, source)
    given = reorder_input(session, options)
    found = plan_layers(session, given)
    rebuilt = plan_steps(session, given) if steps and objective is not Objective.PULLS else None
    match format:
        case ReorderFormat.TERMINAL:
            text = terminal.to_terminal(found, rebuilt, plain=plain, limit=limit)
        case ReorderFormat.JSON:
            text = json_report.to_json(found, rebuilt)
        case ReorderFormat.MARKDOWN:
            text = markdown.to_markdown(found, rebuilt, plain=plain, limit=limit)
    write(text, output)


def explain(
    image: ImageArgument,
    objective: ObjectiveOption = Objective.STORAGE,
    grade: GradeOption = Grade.EQUIVALENT,
    budget: BudgetOption = "10s",
    keep_bases: KeepBasesOption = False,
    proof: ProofOption = True,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: Annotated[
        ExplainFormat, typer.Option("--format", "-f", help="Output format.")
    ] = ExplainFormat.TERMINAL,
    output: OutputOption = None,
    plain: BytesOption = False,
) -> None:
    """Explain why each layer of an image is where the plan puts it.

    Shows how far each layer may move, and the paths that keep it from moving further.
    """
    from dedupe.analysis.reorder.input import reorder_input
    from dedupe.analysis.reorder.layers import plan_layers
    from dedupe.report.reorder import json_report, terminal

    options = replace(_options(objective, grade, budget, keep_bases), prove=proof, explain=image)
    session = open_session(catalog, scan, source)
    found = plan_layers(session, reorder_input(session, options))
    if format is ExplainFormat.JSON:
        write(json_report.to_json(found, None), output)
    else:
        write(terminal.explanation(found, plain=plain), output)


def compare(
    image: ImageArgument,
    objective: ObjectiveOption = Objective.STORAGE,
    grade: GradeOption = Grade.EQUIVALENT,
    budget: BudgetOption = "10s",
    keep_bases: KeepBasesOption = False,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: TableFormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: LimitOption = 100,
    sort: SortOption = None,
    plain: BytesOption = False,
) -> None:
    """List every entry of an image's merged view in today's order and in the proposed one."""
    from dedupe.analysis.reorder.input import reorder_input
    from dedupe.analysis.reorder.layers import plan_layers

    options = replace(_options(objective, grade, budget, keep_bases), prove=False, explain=image)
    session = open_session(catalog, scan, source)
    found = plan_layers(session, reorder_input(session, options)).explained
    if found is None:
        raise ValueError("the plan explains no image")
    beside = session.beside({found.image_id: found.order})
    try:
        answer = beside.answer(queries.reorder_view_entries())
    finally:
        beside.close()
    show(answer, TableOptions(format, output, limit, sort, plain))


def relayer(
    prefer: Annotated[
        Prefer, typer.Option("--for", help="Save bytes in storage, or bytes that a release pulls.")
    ] = Prefer.STORAGE,
    layers: Annotated[
        int, typer.Option("--layers", min=1, metavar="NUMBER", help="Layers per image at most.")
    ] = DEFAULT_LAYERS,
    limit: ShownOption = 10,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: FormatOption = ReorderFormat.TERMINAL,
    output: OutputOption = None,
    plain: BytesOption = False,
) -> None:
    """Propose new layers that hold the files which the same images have.

    Shows the new layers, and pairs of today's layers that are better joined.
    """
    from dedupe.analysis.reorder.relayer import plan_new_layers
    from dedupe.report.reorder import relayer as report

    found = plan_new_layers(open_session(catalog, scan, source), layers, prefer)
    match format:
        case ReorderFormat.TERMINAL:
            text = report.to_terminal(found, plain=plain, limit=limit)
        case ReorderFormat.JSON:
            text = report.to_json(found)
        case ReorderFormat.MARKDOWN:
            text = report.to_markdown(found, plain=plain, limit=limit)
    write(text, output)


def _options(objective: Objective, grade: Grade, budget: str, keep_bases: bool) -> "ReorderOptions":
    """The options that plans have in common; raises UsageError for a bad time."""
    from dedupe.analysis.reorder.plans import ReorderOptions
    from dedupe.model.amounts import seconds

    return ReorderOptions(
        objective=objective,
        grade=grade,
        budget_seconds=seconds(budget),
        keep_bases=keep_bases,
    )


reorder = typer.Typer(
    cls=PlanByDefault,
    add_completion=False,
    subcommand_metavar="[COMMAND] [ARGS]...",
    help=(
        "Propose layer orders that store or pull fewer bytes and leave images the same.\n\n"
        "'dedupe reorder [IMAGE]...' is short for 'dedupe reorder plan [IMAGE]...' and takes its "
        "options. Nothing is built: the orders are advice for build files, and for tools that "
        "assemble layers. A layer moves past another only if their paths do not meet."
    ),
)
for each in (plan, explain, compare, relayer):
    add_command(reorder, each)
