"""The summary of a comparison: on a screen, and as JSON (docs/diff.md)."""

from dedupe.analysis import queries
from dedupe.analysis.diff import (
    Differences,
    ImageDifferences,
    ScanDifferences,
    SourceDifferences,
)
from dedupe.report.text import json_document
from dedupe.report.units import UNKNOWN, counted, human

#: raised when a key changes its meaning or is removed
SCHEMA_VERSION = 1

_REASONS = {
    "added": "only the new image has it",
    "removed": "only the old image has it",
    "step": "the build steps differ",
    "timestamps": "the same step gave the same content with other modification times",
    "content": "the same step gave other entries",
    "tar": "the same entries in another tar",
    "unknown": "a layer, or the contents of its files, were not read",
}


def to_json(found: Differences) -> str:
    """The summary as one document, without the rows that differ."""
    document: dict[str, object] = {"schema_version": SCHEMA_VERSION}
    match found:
        case ImageDifferences(summary, layers, first_difference):
            document |= {
                "compared": "images",
                "summary": summary,
                "layers": layers,
                "first_difference": first_difference,
            }
        case ScanDifferences(scans):
            document |= {"compared": "scans", "summary": scans}
        case SourceDifferences(granularities, first, second):
            document |= {
                "compared": "sources",
                "first": first,
                "second": second,
                "summary": granularities,
            }
    return json_document(document)


def to_terminal(found: Differences, *, plain: bool) -> str:
    """The summary for a screen."""
    match found:
        case ImageDifferences():
            lines = _images(found, plain)
        case ScanDifferences(scans):
            lines = _scans(scans, plain)
        case SourceDifferences():
            lines = _sources(found, plain)
    return "\n".join(lines) + "\n"


def _images(found: ImageDifferences, plain: bool) -> list[str]:
    row = found.summary

    def size(count: int | None) -> str:
        return human(count, plain=plain)

    def number(count: int | None) -> str:
        return (f"{count:,}" if count is not None else UNKNOWN).rjust(9)

    pulled = [f"{size(row['pull_compressed_bytes'])} in {counted(row['pull_blobs'], 'blob')}"]
    if row["pull_without_blob"]:
        layers = counted(row["pull_without_blob"], "layer")
        pulled.append(
            f"{size(row['pull_uncompressed_bytes'])} uncompressed in {layers} without a blob"
        )
    lines = [
        *(
            []
            if row["complete"]
            else ["INCOMPLETE: a layer of these images could not be read: what differs is unknown."]
        ),
        *(
            ["INCOMPLETE: quick scan: contents were not read, so which files changed is unknown."]
            if row["complete"] and row["changed"] is None
            else []
        ),
        f"{row['old_name']} -> {row['new_name']}",
        "",
        f"{number(row['added'])}  added, {size(row['added_bytes'])}",
        f"{number(row['removed'])}  removed, {size(row['removed_bytes'])}",
        f"{number(row['changed'])}  changed, {size(row['changed_old_bytes'])} -> "
        f"{size(row['changed_new_bytes'])}",
        f"{number(row['metadata_only'])}  with other metadata only, "
        f"{size(row['metadata_only_bytes'])}",
        f"{number(row['unchanged'])}  unchanged",
        "",
        f"Layers: {row['old_layers']} -> {row['new_layers']}; {row['shared_layers']} shared "
        f"({size(row['shared_layer_bytes'])}), {row['shared_chain']} of them in the same place.",
        f"To pull: {', '.join(pulled)}.",
    ]
    if first := found.first_difference:
        lines += [
            f"First difference: layer {first['position']}, {_REASONS[first['reason']]}"
            f"{_differing(first['differing'])}.",
            *(
                f"  {side}: {step}"
                for side, step in (("old", first["old_step"]), ("new", first["new_step"]))
                if step
            ),
            *(
                f"  /{each['path']}  {', '.join(each['fields'])}".rstrip()
                for each in first["paths"] or []
            ),
        ]
    return lines


def _differing(paths: int | None) -> str:
    """How many paths differ; empty if that is not known."""
    if paths is None:
        return ""
    return f"; {counted(paths, 'path')} {'differs' if paths == 1 else 'differ'}"


def _scans(row: queries.DiffScanSummaryRow, plain: bool) -> list[str]:
    def size(count: int) -> str:
        return f"{human(count, plain=plain):>12}"

    return [
        f"{row['old_scan']} -> {row['new_scan']}",
        "",
        f"{'':20}{'before':>12}{'after':>12}{'appeared':>12}{'freed':>12}",
        f"{'stored on disk':20}{size(row['old_stored_bytes'])}{size(row['new_stored_bytes'])}",
        f"{'unpacked layers':20}"
        f"{size(row['old_unpacked_bytes'])}{size(row['new_unpacked_bytes'])}"
        f"{size(row['unpacked_appeared_bytes'])}{size(row['unpacked_freed_bytes'])}",
        f"{'compressed blobs':20}"
        f"{size(row['old_compressed_bytes'])}{size(row['new_compressed_bytes'])}"
        f"{size(row['compressed_appeared_bytes'])}{size(row['compressed_freed_bytes'])}",
        f"{'images':20}{row['old_images']:>12,}{row['new_images']:>12,}"
        f"{row['images_appeared']:>12,}{row['images_gone']:>12,}",
        *(
            [
                f"{'incomplete images':20}{row['old_incomplete_images']:>12,}"
                f"{row['new_incomplete_images']:>12,}",
                "INCOMPLETE: unpacked layers are those that could be read.",
            ]
            if row["old_incomplete_images"] or row["new_incomplete_images"]
            else []
        ),
        "",
        f"{counted(row['names_moved'], 'name')} moved to another image.",
    ]


def _sources(found: SourceDifferences, plain: bool) -> list[str]:
    lines = [f"first: {', '.join(found.first)}", f"second: {', '.join(found.second)}"]
    lines += ["", f"{'':12}{'in both':>24}{'only in the first':>24}{'only in the second':>24}"]
    for row in found.summary:
        sides = (
            (row["shared"], row["shared_bytes"]),
            (row["only_first"], row["first_bytes"]),
            (row["only_second"], row["second_bytes"]),
        )
        cells = (f"{count:,} / {human(size, plain=plain)}" for count, size in sides)
        lines.append(f"{row['granularity']:12}" + "".join(f"{cell:>24}" for cell in cells))
    return lines
