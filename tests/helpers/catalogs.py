"""Catalogs whose files were changed by a test, or that an older program wrote."""

from pathlib import Path

import duckdb
import polars as pl
from polars.exceptions import PolarsError

from dedupe.store.checksums import checksum_of
from dedupe.store.layer_files import is_numbered


def sign(catalog: Path) -> None:
    """Give each file of layers and entries the name that its content asks for, as if written so."""
    moved = {}
    for path in list((catalog / "entries").glob("*.parquet")):
        if path.is_file() and is_numbered(path):
            moved[path.name] = named(path).name
    for path in list((catalog / "layers").glob("*.parquet")):
        if path.is_file() and is_numbered(path):
            _rename_entries(path, moved)
            named(path)


def named(path: Path) -> Path:
    """Give a file the checksum of its content."""
    made = path.with_name(f"{path.name[:21]}{checksum_of(path)}.parquet")
    path.rename(made)
    return made


def as_before_version_3(catalog: Path) -> None:
    """Give each file of layers and entries the name that it had before files were numbered.

    Each must have the rows of one layer.
    """
    for table in ("layers", "entries"):
        for path in list((catalog / table).glob("*.parquet")):
            ((key,),) = duckdb.sql(f"SELECT DISTINCT layer FROM '{path}'").fetchall()
            name = key.removeprefix("sha256:").replace(":", "-")
            path.rename(path.with_name(f"{name}{'-0' if table == 'entries' else ''}.parquet"))


def _rename_entries(path: Path, moved: dict[str, str]) -> None:
    """Name files of entries anew in the rows of a file of layers, unless it cannot be read."""
    try:
        rows = pl.read_parquet(path)
        named = rows.with_columns(pl.col("entries_in").list.eval(pl.element().replace(moved)))
    except PolarsError:
        return
    named.write_parquet(path)
