"""Other divisions into layers: new ones by who shows a file, joined ones, common bases."""

from collections.abc import Sequence
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.reorder.relayer import FileClass, NewLayer, Prefer, new_layers


@dataclass(frozen=True, slots=True)
class Score:
    """What layers cost from one tag of a series to the next, on average over all such steps."""

    #: share of the newer image's bytes in layers that the older one has, 0 to 1
    reuse: float
    #: bytes in layers that the older one has not
    download_bytes: float


@dataclass(frozen=True, slots=True)
class Division:
    """One new layer, for people."""

    layer: NewLayer
    #: names of the images that have it
    names: list[str]
    #: folders with most of its bytes
    folders: list[str]


@dataclass(frozen=True, slots=True)
class CommonBase:
    """Files that images show which are built on different lowest layers."""

    names: list[str]
    bases: int
    files: int
    size_bytes: int
    folders: list[str]

    @property
    def saves_bytes(self) -> int:
        """Bytes that one base layer with these files would spare, at most."""
        return self.size_bytes * (self.bases - 1)


@dataclass(frozen=True, slots=True)
class Relayering:
    """Today's layers of a scan's images against new ones."""

    budget: int
    prefer: Prefer
    images: int
    today_layers: int
    #: unpacked bytes of these images as they are
    today_bytes: int
    #: of these, bytes that no container can read; new layers leave them out
    dead_bytes: int
    proposed_bytes: int
    #: every file once: no division stores less
    least_bytes: int
    #: every image as a layer of its own
    apart_bytes: int
    #: sets of images that show files of their own
    classes: int
    new: list[Division]
    #: steps from one tag to the next; 0 where no series has two
    steps: int
    score_today: Score
    score_proposed: Score
    #: rows of ``queries/reorder/joins.sql`` that free more than they cost
    joins: list[queries.ReorderJoinsRow]
    common_bases: list[CommonBase]


def relayer(questions: Questions, budget: int, prefer: Prefer) -> Relayering:
    """New layers of the scan's complete images, at most ``budget`` an image."""
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
    (totals,) = questions.rows(queries.reorder_relayer_totals())
    return Relayering(
        budget=budget,
        prefer=prefer,
        images=len(images),
        today_layers=questions.rows(queries.totals())[0]["layers"],
        today_bytes=totals["unpacked_bytes"],
        dead_bytes=questions.rows(queries.totals())[0]["dead_bytes"],
        proposed_bytes=sum(layer.size_bytes for layer in new),
        least_bytes=sum(each.size_bytes for each in classes),
        apart_bytes=sum(each.size_bytes * len(each.images) for each in classes),
        classes=len(classes),
        new=[
            Division(
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
    """Bytes to download for an image where an older one is held, and all its bytes."""
    whole = [layer for layer in new if newer in layer.images]
    missing = [layer.size_bytes for layer in whole if older not in layer.images]
    return sum(missing), sum(layer.size_bytes for layer in whole)


def _mean(steps: Sequence[tuple[int, int]]) -> Score:
    if not steps:
        return Score(0.0, 0.0)
    ratios = [1 - missing / whole if whole else 1.0 for missing, whole in steps]
    return Score(sum(ratios) / len(steps), sum(missing for missing, _ in steps) / len(steps))


def _folders(rows: Sequence[queries.ReorderRelayerClassesRow], chosen: Sequence[int]) -> list[str]:
    """Folders of the largest classes, each once."""
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
