r"""Resolves a path that a user typed to a path in an image, as a container would.

The kernel resolves a path with the image as its root: symlinks among the directories above are
followed, ``..`` stops at the root, and the last part is followed only if the path ends in a slash
(``ls -l link`` and ``ls -l link/`` differ in the same way).

A path may be typed as it is, or in the printable form that answers show (``\xff`` for a byte that
is not UTF-8). A text that can be either is read as the printable form.
"""

import os
from dataclasses import dataclass

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.errors import StoreError
from dedupe.model.paths import path_bytes, path_text

#: symlinks that are followed before the path counts as a loop; the limit of Linux
_MOST_LINKS = 40
#: cause -> what the layer has done with a path that is no longer visible; else it was replaced
_HOW_HIDDEN = {"deleted": "deleted", "opaque": "hidden by an opaque directory"}


@dataclass(frozen=True, slots=True)
class ResolvedPath:
    """The path that a typed path leads to."""

    #: from the root, without a slash at its start or end; '' is the root
    path: str
    #: kind of the entry that a container sees there; None if it sees nothing
    kind: str | None
    #: symlinks that were followed, as ``path -> target``
    links: tuple[str, ...] = ()


def typed_path(text: str) -> str:
    """The printable form of a path that a user typed."""
    if path_text(path_bytes(text) if _encodable(text) else b"") == text:
        return text
    return path_text(os.fsencode(text))


def resolve_path(questions: Questions, image: str, text: str) -> ResolvedPath:
    """The path that this text leads to in the image; nothing need be there.

    Raises StoreError ``link-loop`` for symlinks that lead in a circle.
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
        entry = _entry_at(questions, image, "/".join(here))
        kind = entry["kind"] if entry else None
        if entry and entry["link"] is not None and (waiting or follow_last):
            if len(links) == _MOST_LINKS:
                raise StoreError(f"{text}: more than {_MOST_LINKS} links", "link-loop")
            links.append(f"{entry['path']} -> {entry['link']}")
            here = [] if entry["link"].startswith("/") else here[:-1]
            target = [part for part in entry["link"].split("/") if part not in ("", ".")]
            waiting += reversed(target)
            kind = "directory"
    return ResolvedPath("/".join(here), kind, tuple(links))


def existing_path(questions: Questions, image: str, name: str, text: str) -> ResolvedPath:
    """The path that this text leads to; raises StoreError ``no-path`` if a container sees nothing.

    The error names the nearest directory that exists, and the layer that deleted the path.
    """
    found = resolve_path(questions, image, text)
    if found.kind is not None:
        return found
    message = f"{text}: no such path in {name}"
    if found.links:
        message += f" ({', '.join(found.links)})"
    parent = found.path
    while parent:
        parent = parent.rpartition("/")[0]
        if not parent or _entry_at(questions, image, parent):
            break
    message += f"; the nearest that exists is /{parent}"
    hidden = _hidden_copy(questions, image, found.path)
    if hidden:
        step = f" ({hidden['hidden_by']})" if hidden["hidden_by"] else ""
        message += (
            f"; layer {hidden['position']} had it, and layer {hidden['hidden_position']}{step} "
            f"has {_HOW_HIDDEN.get(hidden['cause'] or '', 'replaced')} it"
        )
    raise StoreError(message, "no-path")


def _entry_at(questions: Questions, image: str, path: str) -> queries.PathsKindRow | None:
    rows = questions.rows(queries.paths_kind(paths=[path], about=(image,)))
    return rows[0] if rows else None


def _hidden_copy(questions: Questions, image: str, path: str) -> queries.PathsWhichRow | None:
    """The highest copy of a path that another layer hides."""
    rows = questions.rows(queries.paths_which(path=path, container=None, about=(image,)))
    return next((row for row in rows if row["state"] == "hidden"), None)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
