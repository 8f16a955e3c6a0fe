"""New divisions into layers: on a screen, as Markdown and as JSON."""

from dedupe.analysis.reorder.relayer import RelayerPlan, Score
from dedupe.report.text import INDENT, aligned, code_span, json_document, markdown_table, sizer
from dedupe.report.units import counted, human, percent, short_step

#: raised when a key changes its meaning or is removed
SCHEMA_VERSION = 1

_STEP = 60
#: images named for one layer
_NAMES = 2


def to_terminal(found: RelayerPlan, *, plain: bool, limit: int) -> str:
    """Totals and scores, the new layers, layers to join, common bases."""
    lines = [
        *_totals(found, plain=plain),
        *_scores(found, plain=plain),
        *_new_layers(found, plain=plain, limit=limit),
        *_joins(found, plain=plain, limit=limit),
        *_common_bases(found, plain=plain, limit=limit),
    ]
    return "\n".join(lines) + "\n"


def _totals(found: RelayerPlan, *, plain: bool) -> list[str]:
    size = sizer(plain=plain)
    return [
        f"New layers for {counted(found.images, 'image')}, at most {found.budget} per image, "
        f"{found.prefer} first",
        "",
        f"{size(found.today_bytes)}  unpacked today in {counted(found.today_layers, 'layer')}; "
        f"{human(found.dead_bytes, plain=plain)} of it is shadowed in every image, which no new "
        "layer would have",
        f"{size(found.proposed_bytes)}  in {counted(len(found.new), 'new layer')}",
        f"{size(found.least_bytes)}  at least, every file once; "
        f"{human(found.apart_bytes, plain=plain)} if images shared nothing",
    ]


def _scores(found: RelayerPlan, *, plain: bool) -> list[str]:
    if not found.steps:
        return []
    size = sizer(plain=plain)
    return [
        "",
        f"From one tag to the next, on average over {counted(found.steps, 'step')}",
        f"{size(found.score_today.download_bytes)}  pulled with today's layers; "
        f"{_reused(found.score_today)}",
        f"{size(found.score_proposed.download_bytes)}  pulled with the new layers; "
        f"{_reused(found.score_proposed)}",
        f"{INDENT}today's layers include shadowed files, so the two shares have different totals",
    ]


def _new_layers(found: RelayerPlan, *, plain: bool, limit: int) -> list[str]:
    shown = found.new[: limit or None]
    head, *lines = aligned(
        [
            ["bytes", "files", "images", "new layer"],
            *(
                [
                    human(each.layer.size_bytes, plain=plain),
                    f"{each.layer.files:,}",
                    f"{len(each.names):,}",
                    ", ".join(each.folders) or "/",
                ]
                for each in shown
            ),
        ],
        left={3},
        widths=(9, 7, 6),
    )
    names = [f"{'':28}{_names(each.names)}" for each in shown]
    pairs = [line for pair in zip(lines, names, strict=True) for line in pair]
    more = len(found.new) - len(shown)
    return ["", head, *pairs, *([f"{INDENT}and {more:,} more: --limit 0"] if more else [])]


def _joins(found: RelayerPlan, *, plain: bool, limit: int) -> list[str]:
    if not found.joins:
        return []
    lines = ["", "Layers to join with the one above: what each pair alone frees"]
    for row in found.joins[: limit or None]:
        lines += [
            f"{sizer(plain=plain)(row['net_bytes'])}  {row['image']}, layers "
            f"{row['lower_position']} and {row['lower_position'] + 1}, in "
            f"{counted(row['images'], 'image')}",
            f"{INDENT}{short_step(row['lower_step'], _STEP)}",
            f"{INDENT}{short_step(row['upper_step'], _STEP)}",
        ]
    return lines


def _common_bases(found: RelayerPlan, *, plain: bool, limit: int) -> list[str]:
    if not found.common_bases:
        return []
    lines = ["", "Files that images on different bases have: what one common base would save"]
    for base in found.common_bases[: limit or None]:
        lines += [
            f"{sizer(plain=plain)(base.saves_bytes)}  {counted(base.files, 'file')} of "
            f"{counted(len(base.names), 'image')} on {counted(base.bases, 'base')}: "
            f"{', '.join(base.folders)}",
            f"{INDENT}{_names(base.names)}",
        ]
    return lines


def to_markdown(found: RelayerPlan, *, plain: bool, limit: int) -> str:
    """The totals as a sentence, the new layers and those to join as tables."""
    layers = markdown_table(
        ("-bytes", "-files", "-images", "folders"),
        (
            (
                human(each.layer.size_bytes, plain=plain),
                f"{each.layer.files:,}",
                f"{len(each.names):,}",
                code_span(", ".join(each.folders)),
            )
            for each in found.new[: limit or None]
        ),
        len(found.new) - limit if limit else 0,
        "dedupe reorder relayer --limit 0",
    )
    parts = [
        "## New layers\n",
        f"{human(found.today_bytes, plain=plain)} unpacked today, "
        f"{human(found.proposed_bytes, plain=plain)} in "
        f"{counted(len(found.new), 'new layer')}, at most {found.budget} per image.\n",
        layers,
    ]
    if found.joins:
        joins = markdown_table(
            ("-frees", "image", "lower step", "upper step"),
            (
                (
                    human(row["net_bytes"], plain=plain),
                    code_span(row["image"]),
                    code_span(short_step(row["lower_step"], _STEP)),
                    code_span(short_step(row["upper_step"], _STEP)),
                )
                for row in found.joins[: limit or None]
            ),
        )
        parts += ["### Layers to join\n", joins]
    return "\n".join(parts)


def to_json(found: RelayerPlan) -> str:
    """One document; docs/reorder.md describes its keys."""
    document: dict[str, object] = {
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
    return json_document(document)


def _reused(score: Score) -> str:
    return f"{percent(round(1000 * score.reuse), 1000)} of a tag's bytes are reused"


def _names(names: list[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more:,} more" if more > 0 else "")
