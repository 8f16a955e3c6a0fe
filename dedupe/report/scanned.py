"""What a scan says at its end."""

from collections.abc import Iterator

from dedupe.installed import locate_pages
from dedupe.model.images import Severity
from dedupe.report.remedies import REMEDIES
from dedupe.report.units import counted
from dedupe.scan import ScanOutcome

_PROBLEMS_SHOWN = 50


def problem_lines(outcome: ScanOutcome) -> Iterator[str]:
    """A line a problem, the first of many, and what to do below the first of each kind."""
    said: set[str] = set()
    for problem in outcome.problems[:_PROBLEMS_SHOWN]:
        place = (
            problem.source
            if problem.source == problem.subject
            else f"{problem.source}: {problem.subject}"
        )
        yield f"dedupe: {problem.severity.value}: {place}: {problem.message} [{problem.code}]"
        remedy = REMEDIES.get(problem.code)
        if remedy and problem.severity is Severity.ERROR and remedy not in said:
            said.add(remedy)
            yield f"        to mend it: {locate_pages(remedy.replace('`', ''))}"
    if len(outcome.problems) > _PROBLEMS_SHOWN:
        more = len(outcome.problems) - _PROBLEMS_SHOWN
        yield f"dedupe: {more} more; 'dedupe report -f json' lists all"


def summary(outcome: ScanOutcome) -> str:
    """What was done."""
    return (
        f"{counted(outcome.images, 'image')} in {counted(outcome.sources, 'source')}: "
        f"{counted(outcome.layers_read, 'layer')} read ({outcome.entries:,} entries), "
        f"{outcome.layers_named:,} known already"
    )
