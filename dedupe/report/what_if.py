"""What deleting images would free: for a person who has to decide, and as JSON."""

from collections.abc import Sequence
from datetime import datetime

from dedupe.analysis import queries
from dedupe.analysis.what_if import WhatIf
from dedupe.report.doubts import doubts, known_sum
from dedupe.report.text import INDENT, json_document, sizer
from dedupe.report.units import INCOMPLETE, at_least, counted, human

#: raised when a key changes its meaning or is removed
SCHEMA_VERSION = 1

#: rows of a list on the screen
_SHOWN = 10
#: images named that keep one layer
_KEEPERS = 3
_MEANING = {
    "unpacked": "unpacked: layers, each once per parent",
    "compressed": "of blobs as a registry or layout stores them",
    "content": "of distinct file contents, if the store shared equal files",
}
_STATES = {True: ", running", False: ", stopped", None: ""}


def to_terminal(found: WhatIf, *, plain: bool) -> str:
    """What is freed, what blocks it, what is deleted and what stays, and the commands."""
    lines = [
        *(f"INCOMPLETE: {line}." for line in _doubts(found)),
        *(f"Note: {note}." for note in found.notes),
        *_freed(found, plain=plain),
        *_unreferenced(found, plain=plain),
        *_held(found, plain=plain),
        *_blocked(found, plain=plain),
        *_deleted(found, plain=plain),
        *_staying(found, plain=plain),
        *_doubtful(found),
        *_commands(found),
    ]
    return "\n".join(lines) + "\n"


def _doubts(found: WhatIf) -> list[str]:
    return doubts(found.incomplete, found.sources, found.failed, contents=False)


def _freed(found: WhatIf, *, plain: bool) -> list[str]:
    if not found.images:
        return [_head(found, plain=plain)] if found.target_result else []
    width = len(sizer(plain=plain)(0))
    freed = {row["granularity"]: row for row in found.freed}
    return [
        _head(found, plain=plain),
        *_on_disk(found, freed["disk"], width, plain=plain),
        *(
            f"{_size(row['freed_bytes'], row['unknown_units'], plain=plain).rjust(width)}  of "
            f"{_size(row['total_bytes'], row['total_unknown_units'], plain=plain)} {meaning}"
            for name, meaning in _MEANING.items()
            # contents that could not be read may be those of any image
            if (row := freed[name])["freed_bytes"] is not None
            # hosts keep no blobs
            and (row["total_bytes"] or row["total_unknown_units"])
        ),
        *_unread(freed["unpacked"]["unknown_units"]),
    ]


def _on_disk(found: WhatIf, freed: queries.WhatIfFreedRow, width: int, *, plain: bool) -> list[str]:
    """What the disk gives back now and once everything is released, and by source if several."""
    size = _size(freed["freed_bytes"], freed["unknown_units"], plain=plain)
    after = ""
    if found.held:
        held = human(sum(row["bytes"] for row in found.held), plain=plain)
        (first, *others) = found.held
        commands = " and ".join(f"`{command}`" for command in first["releases"])
        known = first["released"] and not others and len(first["releases"]) == 1
        after = f", {held} more after {commands if known else 'the releases below'}"
    lines = [f"{size.rjust(width)}  on disk now{after}{_unmeasured(found.disk)}"]
    if len(found.disk) > 1:
        for row in found.disk:
            part = _size(row["freed_bytes"], row["unknown_units"], plain=plain)
            lines.append(f"{part.rjust(width)}    in {row['source']}{_unmeasured([row])}")
    return lines


def _unmeasured(rows: list[queries.WhatIfDiskRow]) -> str:
    """What bytes are those of sources whose files were not measured."""
    if not rows or any(row["measured"] for row in rows):
        return ""
    return " (sizes of files: disk usage was not measured)"


def _held(found: WhatIf, *, plain: bool) -> list[str]:
    """Places that stay although all images that need them are deleted, and what releases them."""
    if not found.held:
        return []
    lines = ["", "Kept by something other than images, and freed with them after"]
    for row in found.held[:_SHOWN]:
        more = row["count"] - _KEEPERS
        names = ", ".join(row["holders"][:_KEEPERS]) + (f" and {more} more" if more > 0 else "")
        commands = " && ".join(row["releases"]) or "(no command)"
        rest = "" if row["released"] or not row["releases"] else " and more"
        kinds = ", ".join(row["kinds"])
        lines.append(f"{sizer(plain=plain)(row['bytes'])}  {commands}{rest}  # {kinds}: {names}")
    return [*lines, *_more(found.held)]


def _unreferenced(found: WhatIf, *, plain: bool) -> list[str]:
    """What nothing references, and what garbage collection of registries would free."""
    size = sizer(plain=plain)
    lines = []
    if found.orphans is not None:
        lines += [
            "",
            "Removing what nothing references frees"
            if found.orphans
            else "Nothing is unreferenced",
        ]
    for row in found.orphans or ():
        if row["bytes"] is None:
            lines.append(f"{size(None)}  in {row['source']}: unknown: {row['unseen_references']}")
            continue
        since = f", unchanged since {row['newest']:%Y-%m-%d}" if row["newest"] else ""
        counted_places = f" ({counted(row['places'], 'place')}{since})" if row["places"] else ""
        lines.append(f"{size(row['bytes'])}  in {row['source']}{counted_places}")
    for each in found.collected or ():
        lines += [
            "",
            f"`registry garbage-collect -m` on {each['source']} frees",
            f"{size(each['collected_bytes'])}  all that has no tag "
            f"({human(each['orphan_bytes'], plain=plain)} of it is unreferenced already)",
        ]
    return lines


def _size(size_bytes: int | None, unknown_units: int, *, plain: bool) -> str:
    return at_least(size_bytes, plain=plain) if unknown_units else human(size_bytes, plain=plain)


def _unread(layers: int) -> list[str]:
    """Layers that would be freed, and whose sizes are unknown."""
    if not layers:
        return []
    verb = "is" if layers == 1 else "are"
    return [f"{INDENT}{counted(layers, 'layer')} of it could not be read and {verb} not counted"]


def _head(found: WhatIf, *, plain: bool) -> str:
    images = _counted_targets(found)
    if found.target_result is None or found.target_result.enough:
        return f"Deleting {images} frees"
    wanted = human(found.target_result.target.wanted_bytes, plain=plain)
    most = human(found.target_result.most_bytes, plain=plain)
    return f"NOT ENOUGH: {wanted} wanted, {most} possible. Deleting {images} frees"


def _counted_targets(found: WhatIf) -> str:
    """How many images and artifacts are deleted."""
    artifacts = len({row["artifact_id"] for row in found.artifacts})
    if not artifacts:
        return counted(len(found.images), "image")
    text = counted(artifacts, "artifact")
    return f"{counted(len(found.images), 'image')} and {text}" if found.images else text


def _blocked(found: WhatIf, *, plain: bool) -> list[str]:
    """Containers whose images cannot be deleted as long as they exist."""
    if not found.containers:
        return []
    now = {row["granularity"]: row["freed_bytes"] for row in found.freed_now}
    lines = [
        "",
        f"Blocked by {counted(len(found.containers), 'container')}. Keeping their images, you can "
        "free only",
        f"{sizer(plain=plain)(now['unpacked'])}  unpacked",
    ]
    for container in found.containers[:_SHOWN]:
        name = container["name"] or container["container_id"][:12]
        state = _STATES[container["running"]]
        lines.append(f"{INDENT}{name}{state}: made from {container['image']}")
    return [*lines, *_more(found.containers)]


def _deleted(found: WhatIf, *, plain: bool) -> list[str]:
    if not found.images:
        return []
    size = sizer(plain=plain)
    lines = _deleted_artifacts(found, plain=plain)
    if not found.images:
        return lines
    count = len(found.images)
    lines += ["", f"Images to delete, with all their names ({count}); on disk, each alone frees"]
    for image in found.images:
        mark = "" if image["complete"] else INCOMPLETE
        lines.append(f"{size(image['disk_bytes'])}  {image['name']}{mark}")
        lines += [f"{INDENT}also named {name}" for name in image["names"][1:]]
    return lines


def _deleted_artifacts(found: WhatIf, *, plain: bool) -> list[str]:
    if not found.artifacts:
        return []
    lines = ["", f"Artifacts to delete, with all their names ({len(found.artifacts)}); each has"]
    for row in found.artifacts:
        about = ", ".join((row["type"], *([row["media_type"]] if row["media_type"] else [])))
        lines.append(f"{sizer(plain=plain)(row['stored_bytes'])}  {row['name']} ({about})")
        lines += [f"{INDENT}also named {name}" for name in row["names"][1:]]
    return lines


def _staying(found: WhatIf, *, plain: bool) -> list[str]:
    """Layers of these images that other images need."""
    # a layer that could not be read has no size, and may have content
    staying = [row for row in found.layers if not row["freed"] and row["content_bytes"] != 0]
    if not staying:
        return []
    kept = known_sum((row["content_bytes"] for row in staying), plain=plain)
    lines = ["", f"Layers of these images that stay ({len(staying)}, {kept}), needed by"]
    for layer in staying[:_SHOWN]:
        more = layer["kept_by_images"] - _KEEPERS
        names = ", ".join(layer["kept_by"][:_KEEPERS]) + (f" and {more} more" if more > 0 else "")
        lines.append(f"{sizer(plain=plain)(layer['content_bytes'])}  {names}")
    return [*lines, *_more(staying)]


def _doubtful(found: WhatIf) -> list[str]:
    if not found.doubtful:
        return []
    return [
        "",
        f"Skipped: creation date missing or implausible ({len(found.doubtful)}):",
        *(
            f"{INDENT}{row['name']}: {row['doubt']} ({row['created'] or 'no date'})"
            for row in found.doubtful[:_SHOWN]
        ),
        *_more(found.doubtful),
        f"{INDENT}--any-date counts them as old",
    ]


def _commands(found: WhatIf) -> list[str]:
    if not (found.containers or found.removals):
        return []
    lines = ["", "Nothing was deleted. These commands would:"]
    for container in found.containers:
        name = container["name"] or container["container_id"][:12]
        lines.append(f"  # {container['source']}: remove container {name} first")
    for step in found.removals:
        if step.command:
            lines.append(f"  {step.shell}" + (f"  # {step.note}" if step.note else ""))
        else:
            lines.append(f"  # {step.source}: {step.note}")
    return lines


def _more(rows: Sequence[object]) -> list[str]:
    return [f"{INDENT}and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []


def to_json(found: WhatIf) -> str:
    """One document; docs/usage.md describes its keys."""
    return json_document(
        {
            "schema_version": SCHEMA_VERSION,
            "incomplete": _doubts(found),
            "notes": found.notes,
            "disk": found.disk,
            "held": found.held,
            "orphans": _orphans(found),
            "collected": found.collected,
            "freed": _by_granularity(found.freed),
            "freed_now": _by_granularity(found.freed_now),
            "target": _target(found),
            "images": found.images,
            "artifacts": found.artifacts,
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
    )


def _orphans(found: WhatIf) -> list[dict[str, object]] | None:
    if found.orphans is None:
        return None
    return [
        {**row, "oldest": _time(row["oldest"]), "newest": _time(row["newest"])}
        for row in found.orphans
    ]


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _target(found: WhatIf) -> dict[str, object] | None:
    if found.target_result is None:
        return None
    target = found.target_result.target
    return {
        "wanted_bytes": target.wanted_bytes,
        "granularity": target.granularity.value,
        "order": target.order.value,
        "freed_bytes": found.target_result.freed_bytes,
        "most_bytes": found.target_result.most_bytes,
        "reached": found.target_result.enough,
    }


def _by_granularity(rows: list[queries.WhatIfFreedRow]) -> dict[str, dict[str, object]]:
    return {
        row["granularity"]: {key: value for key, value in row.items() if key != "granularity"}
        for row in rows
    }
