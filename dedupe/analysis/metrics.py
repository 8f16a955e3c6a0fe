"""Everything that metrics say: the report, and what each repository pays for."""

from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.overview import Overview, overview


@dataclass(frozen=True, slots=True)
class Metrics:
    """Rows of the metrics; the queries' headers describe them."""

    found: Overview
    #: groups of ``usage`` by repository, without the row of what nothing references
    repositories: list[queries.UsageGroupsRow]


def metrics(questions: Questions) -> Metrics:
    """The report of a session's scan and its repositories."""
    rows = questions.rows(queries.usage_groups(by="repository", globs=[], granularity="unpacked"))
    return Metrics(overview(questions), [row for row in rows if row["kind"] == "group"])
