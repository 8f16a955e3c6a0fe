"""Checksums of the tables of a scan, which are in ``checksums.json`` beside them.

    {"images": ["<BLAKE3 of images.parquet>"], …}

A table has two while it is being replaced, so that a kill at any moment leaves one that is right.
Scans of version 2 and earlier have no such file.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.files import read_below
from dedupe.host.writing import replacing
from dedupe.store.layer_files import checksum_of

#: in the folder of a scan
FILE = "checksums.json"
_MOST_BYTES = 1 << 20


def read_checksums(folder: Path) -> dict[str, list[str]]:
    """Table -> checksums that its file may have; none of scans that have no checksums.

    Raises ValueError if the file is damaged, and OSError.
    """
    try:
        found = json.loads(read_below(folder, (FILE,), _MOST_BYTES))
        return {str(table): [str(each) for each in several] for table, several in found.items()}
    except SourceError as error:
        if error.code == "blob-missing":
            return {}
        raise ValueError(error.message) from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not an object of lists") from error


def write_checksums(folder: Path, checksums: Mapping[str, Sequence[str]]) -> None:
    """Write them; raises OSError."""
    with replacing(folder / FILE) as temporary:
        temporary.write_text(json.dumps(checksums, indent=2) + "\n")


@contextlib.contextmanager
def replacing_table(folder: Path, table: str, *, flush: bool = False) -> Iterator[Path]:
    """Yield the path of a new file of a scan's table, which takes the old one's place at the end.

    As ``replacing``, which raises what this does; the checksum is replaced too.
    """
    with replacing(folder / f"{table}.parquet", flush=flush) as temporary:
        yield temporary
        try:
            known = read_checksums(folder)
        except ValueError:
            known = {}
        made = checksum_of(temporary)
        write_checksums(folder, known | {table: [made, *known.get(table, [])]})
    write_checksums(folder, known | {table: [made]})
