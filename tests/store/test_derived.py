"""Derived rows can be killed, damaged and deleted at any time, and come back as they were."""

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import Image, directory, file, hardlink, tar_of, whiteout, write_oci_layout
from helpers.scanning import scan_only

from dedupe.model.tables import DERIVED_TABLES
from dedupe.store.derived import deriver
from dedupe.store.derived.deriver import LOCK
from dedupe.store.derived.rules import rules_of
from dedupe.store.derived.runs import DERIVED, all_runs, damaged_files, valid_runs
from dedupe.store.session import Session

Answers = dict[str, list[dict[str, object]]]

QUESTIONS = ("images", "totals", "findings", "shadowed_files", "problems", "duplicates")
#: derives in batches of one base each, and merges after three runs
DERIVE = """
import sys
from pathlib import Path
from dedupe.store.derived import deriver
from dedupe.store.session import Session
deriver.BATCH_ENTRIES = 1
deriver._MOST_RUNS = 3
Session(Path(sys.argv[1])).derive()
"""


def images(bases: int) -> list[Image]:
    """Images on several bases, each of which hides files of its base."""
    found = []
    for number in range(bases):
        base = tar_of(
            [
                directory("etc"),
                *(file(f"etc/{name}", f"{number}{name}".encode() * 9) for name in "abcdef"),
                hardlink("etc/link", "etc/a"),
            ]
        )
        upper = tar_of([whiteout("etc/a"), file("etc/b", b"new"), hardlink("etc/x", "etc/none")])
        found.append(Image([base, upper], names=[f"r/i{number}:1"]))
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog without derived rows, which tests copy."""
    folder = tmp_path_factory.mktemp("derived")
    write_oci_layout(folder / "store", images(6))
    scan_only(folder / "catalog", folder / "store")
    return folder / "catalog"


@pytest.fixture(scope="module")
def expected(template: Path) -> Answers:
    """The answers from a catalog that keeps no derived rows."""
    found = answers(template)
    assert not (template / DERIVED).exists()
    return found


@pytest.fixture
def catalog(template: Path, tmp_path: Path) -> Path:
    """A catalog without derived rows."""
    return Path(shutil.copytree(template, tmp_path / "catalog"))


def answers(catalog: Path) -> Answers:
    """Answers to questions that read derived rows."""
    session = Session(catalog)
    try:
        return {name: session.rows(name) for name in QUESTIONS}
    finally:
        session.close()


def derive(catalog: Path) -> int:
    """Keep all derived rows."""
    session = Session(catalog)
    try:
        return session.derive()
    finally:
        session.close()


def start(catalog: Path) -> "subprocess.Popen[bytes]":
    """A process that derives in small batches."""
    return subprocess.Popen([sys.executable, "-c", DERIVE, str(catalog)])


def marks(catalog: Path) -> dict[str, tuple[int, int]]:
    """How many rows the first table of each group has, and how many of them differ."""
    session = Session(catalog)
    try:
        session.derive()
        found = {}
        for group, tables in DERIVED_TABLES.items():
            table = next(iter(tables))
            (key, *_) = tables[table]
            sql = f"SELECT count({key}), count(DISTINCT {key}) FROM kept_{table}"
            found[group] = session._connection.execute(sql).fetchone()
        return found
    finally:
        session.close()


def test_a_killed_derivation_leaves_whole_rows(catalog: Path, expected: Answers) -> None:
    """Killed at random moments, what is kept is whole, and the rest is made again."""
    moments = random.Random(14)
    for _ in range(int(os.environ.get("DEDUPE_KILLS", "4"))):
        shutil.rmtree(catalog / DERIVED, ignore_errors=True)
        process = start(catalog)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.2, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert answers(catalog) == expected
        assert not list(damaged_files(catalog))
    derive(catalog)
    assert answers(catalog) == expected


def test_two_derivations_at_once_keep_each_row_once(catalog: Path, expected: Answers) -> None:
    """Processes that derive together wait for each other."""
    processes = [start(catalog) for _ in range(3)]
    assert answers(catalog) == expected
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert answers(catalog) == expected
    assert all(rows == distinct for rows, distinct in marks(catalog).values())


def test_runs_are_merged_when_there_are_many(catalog: Path, expected: Answers) -> None:
    """The rows of many runs become one run, which names them; an hour later they are removed."""
    start(catalog).wait()
    runs = all_runs(catalog)
    replaced = {name for run in runs for name in run.replaced}
    assert replaced
    assert answers(catalog) == expected
    for path in (catalog / DERIVED).iterdir():
        os.utime(path, (time.time() - 4000,) * 2)
    shutil.rmtree(catalog / "scans" / sorted(os.listdir(catalog / "scans"))[-1])
    write_oci_layout(catalog.parent / "store2", images(7))
    scan_only(catalog, catalog.parent / "store2")
    derive(catalog)
    assert not replaced & {run.path.name for run in all_runs(catalog)}


def test_deleted_rows_come_back(catalog: Path, expected: Answers) -> None:
    """Without its folders, or one file of them, a catalog answers the same and keeps rows again."""
    assert derive(catalog)
    shutil.rmtree(catalog / DERIVED)
    assert answers(catalog) == expected
    assert derive(catalog)
    for path in list((catalog / DERIVED).glob("*/*.parquet")):
        kept = path.read_bytes()
        path.unlink()
        assert answers(catalog) == expected, path.name
        path.write_bytes(kept)


def test_contents_are_right_if_an_earlier_run_is_missing_and_comes_back(
    catalog: Path, expected: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of contents says what has changed since those before it, and means nothing alone."""
    monkeypatch.setattr(deriver, "BATCH_ENTRIES", 1)
    derive(catalog)
    runs = [run.path for run in valid_runs(catalog, "contents", rules_of("contents"))]
    assert len(runs) > 1
    for missing in (runs[0], runs[-1]):
        aside = catalog / "aside"
        missing.rename(aside)
        assert answers(catalog) == expected
        derive(catalog)
        assert answers(catalog) == expected
        aside.rename(missing)
        assert answers(catalog) == expected
        assert all(rows == distinct for rows, distinct in marks(catalog).values())


def test_damaged_rows_are_found_and_made_anew(catalog: Path, expected: Answers) -> None:
    """A file of another size is not read; one with other bytes is named."""
    assert derive(catalog)
    path = next(run.file(table) for run in all_runs(catalog) for table in run.files)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert answers(catalog) == expected
    path.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
    assert [file for _, file in damaged_files(catalog)] == [path]


def test_rows_of_other_rules_are_not_read(catalog: Path, expected: Answers) -> None:
    """Rows that another version made are made again, each by its own rules."""
    assert derive(catalog)
    for run in all_runs(catalog):
        facts = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(json.dumps(facts | {"rules": "other"}))
    assert derive(catalog)
    assert answers(catalog) == expected


def test_facts_of_a_run_that_are_not_ours_are_ignored(catalog: Path, expected: Answers) -> None:
    """Whatever run.json holds, the rows are made again."""
    assert derive(catalog)
    for text in (
        "",
        "[]",
        '{"rules": 1}',
        '{"rules": "x", "files": 3, "replaced": []}',
        "[" * 9999,
    ):
        for run in (catalog / DERIVED).iterdir():
            (run / "run.json").write_text(text)
        assert answers(catalog) == expected


def test_rows_that_cannot_be_kept_are_made_for_the_session(
    catalog: Path, expected: Answers
) -> None:
    """A catalog that cannot be locked, as on a read-only disk, answers the same."""
    (catalog / LOCK).mkdir()
    assert derive(catalog) == 0
    assert answers(catalog) == expected
    assert not (catalog / DERIVED).exists()


def test_a_full_disk_costs_only_the_rows(
    catalog: Path, expected: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a run cannot be written, the session makes the rows for itself."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(deriver, "write_run", fail)
    session = Session(catalog)
    assert session.derive() == 0
    assert {name: session.rows(name) for name in QUESTIONS} == expected
    session.close()


def test_windows_layers_are_never_kept(tmp_path: Path) -> None:
    """Their spelling depends on all other layers of Windows."""
    layers = [tar_of([file("Files/A/x", b"1")]), tar_of([file("files/a/X", b"2")])]
    windows = Image(layers, names=["w:1"], platform="windows/amd64")
    write_oci_layout(tmp_path / "store", [windows, *images(1)])
    scan_only(tmp_path / "catalog", tmp_path / "store")
    expected = answers(tmp_path / "catalog")
    assert derive(tmp_path / "catalog")
    assert answers(tmp_path / "catalog") == expected
    assert marks(tmp_path / "catalog")["nodes"] == (4, 4)
