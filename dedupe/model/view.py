"""Which scan's rows answer for which source."""

from collections.abc import Sequence
from dataclasses import dataclass

from dedupe.errors import StoreError

#: names the last scan where a scan is expected
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class SourceView:
    """The rows that answer for a source."""

    source: str
    #: the scan that has them
    scan: str
    #: when that scan ended, seconds since 1970
    scanned: float
    #: the first later scan that was to read the source and could not; None if there is none
    stale_scan: str | None = None
    #: when that scan ended
    stale_since: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What a question is about: of each source the rows of one scan."""

    #: the last scan that is considered
    scan: str
    sources: tuple[SourceView, ...]
    #: chosen sources of all scans, also those that were deleted; None if all sources answer
    scope: tuple[str, ...] | None
    #: whether these are the sources of the catalog's last scan, all of them and no others
    is_last_scan: bool


def one_scan_of(known: Sequence[str], text: str) -> str:
    """The scan with this ID, the one whose ID begins with it, or the last for ``latest``.

    ``known`` are IDs, the oldest first. Raises StoreError: ``no-scan`` with the last of them,
    ``ambiguous-scan`` with the candidates.
    """
    if text == LATEST and known:
        return known[-1]
    if text in known:
        return text
    found = [scan for scan in known if text and scan.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StoreError(f"{text}: names several scans: {', '.join(found)}", "ambiguous-scan")
    last = f"; the last is {known[-1]}" if known else ""
    raise StoreError(f"no scan {text}{last}; 'dedupe catalog list' lists them", "no-scan")
