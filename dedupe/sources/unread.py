"""Problems of blobs and links that could not be opened, put together so that each is read once."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from dedupe.errors import SourceError
from dedupe.host.links import LinkOutsideError
from dedupe.model.images import Problem
from dedupe.model.paths import path_text, printable
from dedupe.sources.digest_names import store_of_blobs

@dataclass(slots=True)
class UnreadBlob:
    """A blob that cannot be opened."""

    name: str
    error: SourceError
    #: names or IDs of the images that need it
    images: dict[str, None] = field(default_factory=dict)


#: names that a message lists; it counts the others
_NAMES_SHOWN = 3


def problem_of_blobs(unread: list[UnreadBlob]) -> Problem:
    """One problem for blobs that the same images need."""
    error, images = unread[0].error, list(unread[0].images)
    message = error.message
    if len(unread) > 1:
        names = _listed([one.name for one in unread])
        message = f"{len(unread)} blobs are not here: {names}"
    if len(images) > 1:
        message += f"; {len(images)} images need it: {_listed(images)}"
    subject = images[0] if len(images) == 1 else unread[0].name
    return Problem(subject, error.code, message)


def problem_of_links(refused: list[LinkOutsideError]) -> Problem:
    """One problem for all links that were not followed, with the folders to name."""
    folders = list(dict.fromkeys(str(store_of_blobs(error.target.parent)) for error in refused))
    options = " ".join(f"--also {shlex.quote(folder)}" for folder in folders[:_NAMES_SHOWN])
    more = len(folders) - _NAMES_SHOWN
    return Problem(
        printable(refused[0].name),
        "link-refused",
        f"{len(refused)} links lead out of what was scanned (this one to "
        f"{path_text(os.fsencode(refused[0].target))}); if you trust it, name the folder: "
        f"{printable(options)}" + (f" (and {more} more folders)" if more > 0 else ""),
    )


def _listed(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
