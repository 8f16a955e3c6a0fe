"""What stands on the page, from finished answers; the template only draws."""

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from dedupe import __version__
from dedupe.analysis import queries
from dedupe.analysis.page import Page
from dedupe.model.measures import CAUSES
from dedupe.report.html.drawings import Tile, bars, treemap, trend
from dedupe.report.html.proposals import Proposals, proposals
from dedupe.report.html.tables import Table, tables
from dedupe.report.steps import short_step
from dedupe.report.units import counted, human, percent

#: nodes of the sharing tree; a page with more is slow and says no more
_MOST_NODES = 400
_DEEPEST = 24
_STEP_WIDTH = 160
#: a letter of the treemap's type, in units of the drawing
_LETTER = 6.8

WORDS = (
    (
        "readable",
        "bytes that a container of the image can read through the union mount; an inode once",
    ),
    ("shadowed", "bytes in the image that no container of it can read: a layer above hides them"),
    ("modified", "hidden by other content at the same path"),
    (
        "metadata only",
        "hidden by a copy of the same content with other mode, owner, time or attributes",
    ),
    ("deleted", "hidden by a whiteout of the path or of a folder above it"),
    ("opaque", "hidden by an opaque folder above"),
    ("its own", "what deleting this image alone frees"),
    (
        "its share",
        "what it holds, each layer divided by the images that hold it; adds up to the store",
    ),
    ("unpacked", "every layer once in its place, as container hosts keep it"),
    ("lost to positions", "the same layer stored again because it sits on another parent"),
    ("dead", "files that are shadowed in every image that holds their layer"),
)


@dataclass(frozen=True, slots=True)
class _Card:
    figure: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Node:
    """A layer in its place, in the tree of who shares what."""

    size_bytes: int
    images: int
    step: str
    ends: list[str]
    children: list["_Node"]


def render(page: Page) -> str:
    """The whole file."""
    totals = page.found.totals
    causes = {cause: sum(row[cause] for row in page.found.images) for cause in CAUSES}
    drawn = bars(totals, causes)
    shown = tables(page)
    style, script = _asset("style.css"), _asset("script.js")
    nodes, left_out = _tree(page.tree)
    proposed = proposals(page.plan, page.steps)
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
        style=Markup(style),  # noqa: S704  # our own files
        script=Markup(script),  # noqa: S704
        data=_data(data),
        title=f"dedupe: {counted(totals['images'], 'image')}",
        headline=_headline(totals),
        finished=time.strftime("%Y-%m-%d %H:%M", time.gmtime(page.found.scan["finished"])),
        sources=counted(len(page.found.sources), "source"),
        sections=_sections(shown, page, proposed, chart is not None),
        cards=_cards(totals),
        bars=drawn,
        tiles=[_labelled(tile) for tile in treemap(page.folders, page.found.images)],
        tables=shown,
        proposals=proposed,
        tree={"nodes": nodes, "left_out": left_out},
        chart=chart,
        words=WORDS,
        version=__version__,
        scan=page.found.scan["scan"],
    )


def _headline(totals: queries.TotalsRow) -> str:
    share = percent(totals["live_bytes"], totals["naive_bytes"])
    return (
        f"{counted(totals['images'], 'image')}, {human(totals['unpacked_bytes'])} unpacked: "
        f"{share} of what images hold can be read"
    )


def _cards(totals: queries.TotalsRow) -> list[_Card]:
    return [
        _Card(human(totals["stored_bytes"]), "stored on disk in all sources", "live"),
        _Card(human(totals["cow_savings_bytes"]), "saved by sharing read-only layers", "shared"),
        _Card(human(totals["dead_bytes"]), "dead: no container can ever read it", "dead"),
        _Card(
            human(totals["duplicate_content_bytes"]),
            "the same files again in other layers",
            "duplicate",
        ),
        _Card(
            human(totals["position_loss_bytes"]),
            "lost: the same layer on another parent",
            "position",
        ),
    ]


def _sections(
    shown: dict[str, Table], page: Page, proposed: Proposals, has_trend: bool
) -> list[tuple[str, str]]:
    every = [
        ("bytes", "Where the bytes go", True),
        ("map", "Treemap", bool(page.folders)),
        ("images", "Images", True),
        ("findings", "What to mend", True),
        ("tree", "Shared layers", True),
        ("folders", "Folders stored again", True),
        ("containers", "Containers", bool(shown["containers"].rows)),
        ("orders", "Layer orders", _has_orders(shown, proposed)),
        ("trend", "Past scans", has_trend),
        ("problems", "Problems", bool(shown["problems"].rows)),
        ("reading", "How to read it", True),
    ]
    return [(name, text) for name, text, there in every if there]


def _has_orders(shown: dict[str, Table], proposed: Proposals) -> bool:
    return bool(shown["orders"].rows or proposed.layers or proposed.steps or proposed.repeats)


def _labelled(tile: Tile) -> dict[str, Any]:
    room = int(tile.box.width / _LETTER)
    fits = tile.level == 1 and room > 4 and tile.box.height > 15
    short = tile.label if len(tile.label) <= room else tile.label[: max(room - 1, 1)] + "…"
    drawn = {
        name: getattr(tile, name)
        for name in ("box", "level", "title", "kind", "shadowed", "inside")
    }
    return {**drawn, "label_fits": fits, "short": short}


def _tree(rows: Sequence[queries.TreeRow]) -> tuple[list[_Node], int]:
    """The layers that most images share, as nodes in nodes, and how many are left out."""
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


def _data(value: Any) -> Markup:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # every sign that means something to HTML is escaped


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _asset(name: str) -> str:
    return resources.files("dedupe.report.html").joinpath("assets", name).read_text()
