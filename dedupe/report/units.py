"""Numbers for people."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def human(count: int, *, plain: bool = False) -> str:
    """Bytes in powers of 1000, as ``1.2 GB``; all digits if ``plain``."""
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


def percent(part: int, whole: int) -> str:
    """Share of a whole; a hyphen where there is none."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def counted(count: int, thing: str) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
