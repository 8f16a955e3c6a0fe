"""Numbers and build steps as people read them."""

import re

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
#: the digest by which a builder's history names the files that a step copied
_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")


#: what every form shows instead of a figure that is not known
UNKNOWN = "unknown"
#: what every form shows instead of what only contents decide, if a quick scan left them unread
NOT_COMPARED = "not compared"
#: what every form shows behind the name of an image with a layer that could not be read
INCOMPLETE = " (incomplete)"


def human(count: int | None, *, plain: bool = False) -> str:
    """Bytes in powers of 1000, as ``1.2 GB``; all digits if ``plain``; ``unknown`` for None."""
    if count is None:
        return UNKNOWN
    if plain:
        return f"{count:,}"
    size = float(count)
    for unit in _UNITS:
        if abs(size) < 999.5 or unit == _UNITS[-1]:
            return (
                f"{size:.0f} {unit}" if unit == "B" or abs(size) >= 99.95 else f"{size:.1f} {unit}"
            )
        size /= 1000
    raise AssertionError("unreachable")


def at_least(count: object, *, plain: bool = False) -> str:
    """A lower bound, as ``≥ 1.2 GB``; ``unknown`` for None and for 0, which says nothing."""
    return f"≥ {human(count, plain=plain)}" if isinstance(count, int) and count else UNKNOWN


def share(value: float | None) -> str:
    """A share from 0 to 1 in percent; ``unknown`` for None."""
    return UNKNOWN if value is None else f"{100 * value:.1f} %"


def percent(part: int, whole: int) -> str:
    """The share of a whole; a hyphen if the whole is 0."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def counted(count: int, thing: str) -> str:
    """A number with its noun: ``1 image``, ``2,000 images``, ``3 directories``."""
    return f"{count:,} {thing if count == 1 else _plural(thing)}"


def _plural(thing: str) -> str:
    if thing.endswith("y"):
        return f"{thing[:-1]}ies"
    return f"{thing}es" if thing.endswith("ch") else f"{thing}s"


def short_step(text: str | None, width: int) -> str:
    """A build step without the shell that every builder puts before it, cut to a width."""
    text = (text or "").removeprefix("/bin/sh -c ").removeprefix("#(nop) ").strip()
    return cut(_DIGEST.sub(r"\1…", text), width)


def cut(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis if it is longer than the width."""
    return text if len(text) <= width else text[: width - 1] + "…"
