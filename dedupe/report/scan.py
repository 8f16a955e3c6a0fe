"""What a scan prints at its end: its problems, how to fix them, and a summary."""

from collections.abc import Iterator

from dedupe.installed import locate_pages
from dedupe.model.images import Severity
from dedupe.model.outcome import ScanOutcome
from dedupe.report.units import counted

_PROBLEMS_SHOWN = 50


def problem_lines(outcome: ScanOutcome) -> Iterator[str]:
    """One line per problem, up to fifty, with the fix below the first problem that needs it."""
    if not outcome.problems:
        return
    # these know all questions, and take a while to load
    from dedupe.report.doubts import concerned, place_of
    from dedupe.report.fixes import FIXES

    fixes_shown: set[str] = set()
    for problem in outcome.problems[:_PROBLEMS_SHOWN]:
        images = concerned(problem.images)
        place = place_of(problem.source, problem.subject, problem.message)
        yield (
            f"dedupe: {problem.severity.value}: {place}: {problem.message}{images} [{problem.code}]"
        )
        fix = FIXES.get(problem.code)
        if fix and problem.severity is Severity.ERROR and fix not in fixes_shown:
            fixes_shown.add(fix)
            yield f"        fix: {locate_pages(fix.replace('`', ''))}"
    if len(outcome.problems) > _PROBLEMS_SHOWN:
        more = len(outcome.problems) - _PROBLEMS_SHOWN
        yield f"dedupe: {more} more; 'dedupe report -f json' lists all"


def summary(outcome: ScanOutcome) -> str:
    """One line on what the scan found and read."""
    return (
        f"{counted(outcome.images, 'image')} in {counted(outcome.sources, 'source')}: "
        f"{counted(outcome.layers_read, 'layer')} read ({outcome.entries:,} entries), "
        f"{outcome.layers_reused:,} reused"
        + (f"; {incomplete_images(outcome)}" if outcome.incomplete_images else "")
    )


def incomplete_images(outcome: ScanOutcome) -> str:
    """How many images have a layer that could not be read."""
    verb = "is" if outcome.incomplete_images == 1 else "are"
    return (
        f"{outcome.incomplete_images:,} of {counted(outcome.images, 'image')} {verb} incomplete, "
        "so figures are unknown or lower bounds"
    )
