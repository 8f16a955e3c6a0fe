"""Whether a scan keeps the rules of a gate, and the evidence where it does not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dedupe.analysis.check.rules import RULES, Gate, Limits, Rule, Subject
from dedupe.analysis.diff import one_scan
from dedupe.analysis.interface import Questions, Row
from dedupe.analysis.paths.globs import pattern_of
from dedupe.analysis.selection import images_matching
from dedupe.errors import StoreError

#: layers, paths and subjects that a broken rule shows
MOST_SHOWN = 10


class Verdict(StrEnum):
    """What became of a rule, the worst last."""

    NOT_JUDGED = "not judged"
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Breach:
    """Something that is beyond a limit, or the nearest to it of all that are not."""

    subject: str
    #: of an image
    image_id: str | None
    verdict: Verdict
    value: float
    limit: float | None
    #: of so few bytes that its share breaks nothing
    under_floor: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """A table of the worst there is."""

    title: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rule, and what the scan makes of it."""

    rule: Rule
    verdict: Verdict
    #: images, repositories or stores that the rule was asked of
    judged: int
    #: the one that is the nearest to its limit, or the farthest beyond; None where none was judged
    worst: Breach | None
    #: all that are beyond a limit, the worst first
    breaches: tuple[Breach, ...]
    evidence: tuple[Evidence, ...] = ()
    #: why it was not judged
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of every rule that has a limit."""

    scan: str
    baseline: str | None
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all rules look at."""

    questions: Questions
    gate: Gate
    #: parameters of the queries about images
    held: Mapping[str, Any]
    ignored: str | None
    baseline: str | None
    subjects: dict[Subject, list[Row]]


def check(questions: Questions, gate: Gate) -> Checked:
    """Judge every rule that has a limit for something.

    Raises StoreError ``no-scan`` or ``ambiguous-scan`` for a baseline that the catalog lacks.
    """
    notes = list(gate.notes)
    ignored = "|".join(f"(?:{pattern_of(glob)})" for glob in gate.ignored_paths) or None
    held = {
        "base_images": list(_base_images(questions, gate, notes)),
        "base_layers": list(gate.base_layers),
        "ignored": ignored,
    }
    baseline = _baseline(questions, gate)
    scene = _Scene(questions, gate, held, ignored, baseline, {})
    outcomes = tuple(found for rule in RULES if (found := _outcome(scene, rule)))
    order = list(Verdict)
    return Checked(
        scan=questions.rows("scan")[0]["scan"],
        baseline=baseline,
        verdict=max(
            (outcome.verdict for outcome in outcomes), key=order.index, default=Verdict.PASSED
        ),
        outcomes=outcomes,
        notes=tuple(notes),
    )


def _base_images(questions: Questions, gate: Gate, notes: list[str]) -> Iterator[str]:
    """IDs of the base images; a glob that fits none is noted, as one file serves many stores."""
    for glob in gate.base:
        try:
            yield from images_matching(questions, [glob])
        except StoreError as error:
            if error.code != "no-image":
                raise
            notes.append(f"base {glob}: the scan has no such image")


def _baseline(questions: Questions, gate: Gate) -> str | None:
    if gate.baseline:
        return one_scan(questions, gate.baseline)
    return next((row["scan"] for row in questions.rows("check/baseline")), None)


def _outcome(scene: _Scene, rule: Rule) -> Outcome | None:
    """The rule judged on all that it has a limit for; None where that is nothing."""
    limited = [
        (row, *found)
        for row in _subjects(scene, rule.subject)
        if (found := scene.gate.limits_of(rule.name, row["known_as"]))[0] != Limits()
    ]
    if not limited:
        return None
    judged = [
        _judge(rule, row, limits, floor)
        for row, limits, floor in limited
        if row[rule.column] is not None
    ]
    if not judged:
        reason = "there is no earlier scan of these sources to compare with"
        return Outcome(rule, Verdict.NOT_JUDGED, 0, None, (), (), reason)
    order = list(Verdict)
    ranked = sorted(
        judged,
        key=lambda each: (
            -order.index(each.verdict),
            each.under_floor,
            each.value if rule.lowest else -each.value,
            each.subject,
        ),
    )
    breaches = tuple(each for each in ranked if each.verdict is not Verdict.PASSED)
    return Outcome(
        rule,
        ranked[0].verdict,
        len(judged),
        ranked[0],
        breaches,
        _evidence(scene, rule, breaches) if breaches else (),
    )


def _judge(rule: Rule, row: Row, limits: Limits, floor: int) -> Breach:
    value = row[rule.column]
    small = rule.floor_column is not None and row[rule.floor_column] < floor
    verdict, limit = Verdict.PASSED, limits.fail if limits.fail is not None else limits.warn
    if not small:
        if limits.fail is not None and rule.breaks(value, limits.fail):
            verdict = Verdict.FAILED
        elif limits.warn is not None and rule.breaks(value, limits.warn):
            verdict, limit = Verdict.WARNED, limits.warn
    return Breach(row["subject"], row.get("image_id"), verdict, value, limit, small)


def _subjects(scene: _Scene, subject: Subject) -> list[Row]:
    """Rows with the figures of all images, repositories, or of the store; asked once."""
    if subject not in scene.subjects:
        scene.subjects[subject] = list(_asked(scene, subject))
    return scene.subjects[subject]


def _asked(scene: _Scene, subject: Subject) -> Iterator[Row]:
    match subject:
        case Subject.IMAGE:
            for row in scene.questions.rows("check/images", **scene.held):
                known_as = [*row["names"], row["image_id"], row["digest"]]
                yield {**row, "subject": row["image"], "known_as": known_as}
        case Subject.REPOSITORY:
            usage = scene.questions.rows(
                "usage/groups", by="repository", globs=[], granularity="unpacked"
            )
            for row in usage:
                if row["kind"] == "group":
                    yield {**row, "subject": row["name"], "known_as": [row["name"]]}
        case Subject.STORE:
            row = scene.questions.rows("check/store", ignored=scene.ignored)[0]
            grown: Row = {"growth_bytes": None, "growth_percent": None}
            if scene.baseline:
                grown = scene.questions.rows("check/growth", baseline=scene.baseline)[0]
            yield {**row, **grown, "subject": "the whole store", "known_as": []}


def _evidence(scene: _Scene, rule: Rule, breaches: tuple[Breach, ...]) -> tuple[Evidence, ...]:
    """The worst layers and paths behind the breaches of a rule."""
    ask = scene.questions.rows
    match rule.column:
        case "duplicate_bytes" | "duplicate_percent":
            about: Mapping[str, Any] = {"ignored": scene.ignored, "most": MOST_SHOWN}
            return (
                Evidence("worst layers", ask("check/duplicate_layers", **about)),
                Evidence("worst contents", ask("check/duplicates", **about)),
            )
        case "growth_bytes" | "growth_percent":
            return _grown(scene)
        case "incomplete_images":
            errors = [row for row in ask("problems") if row["severity"] == "error"]
            return (Evidence("what could not be read", errors[:MOST_SHOWN]),)
        case "exclusive_unpacked":
            names = [each.subject for each in breaches]
            rows = ask("check/exclusive", repositories=names, most=MOST_SHOWN)
            return (Evidence("largest layers", rows),)
        case _:
            about = {
                **scene.held,
                "images": [each.image_id for each in breaches],
                "held": rule.held.value,
                "most": MOST_SHOWN,
            }
            return (
                Evidence("worst layers", ask("check/layers", **about)),
                Evidence("worst paths", ask("check/paths", **about)),
            )


def _grown(scene: _Scene) -> tuple[Evidence, ...]:
    sides = {"old": scene.baseline, "new": scene.questions.rows("scan")[0]["scan"]}
    came = [
        row
        for row in scene.questions.rows("diff/scan_changes", **sides)
        if row["change"] in ("appeared", "grew")
    ]
    return tuple(
        Evidence(title, [row for row in came if row["what"] == what][:MOST_SHOWN])
        for title, what in (
            ("sources that came or grew", "source"),
            ("images that came", "image"),
            ("layers that came", "layer"),
        )
    )
