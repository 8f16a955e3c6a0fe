"""The commands to suggest after a scan: those that show where most bytes can be saved."""

from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.model.advice import GENERAL, Advice, Reason

_MOST_COMMANDS = 3
#: findings take about a second per 100,000 entries: too long to wait for a hint in a large scan
_MOST_ENTRIES = 300_000


def advice(questions: Questions) -> list[Advice]:
    """The most useful commands: the report, the findings, and those with the largest figures."""
    findings: list[Advice] = []
    others = [*_orphans(questions), *_positions(questions)]
    if questions.rows(queries.scan_size())[0]["entries"] <= _MOST_ENTRIES:
        findings = _findings(questions)
        others += [*_shadowed(questions), *_containers(questions)]
    others.sort(key=lambda each: -each.size_bytes)
    first, *rest = GENERAL
    return [first, *findings, *others, *rest][:_MOST_COMMANDS]


def _findings(questions: Questions) -> list[Advice]:
    rows = questions.rows(queries.findings())
    return [
        Advice(
            ("findings",),
            Reason.FINDINGS,
            row["saves_bytes"],
            len(rows),
            kind=row["kind"],
            about=row["image"],
        )
        for row in rows[:1]
    ]


def _shadowed(questions: Questions) -> list[Advice]:
    rows = questions.rows(queries.images())
    shadowed = [
        (row["shadowed_bytes"], selector(row, rows), row["label"])
        for row in rows
        if row["shadowed_bytes"]
    ]
    return [
        Advice(("history", name), Reason.SHADOWED, size_bytes, about=label)
        for size_bytes, name, label in sorted(shadowed, key=lambda each: -each[0])[:1]
    ]


def selector(row: queries.ImagesRow, rows: Sequence[queries.ImagesRow]) -> str:
    """What means this one of the images in a command: its label, or its ID if that is not one's."""
    is_one = sum(other["label"] == row["label"] for other in rows) == 1
    return row["label"] if is_one else row["image_id"]


def _positions(questions: Questions) -> list[Advice]:
    lost = sum(row["position_loss_bytes"] for row in questions.rows(queries.usage_positions()))
    return [Advice(("reorder",), Reason.POSITIONS, lost)] if lost else []


def _containers(questions: Questions) -> list[Advice]:
    if not questions.rows(queries.container_sources()):
        return []
    rows = questions.rows(queries.containers())
    copied = sum(row["copied_up_bytes"] or 0 for row in rows)
    return [Advice(("containers",), Reason.CONTAINERS, copied, len(rows))] if copied else []


def _orphans(questions: Questions) -> list[Advice]:
    orphans = sum(row["orphan_bytes"] or 0 for row in questions.rows(queries.sources()))
    return [Advice(("sources",), Reason.ORPHANS, orphans)] if orphans else []
