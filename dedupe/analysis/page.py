"""Everything that the HTML page shows beside the report."""

from dataclasses import dataclass, replace

from dedupe.analysis import queries
from dedupe.analysis.overview import Overview, overview
from dedupe.analysis.reorder.input import reorder_input
from dedupe.analysis.reorder.layers import plan_layers
from dedupe.analysis.reorder.plans import Plan, ReorderOptions, StepPlan
from dedupe.analysis.reorder.proofs import ReorderQuestions, with_proofs
from dedupe.analysis.reorder.steps import plan_steps

#: images in the treemap, and folders a layer: what a screen can show
_IMAGES = 60
_FOLDERS = 12
#: images whose proposed orders are shown and proven, and time for looking for better ones
_PROPOSALS = 12
_BUDGET_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the page; the queries' headers describe them."""

    found: Overview
    tree: list[queries.TreeRow]
    folders: list[queries.TreemapRow]
    duplicate_folders: list[queries.DuplicateFoldersRow]
    orders: list[queries.UsagePositionsRow]
    #: orders for storage; only the first images are shown, and proven
    plan: Plan
    steps: StepPlan
    trend: list[queries.TrendRow]


def page(questions: ReorderQuestions) -> Page:
    """All answers that the page needs."""
    options = ReorderOptions(budget_seconds=_BUDGET_SECONDS, prove=False)
    given = reorder_input(questions, options)
    plan, steps = plan_layers(questions, given), plan_steps(questions, given)
    shown = with_proofs(questions, plan.proposals[:_PROPOSALS], options.grade)
    return Page(
        found=overview(questions),
        tree=questions.rows(queries.tree()),
        folders=questions.rows(queries.treemap(images=_IMAGES, folders=_FOLDERS)),
        duplicate_folders=questions.rows(queries.duplicate_folders()),
        orders=questions.rows(queries.usage_positions()),
        plan=replace(plan, proposals=[*shown, *plan.proposals[_PROPOSALS:]]),
        steps=steps,
        trend=questions.rows(queries.trend()),
    )
