"""What the program prints if it is called without a command."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from dedupe.analysis import queries
from dedupe.report.units import counted, human

_WHAT = """\
dedupe shows what is shared, shadowed and stored twice in container image stores.
It reads them in place and changes nothing.
"""
_MORE = """
dedupe --help lists all commands, dedupe COMMAND --help explains one.
"""


def first_steps(places: Sequence[Path]) -> str:
    """For a user without a catalog: what to scan, with the stores of this host."""
    found = "".join(f"  dedupe scan {shlex.quote(str(place))}\n" for place in places)
    here = f"\nStores on this host (those of other users need root):\n\n{found}" if places else ""
    return (
        f"{_WHAT}\n"
        "There is no catalog yet. Fill it from an archive, a store, or a folder of them:\n\n"
        f"  dedupe scan PATH    also s3://bucket/prefix\n{here}\n"
        "Then: dedupe report, dedupe findings.\n"
        f"{_MORE}"
    )


def last_scan(folder: Path, scans: Sequence[queries.TrendRow]) -> str:
    """For a user with a catalog: what the last scan found, and commands that show it."""
    last = scans[-1]
    return (
        f"{_WHAT}\n"
        f"Catalog {folder}: {counted(len(scans), 'scan')}.\n"
        f"Last scan, {last['finished']:%Y-%m-%d %H:%M} UTC: {counted(last['images'], 'image')} "
        f"in {counted(last['sources'], 'source')}, {human(last['stored_bytes'])} stored, "
        f"{human(last['unpacked_bytes'])} unpacked.\n\n"
        "  dedupe report       where the bytes are, and what to fix\n"
        "  dedupe findings     problems, the build step at fault, and the fix\n"
        "  dedupe disk         what takes the disk space\n"
        "  dedupe usage        to which repositories the bytes are attributed\n"
        "  dedupe scan PATH    read new images\n"
        f"{_MORE}"
    )
