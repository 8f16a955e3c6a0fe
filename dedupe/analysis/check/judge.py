"""Check a scan by rules: the figures, the verdicts, and the evidence for rules that are broken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dedupe.analysis import queries
from dedupe.analysis.check.rules import (
    RULES,
    CheckSettings,
    Evidence,
    Figure,
    Rule,
    RuleLimits,
    Subject,
)
from dedupe.analysis.interface import Questions
from dedupe.analysis.paths.globs import pattern_of
from dedupe.analysis.selection import images_matching, one_scan
from dedupe.errors import StoreError

#: rows of each table of evidence
MOST_SHOWN = 10


class Verdict(StrEnum):
    """Result of one rule or of the whole check, the worst last."""

    NOT_JUDGED = "not judged"
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


#: verdicts, the worst last
_SEVERITY = list(Verdict)


@dataclass(frozen=True, slots=True)
class Breach:
    """One subject of a rule and its value; beyond a limit unless its verdict is ``passed``."""

    subject: str
    #: if the subject is an image
    image_id: str | None
    verdict: Verdict
    value: float
    limit: float | None
    #: whether its bytes are below the floor, so that its share breaks nothing
    under_floor: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """The worst rows behind a broken rule."""

    title: str
    rows: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one rule."""

    rule: Rule
    verdict: Verdict
    #: images, repositories or stores that the rule was checked for
    judged: int
    #: the subject farthest beyond its limit, else nearest to it; None if none was judged
    worst: Breach | None
    #: all subjects beyond a limit, the worst first
    breaches: tuple[Breach, ...]
    evidence: tuple[EvidenceTable, ...] = ()
    #: why the rule was not judged
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcomes of all rules that have a limit."""

    scan: str
    baseline: str | None
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]


def check(questions: Questions, settings: CheckSettings) -> CheckResult:
    """Check the scan by every rule that has a limit.

    Raises StoreError ``no-scan`` or ``ambiguous-scan`` if the baseline is not one scan.
    """
    base_images, notes = _base_images(questions, settings)
    judge = _Judge(questions, settings, base_images)
    outcomes = tuple(found for rule in RULES if (found := judge.outcome(rule)))
    verdicts = [each.verdict for each in outcomes]
    return CheckResult(
        scan=questions.rows(queries.scan())[0]["scan"],
        baseline=judge.baseline,
        verdict=max(verdicts, key=_SEVERITY.index, default=Verdict.PASSED),
        outcomes=outcomes,
        notes=(*settings.notes, *notes),
    )


def _base_images(questions: Questions, settings: CheckSettings) -> tuple[list[str], list[str]]:
    """IDs of the base images, and notes about globs that match no image.

    One file of settings is used for many stores, so such a glob is not an error.
    """
    images: list[str] = []
    notes = []
    for glob in settings.base:
        try:
            images += images_matching(questions, [glob])
        except StoreError as error:
            if error.code != "no-image":
                raise
            notes.append(f"base {glob}: the scan has no such image")
    return images, notes


@dataclass(frozen=True, slots=True)
class _Figures:
    """The figures of one image, one repository, or the whole store."""

    subject: str
    #: names and IDs that overrides may match
    names: list[str]
    #: None for a figure that is not known
    values: Mapping[Figure, float | None]
    image_id: str | None = None


class _Judge:
    """Judges rules one by one; the figures of a subject are read once for all its rules."""

    def __init__(
        self, questions: Questions, settings: CheckSettings, base_images: Sequence[str]
    ) -> None:
        self._questions = questions
        self._settings = settings
        self._base_images = base_images
        self._base_layers = list(settings.base_layers)
        self._ignored = (
            "|".join(f"(?:{pattern_of(glob)})" for glob in settings.ignored_paths) or None
        )
        #: ID of the scan to compare with, if there is one
        self.baseline = self._find_baseline()
        self._read: dict[Subject, list[_Figures]] = {}

    def outcome(self, rule: Rule) -> Outcome | None:
        """The result of a rule; None if it has no limit for any of its subjects."""
        judged = []
        has_limits = False
        for figures in self._figures(rule.subject):
            limits, floor = self._settings.limits_of(rule.name, figures.names)
            if limits != RuleLimits():
                has_limits = True
                value = figures.values[rule.figure]
                if value is not None:
                    judged.append(_compare(rule, figures, value, limits, floor))
        if not has_limits:
            return None
        if not judged:
            reason = "there is no earlier scan of these sources to compare with"
            return Outcome(rule, Verdict.NOT_JUDGED, 0, None, (), (), reason)
        judged.sort(
            key=lambda each: (
                -_SEVERITY.index(each.verdict),
                each.under_floor,
                each.value if rule.lowest else -each.value,
                each.subject,
            )
        )
        breaches = tuple(each for each in judged if each.verdict is not Verdict.PASSED)
        evidence = tuple(self._evidence(rule, breaches)) if breaches else ()
        return Outcome(rule, judged[0].verdict, len(judged), judged[0], breaches, evidence)

    def _find_baseline(self) -> str | None:
        if self._settings.baseline:
            return one_scan(self._questions, self._settings.baseline)
        rows = self._questions.rows(queries.check_baseline())
        return rows[0]["scan"] if rows else None

    def _figures(self, subject: Subject) -> list[_Figures]:
        if subject not in self._read:
            match subject:
                case Subject.IMAGE:
                    self._read[subject] = self._image_figures()
                case Subject.REPOSITORY:
                    self._read[subject] = self._repository_figures()
                case Subject.STORE:
                    self._read[subject] = [self._store_figures()]
        return self._read[subject]

    def _image_figures(self) -> list[_Figures]:
        images = queries.check_images(
            base_images=self._base_images,
            base_layers=self._base_layers,
            ignored=self._ignored,
        )
        return [
            _Figures(
                row["image"],
                [*row["names"], row["image_id"], row["digest"] or ""],
                {
                    "efficiency": row["efficiency"],
                    "shadowed_bytes": row["shadowed_bytes"],
                    "shadowed_percent": row["shadowed_percent"],
                    "upper_shadowed_bytes": row["upper_shadowed_bytes"],
                    "upper_shadowed_percent": row["upper_shadowed_percent"],
                    "base_shadowed_bytes": row["base_shadowed_bytes"],
                },
                row["image_id"],
            )
            for row in self._questions.rows(images)
        ]

    def _repository_figures(self) -> list[_Figures]:
        usage = queries.usage_groups(by="repository", globs=[], granularity="unpacked")
        return [
            _Figures(row["name"], [row["name"]], {"exclusive_unpacked": row["exclusive_unpacked"]})
            for row in self._questions.rows(usage)
            if row["kind"] == "group"
        ]

    def _store_figures(self) -> _Figures:
        (store,) = self._questions.rows(queries.check_store(ignored=self._ignored))
        values: dict[Figure, float | None] = {
            "duplicate_bytes": store["duplicate_bytes"],
            "duplicate_percent": store["duplicate_percent"],
            "incomplete_images": store["incomplete_images"],
            "growth_bytes": None,
            "growth_percent": None,
        }
        if self.baseline:
            (growth,) = self._questions.rows(queries.check_growth(baseline=self.baseline))
            values["growth_bytes"] = growth["growth_bytes"]
            values["growth_percent"] = growth["growth_percent"]
        return _Figures("the whole store", [], values)

    def _evidence(self, rule: Rule, breaches: Sequence[Breach]) -> Iterator[EvidenceTable]:
        """The worst layers and paths behind the breaches of a rule."""
        ask = self._questions.rows
        match rule.evidence:
            case Evidence.SHADOWED:
                yield from self._shadowed(rule, breaches)
            case Evidence.DUPLICATES:
                layers = queries.check_duplicate_layers(ignored=self._ignored, most=MOST_SHOWN)
                contents = queries.check_duplicates(ignored=self._ignored, most=MOST_SHOWN)
                yield EvidenceTable("worst layers", ask(layers))
                yield EvidenceTable("worst contents", ask(contents))
            case Evidence.EXCLUSIVE:
                names = [each.subject for each in breaches]
                exclusive = queries.check_exclusive(repositories=names, most=MOST_SHOWN)
                yield EvidenceTable("largest layers", ask(exclusive))
            case Evidence.GROWTH:
                yield from self._growth()
            case Evidence.PROBLEMS:
                errors = [row for row in ask(queries.problems()) if row["severity"] == "error"]
                yield EvidenceTable("what could not be read", errors[:MOST_SHOWN])

    def _shadowed(self, rule: Rule, breaches: Sequence[Breach]) -> Iterator[EvidenceTable]:
        images = [each.image_id for each in breaches if each.image_id]
        layers = queries.check_layers(
            images=images,
            held=rule.scope.value,
            base_images=self._base_images,
            base_layers=self._base_layers,
            ignored=self._ignored,
            most=MOST_SHOWN,
        )
        paths = queries.check_paths(
            images=images,
            held=rule.scope.value,
            base_images=self._base_images,
            base_layers=self._base_layers,
            ignored=self._ignored,
            most=MOST_SHOWN,
        )
        yield EvidenceTable("worst layers", self._questions.rows(layers))
        yield EvidenceTable("worst paths", self._questions.rows(paths))

    def _growth(self) -> Iterator[EvidenceTable]:
        if self.baseline is None:
            return
        added = self._questions.rows(queries.check_growth_changes(baseline=self.baseline))
        for title, what in (
            ("sources that are new or grew", "source"),
            ("new images", "image"),
            ("new layers", "layer"),
        ):
            yield EvidenceTable(title, [row for row in added if row["what"] == what][:MOST_SHOWN])


def _compare(
    rule: Rule, figures: _Figures, value: float, limits: RuleLimits, floor_bytes: int
) -> Breach:
    """One subject compared with its limits; shares below the floor pass."""
    size_bytes = figures.values[rule.floor_figure] if rule.floor_figure else None
    small = size_bytes is not None and size_bytes < floor_bytes
    verdict, limit = Verdict.PASSED, limits.warn if limits.fail is None else limits.fail
    if not small:
        if limits.fail is not None and rule.breaks(value, limits.fail):
            verdict = Verdict.FAILED
        elif limits.warn is not None and rule.breaks(value, limits.warn):
            verdict, limit = Verdict.WARNED, limits.warn
    return Breach(figures.subject, figures.image_id, verdict, value, limit, small)
