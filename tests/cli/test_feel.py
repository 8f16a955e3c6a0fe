"""The program helps a user who has not read the manual."""

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import sample
from builders import Image, file, tar_of, write_oci_layout
from helpers.commands import run_in
from helpers.scanning import scanned

from dedupe.analysis.advice import GENERAL, Reason, advice
from dedupe.report.advice import to_terminal


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEDUPE_")}
    return run_in({**kept, "XDG_DATA_HOME": str(home), "NO_COLOR": "1"}, *words)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feel") / "store"
    sample.main(folder)
    return folder


def test_first_call_names_stores_to_scan(tmp_path: Path) -> None:
    """Without a catalog, a few lines tell how to scan the stores of this machine."""
    (tmp_path / "containers" / "storage").mkdir(parents=True)
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  dedupe scan {tmp_path}/containers/storage\n" in done.stdout
    assert "There is no catalog yet." in done.stdout
    assert len(done.stdout.splitlines()) < 25


def test_call_without_command_shows_the_catalog(tmp_path: Path, store: Path) -> None:
    """With a catalog, it shows the latest scan and the next commands; damage is an error."""
    run(tmp_path, "scan", "-q", str(store))
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 images in 1 source, 8.6 MB stored, 10.8 MB unpacked" in done.stdout
    (tmp_path / "dedupe/catalog/catalog.json").write_text("{}")
    done = run(tmp_path)
    assert done.returncode == 5
    assert "damaged" in done.stderr


def test_scan_ends_with_three_commands_that_work(tmp_path: Path, store: Path) -> None:
    """A scan proposes commands by what it found, and they can be called."""
    catalog = tmp_path / "my catalog"
    done = run(tmp_path, "scan", "--catalog", str(catalog), str(store))
    assert (done.returncode, done.stdout) == (0, "")
    lines = [line.strip() for line in done.stderr.partition("next:\n")[2].splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("dedupe ")]
    assert [words[1] for words in commands] == ["report", "findings", "reorder"]
    assert "4 findings; fixing the first saves 1.6 MB (position-loss" in done.stderr
    for words in commands:
        assert run(tmp_path, *words[1:]).returncode == 0


def test_quiet_scan_prints_nothing(tmp_path: Path, store: Path) -> None:
    """With -q a scan without problems prints nothing, for scripts."""
    done = run(tmp_path, "scan", "-q", str(store))
    assert (done.stdout, done.stderr) == ("", "")


def test_scan_without_a_matching_image_is_reported(tmp_path: Path, store: Path) -> None:
    """A platform that no image has is reported."""
    done = run(tmp_path, "scan", "--platform", "plan9/mips", str(store))
    assert "no image matches --platform" in done.stderr


def test_advice_follows_what_was_found(tmp_path: Path) -> None:
    """A store without findings gets general advice; shadowed bytes name their image."""
    clean = Image([tar_of([file("a", b"1" * 9)])], names=["clean"])
    write_oci_layout(tmp_path / "clean", [clean])
    _, session = scanned(tmp_path / "c1", tmp_path / "clean")
    assert advice(session) == list(GENERAL)
    big = Image(
        [tar_of([file("a", b"1" * 9000)]), tar_of([file("a", b"2" * 9000)])],
        names=["localhost/it's:1"],
    )
    write_oci_layout(tmp_path / "big", [clean, big])
    _, session = scanned(tmp_path / "c2", tmp_path / "big")
    advised = advice(session)
    reasons = [each.reason for each in advised]
    assert reasons == [Reason.OVERVIEW, Reason.FINDINGS, Reason.SHADOWED]
    assert [each.size_bytes for each in advised[1:]] == [9000, 9000]
    typed = [line for line in to_terminal(advised).splitlines() if "history" in line]
    assert shlex.split(typed[0])[:3] == ["dedupe", "history", "localhost/it's:1"]


def test_error_of_a_damaged_catalog_names_the_fix(tmp_path: Path, store: Path) -> None:
    """Damaged rows end a question with a fix, and a scan with general advice."""
    run(tmp_path, "scan", "-q", str(store))
    for rows in (tmp_path / "dedupe/catalog/entries").iterdir():
        rows.write_bytes(b"damaged")
    done = run(tmp_path, "findings")
    assert done.returncode == 5
    assert "'dedupe scan --rehash PATH' rewrites layers" in done.stderr
    done = run(tmp_path, "scan", str(store))
    assert done.returncode == 0
    assert "dedupe tree" in done.stderr
    assert run(tmp_path, "scan", "-q", "--rehash", str(store)).returncode == 0
    assert run(tmp_path, "findings").returncode == 0


def test_output_file_is_replaced_at_once(tmp_path: Path, store: Path) -> None:
    """A reader never sees half a file; its mode stays, and links stay links."""
    run(tmp_path, "scan", "-q", str(store))
    target = tmp_path / "report.prom"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to(target)
    with target.open() as held:
        done = run(tmp_path, "report", "-f", "openmetrics", "-o", f"{tmp_path}/link")
        assert done.returncode == 0
        assert held.read() == "old"
    assert target.read_text().endswith("# EOF\n")
    assert target.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link").is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dedupe", "link", "report.prom"]
    assert run(tmp_path, "report", "-o", "/dev/stdout").stdout.startswith("4 images")
    for bad in ("/dev/full", f"{tmp_path}/absent/report", str(tmp_path)):
        done = run(tmp_path, "report", "-o", bad)
        assert done.returncode == 2
        assert done.stderr.startswith(f"dedupe: {bad}: cannot be written: ")


def on_a_terminal(work: str) -> str:
    """Return what a piece of Python prints on a terminal."""
    ours, theirs = os.openpty()
    subprocess.run([sys.executable, "-c", work], stderr=theirs, check=True)
    os.close(theirs)
    said = b""
    # on Linux, reading fails once no process has the other end open
    with contextlib.suppress(OSError):
        while part := os.read(ours, 4096):
            said += part
    os.close(ours)
    return said.decode()


def test_terminal_shows_elapsed_time_after_a_second() -> None:
    """The line is removed at the end, and other outputs than a terminal get none."""
    work = "import time; from dedupe.cli.elapsed import ElapsedTime; wait = ElapsedTime()\n"
    said = on_a_terminal(work + "for _ in range(3):\n    with wait: time.sleep(0.9)")
    assert "dedupe: computing, 2 s" in said
    assert said.endswith("\r\x1b[K")
    assert on_a_terminal(work + "with wait: time.sleep(0.1)") == ""
    quiet = subprocess.run(
        [sys.executable, "-c", work + "with wait: time.sleep(1.8)"],
        check=True,
        capture_output=True,
    )
    assert quiet.stderr == b""
