"""Finds images, scans and sources by what a user typed: a name, a glob, the start of an ID."""

import difflib
import fnmatch
import shlex
from collections.abc import Callable, Sequence

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.errors import StoreError
from dedupe.host.places import absolute_place, is_meant, place_text
from dedupe.model.view import one_scan_of

#: similar names in an error
_CLOSEST = 3
#: fewer characters of an ID are more often a mistyped name
_ID_MIN = 4
#: characters of an ID in an error, as docker and podman show it
_ID_SHOWN = 12
#: candidates in an error
_MOST_SHOWN = 10
#: between the source and the image
_OF_SOURCE = "::"
#: before the digits of an ID
_ALGORITHM = "sha256:"

#: names and IDs of an image, which rows of image_names have too
_Known = queries.ImageCandidatesRow


def one_image(questions: Questions, text: str) -> str:
    """ID of the image with this name, name without registry or tag, or start of an ID.

    ``SOURCE::IMAGE`` means one of a source; a source alone means its only image. Raises StoreError:
    ``no-image`` with the closest names, ``ambiguous-image`` with the candidates, and ``no-source``.
    """
    if not text:
        raise StoreError("expected an image, found an empty name", "no-image")
    found = _likely_images(questions, text)
    if not found:
        images, wanted = _of_source(questions.rows(queries.image_names()), text)
        found = _meant(images, wanted, (*_BY_TEXT, _by_source))
        if not found:
            raise StoreError(f"{text}: no such image{_hint(images, wanted)}", "no-image")
    if len(found) > 1:
        raise StoreError(_ambiguous(text, found), "ambiguous-image")
    return found[0]["image_id"]


def images_matching(
    questions: Questions, globs: Sequence[str], *, whole: bool = False
) -> list[str]:
    """IDs of all images that any of these globs or names matches, sorted.

    Globs may be of one source: ``SOURCE::GLOB``. With ``whole`` its images must be in no other
    source. Raises StoreError ``no-image`` for a glob that matches no image, ``no-source``, and
    ``ambiguous-image`` for an image that is in other sources too.
    """
    images = questions.rows(queries.image_names())
    chosen: set[str] = set()
    for glob in globs:
        rows, wanted = _of_source(images, glob)
        found = {
            row["image_id"]
            for row in rows
            if any(fnmatch.fnmatchcase(name, wanted) for name in _known_as(row))
        }
        found = found or {one_image(questions, glob)}
        if whole:
            _require_whole([row for row in rows if row["image_id"] in found], glob)
        chosen |= found
    return sorted(chosen)


def has_image(questions: Questions, glob: str) -> bool:
    """Whether a glob or name is that of an image; other errors are as of ``images_matching``."""
    try:
        return bool(images_matching(questions, [glob]))
    except StoreError as error:
        if error.code != "no-image":
            raise
        return False


def artifacts_matching(
    artifacts: Sequence[queries.ArtifactsRow], globs: Sequence[str]
) -> dict[str, set[str]]:
    """Glob or name -> digests of the artifacts that it matches; those that match none are left out.

    What is deleted with an image has no name of its own.
    """
    found: dict[str, set[str]] = {}
    for glob in globs:
        bare = glob.removeprefix(_ALGORITHM)
        for row in artifacts:
            if row["deleted_with"]:
                continue
            is_id = len(bare) >= _ID_MIN and row["artifact_id"].removeprefix(_ALGORITHM).startswith(
                bare
            )
            if is_id or any(fnmatch.fnmatchcase(name, glob) for name in row["names"]):
                found.setdefault(glob, set()).add(row["artifact_id"])
    return found


def one_scan(questions: Questions, text: str) -> str:
    """ID of the scan that ``text`` means; raises StoreError as ``one_scan_of``."""
    return one_scan_of([row["scan"] for row in questions.rows(queries.catalog_scans())], text)


def sources_matching(questions: Questions, glob: str) -> list[str]:
    """Locations of the sources that the glob matches, sorted.

    Raises StoreError ``no-source``, with all locations, if it matches no source.
    """
    known = sorted(row["location"] for row in questions.rows(queries.sources()))
    found = [source for source in known if is_meant(source, glob)]
    if not found:
        raise StoreError(f"{glob}: no such source; there are {', '.join(known)}", "no-source")
    return found


def _likely_images(questions: Questions, text: str) -> list[queries.ImageCandidatesRow]:
    """The images that a text means, found without a look at all others; empty if that needs one."""
    source, mark, wanted = text.rpartition(_OF_SOURCE)
    if not wanted:
        return []
    likely = [
        row
        for row in questions.rows(queries.image_candidates(text=wanted.removeprefix(_ALGORITHM)))
        if not mark or any(_is_source(each, source) for each in row["sources"])
    ]
    # an image without a name may be a cache image, which the other images of the scan decide
    if not all(row["names"] for row in likely):
        return []
    return _meant(likely, wanted, _BY_TEXT)


def _meant(
    images: Sequence[_Known], wanted: str, ways: Sequence[Callable[[_Known, str], bool]]
) -> list[_Known]:
    """The images that match in the first of these ways in which any does."""
    for matches in ways:
        found = [row for row in images if matches(row, wanted)]
        if found:
            return found
    return []


def _of_source(
    images: list[queries.ImageNamesRow], text: str
) -> tuple[list[queries.ImageNamesRow], str]:
    """The images of the source that is named before ``::``, and the text after it.

    Raises StoreError ``no-source``.
    """
    source, mark, wanted = text.rpartition(_OF_SOURCE)
    if not mark:
        return images, text
    found = [row for row in images if any(_is_source(each, source) for each in row["sources"])]
    if not found:
        known = sorted({each for row in images for each in row["sources"]})
        shown = ", ".join(known[:_MOST_SHOWN])
        more = f" and {len(known) - _MOST_SHOWN} more" if len(known) > _MOST_SHOWN else ""
        raise StoreError(f"{source}: no source with images; there are {shown}{more}", "no-source")
    return found, wanted


def _require_whole(images: Sequence[queries.ImageNamesRow], text: str) -> None:
    """Raises StoreError if one of these images is in other sources than the text names."""
    source, mark, _ = text.rpartition(_OF_SOURCE)
    for row in images if mark else ():
        others = [each for each in row["sources"] if not _is_source(each, source)]
        if others:
            raise StoreError(
                f"{text}: the image is also in {', '.join(others[:_MOST_SHOWN])}: add --source "
                f"{shlex.quote(source)} to ask about that source alone, or leave out {source}::",
                "ambiguous-image",
            )


def _is_source(location: str, text: str) -> bool:
    """Whether a text means a source: as for --source, or the end of its path."""
    return is_meant(location, text) or fnmatch.fnmatchcase(location, "*/" + text)


def _known_as(row: _Known) -> list[str]:
    """All names and IDs of an image."""
    return [*row["names"], row["image_id"], *row["store_ids"], row["digest"] or ""]


def _exact(row: _Known, text: str) -> bool:
    return bool(text) and text in _known_as(row)


def _short(row: _Known, text: str) -> bool:
    """Whether a short name fits: ``web:1`` for ``registry/team/web:1``, ``web`` for each tag."""
    for name in row["names"]:
        path = name.rpartition("/")[2]
        if text in (path, path.partition("@")[0].partition(":")[0]):
            return True
        if name.endswith("/" + text) or name.rpartition(":")[0] == text:
            return True
    return False


def _by_id(row: _Known, text: str) -> bool:
    bare = text.removeprefix(_ALGORITHM)
    least = _ID_MIN if bare == text else 1
    return len(bare) >= least and any(
        known.removeprefix(_ALGORITHM).startswith(bare)
        for known in (row["image_id"], *row["store_ids"], row["digest"] or "")
    )


def _by_source(row: _Known, text: str) -> bool:
    """Whether the image is in the source that the text names; empty after ``::``."""
    return not text or any(
        source == place_text(absolute_place(text)) or source.endswith("/" + text)
        for source in row["sources"]
    )


#: how a text names an image, the first that fits first
_BY_TEXT = (_exact, _short, _by_id)


def _ambiguous(text: str, found: Sequence[_Known]) -> str:
    """The images that a text means, with what tells them apart and how to name one."""
    labels = sorted(_label(row) for row in found)
    shown = ", ".join(labels[:_MOST_SHOWN])
    more = f" and {len(labels) - _MOST_SHOWN} more" if len(labels) > _MOST_SHOWN else ""
    return (
        f"{text}: names several images: {shown}{more}; "
        "write the whole name, SOURCE::IMAGE, or an ID"
    )


def _label(row: _Known) -> str:
    """The first name, the start of the ID, the platform and the first source of an image."""
    name = f"{row['names'][0]} " if row["names"] else ""
    known = (row["store_ids"] or [row["image_id"]])[0].removeprefix(_ALGORITHM)
    others = f" and {len(row['sources']) - 1} more" if len(row["sources"]) > 1 else ""
    about = [known[:_ID_SHOWN], *([row["platform"]] if row["platform"] else [])]
    return f"{name}({', '.join(about)}, in {row['sources'][0]}{others})"


def _hint(images: list[queries.ImageNamesRow], text: str) -> str:
    known: dict[str, str] = {}
    for row in images:
        for name in row["names"]:
            known[name] = name
            known.setdefault(name.rpartition("/")[2], name)
    close = difflib.get_close_matches(text, known, n=_CLOSEST, cutoff=0.5)
    names = dict.fromkeys(known[match] for match in close)
    return f"; the closest are {', '.join(names)}" if names else "; 'dedupe images' lists them"
