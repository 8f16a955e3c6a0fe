"""What takes the disk space, on a screen: rows that add up to what ``du`` counts."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from dedupe.analysis import queries
from dedupe.analysis.disk import PathOwner, place_path, totals_by_kind
from dedupe.model.disk import HolderKind, PlaceForm, PlaceKind
from dedupe.model.measures import DISK
from dedupe.model.questions import Answer
from dedupe.report.text import INDENT, aligned, sizer
from dedupe.report.units import at_least, counted, human, percent
from dedupe.report.view import moment

#: a kind has a line of its own in the report from here on, and from 1 % of all bytes on
_LEAST_BYTES = 100_000_000
#: holders of a place in a list
_SHORT = 3
_HOLDER_WORDS = {
    HolderKind.BUILD_CACHE: "build cache",
    HolderKind.LEASE: "lease",
    HolderKind.RECORD: "record",
}


def kind_label(kind: str) -> str:
    """What people read for a kind; of what was not measured there is no kind."""
    return DISK[PlaceKind(kind)].label if kind in set(PlaceKind) else "not measured"


def sum_of(rows: Iterable[queries.DiskRow], *, plain: bool = False) -> str:
    """The sum of all rows; a lower bound if some are unknown."""
    every = list(rows)
    known = sum(row["allocated_bytes"] or 0 for row in every)
    is_partial = any(row["unknown"] is not None for row in every)
    return at_least(known, plain=plain) if is_partial else human(known, plain=plain)


def kinds_to_terminal(answer: Answer, shown: Answer, *, plain: bool, whole: bool) -> str:
    """One row per source and kind, and the total of all rows."""
    every, rows = _disk_rows(answer), _disk_rows(shown)
    known = sum(row["allocated_bytes"] or 0 for row in every)
    sources = {row["source"] for row in every}
    head = f"{min(sources)}\n\n" if len(sources) == 1 else ""
    table = [
        ["allocated", "share", "places", "kind", *(["source"] if len(sources) > 1 else [])],
        *(
            [
                human(row["allocated_bytes"], plain=plain),
                "" if row["unknown"] else percent(row["allocated_bytes"] or 0, known),
                "" if row["unknown"] else f"{row['places']:,}",
                _named(row),
                *([row["source"]] if len(sources) > 1 else []),
            ]
            for row in rows
        ),
        [sum_of(every, plain=plain), "", "", _total(answer, shown, whole=whole)],
    ]
    lines = aligned(table, left={3, 4}, widths=(9,))
    return f"{head}{_joined(lines)}{_reasons(every)}"


def owners_to_terminal(answer: Answer, shown: Answer, *, plain: bool, whole: bool) -> str:
    """One row per source, kind and owner, with its largest place, and the total of all rows."""
    every = _disk_rows(answer)
    size = sizer(plain=plain)
    lines = []
    for row in _disk_rows(shown):
        kind = _named(row)
        owner = _owner(row["kind"], row["owner"])
        lines.append(f"{size(row['allocated_bytes'])}  {kind}{owner}")
        if row["unknown"] is None:
            others = row["places"] - 1 if row["places"] else 0
            more = f" and {counted(others, 'more place')}" if others else ""
            lines.append(f"{INDENT}{place_path(row['source'], row['path'])}{more}")
            lines += _command(row["command"])
    total = sum_of(every, plain=plain).rjust(len(size(0)))
    lines.append(f"{total}  {_total(answer, shown, whole=whole)}")
    return f"{_joined(lines)}{_reasons(every)}"


def _owner(kind: str | None, owner: str | None) -> str:
    """The owner behind its kind; nothing if that says the same."""
    return f": {owner}" if owner and kind and owner != kind_label(kind) else ""


def places_to_terminal(answer: Answer, shown: Answer, *, plain: bool, whole: bool) -> str:
    """One row per place, with its age, who holds it and what removes it; and the total."""
    every = cast("list[queries.DiskPlacesRow]", answer.dicts())
    size = sizer(plain=plain)
    lines = []
    for row in cast("list[queries.DiskPlacesRow]", shown.dicts()):
        owner = _owner(row["kind"], row["owner"])
        lines.append(f"{size(row['allocated_bytes'])}  {kind_label(row['kind'])}{owner}")
        lines.append(f"{INDENT}{place_path(row['source'], row['path'])}{_age(row['age_days'])}")
        others = [each for each in row["holders"] if each != f"record {row['subject']}"]
        if others and row["kind"] not in (PlaceKind.LAYER, PlaceKind.CONTAINER):
            lines.append(f"{INDENT}used by {_few(others)}")
        lines += _command(row["command"])
    total = human(sum(row["allocated_bytes"] for row in every), plain=plain)
    lines.append(f"{total.rjust(len(size(0)))}  {_total(answer, shown, whole=whole)}")
    return _joined(lines)


def owner_to_terminal(found: PathOwner, limit: int, *, plain: bool) -> str:
    """The place that a path is in: its kind and bytes, what keeps it, and what removes it."""
    row = found.place
    size = human(row["allocated_bytes"], plain=plain)
    files = counted(row["files"], "file")
    place = place_path(row["source"], row["path"])
    kind = row["source_kind"] or "in no store"
    scanned = f"{moment(row['scanned'])} UTC"
    lines = [
        f"{DISK[PlaceKind(row['kind'])].label}: {size} allocated, {files}{_age(row['age_days'])}",
        *([f"part of: {place}"] if place != found.path else []),
        f"source: {row['source']} ({kind}), scanned {scanned}",
        *([f"{_subject_word(row)}: {row['subject']}"] if row["subject"] else []),
        *([f"kept for: {row['scope']}"] if row["scope"] else []),
        *(
            ["It holds the files of all layers below it too."]
            if row["form"] == PlaceForm.FULL_TREE
            else []
        ),
    ]
    lines += ["", *_holders(found, limit), *_steps(found, limit)]
    return _joined(lines)


def _subject_word(row: queries.DiskOwnerRow) -> str:
    if row["kind"] != PlaceKind.LAYER:
        return "ID"
    return "digest" if row["form"] == PlaceForm.BLOB else "chain ID"


def _holders(found: PathOwner, limit: int) -> list[str]:
    row = found.place
    # a volume is kept by its own record
    holders = [each for each in found.rows if each["holder"] not in (None, row["subject"])]
    if not holders:
        has_owner = row["owner"] and row["kind"] != PlaceKind.VOLUME
        return [f"Belongs to {row['owner']}." if has_owner else _without_holder(row["kind"])]
    shown = holders[: limit or None]
    lines = ["used by"]
    for each in shown:
        with_child = " (untagged, deleted with its child)" if each["goes_with_child"] else ""
        lines.append(f"  {_holder_word(each['holder_kind'])} {each['holder']}{with_child}")
    if len(holders) > len(shown):
        lines.append(f"  and {len(holders) - len(shown):,} more: --limit 0")
    return lines


def _holder_word(kind: str | None) -> str:
    return _HOLDER_WORDS.get(HolderKind(kind), kind) if kind else ""


def _without_holder(kind: str) -> str:
    match kind:
        case PlaceKind.ORPHAN:
            return "Nothing in the store refers to it."
        case PlaceKind.UNRECOGNISED:
            return "No source knows it: it is unknown whether something needs it."
        case PlaceKind.VOLUME:
            return "No container uses it. It may hold data."
        case PlaceKind.METADATA:
            return "It belongs to the store itself; no command removes it alone."
        case _:
            return "Nothing is known to use it."


def _steps(found: PathOwner, limit: int) -> list[str]:
    """The commands that free the place, in the order in which they work."""
    if not found.steps:
        return []
    if limit and len(found.rows) > limit:
        return ["", f"Too many to list their commands: --limit {len(found.rows)}"]
    head = "freed by" if len(found.steps) == 1 else "freed after all of"
    lines = ["", head]
    for step in found.steps:
        if step.command:
            lines += [f"  {step.shell}", *([f"    # {step.note}"] if step.note else [])]
        else:
            lines.append(f"  # {step.note}")
    return lines


def path_doubts(found: PathOwner) -> list[str]:
    """What to say first of a path that the scan has not seen as it is now."""
    if not found.exists:
        return [f"there is no {found.path} now"]
    if not found.is_newer:
        return []
    return [
        f"{found.path} was changed after the scan of {moment(found.place['scanned'])} UTC: "
        f"'dedupe scan {shlex.quote(found.place['source'])}' reads it again"
    ]


def rest_line(found: PathOwner) -> str:
    """Where the files of a folder count that are in none of the places below it; empty if in it."""
    label = DISK[PlaceKind(found.place["kind"])].label
    place = place_path(found.place["source"], found.place["path"])
    return "" if place == found.path else f"What else is in {found.path} is {label} of {place}.\n"


def kind_lines(rows: Sequence[queries.DiskRow], *, plain: bool) -> list[str]:
    """The kinds for the report, sizes and labels; those that are small are in one line."""
    totals = totals_by_kind(rows)
    size = sizer(plain=plain)
    known = sum(total.allocated_bytes for total in totals)
    least = 0 if plain else min(known / 100, _LEAST_BYTES)
    lines = [
        f"{size(total.allocated_bytes)}  {DISK[total.kind].label}"
        for total in totals
        if total.allocated_bytes >= least
    ]
    rest = [DISK[total.kind].label for total in totals if total.allocated_bytes < least]
    if rest:
        lines.append(f"{'the rest'.rjust(len(size(0)))}  {', '.join(rest)}")
    return lines


def unknown_reasons(rows: Sequence[queries.DiskRow]) -> list[str]:
    """Why the bytes of some sources and folders are unknown, one sentence each."""
    return [
        f"{place_path(row['source'], row['path'])}: {row['unknown']}"
        for row in rows
        if row["unknown"] is not None
    ]


def _total(answer: Answer, shown: Answer, *, whole: bool) -> str:
    """What the last row adds up; ``whole`` is everything that was scanned at a place."""
    left_out = len(answer.rows) - len(shown.rows)
    others = f", with {counted(left_out, 'row')} that are not shown" if left_out > 1 else ""
    others = others or (", with 1 row that is not shown" if left_out else "")
    return f"total{others}{': what du counts' if whole else ''}"


def _reasons(rows: Sequence[queries.DiskRow]) -> str:
    return "".join(f"unknown: {line}\n" for line in unknown_reasons(rows))


def _named(row: queries.DiskRow) -> str:
    return "not measured" if row["unknown"] is not None else kind_label(row["kind"])


def _age(days: int | None) -> str:
    if days is None:
        return ""
    return ", changed today" if days == 0 else f", changed {counted(days, 'day')} ago"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHORT} more" if len(names) > _SHORT else ""
    return ", ".join(names[:_SHORT]) + more


def runnable(words: Sequence[str] | None) -> str:
    """The command for a POSIX shell; empty if a name had to be escaped: no tool knows that name."""
    return "" if not words or any("\\" in word for word in words) else shlex.join(words)


def _command(words: Sequence[str] | None) -> list[str]:
    text = runnable(words)
    return [f"{INDENT}{text}"] if text else []


def _disk_rows(answer: Answer) -> list[queries.DiskRow]:
    return cast("list[queries.DiskRow]", answer.dicts())


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


#: how each grouping is written
WRITERS: dict[str, Callable[..., str]] = {
    "kind": kinds_to_terminal,
    "owner": owners_to_terminal,
    "place": places_to_terminal,
}
