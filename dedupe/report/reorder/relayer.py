"""New divisions into layers, for people and as JSON."""

import json
from typing import Any

from dedupe.analysis.reorder.relayer import RelayerPlan, Score
from dedupe.report.markdown import code, table
from dedupe.report.steps import short_step
from dedupe.report.units import counted, human, percent

#: raised when a key changes its meaning or goes
SCHEMA_VERSION = 1

_STEP = 60
_NAMES = 2


def render(found: RelayerPlan, *, plain: bool, limit: int) -> str:
    """Totals and scores, the new layers, layers to join, common bases."""

    def size(count: float) -> str:
        return human(round(count), plain=plain).rjust(18 if plain else 9)

    lines = [
        f"New layers for {counted(found.images, 'image')}, at most {found.budget} an image, "
        f"{found.prefer} first",
        "",
        f"{size(found.today_bytes)}  unpacked today in {counted(found.today_layers, 'layer')}; "
        f"{human(found.dead_bytes, plain=plain)} of it dead, which no new layer would hold",
        f"{size(found.proposed_bytes)}  in {counted(len(found.new), 'new layer')}",
        f"{size(found.least_bytes)}  at the least, every file once; "
        f"{human(found.apart_bytes, plain=plain)} if images shared nothing",
    ]
    if found.steps:
        lines += [
            "",
            f"From one tag to the next, on average over {counted(found.steps, 'step')}",
            f"{size(found.score_today.download_bytes)}  pulled with today's layers; "
            f"{_reused(found.score_today)}",
            f"{size(found.score_proposed.download_bytes)}  pulled with the new ones; "
            f"{_reused(found.score_proposed)}",
            f"{'':11}today's layers count shadowed files too, so the shares are of other wholes",
        ]
    lines += ["", f"{'bytes':>9}  {'files':>7}  {'images':>6}  new layer"]
    shown = found.new[: limit or None]
    for each in shown:
        lines.append(
            f"{human(each.layer.size_bytes, plain=plain):>9}  {each.layer.files:>7,}  "
            f"{len(each.names):>6,}  {', '.join(each.folders) or '/'}"
        )
        lines.append(f"{'':28}{_names(each.names)}")
    if len(found.new) > len(shown):
        lines.append(f"{'':11}and {len(found.new) - len(shown):,} more: --limit 0")
    if found.joins:
        lines += ["", "Layers to join with the one above: what each pair alone frees"]
    for row in found.joins[: limit or None]:
        lines.append(
            f"{size(row['net_bytes'])}  {row['image']}, layers {row['lower_position']} and "
            f"{row['lower_position'] + 1}, in {counted(row['images'], 'image')}"
        )
        lines += [f"{'':11}{short_step(row[step], _STEP)}" for step in ("lower_step", "upper_step")]
    if found.common_bases:
        lines += ["", "Files that images on different bases show: what one base would spare"]
    for base in found.common_bases[: limit or None]:
        lines.append(
            f"{size(base.saves_bytes)}  {counted(base.files, 'file')} of "
            f"{counted(len(base.names), 'image')} on {base.bases} bases: {', '.join(base.folders)}"
        )
        lines.append(f"{'':11}{_names(base.names)}")
    return "\n".join(lines) + "\n"


def as_markdown(found: RelayerPlan, *, plain: bool, limit: int) -> str:
    """The same as tables."""
    said = (
        f"{human(found.today_bytes, plain=plain)} unpacked today, "
        f"{human(found.proposed_bytes, plain=plain)} in {len(found.new)} new layers, at most "
        f"{found.budget} an image.\n"
    )
    layers = table(
        ("-bytes", "-files", "-images", "folders"),
        (
            (
                human(each.layer.size_bytes, plain=plain),
                f"{each.layer.files:,}",
                f"{len(each.names):,}",
                code(", ".join(each.folders)),
            )
            for each in found.new[: limit or None]
        ),
        len(found.new) - limit if limit else 0,
        "dedupe reorder relayer --limit 0",
    )
    joins = table(
        ("-frees", "image", "lower step", "upper step"),
        (
            (
                human(row["net_bytes"], plain=plain),
                code(row["image"]),
                code(short_step(row["lower_step"], _STEP)),
                code(short_step(row["upper_step"], _STEP)),
            )
            for row in found.joins[: limit or None]
        ),
    )
    parts = ["## New layers\n", said, layers]
    return "\n".join([*parts, "### Layers to join\n", joins] if found.joins else parts)


def as_json(found: RelayerPlan) -> str:
    """One document; docs/reorder.md describes its keys."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "budget": found.budget,
        "prefer": found.prefer.value,
        "images": found.images,
        "today_layers": found.today_layers,
        "today_bytes": found.today_bytes,
        "dead_bytes": found.dead_bytes,
        "proposed_bytes": found.proposed_bytes,
        "least_bytes": found.least_bytes,
        "apart_bytes": found.apart_bytes,
        "classes": found.classes,
        "steps": found.steps,
        "avg_reuse_ratio_today": found.score_today.reuse if found.steps else None,
        "avg_reuse_ratio_proposed": found.score_proposed.reuse if found.steps else None,
        "avg_download_bytes_today": found.score_today.download_bytes if found.steps else None,
        "avg_download_bytes_proposed": (
            found.score_proposed.download_bytes if found.steps else None
        ),
        "layers": [
            {
                "bytes": each.layer.size_bytes,
                "files": each.layer.files,
                "images": each.names,
                "folders": each.folders,
            }
            for each in found.new
        ],
        "joins": found.joins,
        "common_bases": [
            {
                "saves_bytes": each.saves_bytes,
                "bytes": each.size_bytes,
                "files": each.files,
                "bases": each.bases,
                "images": each.names,
                "folders": each.folders,
            }
            for each in found.common_bases
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _reused(score: Score) -> str:
    return f"{percent(round(1000 * score.reuse), 1000)} of a tag's bytes are there already"


def _names(names: list[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more:,} more" if more > 0 else "")
