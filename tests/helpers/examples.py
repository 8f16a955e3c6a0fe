"""How many random stores a test draws."""

import os

#: tests draw all their examples if this is set; without it, few, since each scans a store
_ALL = "DEDUPE_ALL_EXAMPLES" in os.environ


def examples(number: int) -> int:
    """The number of examples for a test that draws so many when there is time."""
    return number if _ALL else max(6, number // 5)
