"""A plan of new layers, made from files instead of today's layers; layers to join; common bases.

``dedupe.reorder.relayer`` makes the new layers from *classes*: all files that exactly the same
images show. Cache images and incomplete images are left out. A plan is scored on the *tag steps* of
the scan: pairs of consecutive images of a tag series, of which the newer is pulled by a host that
has the older one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.model.choices import Prefer
from dedupe.reorder.relayer import FileClass, NewLayer, new_layers


@dataclass(frozen=True, slots=True)
class Score:
    """What layers cost per tag step, on average over all tag steps; 0 if there are none."""

    #: share of the newer image's bytes in layers that the older image has too, 0 to 1
    reuse: float
    #: bytes in layers that the older image does not have
    download_bytes: float


@dataclass(frozen=True, slots=True)
class DescribedLayer:
    """One new layer, with the names that reports show."""

    layer: NewLayer
    #: the images that have it
    names: list[str]
    #: up to three folders with most of its bytes
    folders: list[str]


@dataclass(frozen=True, slots=True)
class CommonBase:
    """Files that images with different lowest layers show."""

    names: list[str]
    #: number of different lowest layers
    bases: int
    files: int
    size_bytes: int
    folders: list[str]

    @property
    def saves_bytes(self) -> int:
        """Bytes that one base layer with these files would save at most."""
        return self.size_bytes * (self.bases - 1)


@dataclass(frozen=True, slots=True)
class RelayerPlan:
    """New layers for the images of a scan, compared with today's layers."""

    #: most layers per image
    budget: int
    prefer: Prefer
    images: int
    today_layers: int
    #: unpacked bytes of these images with today's layers
    today_bytes: int
    #: bytes shadowed in every image, which new layers leave out
    dead_bytes: int
    proposed_bytes: int
    #: each file counted once; no layers store less
    least_bytes: int
    #: each image as a single layer of its own
    apart_bytes: int
    #: number of classes of files
    classes: int
    new: list[DescribedLayer]
    #: number of tag steps
    steps: int
    score_today: Score
    score_proposed: Score
    #: pairs of layers whose join frees more bytes than it costs
    joins: list[queries.ReorderJoinsRow]
    common_bases: list[CommonBase]


def plan_new_layers(questions: Questions, budget: int, prefer: Prefer) -> RelayerPlan:
    """New layers for the scan's images, at most ``budget`` per image."""
    images = questions.rows(queries.reorder_relayer_images())
    rows = questions.rows(queries.reorder_relayer_classes())
    numbers = {row["image_id"]: row["number"] for row in images}
    steps = [
        (row, (numbers[row["from_image"]], numbers[row["to_image"]]))
        for row in questions.rows(queries.reorder_tag_steps())
        if row["from_image"] in numbers and row["to_image"] in numbers
    ]
    classes = [FileClass(tuple(row["images"]), row["files"], row["bytes"]) for row in rows]
    new = new_layers(classes, budget, prefer, [pair for _, pair in steps])
    names = {row["number"]: row["name"] for row in images}
    (today,) = questions.rows(queries.reorder_relayer_totals())
    (whole,) = questions.rows(queries.totals())
    return RelayerPlan(
        budget=budget,
        prefer=prefer,
        images=len(images),
        today_layers=whole["layers"],
        today_bytes=today["unpacked_bytes"],
        dead_bytes=whole["dead_bytes"],
        proposed_bytes=sum(layer.size_bytes for layer in new),
        least_bytes=sum(each.size_bytes for each in classes),
        apart_bytes=sum(each.size_bytes * len(each.images) for each in classes),
        classes=len(classes),
        new=[
            DescribedLayer(
                layer,
                [names[number] for number in layer.images],
                _folders(rows, layer.classes),
            )
            for layer in new
        ],
        steps=len(steps),
        score_today=_mean([(row["download_bytes"], row["to_bytes"]) for row, _ in steps]),
        score_proposed=_mean([_pulled(new, *pair) for _, pair in steps]),
        joins=[row for row in questions.rows(queries.reorder_joins()) if row["net_bytes"] > 0],
        common_bases=_common_bases(images, rows),
    )


def _pulled(new: Sequence[NewLayer], older: int, newer: int) -> tuple[int, int]:
    """Bytes to download for an image if an older one is there, and all bytes of the image."""
    own = [layer for layer in new if newer in layer.images]
    missing = [layer.size_bytes for layer in own if older not in layer.images]
    return sum(missing), sum(layer.size_bytes for layer in own)


def _mean(steps: Sequence[tuple[int, int]]) -> Score:
    if not steps:
        return Score(0.0, 0.0)
    ratios = [1 - missing / whole if whole else 1.0 for missing, whole in steps]
    return Score(sum(ratios) / len(steps), sum(missing for missing, _ in steps) / len(steps))


def _folders(rows: Sequence[queries.ReorderRelayerClassesRow], chosen: Sequence[int]) -> list[str]:
    """Up to three folders of the largest classes, each once."""
    largest = sorted(chosen, key=lambda number: (-rows[number]["bytes"], number))
    return list(dict.fromkeys(folder for each in largest for folder in rows[each]["folders"]))[:3]


def _common_bases(
    images: Sequence[queries.ReorderRelayerImagesRow],
    rows: Sequence[queries.ReorderRelayerClassesRow],
) -> list[CommonBase]:
    bottoms = {row["number"]: row["bottom_chain"] for row in images}
    names = {row["number"]: row["name"] for row in images}
    found = [
        CommonBase(
            [names[number] for number in row["images"]],
            len({bottoms[number] for number in row["images"]}),
            row["files"],
            row["bytes"],
            row["folders"],
        )
        for row in rows
        if row["bytes"]
    ]
    apart = [each for each in found if each.bases > 1]
    return sorted(apart, key=lambda each: (-each.saves_bytes, each.names))
