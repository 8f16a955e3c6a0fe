"""Finds images, scans and sources by what a user typed: a name, a glob, the start of an ID."""

import difflib
import fnmatch
from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.errors import StoreError

#: similar names in an error
_CLOSEST = 3
#: fewer characters of an ID are more often a mistyped name
_ID_MIN = 6


def one_image(questions: Questions, text: str) -> str:
    """ID of the image with this name, name without registry or tag, or start of an ID.

    Raises StoreError: ``no-image`` with the closest names, ``ambiguous-image`` with the candidates.
    """
    images = questions.rows(queries.image_names())
    for matches in (_exact, _short, _by_id):
        found = {row["image_id"]: row for row in images if matches(row, text)}
        if len(found) == 1:
            return next(iter(found))
        if found:
            names = ", ".join(sorted(_label(row) for row in found.values()))
            raise StoreError(f"{text}: names several images: {names}", "ambiguous-image")
    raise StoreError(f"{text}: no such image{_hint(images, text)}", "no-image")


def images_matching(questions: Questions, globs: Sequence[str]) -> list[str]:
    """IDs of all images that any of these globs or names matches, sorted.

    Raises StoreError ``no-image`` for a glob that matches no image.
    """
    images = questions.rows(queries.image_names())
    chosen: set[str] = set()
    for glob in globs:
        found = {
            row["image_id"]
            for row in images
            if any(fnmatch.fnmatchcase(name, glob) for name in (*row["names"], row["image_id"]))
        }
        chosen |= found or {one_image(questions, glob)}
    return sorted(chosen)


def one_scan(questions: Questions, text: str) -> str:
    """ID of the scan that has this ID or whose ID starts with it.

    Raises StoreError: ``no-scan`` with the scans of the catalog, ``ambiguous-scan`` with the
    candidates.
    """
    known = [row["scan"] for row in questions.rows(queries.catalog_scans())]
    if text in known:
        return text
    found = [scan for scan in known if scan.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StoreError(f"{text}: names several scans: {', '.join(found)}", "ambiguous-scan")
    raise StoreError(f"{text}: no such scan; there are {', '.join(known)}", "no-scan")


def sources_matching(questions: Questions, glob: str) -> list[str]:
    """Locations of the sources that the glob matches, sorted.

    Raises StoreError ``no-source``, with all locations, if it matches no source.
    """
    known = sorted(row["location"] for row in questions.rows(queries.sources()))
    found = [source for source in known if fnmatch.fnmatchcase(source, glob)]
    if not found:
        raise StoreError(f"{glob}: no such source; there are {', '.join(known)}", "no-source")
    return found


def _exact(row: queries.ImageNamesRow, text: str) -> bool:
    return text in row["names"] or text in (row["image_id"], row["digest"])


def _short(row: queries.ImageNamesRow, text: str) -> bool:
    """Whether a short name fits: ``web:1`` for ``registry/team/web:1``, ``web`` for each tag."""
    for name in row["names"]:
        path = name.rpartition("/")[2]
        if text in (path, path.partition("@")[0].partition(":")[0]):
            return True
        if name.endswith("/" + text) or name.rpartition(":")[0] == text:
            return True
    return False


def _by_id(row: queries.ImageNamesRow, text: str) -> bool:
    bare = text.removeprefix("sha256:")
    return len(bare) >= _ID_MIN and any(
        (known or "").removeprefix("sha256:").startswith(bare)
        for known in (row["image_id"], row["digest"])
    )


def _label(row: queries.ImageNamesRow) -> str:
    return row["names"][0] if row["names"] else row["image_id"]


def _hint(images: list[queries.ImageNamesRow], text: str) -> str:
    known: dict[str, str] = {}
    for row in images:
        for name in row["names"]:
            known[name] = name
            known.setdefault(name.rpartition("/")[2], name)
    close = difflib.get_close_matches(text, known, n=_CLOSEST, cutoff=0.5)
    names = dict.fromkeys(known[match] for match in close)
    return f"; the closest are {', '.join(names)}" if names else "; 'dedupe images' lists them"
