"""Everything that the page shows, made from finished answers; the template only draws it."""

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources

import jinja2
from markupsafe import Markup

from dedupe import __version__
from dedupe.analysis import queries
from dedupe.analysis.overview import Overview
from dedupe.analysis.page import PageRows
from dedupe.model.measures import DISK, IMAGES, TOTALS, Cause, TotalKey
from dedupe.report.doubts import doubts, nothing_to_fix, total_size
from dedupe.report.html.drawings import Tile, bars, disk_bars, treemap, trend
from dedupe.report.html.orders import OrdersSection, orders_section
from dedupe.report.html.tables import Table, tables
from dedupe.report.units import counted, human, share, short_step

#: nodes of the sharing tree; more make the page slow and harder to read
_MOST_NODES = 400
_DEEPEST = 24
_STEP_WIDTH = 160
#: width of a letter in the treemap, in units of the drawing
_LETTER = 6.8

_DEFINED_TOTALS: tuple[TotalKey, ...] = (
    "unpacked_bytes",
    "position_loss_bytes",
    "duplicate_content_bytes",
    "dead_bytes",
)
#: the legend of the page: word, meaning
_WORDS = [
    *((measure.label, measure.sentence) for measure in IMAGES.values()),
    *((f"shadowed: {cause.label}", cause.sentence) for cause in Cause),
    *((TOTALS[key].label, TOTALS[key].sentence) for key in _DEFINED_TOTALS),
    *((f"disk: {measure.label}", measure.sentence) for measure in DISK.values()),
]
#: figures on top, and their colour
_CARDS: tuple[tuple[TotalKey, str], ...] = (
    ("stored_bytes", "live"),
    ("cow_savings_bytes", "shared"),
    ("dead_bytes", "dead"),
    ("duplicate_content_bytes", "duplicate"),
    ("position_loss_bytes", "position"),
)


@dataclass(frozen=True, slots=True)
class _Card:
    figure: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Node:
    """A layer in its place, in the tree of shared layers."""

    #: None if the layer was not read
    size_bytes: int | None
    images: int
    step: str
    ends: list[str]
    children: list["_Node"]


def to_html(page: PageRows) -> str:
    """The whole file."""
    found = page.found
    totals = found.totals
    shown = tables(page)
    style, script = _asset("style.css"), _asset("script.js")
    nodes, left_out = _tree(page.tree)
    orders = orders_section(page.plan, page.steps)
    chart = trend(page.trend)
    data = {
        name: {"columns": [asdict(each) for each in table.columns], "rows": table.rows}
        for name, table in shown.items()
    }
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"size": human, "num": _number, "counted": counted}
    return environment.from_string(_asset("page.html")).render(
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        data=_data(data),
        title=f"dedupe: {counted(totals['images'], 'image')}",
        headline=_headline(found),
        doubts=doubts(found.incomplete, found.sources, found.failed),
        nothing_to_fix=nothing_to_fix(found),
        finished=time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.scan["finished"])),
        sources=counted(len(found.sources), "source"),
        sections=_sections(shown, page, orders, chart is not None),
        cards=[
            _Card(total_size(found, key).replace("≥", "at least"), TOTALS[key].label, kind)
            for key, kind in _CARDS
        ],
        bars=bars(found),
        disk_bars=disk_bars(found),
        tiles=[_labelled(tile) for tile in treemap(page.folders, found.images)],
        tables=shown,
        orders=orders,
        tree={"nodes": nodes, "left_out": left_out},
        chart=chart,
        words=_WORDS,
        version=__version__,
        scan=found.scan["scan"],
    )


def _headline(found: Overview) -> str:
    totals = found.totals
    efficiency = totals["efficiency"]
    images = f"{counted(totals['images'], 'image')}, "
    unpacked = total_size(found, "unpacked_bytes").replace("≥", "at least")
    if efficiency is None:
        return f"{images}unpacked size {unpacked}: how much of it is shadowed is unknown"
    whose = "complete images'" if totals["incomplete_images"] else "image"
    return (
        f"{images}{unpacked} unpacked: {share(1 - efficiency)} of {whose} content is shadowed "
        f"(efficiency {share(efficiency)})"
    )


def _sections(
    shown: dict[str, Table], page: PageRows, orders: OrdersSection, has_trend: bool
) -> list[tuple[str, str]]:
    every = [
        ("bytes", "Where the bytes are", True),
        ("disk", "Disk", bool(shown["disk"].rows)),
        ("map", "Treemap", bool(page.folders)),
        ("images", "Images", True),
        ("findings", "What to fix", True),
        ("tree", "Shared layers", True),
        ("folders", "Folders stored again", True),
        ("containers", "Containers", bool(shown["containers"].rows)),
        ("orders", "Layer orders", _has_orders(shown, orders)),
        ("trend", "Past scans", has_trend),
        ("problems", "Problems", bool(shown["problems"].rows)),
        ("reading", "What the words mean", True),
    ]
    return [(name, text) for name, text, there in every if there]


def _has_orders(shown: dict[str, Table], orders: OrdersSection) -> bool:
    return bool(
        shown["orders"].rows or orders.layers or orders.steps or orders.repeats or orders.unproven
    )


def _labelled(tile: Tile) -> dict[str, object]:
    room = int(tile.box.width / _LETTER)
    fits = tile.level == 1 and room > 4 and tile.box.height > 15
    short = tile.label if len(tile.label) <= room else tile.label[: max(room - 1, 1)] + "…"
    drawn = {
        name: getattr(tile, name)
        for name in ("box", "level", "title", "kind", "shadowed", "inside")
    }
    return {**drawn, "label_fits": fits, "short": short}


def _tree(rows: Sequence[queries.TreeRow]) -> tuple[list[_Node], int]:
    """The layers that most images share, as nested nodes, and the number of other layers."""
    chosen = sorted(rows, key=lambda row: (-row["images"], row["position"]))[:_MOST_NODES]
    kept = {row["chain_id"] for row in chosen if row["position"] < _DEEPEST}
    children: dict[str | None, list[queries.TreeRow]] = {}
    for row in rows:
        if row["chain_id"] in kept:
            children.setdefault(row["parent"], []).append(row)

    def nodes(parent: str | None) -> list[_Node]:
        return [
            _Node(
                row["content_bytes"],
                row["images"],
                short_step(row["created_by"] or row["diff_id"], _STEP_WIDTH),
                row["ends"],
                nodes(row["chain_id"]),
            )
            for row in children.get(parent, [])
        ]

    return nodes(None), len(rows) - len(kept)


def _policy(style: str, script: str) -> str:
    def allowed(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; style-src {allowed(style)}; script-src {allowed(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _data(value: object) -> Markup:
    """JSON that cannot end the element that contains it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # every sign with a meaning in HTML is escaped


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _asset(name: str) -> str:
    return resources.files("dedupe.report.html").joinpath("assets", name).read_text()
