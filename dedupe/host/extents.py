"""Where the bytes of a file are on disk, so that bytes shared by several files are counted once.

Source: Documentation/filesystems/fiemap.rst; linux/fiemap.h.
"""

import fcntl
import os
import struct
from bisect import bisect_left, bisect_right
from pathlib import Path

#: file systems in which files can share extents
_SHARING = ("btrfs", "xfs", "bcachefs", "ocfs2")
_FS_IOC_FIEMAP = 0xC020660B
_HEAD = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQQQLLLL")
_EXTENTS_PER_CALL = 256
_LAST, _SHARED = 0x1, 0x2000
#: flags of extents without a place of their own on disk: unknown, delayed, inline
_NOWHERE = 0x2 | 0x4 | 0x200


def may_share(path: Path) -> bool:
    """Whether files in this folder can share extents; False if the file system is not known."""
    try:
        real = os.path.realpath(path)
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    longest, kind = "", ""
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        place = fields.split()[4].replace("\\040", " ")
        below = real == place or real.startswith(place.rstrip("/") + "/")
        # if several file systems are mounted on one folder, the last one is visible
        if below and len(place) >= len(longest):
            longest, kind = place, rest.split()[0]
    return kind in _SHARING


def shared_extents(descriptor: int) -> list[tuple[int, int]]:
    """Physical offset and length of each extent that this file shares with another.

    Raises OSError if the file system cannot list extents.
    """
    found: list[tuple[int, int]] = []
    start = 0
    while True:
        request = bytearray(_HEAD.size + _EXTENTS_PER_CALL * _EXTENT.size)
        _HEAD.pack_into(request, 0, start, (1 << 64) - 1 - start, 0, 0, _EXTENTS_PER_CALL, 0)
        fcntl.ioctl(descriptor, _FS_IOC_FIEMAP, request)
        count = _HEAD.unpack_from(request)[3]
        flags = _LAST
        for number in range(count):
            logical, place, length, _, _, flags, *_ = _EXTENT.unpack_from(
                request, _HEAD.size + number * _EXTENT.size
            )
            if flags & _SHARED and not flags & _NOWHERE:
                found.append((place, length))
            start = logical + length
        if not count or flags & _LAST:
            return found


class RangeSet:
    """A set of byte positions, kept as ranges that do not overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, length: int) -> int:
        """Add a range and return how many of its bytes were in the set already."""
        end = start + length
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        known = sum(
            max(0, min(end, known_end) - max(start, known_start))
            for known_start, known_end in zip(
                self._starts[first:last], self._ends[first:last], strict=True
            )
        )
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        return known
