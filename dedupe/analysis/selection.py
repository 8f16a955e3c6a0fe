"""Images as people name them: a name, a glob, or the beginning of an ID."""

import difflib
import fnmatch
from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.errors import StoreError

_CLOSEST = 3
#: shorter beginnings of an ID are more often a mistyped name
_ID_MIN = 6


def one_image(questions: Questions, text: str) -> str:
    """ID of the image of this name, name without registry or tag, or beginning of an ID.

    Raises StoreError: ``no-image`` with the closest names, ``ambiguous-image`` with the candidates.
    """
    images = questions.rows(queries.image_names())
    for matches in (_exact, _short, _by_id):
        found = {row["image_id"]: row for row in images if matches(row, text)}
        if len(found) == 1:
            return str(next(iter(found)))
        if found:
            names = ", ".join(sorted(_label(row) for row in found.values()))
            raise StoreError(f"{text}: names several images: {names}", "ambiguous-image")
    raise StoreError(f"{text}: no such image{_hint(images, text)}", "no-image")


def images_matching(questions: Questions, globs: Sequence[str]) -> list[str]:
    """IDs of all images that any of these globs or names fits, sorted.

    Raises StoreError ``no-image`` for a glob that fits none.
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


def _exact(row: queries.ImageNamesRow, text: str) -> bool:
    return text in row["names"] or text in (row["image_id"], row["digest"])


def _short(row: queries.ImageNamesRow, text: str) -> bool:
    """``web:1`` names ``registry.example/team/web:1``; ``web`` names each of its tags."""
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
    return str(row["names"][0] if row["names"] else row["image_id"])


def _hint(images: list[queries.ImageNamesRow], text: str) -> str:
    known: dict[str, str] = {}
    for row in images:
        for name in row["names"]:
            known[name] = name
            known.setdefault(name.rpartition("/")[2], name)
    close = difflib.get_close_matches(text, known, n=_CLOSEST, cutoff=0.5)
    names = dict.fromkeys(known[match] for match in close)
    return f"; the closest are {', '.join(names)}" if names else "; 'dedupe images' lists them"
