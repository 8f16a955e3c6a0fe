"""Places that a user names: one form for each, whatever folder the program runs in."""

import fnmatch
import os
from pathlib import Path

from dedupe.host.objects import is_address, public_address
from dedupe.model.paths import path_text


def absolute_place(place: Path | str) -> Path | str:
    """A path without links and relative parts; an address of an object store as it is."""
    if is_address(str(place)):
        return str(place)
    found = os.path.realpath(place)
    # a descriptor below /dev/fd leads to something without a path
    is_path = os.path.lexists(found) or not os.path.lexists(place)
    return Path(found if is_path else os.path.abspath(place))  # noqa: PTH100  # links stay


def place_text(place: Path | str) -> str:
    """An absolute place as locations of sources show it."""
    if isinstance(place, Path):
        return path_text(os.fsencode(place))
    return public_address(place).rstrip("/")


def is_meant(location: str, text: str) -> bool:
    """Whether a text of the user means a source: its location, a glob, or a folder above it."""
    if fnmatch.fnmatchcase(location, text):
        return True
    place = place_text(absolute_place(text))
    return location == place or location.startswith(place.rstrip("/") + "/")
