"""The problem of links that were not followed: one for a source, with the folders to name."""

import os
import shlex

from dedupe.host.links import LinkOutsideError
from dedupe.model.images import Problem
from dedupe.model.paths import path_text, printable
from dedupe.sources.digest_names import store_of_blobs

#: folders that the message names; it counts the others
_FOLDERS_SHOWN = 3


def problem_of_links(refused: list[LinkOutsideError]) -> Problem:
    """One problem for all links that were not followed, with the folders to name."""
    folders = list(dict.fromkeys(str(store_of_blobs(error.target.parent)) for error in refused))
    options = " ".join(f"--also {shlex.quote(folder)}" for folder in folders[:_FOLDERS_SHOWN])
    more = len(folders) - _FOLDERS_SHOWN
    return Problem(
        printable(refused[0].name),
        "link-refused",
        f"links that lead out of what was scanned: {len(refused)}, the first to "
        f"{path_text(os.fsencode(refused[0].target))}; if you trust it, name the folder: "
        f"{printable(options)}" + (f" (and {more} more folders)" if more > 0 else ""),
    )
