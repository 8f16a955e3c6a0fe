"""Plans of other orders for layers or build steps, as reports show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dedupe.analysis import queries
from dedupe.model.choices import Grade, Objective
from dedupe.reorder.stack import Order, Stack
from dedupe.reorder.steps import Step, rebuild_check, step_of


@dataclass(frozen=True, slots=True)
class ReorderOptions:
    """What to search for, and among which images."""

    objective: Objective = Objective.STORAGE
    grade: Grade = Grade.EQUIVALENT
    #: time to improve the plan
    budget_seconds: float = 10
    #: names or globs of images that may change; empty means all
    images: Sequence[str] = ()
    #: whether no layer may move into or out of a base image
    keep_bases: bool = False
    #: whether to hash the merged views of both orders
    prove: bool = True
    #: name of an image to describe even if it does not move; empty for none
    explain: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """Two layers of an image that must keep their order, and a path that is the reason."""

    #: today's positions
    lower: int
    upper: int
    rule: str
    #: None if the path of the other layer alone is the reason
    lower_path: str | None
    upper_path: str | None
    #: number of paths that are a reason, this one included
    paths: int

    @property
    def unproven(self) -> bool:
        """Whether one of the layers commutes with no other: unpackers show its entries differently.

        Another order might show the same, but that cannot be proven.
        """
        return self.lower_path is None or self.upper_path is None


class Verdict(StrEnum):
    """What is known of an image in another order."""

    #: every unpacker shows the same
    EQUAL = "equal"
    #: an unpacker might show something else
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Swap:
    """Two layers that change places."""

    #: today's positions
    lower: int
    upper: int
    #: why the steps must be checked before a build file swaps them; None if they need not
    reason: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """SHA-256 over all entries of the merged view, in today's and in the proposed order."""

    grade: Grade
    today: str
    proposed: str
    paths: int
    #: directories that several layers have and whose mtime differs between the orders
    folder_mtimes: int

    @property
    def equal(self) -> bool:
        """Whether both merged views are equal in this grade."""
        return self.today == self.proposed


@dataclass(frozen=True, slots=True)
class PlacedLayer:
    """A layer of an image, at its place today and at the proposed one."""

    #: layer index today, 0 = base
    position: int
    #: layer index in the proposed order
    proposed: int
    diff_id: str
    created_by: str | None
    content_bytes: int
    pull_bytes: int
    #: chance that a release changes the layer itself; None if the image has no tag series
    rate: float | None
    #: images that share the layer at this place
    images_today: int
    images_proposed: int
    #: key of the layers that one build step would have made
    step_class: str

    @property
    def step(self) -> Step:
        """The build step that made it."""
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
    #: today's positions in the proposed order, the lowest first
    order: Order
    layers: tuple[PlacedLayer, ...]
    constraints: tuple[Constraint, ...]
    #: bytes that the plan would store more if this image alone kept its order
    saves_bytes: int
    #: bytes that the order saves if every other image keeps today's; negative if it stores more
    saves_alone_bytes: int
    #: bytes that a release is expected to pull again; None if the image has no tag series
    pull_today: float | None
    pull_proposed: float | None
    proof: Proof | None = None

    def bounds(self, position: int) -> tuple[int, int]:
        """Lowest and highest place that the constraints allow for the layer of this position."""
        below = _all_below(self.stack.below)
        lowest = below[position].bit_count()
        above = sum(each >> position & 1 for each in below)
        return lowest, len(self.layers) - 1 - above

    @property
    def moved(self) -> bool:
        """Whether the order differs from today's."""
        return self.order != self.stack.today

    @property
    def below_base(self) -> bool:
        """Whether a layer would move into the base image, which no build file can do."""
        return self.order[: self.base_layers] != tuple(range(self.base_layers))

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """Pairs of layers that change places."""
        return tuple(
            Swap(lower, upper, rebuild_check(self.layers[lower].step, self.layers[upper].step))
            for at, upper in enumerate(self.order)
            for lower in self.order[at + 1 :]
            if lower < upper
        )

    @property
    def unproven_because(self) -> str | None:
        """Why the order is not proven to show the same; None if it is proven."""
        if not self.moved:
            return None
        if self.proof is None:
            return "the merged views were not compared"
        if not self.proof.equal:
            return "the merged views differ"
        swapped = {(swap.lower, swap.upper) for swap in self.swaps}
        for each in self.constraints:
            if (each.lower, each.upper) in swapped:
                return f"layers {each.lower} and {each.upper} do not commute: {each.rule}"
        return None

    @property
    def verdict(self) -> Verdict:
        """Whether the order is proven to show the same."""
        return Verdict.EQUAL if self.unproven_because is None else Verdict.UNPROVEN

    @property
    def free(self) -> bool:
        """Whether a build file can be changed to this order without checking its steps."""
        return not self.below_base and all(swap.reason is None for swap in self.swaps)

    @property
    def proposed_layers(self) -> list[PlacedLayer]:
        """The layers in the proposed order, the lowest first."""
        return [self.layers[position] for position in self.order]


@dataclass(frozen=True, slots=True)
class UnprovenLayer:
    """A layer of an image that keeps its place, because unpackers show its entries differently."""

    image_id: str
    name: str
    #: layer index, 0 = base
    position: int
    rule: str
    #: evidence: one of its paths
    path: str
    #: number of such paths
    paths: int


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """One of several plans that trade stored bytes for pulled bytes."""

    #: what it was made for, to show
    name: str
    unpacked_bytes: int
    #: bytes expected to be pulled again by one release of each image that has a tag series
    pull_bytes: float
    moved_images: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders of existing layers for all images together."""

    options: ReorderOptions
    images: int
    #: images with a layer that could not be read; they keep their order
    incomplete_images: int
    #: images with a tag before or after them in their series
    images_with_history: int
    today_bytes: int
    proposed_bytes: int
    #: each layer counted once; no order can store less
    least_bytes: int
    #: the least that was found with all base images as they are
    bases_kept_bytes: int
    pull_today: float
    pull_proposed: float
    #: images that move, the one that saves most first
    proposals: list[Proposal]
    #: layers of which no other order can be proven equal, in the order of images and positions
    unproven: list[UnprovenLayer]
    #: plans of which none beats another in both figures; only for both objectives
    choices: list[PlanChoice] = field(default_factory=list)
    #: the image of the option ``explain``
    explained: Proposal | None = None


@dataclass(frozen=True, slots=True)
class StepPlan:
    """Orders of build steps for all images together, and what a rebuild would share."""

    today_bytes: int
    #: with today's orders, if each class of layers is built once
    reproducible_bytes: int
    #: with the proposed orders, if each class of layers is built once
    proposed_bytes: int
    #: images whose steps move, the one that saves most first
    proposals: list[Proposal]
    #: key of each class of several layers -> why the layers are one class
    classes: Mapping[str, str]
    #: rows of ``queries/reorder/step_repeats.sql``
    repeats: list[queries.ReorderStepRepeatsRow]


def _all_below(below: Sequence[int]) -> list[int]:
    """For each position, as bits: the positions that must be below it, directly or indirectly."""
    found: list[int] = []
    for direct in below:
        positions = direct
        for position, known in enumerate(found):
            if direct >> position & 1:
                positions |= known
        found.append(positions)
    return found
