"""What a gate can demand: its rules, their limits, and for which images these differ."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum

#: shares of less are noise: a tiny image that rewrites one file would break them
DEFAULT_FLOOR_BYTES = 10_000_000


class Subject(StrEnum):
    """What a rule is asked of."""

    IMAGE = "image"
    REPOSITORY = "repository"
    STORE = "store"


class Unit(StrEnum):
    """What a rule's values are."""

    BYTES = "bytes"
    PERCENT = "percent"
    RATIO = "ratio"
    COUNT = "count"


class Evidence(Enum):
    """What is behind a broken rule, to be shown beside it."""

    SHADOWED = "shadowed"
    EXCLUSIVE = "exclusive"
    DUPLICATES = "duplicates"
    GROWTH = "growth"
    PROBLEMS = "problems"


class Held(StrEnum):
    """Whose shadowed files an image's rule counts."""

    OWN = "own"
    UPPER = "upper"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class Rule:
    """A figure of a query, and what it means that it is too high or too low."""

    name: str
    subject: Subject
    unit: Unit
    #: of check_images, usage, check_store or check_growth
    column: str
    meaning: str
    fix: str
    evidence: Evidence
    #: the figure in bytes that must reach the floor before a share can break the rule
    floor_column: str | None = None
    held: Held = Held.OWN
    #: the limit is the least that is allowed, not the most
    lowest: bool = False

    def breaks(self, value: float, limit: float) -> bool:
        """Whether the value is beyond the limit; the limit itself is allowed."""
        return value < limit if self.lowest else value > limit


_FIX_SHADOWED = "see the repair of each layer; 'dedupe findings' lists all"
_FIX_DUPLICATES = (
    "put what several images copy into a layer of its own that all of them start with; "
    "'dedupe duplicates --by folder' shows whole folders"
)
_FIX_GROWTH = "'dedupe diff --scans' lists all that came; 'dedupe what-if' says what deleting frees"
_FIX_EXCLUSIVE = (
    "build on a base that others use, or delete old tags: 'dedupe what-if' says what that frees"
)

RULES: tuple[Rule, ...] = (
    Rule(
        "lowest_efficiency",
        Subject.IMAGE,
        Unit.RATIO,
        "efficiency",
        "share of an image's own bytes that a container can read",
        _FIX_SHADOWED,
        Evidence.SHADOWED,
        "shadowed_bytes",
        lowest=True,
    ),
    Rule(
        "highest_shadowed_bytes",
        Subject.IMAGE,
        Unit.BYTES,
        "shadowed_bytes",
        "an image's own bytes that no container can read",
        _FIX_SHADOWED,
        Evidence.SHADOWED,
    ),
    Rule(
        "highest_shadowed_percent",
        Subject.IMAGE,
        Unit.PERCENT,
        "shadowed_percent",
        "of an image's own bytes, what no container can read",
        _FIX_SHADOWED,
        Evidence.SHADOWED,
        "shadowed_bytes",
    ),
    Rule(
        "highest_upper_shadowed_percent",
        Subject.IMAGE,
        Unit.PERCENT,
        "upper_shadowed_percent",
        "of an image's own bytes above the lowest layer, what no container can read",
        _FIX_SHADOWED,
        Evidence.SHADOWED,
        "upper_shadowed_bytes",
        Held.UPPER,
    ),
    Rule(
        "highest_base_shadowed_bytes",
        Subject.IMAGE,
        Unit.BYTES,
        "base_shadowed_bytes",
        "bytes of base layers that an image's own layers hide",
        "change the files in the base, or start from one without them",
        Evidence.SHADOWED,
        held=Held.BASE,
    ),
    Rule(
        "highest_exclusive_bytes",
        Subject.REPOSITORY,
        Unit.BYTES,
        "exclusive_unpacked",
        "layers, unpacked, that no other repository has",
        _FIX_EXCLUSIVE,
        Evidence.EXCLUSIVE,
    ),
    Rule(
        "highest_duplicate_bytes",
        Subject.STORE,
        Unit.BYTES,
        "duplicate_bytes",
        "files stored again in distinct layers",
        _FIX_DUPLICATES,
        Evidence.DUPLICATES,
    ),
    Rule(
        "highest_duplicate_percent",
        Subject.STORE,
        Unit.PERCENT,
        "duplicate_percent",
        "of the files of distinct layers, what is stored again",
        _FIX_DUPLICATES,
        Evidence.DUPLICATES,
        "duplicate_bytes",
    ),
    Rule(
        "highest_growth_bytes",
        Subject.STORE,
        Unit.BYTES,
        "growth_bytes",
        "bytes on disk that came since the baseline",
        _FIX_GROWTH,
        Evidence.GROWTH,
    ),
    Rule(
        "highest_growth_percent",
        Subject.STORE,
        Unit.PERCENT,
        "growth_percent",
        "of the bytes on disk at the baseline, what came since",
        _FIX_GROWTH,
        Evidence.GROWTH,
        "growth_bytes",
    ),
    Rule(
        "highest_incomplete_images",
        Subject.STORE,
        Unit.COUNT,
        "incomplete_images",
        "images with a layer that could not be read, whose figures leave it out",
        "'dedupe report -f json' lists the problems; scan again once they are fixed",
        Evidence.PROBLEMS,
    ),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a rule warns and fails; None is never."""

    warn: float | None = None
    fail: float | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """Other limits for the images, or the repositories, whose name fits the glob."""

    match: str
    ignore: bool = False
    floor_bytes: int | None = None
    limits: Mapping[str, Limits] = field(default_factory=dict)


#: a gate that vouches for what nobody has read says so at least
_UNREAD: Mapping[str, Limits] = {"highest_incomplete_images": Limits(warn=0)}


@dataclass(frozen=True, slots=True)
class Gate:
    """All that is demanded of a scan."""

    #: rule -> limits
    limits: Mapping[str, Limits] = field(default_factory=dict)
    floor_bytes: int = DEFAULT_FLOOR_BYTES
    #: globs of images whose layers are not held against those built on them
    base: tuple[str, ...] = ()
    #: diff IDs of further such layers
    base_layers: tuple[str, ...] = ()
    #: globs of paths
    ignored_paths: tuple[str, ...] = ()
    #: a scan; None is the last one before that read one of the sources
    baseline: str | None = None
    overrides: tuple[Override, ...] = ()
    #: what the file that it comes from leaves to say
    notes: tuple[str, ...] = ()

    @property
    def demanded(self) -> bool:
        """Whether there is any limit but those that always stand."""
        every = (self.limits, *(override.limits for override in self.overrides))
        return any(limits != Limits() for each in every for limits in each.values())

    def limits_of(self, rule: str, names: Iterable[str | None]) -> tuple[Limits, int]:
        """Limits and floor for something of these names; later overrides go before earlier ones."""
        known = [name for name in names if name]
        limits = self.limits.get(rule) or _UNREAD.get(rule) or Limits()
        floor = self.floor_bytes
        for override in self.overrides:
            if any(fnmatch.fnmatchcase(name, override.match) for name in known):
                if override.ignore:
                    limits = Limits()
                limits = override.limits.get(rule, limits)
                floor = floor if override.floor_bytes is None else override.floor_bytes
        return limits, floor


def rule_names() -> Sequence[str]:
    """Names of all rules."""
    return [rule.name for rule in RULES]
