"""Catalogs of older programs are read, added to and upgraded; the figures stay the same."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from builders import Image, directory, file, tar_of, whiteout, write_oci_layout
from helpers.catalogs import as_before_version_3, sign
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scan_only

from dedupe.errors import StoreError
from dedupe.model.tables import SCHEMA_VERSION, TABLES
from dedupe.store.catalog import Catalog
from dedupe.store.session import Session
from dedupe.store.upgrade import upgrade
from dedupe.store.versions import current_mark, read_mark

IMAGES = [
    Image(
        [
            tar_of([directory("etc"), file("etc/a", b"x" * 100)]),
            tar_of([file("etc/a", b"y" * 30), whiteout("etc/b")]),
        ],
        names=["a:1"],
    ),
    Image([tar_of([directory("etc"), file("etc/a", b"x" * 100)])], names=["b:1"]),
]

#: the tables of schema version 1, selected from those of today
VERSION_1 = {
    "entries": "layer, member, path, kind, size_bytes, stored_bytes, mode, uid, gid, mtime_ns,"
    " link, device, xattrs, content_hash, raw_name, flags",
    "layers": "layer, diff_id, verified, digest, compression, compressed_bytes, tar_bytes,"
    " content_bytes, entries, files",
    "scans": "scan, started, finished, layers_read, layers_reused AS layers_named, version",
    "sources": "scan, source, kind, stored_bytes, orphan_bytes, allocated_bytes, other_bytes",
    "images": "scan, source, image_id, digest, kind, names, platform, created",
    "image_layers": "scan, source, image_id, digest, position, diff_id, layer, chain_id, blob,"
    " compressed_bytes, created_by, replace(state, 'reused', 'named') AS state, allocated_bytes",
    "containers": "scan, source, container_id, name, image_id, image, running, layer,"
    " allocated_bytes",
    "problems": "scan, source, subject, code, message, severity",
}


def files_of(catalog: Path, table: str) -> list[Path]:
    """All files of a table."""
    files = [*catalog.glob(f"{table}/*.parquet"), *catalog.glob(f"scans/*/{table}.parquet")]
    assert files, table
    return files


def rewrite(catalog: Path, columns: dict[str, str]) -> None:
    """Write the files of these tables again, with these columns."""
    for table, selected in columns.items():
        for path in files_of(catalog, table):
            write(path, selected)


def write(path: Path, selected: str) -> None:
    """Replace a file by one with these columns of its rows."""
    duckdb.sql(f"COPY (SELECT {selected} FROM '{path}') TO '{path}.new' (FORMAT parquet)")
    os.replace(f"{path}.new", path)


def write_version_1(catalog: Path) -> None:
    """Make a catalog one that the program of schema version 1 would have written."""
    as_before_version_3(catalog)
    rewrite(catalog, VERSION_1)
    (catalog / "catalog.json").write_text('{"schema_version": 1}')


#: the queries of a report
REPORT = (
    *("scan", "sources", "totals", "images", "findings", "problems", "layers", "shadowed_files"),
    *("duplicates", "containers"),
)


def document(catalog: Path) -> dict[str, list[dict]]:
    """Rows of a report, without what differs from one scan of a store to the next."""
    session = Session(catalog)
    found = {name: session.rows(name) for name in REPORT}
    session.close()
    return without_times(found, found["scan"][0])


def without_times(found: dict, scan: dict) -> dict:
    """The report without the IDs and times of its scans."""
    for key in ("scan", "started", "finished"):
        scan.pop(key)
    for source in found["sources"]:
        del source["scan"], source["scanned"]
    found["problems"] = without_age(found["problems"])
    return found


def without_age(problems: list[dict]) -> list[dict]:
    """The problems but for the note that an older version read a layer."""
    return [row for row in problems if row["code"] != "older-reader"]


def printed(catalog: Path) -> dict:
    """The JSON report of the command, without what differs from one scan to the next."""
    found = json.loads(run(catalog, "report", "-f", "json").stdout)
    return without_times(found, found["scan"])


def schema_of(path: Path) -> dict[str, str]:
    rows = duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    return {row[0]: row[1] for row in rows}


def write_place(folder: Path) -> Path:
    """Make a store, a catalog of version 1 with two scans of it, and one of today."""
    write_oci_layout(folder / "store", IMAGES)
    for name in ("old", "new"):
        scan_only(folder / name, folder / "store")
        scan_only(folder / name, folder / "store")
    write_version_1(folder / "old")
    return folder


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and its catalogs, which tests copy."""
    return write_place(tmp_path_factory.mktemp("old"))


@pytest.fixture
def place(template: Path, tmp_path: Path) -> Path:
    """A catalog of version 1 with two scans of a store that is elsewhere, and one of today."""
    for name in ("old", "new"):
        shutil.copytree(template / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def place_with_store(tmp_path: Path) -> Path:
    """The same with the store beside them, to be scanned again."""
    return write_place(tmp_path)


def test_version_1_is_read_as_it_is(place: Path) -> None:
    """Its report equals that of a fresh scan, and reading it changes nothing."""
    before = {path: path.read_bytes() for path in (place / "old").rglob("*.*") if path.is_file()}
    assert document(place / "old") == document(place / "new")
    assert printed(place / "old") == printed(place / "new")
    session = Session(place / "old")
    assert [row["layers_reused"] for row in session.rows("catalog_scans")] == [0, 3]
    assert session.ask("SELECT DISTINCT state FROM scan_image_layers").rows == [("reused",)]
    assert session.ask("SELECT max(layers_reused) FROM scans").rows == [(3,)]
    assert {path: path.read_bytes() for path in before} == before


def test_an_upgrade_gives_all_files_todays_columns(place: Path) -> None:
    """All files get today's columns and values; figures stay; a second upgrade does nothing."""
    catalog = place / "old"
    done = upgrade(catalog)
    assert (done.oldest, done.version, done.is_needless) == (1, SCHEMA_VERSION, False)
    assert done.rewritten["scans"] == 2
    # all files of these tables lack a column: problem, zero_bytes
    assert done.rewritten["image_layers"] == 2
    assert done.rewritten["entries"] == 2
    assert read_mark(catalog) == current_mark()
    for table, columns in TABLES.items():
        for path in files_of(catalog, table):
            assert schema_of(path) == columns, path
    assert document(catalog) == document(place / "new")
    files = {path: path.stat().st_ino for path in catalog.rglob("*")}
    assert upgrade(catalog).is_needless
    assert {path: path.stat().st_ino for path in catalog.rglob("*")} == files


def test_scans_are_added_to_an_old_catalog(place_with_store: Path) -> None:
    """A scan reads layers of an older reader again, and older programs are kept out."""
    catalog = place_with_store / "old"
    notes = [row for row in Session(catalog).rows("problems") if row["code"] == "older-reader"]
    assert len(notes) == 2
    outcome = scan_only(catalog, place_with_store / "store")
    assert (outcome.layers_read, outcome.layers_reused) == (2, 0)
    scan_only(catalog, place_with_store / "store")
    mark = read_mark(catalog)
    assert (mark.version, mark.oldest) == (SCHEMA_VERSION, 1)
    session = Session(catalog)
    assert [row["layers_reused"] for row in session.rows("catalog_scans")] == [0, 3, 0, 3]
    assert document(catalog) == document(place_with_store / "new")
    assert upgrade(catalog).rewritten["scans"] == 2
    assert [row["layers_reused"] for row in Session(catalog).rows("catalog_scans")] == [0, 3, 0, 3]


def test_layers_of_an_older_reader_are_read_once_more(place_with_store: Path) -> None:
    """The second scan reuses them; layers that cannot be read again keep their older rows."""
    catalog = place_with_store / "old"
    store = place_with_store / "store"
    shutil.copytree(catalog, place_with_store / "without")
    outcomes = [scan_only(catalog, store) for _ in range(2)]
    assert [outcome.layers_reused for outcome in outcomes] == [0, 3]
    for blob in (store / "blobs" / "sha256").iterdir():
        if not blob.read_bytes().startswith(b"{"):
            blob.unlink()
    scan_only(place_with_store / "without", store)
    session = Session(place_with_store / "without")
    assert all(row["complete"] for row in session.rows("images"))
    assert {row["code"] for row in session.rows("problems")} >= {"older-reader"}


def test_an_upgrade_that_is_killed_changes_no_figure(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each rename: the catalog reads the same, and the next upgrade finishes the work."""
    expected = document(place / "new")
    replace = Path.replace
    read: set[tuple[object, ...]] = set()

    def reads_the_same(catalog: Path) -> bool:
        """Whether it has the expected figures; files that were read once are not read again."""
        files = tuple(
            (path.relative_to(catalog), path.read_bytes() if path.is_file() else None)
            for path in sorted(catalog.rglob("*"))
        )
        if files not in read and document(catalog) == expected:
            read.add(files)
        return files in read

    def deadly(left: int) -> Callable[[Path, Path], Path]:
        def counted(path: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return replace(path, target)

        return counted

    # every third of about 25 moments, if not all examples are to be tried
    for moment in range(0, 40, 1 if examples(100) == 100 else 3):
        catalog = place / f"killed{moment}"
        shutil.copytree(place / "old", catalog)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", deadly(moment))
            try:
                upgrade(catalog)
            except KeyboardInterrupt:
                assert reads_the_same(catalog)
            else:
                break
        assert not upgrade(catalog).is_needless
        assert read_mark(catalog) == current_mark()
        assert reads_the_same(catalog)
        assert not list(catalog.rglob(".tmp-*"))
    assert moment > 3


@pytest.mark.parametrize("name", ["old", "new"])
def test_a_new_column_needs_no_new_version(
    place: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old files have null in it, new ones their values, and programs without it ignore it."""
    catalog = place / name
    expected = document(catalog)
    added = {table: {**TABLES[table], "added": "BIGINT"} for table in ("sources", "entries")}
    with monkeypatch.context() as patch:
        for table, columns in added.items():
            patch.setitem(TABLES, table, columns)
        session = Session(catalog)
        for table in added:
            assert session.ask(f"SELECT DISTINCT added FROM {table}").rows == [(None,)]
            # as the next scan would write a file
            path = min(files_of(catalog, table))
            write(path, "*, 7::BIGINT AS added")
        session.close()
        sign(catalog)
        assert document(catalog) == expected
        for _ in ("before", "after"):
            session = Session(catalog)
            for table in added:
                rows = session.ask(f"SELECT DISTINCT added FROM {table}").rows
                assert set(rows) == {(None,), (7,)}
            session.close()
            upgrade(catalog)
        assert read_mark(catalog) == current_mark()
        assert all(
            "added" in schema_of(path) for table in added for path in files_of(catalog, table)
        )
    assert read_mark(catalog).version == SCHEMA_VERSION
    assert document(catalog) == expected


def test_a_program_without_a_column_makes_the_mark_forget_it(place: Path) -> None:
    """Its files lack the column: a later program must look for it in each file."""
    catalog = place / "new"
    mark = json.loads((catalog / "catalog.json").read_text())
    mark["columns"]["sources"].append("added")
    (catalog / "catalog.json").write_text(json.dumps(mark))
    assert document(catalog)
    assert "added" in read_mark(catalog).columns["sources"]
    with Catalog(catalog).writing():
        assert "added" not in read_mark(catalog).columns["sources"]


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "use a newer dedupe"),
        ({"schema_version": SCHEMA_VERSION + 1, "columns": "of its own"}, "use a newer dedupe"),
        ({"schema_version": 0}, "scan into another catalog"),
        ({"schema_version": SCHEMA_VERSION, "oldest_version": 0}, "scan into another catalog"),
    ],
)
def test_other_versions_are_refused(place: Path, mark: dict, message: str) -> None:
    """The message names both versions and says what to do; nothing is written."""
    (place / "new/catalog.json").write_text(json.dumps(mark))
    for opened in (Session, Catalog, upgrade):
        with pytest.raises(StoreError, match=message) as caught:
            opened(place / "new")
        assert (caught.value.code, caught.value.exit_code) == ("schema-version", 5)
    assert json.loads((place / "new/catalog.json").read_text()) == mark
