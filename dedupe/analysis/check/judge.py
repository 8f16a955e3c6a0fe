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

    #: there was nothing to judge, or the settings leave out what there was
    SKIPPED = "skipped"
    PASSED = "passed"
    WARNED = "warned"
    #: the figure is unknown, and so is whether it is beyond the limit
    CANNOT_JUDGE = "cannot judge"
    FAILED = "failed"


#: verdicts, the worst last
_SEVERITY = list(Verdict)


@dataclass(frozen=True, slots=True)
class Breach:
    """One subject of a rule and its value; beyond a limit if it warned or failed."""

    subject: str
    #: if the subject is an image
    image_id: str | None
    verdict: Verdict
    #: None if it is unknown
    value: float | None
    limit: float | None
    #: why it is skipped or cannot be judged; empty for other verdicts
    reason: str = ""
    #: whether the value is a lower bound
    at_least: bool = False


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
    #: the subject farthest beyond its limit, else nearest to it; None if there is none
    worst: Breach | None
    #: all subjects beyond a limit, the worst first
    breaches: tuple[Breach, ...]
    evidence: tuple[EvidenceTable, ...] = ()
    #: why the rule was skipped, or cannot be judged
    reason: str = ""
    #: all subjects that cannot be judged
    unknown: tuple[Breach, ...] = ()
    #: number of subjects that the floor or the settings leave out
    skipped: int = 0
    #: whether the rule has a limit to fail, so that not to know its figure fails too
    can_fail: bool = True


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcomes of all rules that have a limit."""

    scan: str
    baseline: str | None
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Whether a rule failed, or a rule that can fail cannot be judged."""
        return self.verdict in (Verdict.FAILED, Verdict.CANNOT_JUDGE)


def check(questions: Questions, settings: CheckSettings) -> CheckResult:
    """Check the scan by every rule that has a limit.

    Raises StoreError ``no-scan`` or ``ambiguous-scan`` if the baseline is not one scan.
    """
    base_images, notes = _base_images(questions, settings)
    judge = _Judge(questions, settings, base_images)
    outcomes = tuple(found for rule in RULES if (found := judge.outcome(rule)))
    verdicts = [_weight(each) for each in outcomes]
    return CheckResult(
        scan=questions.rows(queries.scan())[0]["scan"],
        baseline=judge.baseline,
        # a check of which every rule is skipped found nothing wrong
        verdict=max([Verdict.PASSED, *verdicts], key=_SEVERITY.index),
        outcomes=outcomes,
        notes=(*settings.notes, *notes),
    )


def _weight(outcome: Outcome) -> Verdict:
    """The verdict of a rule as it counts for the check: a rule that can only warn fails nothing."""
    if outcome.verdict is Verdict.CANNOT_JUDGE and not outcome.can_fail:
        return Verdict.WARNED
    return outcome.verdict


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
    #: None for a figure that is not known; without those that do not exist, such as the growth
    #: since no other scan
    values: Mapping[Figure, float | None]
    image_id: str | None = None
    #: why figures are not known; empty if there is none to know
    reason: str = ""
    #: figures of which the value is a lower bound, for the same reason
    at_least: frozenset[Figure] = frozenset()


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
        self._doubts: list[queries.CheckDoubtsRow] | None = None

    def outcome(self, rule: Rule) -> Outcome | None:
        """The result of a rule; None if it has no limit for any of its subjects."""
        judged = []
        has_limits = can_fail = False
        for figures in [*self._figures(rule.subject), *self._unseen(rule)]:
            limits, floor = self._settings.limits_of(rule.name, figures.names)
            if limits.is_set:
                has_limits = True
                can_fail = can_fail or limits.fail is not None
                value = figures.values.get(rule.figure)
                if value is not None or (figures.reason and rule.figure in figures.values):
                    judged.append(_compare(rule, figures, limits, floor))
        if not has_limits:
            return None
        if not judged:
            reason = "there is no earlier scan of these sources to compare with"
            return Outcome(rule, Verdict.SKIPPED, 0, None, (), (), reason)
        judged.sort(key=lambda each: _order(rule, each))
        worst = judged[0]
        found = {
            verdict: tuple(each for each in judged if each.verdict is verdict)
            for verdict in Verdict
        }
        breaches = found[Verdict.FAILED] + found[Verdict.WARNED]
        return Outcome(
            rule=rule,
            verdict=worst.verdict,
            judged=len(judged),
            worst=worst,
            breaches=breaches,
            evidence=tuple(self._evidence(rule, breaches)) if breaches else (),
            reason=worst.reason,
            unknown=found[Verdict.CANNOT_JUDGE],
            skipped=len(found[Verdict.SKIPPED]),
            can_fail=can_fail,
        )

    def _unseen(self, rule: Rule) -> list[_Figures]:
        """A subject without figures for each reason for which some of the store was not seen."""
        if self._doubts is None:
            self._doubts = self._questions.rows(queries.check_doubts())
        return [
            _Figures(
                row["source"],
                [row["source"]],
                {rule.figure: None},
                reason=row["reason"],
            )
            for row in self._doubts
            if row["is_on_disk"] or rule.needs_images
        ]

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
                _unread(row["codes"]),
            )
            for row in self._questions.rows(images)
        ]

    def _repository_figures(self) -> list[_Figures]:
        usage = queries.usage_groups(by="repository", globs=[], granularity="unpacked")
        return [
            _Figures(
                row["name"],
                [row["name"]],
                {"exclusive_unpacked": row["exclusive_unpacked"]},
                reason=_incomplete(row["incomplete_images"]),
                at_least=frozenset({"exclusive_unpacked"} if row["incomplete_images"] else ()),
            )
            for row in self._questions.rows(usage)
            if row["kind"] == "group"
        ]

    def _store_figures(self) -> _Figures:
        (store,) = self._questions.rows(queries.check_store(ignored=self._ignored))
        values: dict[Figure, float | None] = {
            "duplicate_bytes": store["duplicate_bytes"],
            "duplicate_percent": store["duplicate_percent"],
            "incomplete_images": store["incomplete_images"],
        }
        if self.baseline:
            (growth,) = self._questions.rows(queries.check_growth(baseline=self.baseline))
            values["growth_bytes"] = growth["growth_bytes"]
            # of nothing, no percentage exists
            if growth["growth_percent"] is not None:
                values["growth_percent"] = growth["growth_percent"]
        incomplete = store["incomplete_images"]
        listed = store["listed_layers"]
        unsure: set[Figure] = {"duplicate_bytes"} if incomplete else set()
        return _Figures(
            "the whole store",
            [],
            values,
            reason=_incomplete(incomplete) or _listed(listed),
            at_least=frozenset(unsure),
        )

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


def _unread(codes: Sequence[str]) -> str:
    """Why the figures of an image are unknown; empty if they are known."""
    return f"incomplete: {', '.join(codes)}" if codes else ""


def _incomplete(images: int) -> str:
    """Why a sum over images is not known exactly; empty if it is."""
    if not images:
        return ""
    return f"{images:,} incomplete {'image' if images == 1 else 'images'}"


def _listed(layers: int) -> str:
    """Why figures of contents are not known; empty if they are."""
    if not layers:
        return ""
    return f"a quick scan did not read the contents of {layers:,} layers"


def _order(rule: Rule, each: Breach) -> tuple[int, float, str]:
    """Sort key of a subject: the worst verdict first, then the value nearest to its limit."""
    value = 0.0 if each.value is None else each.value
    return -_SEVERITY.index(each.verdict), value if rule.lowest else -value, each.subject


def _compare(rule: Rule, figures: _Figures, limits: RuleLimits, floor_bytes: int) -> Breach:
    """One subject compared with its limits; shares below the floor break nothing."""
    value = figures.values.get(rule.figure)
    at_least = value is None or rule.figure in figures.at_least

    def breach(verdict: Verdict, limit: float | None, reason: str = "") -> Breach:
        bound = value is not None and at_least
        return Breach(figures.subject, figures.image_id, verdict, value, limit, reason, bound)

    size_bytes = figures.values.get(rule.floor_figure) if rule.floor_figure else None
    small = size_bytes is not None and size_bytes < floor_bytes
    nearest = limits.warn if limits.fail is None else limits.fail
    fails = limits.fail is not None and value is not None and rule.breaks(value, limits.fail)
    warns = limits.warn is not None and value is not None and rule.breaks(value, limits.warn)
    if small and (fails or warns):
        return breach(Verdict.SKIPPED, nearest, "under the floor")
    # a lower bound beyond the highest value allowed is beyond it, whatever was not read
    if fails:
        return breach(Verdict.FAILED, limits.fail)
    if at_least and (limits.fail is not None or not warns):
        if limits.unknown_passes:
            return breach(Verdict.SKIPPED, nearest, f"unknown: {figures.reason}")
        return breach(Verdict.CANNOT_JUDGE, nearest, figures.reason)
    if warns:
        return breach(Verdict.WARNED, limits.warn)
    return breach(Verdict.PASSED, nearest)
