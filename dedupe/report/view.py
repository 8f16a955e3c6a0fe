"""What a command is about, in one line."""

from datetime import UTC, datetime

from dedupe.model.view import View
from dedupe.report.units import counted


def about(view: View) -> str:
    """Which scans answer; empty if it is the last scan of the catalog alone."""
    if view.is_last_scan:
        return ""
    if not view.sources:
        return f"no source; the last scan is {view.scan}"
    scans = {each.scan for each in view.sources}
    times = sorted(each.scanned for each in view.sources)
    first, last = moment(times[0]), moment(times[-1])
    when = first if first == last else f"{first} to {last}"
    stale = [each for each in view.sources if each.stale_since is not None]
    found = f"{counted(len(view.sources), 'source')} of {counted(len(scans), 'scan')}, {when} UTC"
    if len(scans) == 1:
        found = f"{counted(len(view.sources), 'source')} of scan {min(scans)}, {when} UTC"
    if not stale:
        return found
    verb = "is" if len(stale) == 1 else "are"
    return f"{found}; {len(stale)} of them {verb} stale: a later scan could not read what it names"


def moment(seconds: float) -> str:
    """A time in seconds since 1970, in UTC and to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
