"""One sentence about the entries that unpackers show differently."""

from collections import Counter
from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.report.units import counted

_CASES = 3


def flagged_entries(rows: Sequence[queries.ProblemsRow]) -> str:
    """How many entries are flagged, with the most frequent cases; empty if there are none.

    Figures are those of the specification there. Source: docs/catalog.md, "Where stores differ".
    """
    cases = Counter(
        row["message"].partition(":")[0] if row["code"] == "entry-flagged" else row["code"]
        for row in rows
        if row["code"] in ("entry-flagged", "dangling-hard-link")
    )
    if not cases:
        return ""
    shown = [f"{case} {count}" for case, count in cases.most_common(_CASES)]
    more = len(cases) - _CASES
    return (
        f"{counted(cases.total(), 'flagged entry')}: unpackers may show and "
        "count them differently; figures are those of the OCI specification. "
        f"{', '.join(shown)}" + (f" and {counted(more, 'more case')}" if more > 0 else "")
    )
