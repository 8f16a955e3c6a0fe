"""The rows that the HTML page shows beside the report."""

from dataclasses import dataclass, replace

from dedupe.analysis import queries
from dedupe.analysis.overview import Overview
from dedupe.analysis.reorder.input import reorder_input
from dedupe.analysis.reorder.layers import plan_layers
from dedupe.analysis.reorder.plans import Plan, ReorderOptions, StepPlan
from dedupe.analysis.reorder.proofs import ReorderQuestions, with_proofs
from dedupe.analysis.reorder.steps import plan_steps

#: proposed orders that the page shows, and therefore those that have to be proven
PROPOSALS_SHOWN = 12
#: images in the treemap, and folders per layer: a screen cannot show more
_IMAGES = 60
_FOLDERS = 12
#: time to improve the proposed orders
_BUDGET_SECONDS = 2


@dataclass(frozen=True, slots=True)
class PageRows:
    """Rows of the page; the queries' headers describe them."""

    found: Overview
    tree: list[queries.TreeRow]
    folders: list[queries.TreemapRow]
    duplicate_folders: list[queries.DuplicateFoldersRow]
    positions: list[queries.UsagePositionsRow]
    #: orders that save storage; only those that are shown are proven
    plan: Plan
    steps: StepPlan
    trend: list[queries.TrendRow]
    #: disk usage, one row per source, kind and owner
    disk_owners: list[queries.DiskRow]


def page_rows(questions: ReorderQuestions, found: Overview) -> PageRows:
    """The overview with all other rows of the page, from the same session's scan."""
    options = ReorderOptions(budget_seconds=_BUDGET_SECONDS, prove=False)
    given = reorder_input(questions, options)
    plan, steps = plan_layers(questions, given), plan_steps(questions, given)
    shown = with_proofs(questions, plan.proposals[:PROPOSALS_SHOWN], options.grade)
    return PageRows(
        found=found,
        tree=questions.rows(queries.tree()),
        folders=questions.rows(queries.treemap(images=_IMAGES, folders=_FOLDERS)),
        duplicate_folders=questions.rows(queries.duplicate_folders()),
        positions=questions.rows(queries.usage_positions()),
        plan=replace(plan, proposals=[*shown, *plan.proposals[PROPOSALS_SHOWN:]]),
        steps=steps,
        trend=questions.rows(queries.trend()),
        disk_owners=questions.rows(queries.disk(by="owner", kinds=[], below="")),
    )
