"""A comparison on a screen, summary first, and its summary as JSON (docs/diff.md)."""

import json
from typing import Any

from dedupe.analysis.diff import Compared, Differences
from dedupe.report.units import counted, human

#: raised when a key changes its meaning or goes
SCHEMA_VERSION = 1

Row = dict[str, Any]

_REASONS = {
    "added": "the new image goes on where the old one ends",
    "removed": "the new image ends where the old one goes on",
    "step": "the build steps differ",
    "timestamps": "the same step gave the same but for modification times",
    "content": "the same step gave other entries",
    "tar": "the same entries in another tar",
    "unknown": "a layer was not read",
}


def as_json(found: Differences) -> str:
    """The summary as one document; rows of what differs are not in it."""
    document: Row = {"schema_version": SCHEMA_VERSION, "compared": found.compared.value}
    match found.compared:
        case Compared.IMAGES:
            first = found.summary["first_difference"]
            document["summary"] = found.summary["summary"][0]
            document["layers"] = found.summary["layers"]
            document["first_difference"] = first[0] if first else None
        case Compared.SCANS:
            document["summary"] = found.summary["summary"][0]
        case Compared.SOURCES:
            document |= found.groups
            document["summary"] = found.summary["summary"]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_text(found: Differences, *, plain: bool) -> str:
    """The summary for people."""
    match found.compared:
        case Compared.IMAGES:
            lines = _images(found, plain)
        case Compared.SCANS:
            lines = _scans(found.summary["summary"][0], plain)
        case Compared.SOURCES:
            lines = _sources(found, plain)
    return "\n".join(lines) + "\n"


def _images(found: Differences, plain: bool) -> list[str]:
    row = found.summary["summary"][0]

    def size(key: str) -> str:
        return human(row[key], plain=plain)

    pulled = [f"{size('pull_compressed_bytes')} in {counted(row['pull_blobs'], 'blob')}"]
    if row["pull_without_blob"]:
        layers = counted(row["pull_without_blob"], "layer")
        pulled.append(f"{size('pull_uncompressed_bytes')} uncompressed in {layers} without a blob")
    lines = [
        f"{row['old_name']} -> {row['new_name']}",
        "",
        f"{row['added']:>9,}  added, {size('added_bytes')}",
        f"{row['removed']:>9,}  removed, {size('removed_bytes')}",
        f"{row['changed']:>9,}  changed, {size('changed_old_bytes')} -> "
        f"{size('changed_new_bytes')}",
        f"{row['metadata_only']:>9,}  with other metadata only, {size('metadata_only_bytes')}",
        f"{row['unchanged']:>9,}  unchanged",
        "",
        f"Layers: {row['old_layers']} -> {row['new_layers']}; {row['shared_layers']} shared "
        f"({size('shared_layer_bytes')}), {row['shared_chain']} of them in the same place.",
        f"To pull: {', '.join(pulled)}.",
    ]
    for first in found.summary["first_difference"]:
        lines += [
            f"First difference: layer {first['position']}, {_REASONS[first['reason']]}; "
            f"{counted(first['differing'], 'path')} differ.",
            *(f"  {side}: {first[key]}" for side, key in _STEPS if first[key]),
            *(
                f"  /{each['path']}  {', '.join(each['fields'])}".rstrip()
                for each in first["paths"]
            ),
        ]
    return lines


_STEPS = (("old", "old_step"), ("new", "new_step"))


def _scans(row: Row, plain: bool) -> list[str]:
    def size(key: str) -> str:
        return human(row[key], plain=plain)

    lines = [
        f"{row['old_scan']} -> {row['new_scan']}",
        "",
        f"{'':20}{'before':>12}{'after':>12}{'appeared':>12}{'freed':>12}",
        f"{'stored on disk':20}{size('old_stored_bytes'):>12}{size('new_stored_bytes'):>12}",
    ]
    for label, key in (("unpacked layers", "unpacked"), ("compressed blobs", "compressed")):
        keys = (f"old_{key}", f"new_{key}", f"{key}_appeared", f"{key}_freed")
        lines.append(f"{label:20}" + "".join(f"{size(f'{each}_bytes'):>12}" for each in keys))
    counts = ("old_images", "new_images", "images_appeared", "images_gone")
    lines.append(f"{'images':20}" + "".join(f"{row[key]:>12,}" for key in counts))
    return [*lines, "", f"{counted(row['names_moved'], 'name')} moved to another image."]


def _sources(found: Differences, plain: bool) -> list[str]:
    lines = [f"{side}: {', '.join(group)}" for side, group in found.groups.items()]
    lines += ["", f"{'':12}{'both hold':>24}{'only the first':>24}{'only the second':>24}"]
    for row in found.summary["summary"]:
        pairs = (("shared", "shared"), ("only_first", "first"), ("only_second", "second"))
        cells = (
            f"{row[count]:,} / {human(row[f'{weight}_bytes'], plain=plain)}"
            for count, weight in pairs
        )
        lines.append(f"{row['granularity']:12}" + "".join(f"{cell:>24}" for cell in cells))
    return lines
