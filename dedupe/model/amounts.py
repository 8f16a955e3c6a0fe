"""Reads sizes, dates and durations that a user typed."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from dedupe.errors import UsageError

_SCALES: dict[str, int] = {
    "": 1,
    **{unit: 1000 ** (place + 1) for place, unit in enumerate("kmgtp")},
    **{f"{unit}i": 1024 ** (place + 1) for place, unit in enumerate("kmgtp")},
}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def size_bytes(text: str) -> int:
    """``50GB``, ``1.5 GiB`` or ``1000`` as bytes; raises UsageError for anything else."""
    found = re.fullmatch(r"(\d{1,18})(?:\.(\d{1,9}))?\s*([kmgtp]?i?)b?", text.strip().lower())
    if found is None or found[3] not in _SCALES:
        raise UsageError(f"{text}: expected a size like 50GB, 1.5GiB or 1000", "bad-size")
    fraction = found[2] or ""
    return int(Fraction(f"{found[1]}.{fraction or 0}") * _SCALES[found[3]])


def moment(text: str, now: datetime) -> datetime:
    """The time that ``90d`` (before now) or ``2024-01-31`` means, as UTC without a zone.

    Raises UsageError for anything else.
    """
    found = re.fullmatch(r"(\d{1,6})([hdwy])", text.strip().lower())
    try:
        if found is not None:
            return now - timedelta(hours=int(found[1]) * _HOURS[found[2]])
        date = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text}: expected an age like 90d, 12w or 1y, or a date like 2024-01-31", "bad-date"
        ) from None
    return date.astimezone(UTC).replace(tzinfo=None) if date.tzinfo else date


def seconds(text: str) -> float:
    """``30s``, ``2m`` or ``30`` as seconds; raises UsageError for anything else."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smh]?)", text.strip().lower())
    if found is None:
        raise UsageError(f"{text}: expected a time like 30s, 2m or 1h", "bad-time")
    return float(found[1]) * _SECONDS[found[2]]
