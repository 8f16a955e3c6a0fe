"""Figures as shapes for the page's template. There is no markup here, so nothing to escape."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dedupe.analysis import queries
from dedupe.analysis.disk import totals_by_kind
from dedupe.analysis.overview import Overview, shadowed_totals
from dedupe.model.disk import PlaceKind
from dedupe.model.measures import DISK, TOTALS
from dedupe.report.disk import sum_of
from dedupe.report.doubts import image_size, total_size
from dedupe.report.html.treemap import Box, squarify
from dedupe.report.units import INCOMPLETE, counted, human, share

#: size of the treemap's drawing
MAP_WIDTH, MAP_HEIGHT = 1000.0, 560.0
_HEADING = 15.0
#: area below which a box is too small to point at
_LEAST_AREA = 3.0
BAR_WIDTH = 1000.0
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the treemap."""

    box: Box
    #: 1 image, 2 layer, 3 folder
    level: int
    label: str
    #: text for screen readers, and for the tooltip
    title: str
    #: own, shared or rest
    kind: str
    #: the shadowed part of its bytes, 0 to 1
    shadowed: float = 0.0
    #: index of the tile that it is inside; None at the top
    inside: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a stacked bar."""

    name: str
    kind: str
    size_bytes: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A stacked bar; all bars of a drawing have one scale."""

    name: str
    note: str
    #: what all its parts are together
    figure: str
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars with one axis."""

    bars: list[Bar]
    #: position and text
    ticks: list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the trend chart."""

    name: str
    kind: str
    #: points as SVG writes them: "x,y x,y …"
    points: str
    last: tuple[float, float]
    marks: list[tuple[float, float, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines with a time and a byte axis."""

    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


def treemap(
    folders: Sequence[queries.TreemapRow], images: Sequence[queries.ImagesRow]
) -> list[Tile]:
    """Images by their attributed bytes, with their layers, and the folders of these."""
    by_image: dict[str, dict[int, list[queries.TreemapRow]]] = {}
    for row in folders:
        by_image.setdefault(row["image_id"], {}).setdefault(row["position"], []).append(row)
    attributed = {
        row["image_id"]: _attributed(row, by_image.get(row["image_id"], {})) for row in images
    }
    drawn = [row for row in images if row["image_id"] in by_image and attributed[row["image_id"]]]
    drawn.sort(key=lambda row: (-attributed[row["image_id"]], row["image_id"]))
    rest = sum(attributed.values()) - sum(attributed[row["image_id"]] for row in drawn)
    weights = [float(attributed[row["image_id"]]) for row in drawn]
    if rest > 0:
        weights.append(float(rest))
    # the rest may be larger than the last image, so weights may rise once; the layout allows that
    boxes = squarify(weights, Box(0, 0, MAP_WIDTH, MAP_HEIGHT))
    tiles: list[Tile] = []
    for image, box in zip(drawn, boxes, strict=False):
        _image(tiles, image, by_image[image["image_id"]], box)
    if rest > 0:
        left = sum(attributed[row["image_id"]] > 0 for row in images) - len(drawn)
        text = f"{counted(left, 'more image')}: {human(rest)}"
        tiles.append(Tile(boxes[-1], 1, text, text, "rest"))
    return tiles


def _attributed(row: queries.ImagesRow, layers: dict[int, list[queries.TreemapRow]]) -> int:
    """Bytes attributed to an image; of an incomplete one, those of the layers that were read."""
    if row["attributed_unpacked"] is not None:
        return row["attributed_unpacked"]
    parts = [part for folders in layers.values() for part in folders]
    return round(sum(part["size_bytes"] / part["images"] for part in parts))


def _image(
    tiles: list[Tile], row: queries.ImagesRow, layers: dict[int, list[queries.TreemapRow]], box: Box
) -> None:
    number = len(tiles)
    shadowed = 1.0 - row["efficiency"] if row["efficiency"] is not None else 0.0
    incomplete = "" if row["complete"] else INCOMPLETE
    tiles.append(
        Tile(
            box,
            1,
            row["name"] + incomplete,
            f"{row['name']}{incomplete}: attributed {human(row['attributed_unpacked'])}, content "
            f"{image_size(row, 'content_bytes', plain=False)}, efficiency "
            f"{share(row['efficiency'])}",
            "own",
            shadowed,
        )
    )
    # a layer's area is what is attributed to the image, so that layers fill their image
    sized = sorted(
        layers.items(),
        key=lambda item: (-sum(part["size_bytes"] / part["images"] for part in item[1]), item[0]),
    )
    weights = [sum(part["size_bytes"] / part["images"] for part in parts) for _, parts in sized]
    for (position, parts), inner in zip(
        sized, squarify(weights, box.inner(1.5, _HEADING if box.height > 40 else 0)), strict=True
    ):
        if inner.width * inner.height >= _LEAST_AREA:
            _layer(tiles, number, position, parts, inner)


def _layer(
    tiles: list[Tile], image: int, position: int, parts: list[queries.TreemapRow], box: Box
) -> None:
    number = len(tiles)
    size = sum(part["size_bytes"] for part in parts)
    shadowed = sum(part["shadowed_bytes"] for part in parts)
    images = parts[0]["images"]
    step = parts[0]["created_by"] or "step unknown"
    tiles.append(
        Tile(
            box,
            2,
            f"layer {position}",
            f"layer {position}, {human(size)}, {human(shadowed)} shadowed, "
            f"in {counted(images, 'image')}: {step}",
            "shared" if images > 1 else "own",
            shadowed / size if size else 0.0,
            image,
        )
    )
    parts = sorted(parts, key=lambda part: -part["size_bytes"])
    boxes = squarify([float(part["size_bytes"]) for part in parts], box.inner(0.4))
    for part, inner in zip(parts, boxes, strict=True):
        if inner.width * inner.height < _LEAST_AREA / 4:
            continue
        name = "other folders" if part["folder"] is None else "/" + part["folder"]
        tiles.append(
            Tile(
                inner,
                3,
                name,
                f"{name}: {human(part['size_bytes'])}, {human(part['shadowed_bytes'])} shadowed",
                "shared" if images > 1 else "own",
                part["shadowed_bytes"] / part["size_bytes"] if part["size_bytes"] else 0.0,
                number,
            )
        )


def bars(found: Overview) -> Bars:
    """Where the bytes are: unpacked on a host, in distinct layers, and in every image in full."""
    totals, causes = found.totals, shadowed_totals(found.images)
    complete = "complete " if totals["incomplete_images"] else ""
    live = "live in some image" + (", or not known" if found.is_partial else "")
    unpacked = [
        *_contents(found),
        (TOTALS["position_loss_bytes"].label, "position", totals["position_loss_bytes"]),
        (TOTALS["unshared_bytes"].label, "shared", max(totals["unshared_bytes"], 0)),
    ]
    layers = [
        (live, "live", totals["layer_bytes"] - totals["dead_bytes"]),
        (TOTALS["dead_bytes"].label, "dead", totals["dead_bytes"]),
    ]
    images = [
        (TOTALS["live_bytes"].label, "live", totals["live_bytes"] or 0),
        *(
            (f"shadowed: {cause.label}", cause.value, size)
            for cause, size in causes.items()
            if size is not None
        ),
    ]
    # causes that are not known share what the others leave
    compared = sum(size or 0 for size in causes.values())
    if None in causes.values():
        images.append(
            (
                "shadowed: contents not compared",
                "modified",
                (totals["shadowed_bytes"] or 0) - compared,
            )
        )
    whole = None if totals["live_bytes"] is None else sum(part[2] for part in images)
    described = [
        (
            "Unpacked",
            "each layer once per parent, as container hosts store it",
            total_size(found, "unpacked_bytes"),
            unpacked,
        ),
        (
            "Layers",
            "each layer once, as a registry stores it, uncompressed",
            total_size(found, "layer_bytes"),
            layers,
        ),
        (
            "Images",
            f"every {complete}image in full, with the causes of shadowed bytes",
            human(whole),
            images,
        ),
    ]
    largest = max((sum(part[2] for part in parts) for *_, parts in described), default=0) or 1
    return Bars(
        [_bar(name, note, figure, parts, largest) for name, note, figure, parts in described],
        _ticks(largest, BAR_WIDTH),
    )


def _contents(found: Overview) -> list[tuple[str, str, int]]:
    """The bytes of distinct layers, by whether they repeat a content; one part if not known."""
    unique, again = (
        found.totals["unique_content_bytes"],
        found.totals["duplicate_content_bytes"],
    )
    if unique is None or again is None:
        return [("contents of distinct layers, not compared", "live", found.totals["layer_bytes"])]
    return [
        (TOTALS["unique_content_bytes"].label, "live", unique),
        (TOTALS["duplicate_content_bytes"].label, "duplicate", again),
    ]


#: kind -> style of its part; other kinds are few and small
_DISK_STYLES = {
    PlaceKind.LAYER: "live",
    PlaceKind.CONTAINER: "shared",
    PlaceKind.LOG: "modified",
    PlaceKind.VOLUME: "duplicate",
    PlaceKind.BUILD_CACHE: "position",
    PlaceKind.ORPHAN: "dead",
    PlaceKind.METADATA: "metadata_only",
    PlaceKind.ARTIFACT: "opaque",
}


def disk_bars(found: Overview) -> Bars | None:
    """What takes the disk space, by kind; None if nothing was measured."""
    totals = totals_by_kind(found.disk)
    if not totals:
        return None
    parts = [
        (DISK[total.kind].label, _DISK_STYLES.get(total.kind, "replaced"), total.allocated_bytes)
        for total in totals
    ]
    figure = sum_of(found.disk).replace("≥", "at least")
    known = sum(size for *_, size in parts) or 1
    note = "allocated by the file system, as du counts"
    return Bars([_bar("On disk", note, figure, parts, known)], _ticks(known, BAR_WIDTH))


def _bar(
    name: str, note: str, figure: str, parts: Sequence[tuple[str, str, int]], largest: int
) -> Bar:
    x = 0.0
    placed = []
    for label, kind, size in parts:
        if size:
            width = BAR_WIDTH * size / largest
            placed.append(Part(label, kind, size, x, width))
            x += width
    return Bar(name, note, figure, placed)


def trend(rows: Sequence[queries.TrendRow]) -> Chart | None:
    """Bytes over past scans; None if there is only one."""
    if len(rows) < 2:
        return None
    first, last = rows[0]["finished"], rows[-1]["finished"]
    span = (last - first).total_seconds() or 1.0
    largest = max(max(row[key] for key, _ in _TREND) for row in rows) or 1
    lines = []
    for key, kind in _TREND:
        name = TOTALS[key].label
        marks = [
            (
                1000.0 * (row["finished"] - first).total_seconds() / span,
                240.0 - 240.0 * row[key] / largest,
                f"{row['finished']:%Y-%m-%d %H:%M}: {_bound(row, key)}{human(row[key])} {name}",
            )
            for row in rows
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in marks)
        lines.append(Line(name, kind, points, marks[-1][:2], marks))
    x_ticks = [(0.0, f"{first:%Y-%m-%d %H:%M}"), (1000.0, f"{last:%Y-%m-%d %H:%M}")]
    y_ticks = [(240.0 - position, text) for position, text in _ticks(largest, 240.0)]
    return Chart(lines, x_ticks, y_ticks)


def _bound(row: queries.TrendRow, key: str) -> str:
    """``at least`` before what leaves out layers that could not be read."""
    return "at least " if row["incomplete_images"] and key != "stored_bytes" else ""


_TREND: tuple[tuple[Literal["unpacked_bytes", "stored_bytes", "position_loss_bytes"], str], ...] = (
    ("unpacked_bytes", "live"),
    ("stored_bytes", "duplicate"),
    ("position_loss_bytes", "position"),
)


def _ticks(largest: int, length: float) -> list[tuple[float, str]]:
    """Round numbers up to the largest, with their places on an axis."""
    step = 1
    while largest / step > _TICKS:
        # 1, 2, 5, 10, 20, 50 …
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return [(length * mark / largest, human(mark)) for mark in range(0, largest + 1, step)]
