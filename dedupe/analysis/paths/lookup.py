r"""Paths inside an image: as a user types them, and as a container finds them.

A path is looked up as a container's kernel does it with the image as its root: links among the
folders above are followed, ``..`` stops at the root, and the last part is followed only where the
path ends in a slash (as ``ls -l link`` and ``ls -l link/`` differ).

A path may be typed as it is or in the printable form that answers give (``\xff`` for a byte that
is no UTF-8); a text that is both is taken for the printable form.
"""

import os
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.errors import StoreError
from dedupe.model.paths import path_bytes, path_text

#: links followed before a path is taken for a loop, as in Linux
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path leads to."""

    #: from the root, without a slash at its ends; '' is the root
    path: str
    #: kind of what a container sees there; None where it sees nothing
    kind: str | None
    #: links that were followed, ``path -> target`` each
    links: tuple[str, ...] = ()


def typed_path(text: str) -> str:
    """The printable form of a path as a user types it."""
    if path_text(path_bytes(text) if _encodable(text) else b"") == text:
        return text
    return path_text(os.fsencode(text))


def locate(questions: Questions, image: str, text: str) -> Found:
    """Where this path leads to in the image, whether or not there is something.

    Raises StoreError ``link-loop`` for links that lead nowhere else.
    """
    typed = typed_path(text)
    waiting = [part for part in reversed(typed.split("/")) if part not in ("", ".")]
    follow_last = typed.endswith("/")
    here: list[str] = []
    kind: str | None = "directory"
    links: list[str] = []
    while waiting:
        part = waiting.pop()
        if part == "..":
            here = here[:-1]
            kind = "directory"
            continue
        here.append(part)
        seen = _at(questions, image, "/".join(here))
        kind = seen["kind"] if seen else None
        if seen and seen["link"] is not None and (waiting or follow_last):
            if len(links) == _MOST_LINKS:
                raise StoreError(f"{text}: more than {_MOST_LINKS} links", "link-loop")
            links.append(f"{seen['path']} -> {seen['link']}")
            here = [] if seen["link"].startswith("/") else here[:-1]
            target = [part for part in seen["link"].split("/") if part not in ("", ".")]
            waiting += reversed(target)
            kind = "directory"
    return Found("/".join(here), kind, tuple(links))


def existing(questions: Questions, image: str, name: str, text: str) -> Found:
    """Where this path leads to; raises StoreError ``no-path`` where a container sees nothing.

    The error names the nearest folder that is there, and the layer that deleted the path.
    """
    found = locate(questions, image, text)
    if found.kind is not None:
        return found
    said = f"{text}: no such path in {name}"
    if found.links:
        said += f" ({', '.join(found.links)})"
    parent = found.path
    while parent:
        parent = parent.rpartition("/")[0]
        if not parent or _at(questions, image, parent):
            break
    said += f"; the nearest that exists is /{parent}"
    gone = _gone(questions, image, found.path)
    if gone:
        step = f" ({gone['hidden_by']})" if gone["hidden_by"] else ""
        said += (
            f"; layer {gone['position']} had it, and layer {gone['hidden_position']}{step} "
            f"has {_DEEDS.get(gone['cause'], 'replaced')} it"
        )
    raise StoreError(said, "no-path")


#: what a layer has done to a path that is no longer there
_DEEDS = {"deleted": "deleted", "opaque": "hidden by an opaque folder"}


def _at(questions: Questions, image: str, path: str) -> queries.PathsKindRow | None:
    rows = questions.rows(queries.paths_kind(paths=[path], about=(image,)))
    return rows[0] if rows else None


def _gone(questions: Questions, image: str, path: str) -> queries.PathsWhichRow | None:
    """The topmost copy of a path that another layer hides."""
    rows = questions.rows(queries.paths_which(path=path, container=None, about=(image,)))
    return next((row for row in rows if row["state"] == "hidden"), None)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
