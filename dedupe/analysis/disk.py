"""What takes the disk space, and which image, container or volume a file or folder belongs to."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.removal import Removal, removals
from dedupe.host.places import absolute_place, place_text
from dedupe.model.disk import HolderKind, PlaceKind
from dedupe.model.paths import path_bytes, path_text


@dataclass(frozen=True, slots=True)
class KindTotal:
    """Bytes of one kind in all sources."""

    kind: PlaceKind
    allocated_bytes: int
    places: int
    files: int


@dataclass(frozen=True, slots=True)
class PathOwner:
    """The place that a path is in, what keeps it, and the commands that remove it."""

    path: str
    #: one row per holder, at least one; the columns of the place are the same in all
    rows: list[queries.DiskOwnerRow]
    steps: list[Removal]
    #: whether the path was changed after the scan, so that it may have another owner now
    is_newer: bool = False
    #: whether there is such a file or folder now
    exists: bool = True

    @property
    def place(self) -> queries.DiskOwnerRow:
        """The place, with the first of its holders."""
        return self.rows[0]


def totals_by_kind(rows: Sequence[queries.DiskRow]) -> list[KindTotal]:
    """The bytes of each kind in all sources, most bytes first; unknown ones are left out."""
    found: dict[PlaceKind, KindTotal] = {}
    for row in rows:
        if row["unknown"] is not None:
            continue
        kind = PlaceKind(row["kind"])
        known = found.get(kind, KindTotal(kind, 0, 0, 0))
        found[kind] = KindTotal(
            kind,
            known.allocated_bytes + (row["allocated_bytes"] or 0),
            known.places + (row["places"] or 0),
            known.files + (row["files"] or 0),
        )
    return sorted(found.values(), key=lambda total: (-total.allocated_bytes, total.kind))


def names_of(path: Path | str, roots: Sequence[queries.DiskRootsRow]) -> list[str]:
    """The absolute paths by which measured sources know a path; empty if no source has it.

    A store may keep a folder in another place and have a link to it. Then the path is also one
    below the link.
    """
    real = place_text(absolute_place(path))
    measured = [row for row in roots if row["measured"]]
    through_links = [name for row in measured for name in _names_below_links(real, row)]
    names = through_links or [real, *_without_links(path)]
    known = [row["location"] for row in measured]
    return [name for name in names if any(is_at_or_below(name, folder) for folder in known)]


def is_at_or_below(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _without_links(path: Path | str) -> list[str]:
    """The path as it was typed, which may go through links of a store."""
    # what is above a folder that a link leads to is not what is above the link
    if os.pardir in Path(path).parts:
        return []
    return [path_text(os.fsencode(os.path.abspath(path)))]  # noqa: PTH100  # links stay


def _names_below_links(real: str, root: queries.DiskRootsRow) -> list[str]:
    above = {
        "/".join(parts[:depth])
        for folder in root["folders"]
        for parts in [folder.split("/")]
        for depth in range(1, len(parts) + 1)
    }
    found = []
    for folder in sorted(above):
        link = f"{root['location'].rstrip('/')}/{folder}"
        if _path(link).is_symlink():
            target = path_text(os.fsencode(_path(link).resolve()))
            if is_at_or_below(real, target):
                found.append(link + real[len(target) :])
    return found


def path_owner(questions: Questions, names: Sequence[str]) -> PathOwner:
    """The innermost place that has a path of these names, which a source must know."""
    rows = questions.rows(queries.disk_owner(paths=names))
    try:
        changed = os.lstat(path_bytes(names[0])).st_ctime
    except OSError:
        changed = None
    is_newer = changed is not None and changed > rows[0]["scanned"]
    return PathOwner(names[0], rows, _steps(questions, rows), is_newer, changed is not None)


def is_in_one_place(questions: Questions, name: str, roots: Sequence[queries.DiskRootsRow]) -> bool:
    """Whether a path is in one place or is one, and not a folder that holds several."""
    below = questions.rows(queries.disk_places(kinds=[], below=name))
    if not below:
        return True
    is_root = any(row["location"] == name for row in roots)
    is_place = place_path(below[0]["source"], below[0]["path"]) == name
    return len(below) == 1 and is_place and not (is_root and _path(name).is_dir())


def place_path(source: str, path: str) -> str:
    """The absolute path of a place of a source."""
    return f"{source.rstrip('/')}/{path}" if path not in ("", os.curdir) else source


def _path(text: str) -> Path:
    """The path of a printable form."""
    return Path(os.fsdecode(path_bytes(text)))


def _steps(questions: Questions, rows: Sequence[queries.DiskOwnerRow]) -> list[Removal]:
    """Commands that remove the holders, images last, and then the place itself."""
    place = rows[0]
    source, kind = place["source"], place["source_kind"] or ""
    others = [
        tuple(row["release"])
        for row in rows
        if row["release"] and row["holder_kind"] != HolderKind.IMAGE
    ]
    images = [
        row["holder_id"]
        for row in rows
        if row["holder_kind"] == HolderKind.IMAGE and not row["goes_with_child"]
    ]
    own = [tuple(place["command"])] if place["command"] else []
    steps = [_step(source, kind, command) for command in dict.fromkeys(others)]
    if images:
        held = questions.rows(queries.what_if_places(images=[each for each in images if each]))
        # an image without a name may be the parent of one with a name, and cannot be deleted first
        held.sort(key=lambda row: (row["source"], row["kind"], not row["names"]))
        steps += [step for step in removals(held) if step.source == source]
    return [*steps, *(_step(source, kind, command) for command in own if command not in others)]


def _step(source: str, kind: str, command: tuple[str, ...]) -> Removal:
    if any("\\" in word for word in command):
        note = f"run it by hand, a name has unprintable characters: {' '.join(command)}"
        return Removal(source, kind, (), note)
    return Removal(source, kind, command)
