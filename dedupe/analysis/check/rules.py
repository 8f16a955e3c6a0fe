"""The rules that a scan can be checked by, and the settings: their limits and exceptions."""

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Literal

#: a small image that rewrites one file shadows a large share of itself, which is not worth a
#: failure
DEFAULT_FLOOR_BYTES = 10_000_000


class Subject(StrEnum):
    """What a rule is checked for: each image, each repository, or the whole store."""

    IMAGE = "image"
    REPOSITORY = "repository"
    STORE = "store"


class Unit(StrEnum):
    """Unit of a rule's figure and limits."""

    BYTES = "bytes"
    PERCENT = "percent"
    RATIO = "ratio"
    COUNT = "count"


class Evidence(Enum):
    """Rows to show beside a broken rule."""

    SHADOWED = "shadowed"
    EXCLUSIVE = "exclusive"
    DUPLICATES = "duplicates"
    GROWTH = "growth"
    PROBLEMS = "problems"


class Scope(StrEnum):
    """The layers of an image whose shadowed files a rule counts; values of a query's parameter."""

    #: all layers but base layers
    OWN = "own"
    #: these, but not the lowest layer of the image
    UPPER = "upper"
    #: base layers, for files that other layers hide
    BASE = "base"


#: figures that rules look at: columns of check_images, usage_groups, check_store and check_growth
Figure = Literal[
    "efficiency",
    "shadowed_bytes",
    "shadowed_percent",
    "upper_shadowed_bytes",
    "upper_shadowed_percent",
    "base_shadowed_bytes",
    "exclusive_unpacked",
    "duplicate_bytes",
    "duplicate_percent",
    "growth_bytes",
    "growth_percent",
    "incomplete_images",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """A figure that can be too high or too low."""

    name: str
    subject: Subject
    unit: Unit
    figure: Figure
    #: what the figure is
    meaning: str
    #: what to do if the rule is broken
    fix: str
    evidence: Evidence
    #: for a share: the figure in bytes that must reach the floor before the share can break the
    #: rule
    floor_figure: Figure | None = None
    scope: Scope = Scope.OWN
    #: whether the limit is the lowest value allowed; else it is the highest
    lowest: bool = False
    #: whether the figure depends on which images there are, and not only on the bytes on disk
    needs_images: bool = True

    def breaks(self, value: float, limit: float) -> bool:
        """Whether the value is beyond the limit; the limit itself is allowed."""
        return value < limit if self.lowest else value > limit


_FIX_SHADOWED = "each layer above is listed with its fix; 'dedupe findings' lists all of them"
_FIX_DUPLICATES = (
    "put files that several images copy into one layer that all of them start with; "
    "'dedupe duplicates --by folder' lists whole folders"
)
_FIX_GROWTH = (
    "'dedupe diff --scans' lists everything that was added; 'dedupe what-if' shows what deleting "
    "images frees"
)
_FIX_EXCLUSIVE = (
    "build on a base that other repositories use, or delete old tags: 'dedupe what-if' shows what "
    "that frees"
)

RULES: tuple[Rule, ...] = (
    Rule(
        name="lowest_efficiency",
        subject=Subject.IMAGE,
        unit=Unit.RATIO,
        figure="efficiency",
        meaning="share of an image's own bytes that a container can read",
        fix=_FIX_SHADOWED,
        evidence=Evidence.SHADOWED,
        floor_figure="shadowed_bytes",
        lowest=True,
    ),
    Rule(
        name="highest_shadowed_bytes",
        subject=Subject.IMAGE,
        unit=Unit.BYTES,
        figure="shadowed_bytes",
        meaning="an image's own bytes that no container can read",
        fix=_FIX_SHADOWED,
        evidence=Evidence.SHADOWED,
    ),
    Rule(
        name="highest_shadowed_percent",
        subject=Subject.IMAGE,
        unit=Unit.PERCENT,
        figure="shadowed_percent",
        meaning="share of an image's own bytes that no container can read",
        fix=_FIX_SHADOWED,
        evidence=Evidence.SHADOWED,
        floor_figure="shadowed_bytes",
    ),
    Rule(
        name="highest_upper_shadowed_percent",
        subject=Subject.IMAGE,
        unit=Unit.PERCENT,
        figure="upper_shadowed_percent",
        meaning="share of an image's own bytes above the lowest layer that no container can read",
        fix=_FIX_SHADOWED,
        evidence=Evidence.SHADOWED,
        floor_figure="upper_shadowed_bytes",
        scope=Scope.UPPER,
    ),
    Rule(
        name="highest_base_shadowed_bytes",
        subject=Subject.IMAGE,
        unit=Unit.BYTES,
        figure="base_shadowed_bytes",
        meaning="bytes of base layers that an image's own layers hide",
        fix="change these files in the base, or build on a base that does not have them",
        evidence=Evidence.SHADOWED,
        scope=Scope.BASE,
    ),
    Rule(
        name="highest_exclusive_bytes",
        subject=Subject.REPOSITORY,
        unit=Unit.BYTES,
        figure="exclusive_unpacked",
        meaning="unpacked bytes of layers that no other repository has",
        fix=_FIX_EXCLUSIVE,
        evidence=Evidence.EXCLUSIVE,
    ),
    Rule(
        name="highest_duplicate_bytes",
        subject=Subject.STORE,
        unit=Unit.BYTES,
        figure="duplicate_bytes",
        meaning="bytes of repeated copies of file contents in distinct layers",
        fix=_FIX_DUPLICATES,
        evidence=Evidence.DUPLICATES,
    ),
    Rule(
        name="highest_duplicate_percent",
        subject=Subject.STORE,
        unit=Unit.PERCENT,
        figure="duplicate_percent",
        meaning="share of the bytes of distinct layers that is repeated copies of file contents",
        fix=_FIX_DUPLICATES,
        evidence=Evidence.DUPLICATES,
        floor_figure="duplicate_bytes",
    ),
    Rule(
        name="highest_growth_bytes",
        subject=Subject.STORE,
        unit=Unit.BYTES,
        figure="growth_bytes",
        meaning="growth of the bytes stored on disk since the baseline",
        fix=_FIX_GROWTH,
        evidence=Evidence.GROWTH,
        needs_images=False,
    ),
    Rule(
        name="highest_growth_percent",
        subject=Subject.STORE,
        unit=Unit.PERCENT,
        figure="growth_percent",
        meaning="growth of the bytes stored on disk since the baseline, in percent",
        fix=_FIX_GROWTH,
        evidence=Evidence.GROWTH,
        needs_images=False,
        floor_figure="growth_bytes",
    ),
    Rule(
        name="highest_incomplete_images",
        subject=Subject.STORE,
        unit=Unit.COUNT,
        figure="incomplete_images",
        meaning="images with a layer that could not be read; other figures leave that layer out",
        fix="'dedupe report -f json' lists the problems; fix them and scan again",
        evidence=Evidence.PROBLEMS,
    ),
)


@dataclass(frozen=True, slots=True)
class RuleLimits:
    """The limits beyond which a rule warns and fails; None for never."""

    warn: float | None = None
    fail: float | None = None
    #: whether a figure that is unknown breaks nothing; None if the settings do not say
    unknown_passes: bool | None = None

    @property
    def is_set(self) -> bool:
        """Whether there is a limit."""
        return self.warn is not None or self.fail is not None


@dataclass(frozen=True, slots=True)
class Override:
    """Other limits for the images or repositories whose name matches a glob."""

    match: str
    #: whether no rule applies, but for the limits given here
    ignore: bool = False
    floor_bytes: int | None = None
    #: name of the rule -> limits
    limits: Mapping[str, RuleLimits] = field(default_factory=dict)


#: figures leave out layers that could not be read, so a check always warns about them
_ALWAYS: Mapping[str, RuleLimits] = {"highest_incomplete_images": RuleLimits(warn=0)}


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """Limits of rules, and what they apply to."""

    #: name of the rule -> limits
    limits: Mapping[str, RuleLimits] = field(default_factory=dict)
    #: shares of fewer bytes break no rule
    floor_bytes: int = DEFAULT_FLOOR_BYTES
    #: whether figures that are unknown break nothing, unless a rule says otherwise
    unknown_passes: bool = False
    #: globs of base images: their layers do not count for the images built on them
    base: tuple[str, ...] = ()
    #: diff IDs of further base layers
    base_layers: tuple[str, ...] = ()
    #: globs of paths that count as readable
    ignored_paths: tuple[str, ...] = ()
    #: scan to compare with; None for the last scan before that read one of the same sources
    baseline: str | None = None
    #: later ones have priority
    overrides: tuple[Override, ...] = ()
    #: remarks to show, about the file that the settings are from
    notes: tuple[str, ...] = ()

    @property
    def has_limits(self) -> bool:
        """Whether any limit is set, besides those that always apply."""
        every = (self.limits, *(override.limits for override in self.overrides))
        return any(limits.is_set for each in every for limits in each.values())

    def limits_of(self, rule: str, names: Iterable[str | None]) -> tuple[RuleLimits, int]:
        """Limits of a rule, and the floor, for a subject with these names."""
        known = [name for name in names if name]
        limits = self.limits.get(rule) or _ALWAYS.get(rule) or RuleLimits()
        floor = self.floor_bytes
        for override in self.overrides:
            if any(fnmatch.fnmatchcase(name, override.match) for name in known):
                if override.ignore:
                    limits = RuleLimits()
                limits = override.limits.get(rule, limits)
                floor = floor if override.floor_bytes is None else override.floor_bytes
        if limits.unknown_passes is None:
            limits = replace(limits, unknown_passes=self.unknown_passes)
        return limits, floor
