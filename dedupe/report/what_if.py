"""What deleting images would free: for a person who has to decide, and as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from dedupe.analysis import queries
from dedupe.analysis.what_if import WhatIf
from dedupe.report.units import human

#: raised when a key changes its meaning or goes
SCHEMA_VERSION = 1

_SHOWN = 10
_MEANING = {
    "unpacked": "unpacked: layers, each once in its place",
    "compressed": "of blobs as a registry or layout stores them",
    "content": "of distinct file contents, if the store shared equal files",
}


def render(found: WhatIf, *, plain: bool) -> str:
    """What goes, what it frees, what stays and why, what stands in the way, and the commands."""

    def size(count: int) -> str:
        return human(count, plain=plain).rjust(18 if plain else 9)

    freed = {row["granularity"]: row for row in found.freed}
    lines = [_head(found, plain=plain)]
    for name, meaning in _MEANING.items():
        total = human(freed[name]["total_bytes"], plain=plain)
        lines.append(f"{size(freed[name]['freed_bytes'])}  of {total} {meaning}")
    if found.containers:
        now = {row["granularity"]: row["freed_bytes"] for row in found.freed_now}
        lines += ["", f"In the way: {len(found.containers)} containers. Without their images only"]
        lines.append(f"{size(now['unpacked'])}  unpacked can go")
        for container in found.containers[:_SHOWN]:
            state = {True: ", running", False: ", stopped", None: ""}[container["running"]]
            name = container["name"] or container["container_id"][:12]
            lines.append(f"{'':11}{name}{state}: made from {container['image']}")
        lines += _more(found.containers)
    lines += ["", f"Images that go, with all their names ({len(found.images)}); alone each frees"]
    for image in found.images:
        mark = "" if image["complete"] else "  (incomplete: some layers could not be read)"
        lines.append(f"{size(image['exclusive_bytes'])}  {image['name']}{mark}")
        lines += [f"{'':11}also named {name}" for name in image["names"][1:]]
    staying = [row for row in found.layers if not row["freed"] and row["content_bytes"]]
    if staying:
        kept = human(sum(row["content_bytes"] for row in staying), plain=plain)
        lines += ["", f"Layers of these images that stay ({len(staying)}, {kept}), kept by"]
        for layer in staying[:_SHOWN]:
            more = layer["kept_by_images"] - 3
            names = ", ".join(layer["kept_by"][:3]) + (f" and {more} more" if more > 0 else "")
            lines.append(f"{size(layer['content_bytes'])}  {names}")
        lines += _more(staying)
    if found.doubtful:
        lines += ["", f"Left alone, their dates are not believed ({len(found.doubtful)}):"]
        for doubtful in found.doubtful[:_SHOWN]:
            lines.append(
                f"{'':11}{doubtful['name']}: {doubtful['doubt']} "
                f"({doubtful['created'] or 'no date'})"
            )
        lines += _more(found.doubtful)
        lines.append(f"{'':11}--any-date counts them as old")
    lines += ["", "Nothing was deleted. These commands would:"]
    for step in found.removals:
        if step.command:
            lines.append(f"  {step.shell}" + (f"  # {step.note}" if step.note else ""))
        else:
            lines.append(f"  # {step.source}: {step.note}")
    return "\n".join(lines) + "\n"


def as_json(found: WhatIf) -> str:
    """One document; docs/usage.md describes its keys."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "freed": _by_granularity(found.freed),
        "freed_now": _by_granularity(found.freed_now),
        "target": None,
        "images": found.images,
        "layers": found.layers,
        "containers": found.containers,
        "doubtful": [{**row, "time": None} for row in found.doubtful],
        "commands": [
            {
                "source": step.source,
                "kind": str(step.kind),
                "command": list(step.command),
                "shell": step.shell,
                "note": step.note,
            }
            for step in found.removals
        ],
    }
    if found.target_result is not None:
        target = found.target_result.target
        document["target"] = {
            "wanted_bytes": target.wanted_bytes,
            "granularity": target.granularity.value,
            "order": target.order.value,
            "freed_bytes": found.target_result.freed_bytes,
            "most_bytes": found.target_result.most_bytes,
            "reached": found.target_result.enough,
        }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _head(found: WhatIf, *, plain: bool) -> str:
    count = len(found.images)
    images = f"{count} image{'' if count == 1 else 's'}"
    if found.target_result is None or found.target_result.enough:
        return f"Deleting {images} frees"
    wanted = human(found.target_result.target.wanted_bytes, plain=plain)
    most = human(found.target_result.most_bytes, plain=plain)
    return f"NOT ENOUGH: {wanted} wanted, {most} at most. Deleting {images} frees"


def _by_granularity(rows: list[queries.WhatIfFreedRow]) -> dict[str, Any]:
    return {
        row["granularity"]: {key: value for key, value in row.items() if key != "granularity"}
        for row in rows
    }


def _more(rows: Sequence[object]) -> list[str]:
    return [f"{'':11}and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
