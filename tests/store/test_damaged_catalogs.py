"""Damaged and foreign catalogs: each is named as such, and none is an internal error."""

import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from builders import Image, directory, file, tar_of, write_oci_layout
from helpers.catalogs import sign
from helpers.scanning import scan_only

from dedupe.errors import StoreError, UsageError
from dedupe.store.catalog import Catalog
from dedupe.store.retention import collect, expired, forget, forget_sources
from dedupe.store.session import Session
from dedupe.store.views import scan_ids

IMAGE = Image(
    [tar_of([directory("etc"), file("etc/a", b"x" * 100)]), tar_of([file("etc/a", b"y")])],
    names=["a:1"],
)

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of one scan."""
    folder = tmp_path_factory.mktemp("sound")
    write_oci_layout(folder / "store", [IMAGE])
    scan_only(folder / "catalog", folder / "store")
    return folder / "catalog"


def one(catalog: Path, table: str) -> Path:
    """A file of this table."""
    return min([*catalog.glob(f"{table}/*.parquet"), *catalog.glob(f"scans/*/{table}.parquet")])


def write(catalog: Path, table: str, sql: str) -> None:
    """Replace a file of the table by the rows of a query over ``t``, its rows."""
    path = one(catalog, table)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * FROM '{path}'")
        connection.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")


def replaced(table: str, make: Callable[[Path], object]) -> Damage:
    """Something else in place of a file of the table."""

    def damage(catalog: Path) -> None:
        path = one(catalog, table)
        path.unlink()
        make(path)

    return damage


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


#: whatever the catalog is opened for, it cannot be read
MARKS: dict[str, Damage] = {
    "empty": lambda c: (c / "catalog.json").write_text(""),
    "not JSON": lambda c: (c / "catalog.json").write_text("{"),
    "not UTF-8": lambda c: (c / "catalog.json").write_bytes(b"\xff"),
    "a list": lambda c: (c / "catalog.json").write_text("[]"),
    "a number": lambda c: (c / "catalog.json").write_text("2"),
    "without a version": lambda c: (c / "catalog.json").write_text("{}"),
    "a version that is text": lambda c: (c / "catalog.json").write_text('{"schema_version": "2"}'),
    "a version that is not whole": lambda c: (c / "catalog.json").write_text(
        '{"schema_version": 2.5}'
    ),
    "columns that are text": lambda c: (c / "catalog.json").write_text(
        '{"schema_version": 2, "columns": "all"}'
    ),
    "columns that are a number": lambda c: (c / "catalog.json").write_text(
        '{"schema_version": 2, "columns": {"scans": 3}}'
    ),
    "deep": lambda c: (c / "catalog.json").write_text("[" * 100_000 + "]" * 100_000),
    "huge": lambda c: os.truncate(c / "catalog.json", 1 << 40),
    "a FIFO": lambda c: ((c / "catalog.json").unlink(), os.mkfifo(c / "catalog.json")),
    "a folder": lambda c: ((c / "catalog.json").unlink(), (c / "catalog.json").mkdir()),
    "a link": lambda c: (
        (c / "catalog.json").rename(c / "elsewhere"),
        (c / "catalog.json").symlink_to(c / "elsewhere"),
    ),
    "a file in scans": lambda c: (c / "scans/notes.txt").write_text("mine"),
    "scans is a file": lambda c: (shutil.rmtree(c / "scans"), (c / "scans").write_text("")),
}

#: a report cannot be made
TABLES: dict[str, Damage] = {
    f"{table}: {name}": make
    for table in ("scans", "sources", "images", "image_layers", "containers", "problems")
    for name, make in {
        "missing": replaced(table, lambda path: None),
        "text": replaced(table, lambda path: path.write_text("scan,source\n")),
        "empty": replaced(table, lambda path: path.write_text("")),
        "a FIFO": replaced(table, os.mkfifo),
        "a folder": replaced(table, Path.mkdir),
        "without a column": lambda c, table=table: write(
            c, table, "SELECT * EXCLUDE (scan) FROM t"
        ),
        "of another type": lambda c, table=table: write(
            c, table, "SELECT * REPLACE (7 AS scan) FROM t"
        ),
        "cut": lambda c, table=table: halved(one(c, table)),
    }.items()
}
TABLES |= {
    f"{table}: {name}": make
    for table in ("layers", "entries")
    for name, make in {
        "text": replaced(table, lambda path: path.write_text("layer,path\n")),
        "empty": replaced(table, lambda path: path.write_text("")),
        "a FIFO": replaced(table, os.mkfifo),
        "a folder": replaced(table, Path.mkdir),
        "without a column": lambda c, table=table: write(
            c, table, "SELECT * EXCLUDE (layer) FROM t"
        ),
        "of another type": lambda c, table=table: write(
            c, table, "SELECT * REPLACE (7 AS layer) FROM t"
        ),
        "cut": lambda c, table=table: halved(one(c, table)),
    }.items()
}
TABLES |= {
    "an empty folder in scans": lambda c: (c / "scans/20990101T000000.000000Z-0000").mkdir(),
    "sizes as text": lambda c: write(c, "entries", "SELECT * REPLACE ('x' AS size_bytes) FROM t"),
    "sizes without end": lambda c: write(
        c,
        "entries",
        "SELECT * REPLACE (9223372036854775807 AS size_bytes) FROM t UNION ALL "
        "SELECT * REPLACE (9223372036854775807 AS size_bytes, path || 'b' AS path) FROM t",
    ),
    "names as text": lambda c: write(c, "images", "SELECT * REPLACE ('a' AS names) FROM t"),
    "the second file of another type": lambda c: duckdb.sql(
        f"COPY (SELECT * REPLACE ('x' AS size_bytes) FROM '{max(c.glob('entries/*'))}') "
        f"TO '{max(c.glob('entries/*'))}' (FORMAT parquet)"
    ),
}


def reported(catalog: Path) -> dict[str, list[dict]]:
    """Rows of a report."""
    session = Session(catalog)
    return {name: session.rows(name) for name in ("totals", "images", "findings", "problems")}


def damaged_copy(sound: Path, place: Path, damage: Damage) -> Path:
    catalog = place / "catalog"
    shutil.copytree(sound, catalog)
    damage(catalog)
    # what a checksum shows has tests of its own
    sign(catalog)
    return catalog


def require_named(ask: Callable[[], object]) -> None:
    """The answer is the catalog's own error."""
    with pytest.raises(StoreError) as caught:
        ask()
    assert (caught.value.code, caught.value.exit_code) == ("bad-catalog", 5)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("damage", MARKS.values(), ids=list(MARKS))
def test_a_catalog_without_a_sound_mark_is_damaged(
    sound: Path, tmp_path: Path, damage: Damage
) -> None:
    """Whatever is asked of it: reading, listing, collecting, forgetting."""
    catalog = damaged_copy(sound, tmp_path, damage)
    require_named(lambda: Session(catalog))
    require_named(lambda: scan_ids(catalog))
    require_named(lambda: collect(catalog))
    require_named(lambda: forget_sources(catalog, ["/nowhere"]))
    require_named(lambda: expired(catalog, datetime(2030, 1, 1)))
    require_named(lambda: forget(catalog, "x"))


@pytest.mark.parametrize("damage", TABLES.values(), ids=list(TABLES))
def test_a_report_of_a_damaged_catalog_is_refused(
    sound: Path, tmp_path: Path, damage: Damage
) -> None:
    """No damaged file is an internal error, or waits forever."""
    catalog = damaged_copy(sound, tmp_path, damage)
    require_named(lambda: reported(catalog))


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("image_layers")])
def test_rows_are_not_removed_for_a_damaged_table(sound: Path, tmp_path: Path, name: str) -> None:
    """Collecting needs to know which layers scans have."""
    catalog = damaged_copy(sound, tmp_path, TABLES[name])
    kept = sorted(path.name for path in catalog.glob("*/*.parquet"))
    if name != "image_layers: without a column" and name != "image_layers: of another type":
        require_named(lambda: collect(catalog))
    assert sorted(path.name for path in catalog.glob("*/*.parquet")) == kept


def test_a_query_of_a_user_over_a_damaged_file(sound: Path, tmp_path: Path) -> None:
    """The catalog's damage is not the query's fault, and a query's fault is not damage."""
    catalog = damaged_copy(sound, tmp_path, lambda c: one(c, "entries").write_bytes(b"PAR1"))
    require_named(lambda: Session(catalog).ask("SELECT count(*) FROM entries"))
    with pytest.raises(UsageError):
        Session(sound).ask("SELECT no_column FROM entries")


def test_a_damaged_layer_is_named_when_a_scan_needs_it(sound: Path, tmp_path: Path) -> None:
    """Blobs without a checked config are looked up in the rows of all layers."""
    catalog = damaged_copy(sound, tmp_path, TABLES["layers: text"])
    require_named(lambda: Catalog(catalog).layer_of_blob("sha256:" + "0" * 64))


def test_hidden_files_in_scans_are_not_scans(sound: Path, tmp_path: Path) -> None:
    """File managers and NFS leave such files."""
    catalog = damaged_copy(sound, tmp_path, lambda c: (c / "scans/.DS_Store").write_text(""))
    assert scan_ids(catalog) == scan_ids(sound)


def test_a_damaged_scan_can_be_forgotten(sound: Path, tmp_path: Path) -> None:
    """The catalog is sound again afterwards."""
    empty = "20990101T000000.000000Z-0000"
    catalog = damaged_copy(sound, tmp_path, lambda c: (c / "scans" / empty).mkdir())
    forget(catalog, empty)
    assert reported(catalog) == reported(sound)
