"""What a scan says at its end."""

from collections import Counter
from collections.abc import Iterator

from dedupe.model.images import Severity
from dedupe.report.remedies import REMEDIES
from dedupe.report.units import counted
from dedupe.scan import ScanOutcome

_PROBLEMS_SHOWN = 50
_REMEDIES_SHOWN = 3


def problem_lines(outcome: ScanOutcome) -> Iterator[str]:
    """A line a problem, the first of many, and what to do about each kind of error."""
    for problem in outcome.problems[:_PROBLEMS_SHOWN]:
        place = (
            problem.source
            if problem.source == problem.subject
            else f"{problem.source}: {problem.subject}"
        )
        yield f"dedupe: {problem.severity.value}: {place}: {problem.message} [{problem.code}]"
    if len(outcome.problems) > _PROBLEMS_SHOWN:
        more = len(outcome.problems) - _PROBLEMS_SHOWN
        yield f"dedupe: {more} more; 'dedupe report -f json' lists all"
    codes = Counter(each.code for each in outcome.problems if each.severity is Severity.ERROR)
    for code, _ in codes.most_common(_REMEDIES_SHOWN):
        if code in REMEDIES:
            yield f"dedupe: {code}: {REMEDIES[code].replace('`', '')}"


def summary(outcome: ScanOutcome) -> str:
    """What was done."""
    return (
        f"{counted(outcome.images, 'image')} in {counted(outcome.sources, 'source')}: "
        f"{counted(outcome.layers_read, 'layer')} read ({outcome.entries:,} entries), "
        f"{outcome.layers_named:,} known already"
    )
