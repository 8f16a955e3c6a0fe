"""Which sources of earlier scans are no longer there, rather than unreadable.

A source that cannot be read keeps its rows, since what it holds now is not known. A source that was
deleted must lose them, or its bytes would always be counted. It counts as deleted only if this scan
proves it: the scan was to look there, found other sources at the same place, and the folder that
the source was in still has other files. A folder without files may be a disk that is not mounted.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from dedupe.host.objects import is_address
from dedupe.model.images import FoundSource, Severity
from dedupe.model.outcome import ProblemRow
from dedupe.model.paths import path_bytes


def gone_sources(
    known: Iterable[str],
    places: Sequence[str],
    found: Sequence[FoundSource],
    problems: Iterable[ProblemRow],
) -> tuple[str, ...]:
    """Locations among ``known`` that this scan of the places has shown to be gone, sorted."""
    locations = {source.location for source in found}
    failed = {row.source for row in problems if row.severity is Severity.ERROR} - locations
    inodes = {inode for location in locations if (inode := _inode(location)) is not None}
    return tuple(
        sorted(
            source
            for source in known
            if source not in locations
            and _is_gone(source, _places_above(source, places), locations, failed, inodes)
        )
    )


def _is_gone(
    source: str,
    above: Sequence[str],
    locations: Collection[str],
    failed: Collection[str],
    inodes: Collection[tuple[int, int]],
) -> bool:
    # the place itself is missing or empty, or something above the source could not be read
    giving = [place for place in above if any(_is_below(each, place) for each in locations)]
    if not giving or any(_is_below(source, each) for each in failed):
        return False
    if is_address(source):
        return True
    inode = _inode(source)
    if inode is not None:
        # part of another source, or read under another name
        return inode in inodes or any(_is_below(source, each) for each in locations)
    return any(_was_removed(source, place) for place in giving)


def _was_removed(source: str, place: str) -> bool:
    """Whether the nearest folder above the source that exists has other entries."""
    root = _path(place)
    for folder in _path(source).parents:
        try:
            with os.scandir(folder) as entries:
                return next(entries, None) is not None
        except (FileNotFoundError, NotADirectoryError):
            if folder == root:
                return False
        except OSError:
            return False
    return False


def _places_above(source: str, places: Iterable[str]) -> list[str]:
    return [place for place in places if _is_below(source, place)]


def _is_below(location: str, place: str) -> bool:
    """Whether a location is at a place or below it."""
    return location == place or location.startswith(place.rstrip("/") + "/")


def _inode(location: str) -> tuple[int, int] | None:
    """Device and inode number; None if there is no such file, or for an address."""
    if is_address(location):
        return None
    try:
        status = _path(location).lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _path(location: str) -> Path:
    return Path(os.fsdecode(path_bytes(location)))
