"""File systems that are mounted below a folder, as the kernel lists them."""

import os
import re
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def mounts_below(folder: bytes) -> dict[bytes, str]:
    """Mount points below this absolute path, and the type of each file system.

    Empty if the kernel has no table of mounts.
    Source: proc(5), /proc/pid/mountinfo.
    """
    try:
        table = _TABLE.read_bytes()
    except OSError:
        return {}
    found = {}
    start = folder.rstrip(b"/") + b"/"
    for line in table.splitlines():
        fields = line.split(b" ")
        if len(fields) < 10 or b"-" not in fields[6:-1]:
            continue
        point = _ESCAPED.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), fields[4])
        if point.startswith(start):
            found[point] = os.fsdecode(fields[fields.index(b"-", 6) + 1])
    return found
