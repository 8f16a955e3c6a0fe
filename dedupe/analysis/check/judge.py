"""Whether a scan keeps the rules of a gate, and the evidence where it does not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dedupe.analysis import queries
from dedupe.analysis.check.rules import RULES, Evidence, Gate, Limits, Rule, Subject
from dedupe.analysis.diff import one_scan
from dedupe.analysis.interface import Questions
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
class EvidenceTable:
    """The worst rows behind a broken rule."""

    title: str
    rows: Sequence[Mapping[str, object]]


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
    evidence: tuple[EvidenceTable, ...] = ()
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
class _Figures:
    """What rules judge of one image, one repository, or the whole store."""

    subject: str
    #: names and IDs that limits may be given for
    known_as: list[str]
    #: column -> value; None when it is not known
    values: Mapping[str, float | None]
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all rules look at."""

    questions: Questions
    gate: Gate
    base_images: list[str]
    base_layers: list[str]
    ignored: str | None
    baseline: str | None
    subjects: dict[Subject, list[_Figures]]


def check(questions: Questions, gate: Gate) -> Checked:
    """Judge every rule that has a limit for something.

    Raises StoreError ``no-scan`` or ``ambiguous-scan`` for a baseline that the catalog lacks.
    """
    notes = list(gate.notes)
    ignored = "|".join(f"(?:{pattern_of(glob)})" for glob in gate.ignored_paths) or None
    base_images = list(_base_images(questions, gate, notes))
    baseline = _baseline(questions, gate)
    scene = _Scene(questions, gate, base_images, list(gate.base_layers), ignored, baseline, {})
    outcomes = tuple(found for rule in RULES if (found := _outcome(scene, rule)))
    order = list(Verdict)
    return Checked(
        scan=questions.rows(queries.scan())[0]["scan"],
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
    return next((row["scan"] for row in questions.rows(queries.check_baseline())), None)


def _outcome(scene: _Scene, rule: Rule) -> Outcome | None:
    """The rule judged on all that it has a limit for; None where that is nothing."""
    limited = [
        (row, *found)
        for row in _subjects(scene, rule.subject)
        if (found := scene.gate.limits_of(rule.name, row.known_as))[0] != Limits()
    ]
    if not limited:
        return None
    judged = [
        _judge(rule, row, value, limits, floor)
        for row, limits, floor in limited
        if (value := row.values[rule.column]) is not None
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


def _judge(rule: Rule, row: _Figures, value: float, limits: Limits, floor: int) -> Breach:
    counted = row.values[rule.floor_column] if rule.floor_column else None
    small = counted is not None and counted < floor
    verdict, limit = Verdict.PASSED, limits.fail if limits.fail is not None else limits.warn
    if not small:
        if limits.fail is not None and rule.breaks(value, limits.fail):
            verdict = Verdict.FAILED
        elif limits.warn is not None and rule.breaks(value, limits.warn):
            verdict, limit = Verdict.WARNED, limits.warn
    return Breach(row.subject, row.image_id, verdict, value, limit, small)


def _subjects(scene: _Scene, subject: Subject) -> list[_Figures]:
    """The figures of all images, repositories, or of the store; asked once."""
    if subject not in scene.subjects:
        scene.subjects[subject] = list(_asked(scene, subject))
    return scene.subjects[subject]


def _asked(scene: _Scene, subject: Subject) -> Iterator[_Figures]:
    match subject:
        case Subject.IMAGE:
            images = scene.questions.rows(
                queries.check_images(
                    base_images=scene.base_images,
                    base_layers=scene.base_layers,
                    ignored=scene.ignored,
                )
            )
            for image in images:
                known_as = [*image["names"], image["image_id"], image["digest"] or ""]
                yield _Figures(image["image"], known_as, _numbers(image), image["image_id"])
        case Subject.REPOSITORY:
            usage = queries.usage_groups(by="repository", globs=[], granularity="unpacked")
            for group in scene.questions.rows(usage):
                if group["kind"] == "group":
                    yield _Figures(group["name"], [group["name"]], _numbers(group))
        case Subject.STORE:
            (store,) = scene.questions.rows(queries.check_store(ignored=scene.ignored))
            values: dict[str, float | None] = {"growth_bytes": None, "growth_percent": None}
            if scene.baseline:
                (grown,) = scene.questions.rows(queries.check_growth(baseline=scene.baseline))
                values |= _numbers(grown)
            yield _Figures("the whole store", [], {**_numbers(store), **values})


def _numbers(row: Mapping[str, object]) -> dict[str, float | None]:
    return {
        name: value
        for name, value in row.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }


def _evidence(scene: _Scene, rule: Rule, breaches: tuple[Breach, ...]) -> tuple[EvidenceTable, ...]:
    """The worst layers and paths behind the breaches of a rule."""
    ask = scene.questions.rows
    match rule.evidence:
        case Evidence.DUPLICATES:
            layers = queries.check_duplicate_layers(ignored=scene.ignored, most=MOST_SHOWN)
            contents = queries.check_duplicates(ignored=scene.ignored, most=MOST_SHOWN)
            return (
                EvidenceTable("worst layers", ask(layers)),
                EvidenceTable("worst contents", ask(contents)),
            )
        case Evidence.GROWTH:
            return _grown(scene)
        case Evidence.PROBLEMS:
            errors = [row for row in ask(queries.problems()) if row["severity"] == "error"]
            return (EvidenceTable("what could not be read", errors[:MOST_SHOWN]),)
        case Evidence.EXCLUSIVE:
            names = [each.subject for each in breaches]
            exclusive = queries.check_exclusive(repositories=names, most=MOST_SHOWN)
            return (EvidenceTable("largest layers", ask(exclusive)),)
        case Evidence.SHADOWED:
            return _shadowed(scene, rule, breaches)


def _shadowed(scene: _Scene, rule: Rule, breaches: tuple[Breach, ...]) -> tuple[EvidenceTable, ...]:
    images = [each.image_id for each in breaches if each.image_id]
    layers = queries.check_layers(
        images=images,
        held=rule.held.value,
        base_images=scene.base_images,
        base_layers=scene.base_layers,
        ignored=scene.ignored,
        most=MOST_SHOWN,
    )
    paths = queries.check_paths(
        images=images,
        held=rule.held.value,
        base_images=scene.base_images,
        base_layers=scene.base_layers,
        ignored=scene.ignored,
        most=MOST_SHOWN,
    )
    return (
        EvidenceTable("worst layers", scene.questions.rows(layers)),
        EvidenceTable("worst paths", scene.questions.rows(paths)),
    )


def _grown(scene: _Scene) -> tuple[EvidenceTable, ...]:
    if scene.baseline is None:
        return ()
    (scan,) = scene.questions.rows(queries.scan())
    changes = queries.diff_scan_changes(old=scene.baseline, new=scan["scan"])
    came = [row for row in scene.questions.rows(changes) if row["change"] in ("appeared", "grew")]
    return tuple(
        EvidenceTable(title, [row for row in came if row["what"] == what][:MOST_SHOWN])
        for title, what in (
            ("sources that came or grew", "source"),
            ("images that came", "image"),
            ("layers that came", "layer"),
        )
    )
