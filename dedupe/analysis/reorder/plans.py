"""Proposed orders of layers: the answers that reports show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dedupe.analysis import queries
from dedupe.reorder.problem import Order, Stack
from dedupe.reorder.steps import Step, rebuild_check, step_of


class Objective(StrEnum):
    """What an order is to save."""

    STORAGE = "storage"
    PULLS = "pulls"
    BOTH = "both"


class Grade(StrEnum):
    """How alike the merged view must stay."""

    #: all but mtimes of directories that several layers of the image carry
    EQUIVALENT = "equivalent"
    IDENTICAL = "identical"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    objective: Objective = Objective.STORAGE
    grade: Grade = Grade.EQUIVALENT
    #: time for improving a plan
    budget_seconds: float = 10
    #: names or globs of images that may change; empty means all
    images: Sequence[str] = ()
    #: layers of an image that others are built on stay at the bottom of those
    keep_bases: bool = False
    #: hash the merged views of both orders
    prove: bool = True
    #: name of an image to say more of, also where it does not move
    explain: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """Two layers that must keep their order, and the path for which."""

    #: positions of today
    lower: int
    upper: int
    rule: str
    lower_path: str
    upper_path: str
    #: paths that forbid it, this one among them
    paths: int


@dataclass(frozen=True, slots=True)
class Swap:
    """Two layers that change places."""

    #: positions of today
    lower: int
    upper: int
    #: why a build file with that order must be looked at; null where it is free
    reason: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """SHA-256 over all entries of the merged view, in both orders."""

    grade: Grade
    today: str
    proposed: str
    paths: int
    #: directories that several layers carry and whose mtime differs
    folder_mtimes: int

    @property
    def equal(self) -> bool:
        """Whether a container sees the same, as the grade has it."""
        return self.today == self.proposed


@dataclass(frozen=True, slots=True)
class PlacedLayer:
    """A layer of an image, as it stands and as it would."""

    #: layer index today, 0 = base
    position: int
    #: layer index in the order proposed
    proposed: int
    diff_id: str
    created_by: str | None
    content_bytes: int
    pull_bytes: int
    #: chance that a release changes the layer itself; null where no tags tell
    rate: float | None
    #: images that run through the layer in its place
    images_today: int
    images_proposed: int
    #: layers that one build step would have made; a key
    step_class: str

    @property
    def step(self) -> Step:
        """Its build step."""
        return step_of(self.created_by)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One image in another order."""

    image_id: str
    name: str
    names: list[str]
    base: str | None
    base_layers: int
    stack: Stack
    #: today's positions, the lowest first
    order: Order
    layers: tuple[PlacedLayer, ...]
    constraints: tuple[Constraint, ...]
    #: bytes that the plan would store more if this image alone kept its order
    saves_bytes: int
    #: expected bytes that a release pulls again; null where no tags tell how often layers change
    pull_today: float | None
    pull_proposed: float | None
    proof: Proof | None = None

    def bounds(self, position: int) -> tuple[int, int]:
        """Lowest and highest place at which the constraints allow a layer of today's position."""
        below = _reach(self.stack.below)
        lowest = below[position].bit_count()
        above = sum(each >> position & 1 for each in below)
        return lowest, len(self.layers) - 1 - above

    @property
    def moved(self) -> bool:
        """Whether the order differs from today's."""
        return self.order != self.stack.today

    @property
    def below_base(self) -> bool:
        """Whether a layer would move into its base image: no build file can do that."""
        return self.order[: self.base_layers] != tuple(range(self.base_layers))

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """Pairs of layers that change places, with what the build file needs."""
        return tuple(
            Swap(lower, upper, rebuild_check(self.layers[lower].step, self.layers[upper].step))
            for at, upper in enumerate(self.order)
            for lower in self.order[at + 1 :]
            if lower < upper
        )

    @property
    def free(self) -> bool:
        """Whether a build file may be edited so without a look."""
        return not self.below_base and all(swap.reason is None for swap in self.swaps)

    @property
    def proposed_layers(self) -> list[PlacedLayer]:
        """The layers in the order proposed, the lowest first."""
        return [self.layers[position] for position in self.order]


@dataclass(frozen=True, slots=True)
class Choice:
    """One plan among several that trade storage for pulls."""

    #: what it was made for
    name: str
    unpacked_bytes: int
    #: expected bytes pulled again, all images with a history once
    pull_bytes: float
    moved_images: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders for all images together."""

    wish: Wish
    images: int
    #: images whose layers are not all known: they keep their order
    incomplete_images: int
    #: images with tags before or after them in their series
    images_with_history: int
    today_bytes: int
    proposed_bytes: int
    #: every layer once: no order can store less
    least_bytes: int
    #: best found where base images stay as they are
    bases_kept_bytes: int
    pull_today: float
    pull_proposed: float
    #: images that move, what wins most first
    proposals: list[Proposal]
    #: not worse than each other; for both objectives
    choices: list[Choice] = field(default_factory=list)
    #: the image that was to be explained
    explained: Proposal | None = None


@dataclass(frozen=True, slots=True)
class StepPlan:
    """Orders of build steps: what rebuilding in them would share."""

    today_bytes: int
    #: today's order, if each class of layers were built once
    reproducible_bytes: int
    #: the proposed orders, if each class of layers were built once
    proposed_bytes: int
    #: images whose steps move, what wins most first
    proposals: list[Proposal]
    #: classes of several layers: key -> why they are one
    classes: Mapping[str, str]
    #: rows of ``queries/reorder/step_repeats.sql``
    repeats: list[queries.ReorderStepRepeatsRow]


def _reach(below: Sequence[int]) -> list[int]:
    """For each position all that must lie below it, directly or by others between."""
    reach: list[int] = []
    for direct in below:
        all_below = direct
        for position, known in enumerate(reach):
            if direct >> position & 1:
                all_below |= known
        reach.append(all_below)
    return reach
