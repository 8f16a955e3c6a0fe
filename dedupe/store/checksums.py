"""Checksums of files; those of the tables of a scan are in ``checksums.json`` beside them.

    {"images": ["<BLAKE3 of images.parquet>"], …}

A table has two while it is being replaced, so that a kill at any moment leaves one that is right.
Scans of version 2 and earlier have no such file.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dedupe.errors import SourceError
from dedupe.host.files import read_below
from dedupe.host.writing import replacing

if TYPE_CHECKING:
    import polars as pl

#: in the folder of a scan
FILE = "checksums.json"
_MOST_BYTES = 1 << 20


def digest_of(file: Path) -> str:
    """BLAKE3 of a file, as hexadecimal digits; raises OSError."""
    from blake3 import blake3

    return blake3(max_threads=blake3.AUTO).update_mmap(file).hexdigest()


def checksum_of(file: Path) -> str:
    """The first half of a file's BLAKE3; raises OSError."""
    return digest_of(file)[:32]


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


def write_tables(folder: Path, tables: Iterable[tuple[str, pl.DataFrame]]) -> None:
    """Write the tables of a scan into its folder, which is new, one by one, and their checksums.

    Raises OSError and PolarsError.
    """
    checksums = {}
    for table, rows in tables:
        file = folder / f"{table}.parquet"
        rows.write_parquet(file, compression="zstd")
        checksums[table] = [checksum_of(file)]
    write_checksums(folder, checksums)


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
