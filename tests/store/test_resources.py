"""Memory and disk space: limits, what spills, and the error if neither suffices."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from builders import Image, directory, file, tar_of, write_oci_layout
from helpers.commands import run, run_in
from helpers.scanning import scanned

from dedupe.errors import ResourceError, UsageError
from dedupe.host import scratch
from dedupe.host.scratch import Scratch
from dedupe.store import resources
from dedupe.store.resources import open_connection, shortage
from dedupe.store.session import Session

IMAGE = Image([tar_of([directory("etc"), file("etc/a", b"x" * 10)])], names=["good:1"])
ROWS = "SELECT md5(range::VARCHAR) AS text FROM range(1_500_000)"
#: needs more than 100 MB of memory, or of disk
BIG = f"SELECT count(*) FROM (SELECT DISTINCT text FROM ({ROWS}))"
#: one list, which cannot spill
WHOLE = f"SELECT len(list(text)) FROM ({ROWS})"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of one image."""
    folder = tmp_path_factory.mktemp("resources")
    write_oci_layout(folder / "store", [IMAGE])
    scanned(folder / "catalog", folder / "store")[1].close()
    return folder / "catalog"


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs more rights")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def environment(**variables: str) -> dict[str, str]:
    """An environment of a command, with these variables."""
    return {**os.environ, "NO_COLOR": "1", **variables}


def spilled(folder: Path) -> list[Path]:
    """Folders to spill into."""
    return [path for path in folder.iterdir() if path.name.startswith(".tmp-spill-")]


def test_what_does_not_fit_into_memory_spills_into_a_private_folder_of_the_catalog(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has files in a folder of mode 0700 for a while; closing the session deletes all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEDUPE_MEMORY", "60MB")
    session = Session(catalog)
    assert session.ask(BIG).rows == [(1_500_000,)]
    (folder,) = spilled(catalog)
    assert folder.stat().st_mode & 0o777 == 0o700
    held = "SELECT count(*) FROM duckdb_temporary_files()"
    session._connection.execute(
        "CREATE TEMP TABLE big AS SELECT md5(range::VARCHAR) FROM range(2_000_000)"
    )
    assert session._connection.execute(held).fetchall() != [(0,)]
    assert any(path.name.startswith("duckdb_temp") for path in folder.iterdir())
    session.close()
    assert spilled(catalog) == []
    assert list(tmp_path.iterdir()) == []


def test_options_come_before_variables_and_have_sizes(catalog: Path, tmp_path: Path) -> None:
    """``--memory`` and ``--spill`` hold for one command; each kind of bad value has its error."""
    words = ("query", "--format", "csv", "--catalog", str(catalog))
    given = environment(DEDUPE_MEMORY="1KB", DEDUPE_SPILL=str(tmp_path / "nowhere"))
    options = ("--memory", "60MB", "--spill", str(tmp_path))
    assert run_in(given, *words, BIG, *options).stdout.splitlines()[1:] == ["1500000"]
    assert list(tmp_path.iterdir()) == []
    assert "[unwritable-spill]" in run_in(given, *words, BIG, "--memory", "60MB").stderr
    assert "[out-of-memory]" in run_in(given, *words, BIG, "--spill", str(tmp_path)).stderr
    assert "[bad-size]" in run_in(given, *words, BIG, "--memory", "much").stderr
    assert "[bad-size]" in run_in(environment(DEDUPE_MEMORY="-1"), *words, BIG).stderr


def test_what_cannot_spill_ends_with_one_error(catalog: Path) -> None:
    """A command that needs more memory has exit code 7 and one line on standard error."""
    done = run(catalog, "query", WHOLE, "--memory", "60MB")
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith("dedupe: out of memory (")
    assert done.stderr.endswith("[out-of-memory]\n")
    assert done.stderr.count("\n") == 1
    assert "--memory" in done.stderr
    images = run(catalog, "images", "--memory", "1MB")
    assert (images.returncode, images.stderr.count("\n")) == (7, 1)


def test_a_full_disk_ends_with_one_error(catalog: Path, full_disk: Path) -> None:
    """So does one that spills more than its disk has, and it leaves nothing there."""
    done = run(catalog, "query", BIG, "--memory", "60MB", "--spill", str(full_disk))
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith("dedupe: no disk space for what does not fit into memory (")
    assert done.stderr.endswith("[out-of-space]\n")
    assert done.stderr.count("\n") == 1
    assert "--spill" in done.stderr
    assert list(full_disk.iterdir()) == []


def test_a_disk_that_fills_up_while_it_is_written_ends_with_the_same_error(
    catalog: Path, full_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB sets its limit when it begins to spill; others may take the space afterwards."""
    monkeypatch.setenv("DEDUPE_MEMORY", "60MB")
    monkeypatch.setenv("DEDUPE_SPILL", str(full_disk))
    session = Session(catalog)
    session._connection.execute("SET max_temp_directory_size = '10GB'")
    for _ in range(2):
        with pytest.raises(ResourceError, match="No space left on device") as failed:
            session.ask(BIG)
        assert failed.value.code == "out-of-space"
    session.close()


def test_no_more_is_spilled_than_the_user_allows(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB's own limit for its files has the same error."""
    monkeypatch.setenv("DEDUPE_MEMORY", "60MB")
    session = Session(catalog)
    session._connection.execute("SET max_temp_directory_size = '5MB'")
    with pytest.raises(ResourceError) as failed:
        session.ask(BIG)
    assert failed.value.code == "out-of-space"
    session.close()


def test_a_command_that_python_has_no_memory_for_ends_with_the_same_error(catalog: Path) -> None:
    """Rows that Python holds are not in DuckDB's limit; a process limit may stop them."""
    text = "SELECT repeat('x', 400_000_000) FROM range(4)"
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); "
    call = "sys.argv[0] = 'dedupe'; from dedupe.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", limited + call, "query", "--memory", "10GB", text],
        env=environment(DEDUPE_CATALOG=str(catalog)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7
    assert done.stderr.endswith("[out-of-memory]\n")
    assert done.stderr.count("\n") == 1


def test_shortage_knows_its_errors_only() -> None:
    """An error about anything else stays what it is."""
    assert shortage(ValueError("out of memory")) is None
    assert (
        shortage(duckdb.IOException('IO Error: Could not read file "a": Input/output error'))
        is None
    )
    full = duckdb.IOException('IO Error: Could not write file "a": No space left on device')
    for error, code in ((full, "out-of-space"), (MemoryError(), "out-of-memory")):
        found = shortage(error)
        assert found is not None
        assert found.code == code


def test_a_catalog_that_cannot_be_written_spills_elsewhere(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next place is TMPDIR; without any place, what fits into memory is answered."""
    made = Scratch

    def refused(place: Path, prefix: str) -> Scratch:
        if place == catalog:
            raise PermissionError
        return made(place, prefix)

    monkeypatch.setattr(resources, "Scratch", refused)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    session = Session(catalog)
    assert len(spilled(tmp_path)) == 1
    session.close()
    assert spilled(tmp_path) == []
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    session = Session(catalog)
    assert session.ask("SELECT count(*) FROM entries").rows == [(2,)]
    session.close()


def test_what_a_killed_run_spilled_is_deleted_by_the_next(tmp_path: Path) -> None:
    """Folders that a living process holds stay, and so does what only has such a name."""
    code = (
        "import sys, time; from pathlib import Path; from dedupe.store.resources import "
        "open_connection; c = open_connection(Path(sys.argv[1])); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as running:
        assert running.stdout
        running.stdout.readline()
        (left,) = spilled(tmp_path)
        (left / "duckdb_temp").write_bytes(b"rows")
        with open_connection(tmp_path):
            assert left.is_dir()
        running.send_signal(signal.SIGKILL)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / ".tmp-spill-link"
    link.symlink_to(tmp_path / "elsewhere")
    new = tmp_path / ".tmp-spill-new"
    new.mkdir()
    old = tmp_path / ".tmp-spill-old"
    old.mkdir()
    os.utime(old, (0, 0))
    open_connection(tmp_path).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [link.name, new.name, "elsewhere"]


def test_folders_of_other_users_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a place such as /tmp, another user may have made anything."""
    Scratch(tmp_path, "x-").path.rename(tmp_path / "x-other")
    monkeypatch.setattr(scratch.os, "geteuid", lambda: os.getuid() + 1)
    Scratch(tmp_path, "x-").close()
    assert [path.name for path in tmp_path.iterdir()] == ["x-other"]


@pytest.mark.parametrize(
    ("files", "group", "expected"),
    [
        # version 2: the group has no limit, the one above it has
        (
            {
                "a/b/memory.max": "max",
                "a/b/memory.current": "5",
                "a/memory.max": "1000",
                "a/memory.current": "700",
                "a/memory.stat": "anon 500\ninactive_file 100\n",
            },
            "0::/a/b",
            400,
        ),
        # version 1, of a group that another namespace names
        (
            {
                "memory/memory.limit_in_bytes": "1000",
                "memory/memory.usage_in_bytes": "700",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 50\n",
            },
            "4:memory,cpu:/elsewhere",
            350,
        ),
        # more in use than allowed
        ({"memory.max": "1000", "memory.current": "1700"}, "0::/", 0),
        ({}, "0::/a", 2_000_000 * 1024),
    ],
)
def test_free_memory_is_the_least_of_all_limits(
    files: dict[str, str],
    group: str,
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system's free memory, or what a control group has left without its cache of files."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    shown = {
        "/proc/meminfo": "MemTotal: 1 kB\nMemAvailable: 2000000 kB",
        "/proc/self/cgroup": group,
    }
    lines = resources._lines
    monkeypatch.setattr(resources, "_CGROUPS", tmp_path)
    monkeypatch.setattr(
        resources,
        "_lines",
        lambda file: shown[str(file)].splitlines() if str(file) in shown else lines(file),
    )
    monkeypatch.delenv("DEDUPE_MEMORY", raising=False)
    assert resources.free_bytes() == expected
    assert resources.memory_bytes() == max(expected // 2, 256 << 20)


def test_a_size_is_checked_before_the_command_begins() -> None:
    """A bad size is an error of usage."""
    with pytest.raises(UsageError), resources.using("much", None):
        pass
