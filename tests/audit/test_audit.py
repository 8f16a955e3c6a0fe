"""Audits: one call does all, two never run at once, and a killed one leaves a whole history."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from builders import Image, file, image, tar_of, whiteout, write_oci_layout
from helpers.commands import run_in
from helpers.endless import PATIENCE_SECONDS, finished_layers, write_endless_layer
from helpers.scanning import scan_only
from prometheus_client.parser import text_string_to_metric_families

from dedupe.audit import read_audit
from dedupe.errors import LockedError, UsageError
from dedupe.host.locks import exclusive_lock, shared_lock
from dedupe.host.writing import write_atomically
from dedupe.store.catalog import LOCK
from dedupe.store.retention import collect, expired, forget, forget_sources
from dedupe.store.session import Session
from dedupe.store.views import scan_ids

APP = Image(
    [tar_of([file("big", b"1" * 9000), file("b", b"2" * 1000)]), tar_of([whiteout("big")])],
    names=["r/app:1"],
    history=["COPY . /", "RUN rm big"],
)
SETTINGS = """
[check]
highest_shadowed_bytes = "{limit}"
[audit]
sources = ["store"]
state = "state"
{more}
[audit.reports]
json = "out/report.json"
openmetrics = "out/dedupe.prom"
"""


def prepare(folder: Path, more: str = "", limit: str = "1MB") -> Path:
    """A store and settings for an audit of it."""
    write_oci_layout(folder / "store", [APP])
    (folder / "dedupe.toml").write_text(SETTINGS.format(limit=limit, more=more))
    return folder / "dedupe.toml"


def command(config: Path, *words: str) -> list[str]:
    """The command of an audit."""
    return [sys.executable, "-m", "dedupe", "audit", "-q", "--config", str(config), *words]


def run(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # a folder of its own: paths of the settings must not depend on it
    """Run an audit from ``/``, as paths of the settings must not depend on the working folder."""
    return run_in(
        dict(os.environ), "audit", "-q", "--config", str(config), *words, folder=Path("/")
    )


def keep_input(path: Path) -> list[str]:
    """A command that writes its input into a file."""
    return [
        sys.executable,
        "-c",
        "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())",
        str(path),
    ]


def test_an_audit_follows_links_and_uses_shared_blobs(tmp_path: Path) -> None:
    """The folders are relative to the settings."""
    config = prepare(tmp_path, 'also = ["disk"]\nblobs = ["shared"]')
    (tmp_path / "disk").mkdir()
    (tmp_path / "shared/sha256").mkdir(parents=True)
    first, *rest = sorted((tmp_path / "store/blobs/sha256").iterdir())
    first.rename(tmp_path / "disk/blob")
    first.symlink_to("../../../disk/blob")
    for path in rest:
        path.rename(tmp_path / "shared/sha256" / path.name)
    done = run(config)
    assert (done.returncode, "shared-blobs" in done.stderr) == (0, True)
    (summary,) = history(tmp_path).values()
    assert (summary["images"], summary["errors"]) == (1, 0)


def history(folder: Path) -> dict[str, dict]:
    """Summaries by scan; each file of the history is one summary."""
    found = {}
    for path in (folder / "state/history").glob("[!.]*"):
        found[path.stem] = json.loads(path.read_text())
        assert found[path.stem]["scan"] == path.stem
    return found


def wait_for(there: Callable[[], object], running: subprocess.Popen[str]) -> None:
    """Wait until something is there, while an audit runs."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not there():
        assert running.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_one_call_scans_reports_and_notifies(tmp_path: Path) -> None:
    """Scan, reports, metrics, history and notice agree; paths are relative to the settings."""
    done = run(prepare(tmp_path, f"notify = {keep_input(tmp_path / 'told.json')}"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    catalog = tmp_path / "state/catalog"
    (scan,) = scan_ids(catalog)
    (summary,) = history(tmp_path).values()
    assert json.loads((tmp_path / "told.json").read_text()) == summary
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert summary["scan"] == report["scan"]["scan"] == scan
    session = Session(catalog)
    assert summary["totals"] == report["totals"] == session.rows("totals")[0]
    session.close()
    assert summary["check"]["verdict"] == "passed"
    assert summary["growth_bytes"] is None
    metrics = (tmp_path / "out/dedupe.prom").read_text()
    assert f"dedupe_stored_bytes {report['totals']['stored_bytes']}\n" in metrics
    assert 'dedupe_check_verdict{rule="highest_shadowed_bytes"} 0\n' in metrics
    assert 'dedupe_check_value{rule="highest_shadowed_bytes"} 9000\n' in metrics
    assert metrics.endswith("# EOF\n")
    assert not list(tmp_path.rglob(".tmp-*"))


def test_metrics_are_read_by_a_prometheus_parser(tmp_path: Path) -> None:
    """A parser of the text format reads the metrics, those of rules included."""
    assert run(prepare(tmp_path, limit="1kB")).returncode == 10
    text = (tmp_path / "out/dedupe.prom").read_text()
    found = {
        (sample.name, sample.labels.get("rule")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    rule = "highest_shadowed_bytes"
    assert found["dedupe_check_verdict", rule] == 2
    assert found["dedupe_check_threshold", rule] == 1000


def test_exit_code_says_failed_skipped_or_nothing_read(tmp_path: Path) -> None:
    """10 if a rule failed, 1 if something was skipped, 3 if nothing could be read."""
    config = prepare(tmp_path, limit="8999")
    done = run(config)
    assert done.returncode == 10
    assert "highest_shadowed_bytes" in done.stdout
    (summary,) = history(tmp_path).values()
    assert (summary["exit_code"], summary["check"]["verdict"]) == (10, "failed")
    broken = image([file("x", b"1" * 5000)], names=["broken"])
    contents = write_oci_layout(tmp_path / "store", [APP, broken])
    blob = tmp_path / "store/blobs/sha256" / contents.layers[broken.image_id][0][7:]
    blob.write_bytes(blob.read_bytes()[:-9])
    assert run(config).returncode == 10
    # a lower bound below the limit is unknown, so the rule cannot judge
    config.write_text(config.read_text().replace("8999", "1MB"))
    assert run(config).returncode == 10
    assert history(tmp_path)[max(history(tmp_path))]["check"]["verdict"] == "cannot judge"
    config.write_text(config.read_text().replace("[check]", '[check]\nunknown = "pass"'))
    assert run(config).returncode == 1
    before = (tmp_path / "out/report.json").read_text()
    (tmp_path / "store").rename(tmp_path / "gone")
    done = run(config, "--notify", shlex.join(keep_input(tmp_path / "told.json")))
    assert done.returncode == 3
    assert "no-such-source" in done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    # the scan is kept, because rules cannot judge while it is the last
    assert (told["scan"], told["exit_code"]) == (max(history(tmp_path)), 3)
    # outputs of earlier audits are kept
    assert (tmp_path / "out/report.json").read_text() == before
    assert len(history(tmp_path)) == 5


def test_an_audit_goes_on_if_a_report_cannot_be_written(tmp_path: Path) -> None:
    """A file in place of a report's folder or a missing command is reported; the exit code is 1."""
    config = prepare(tmp_path)
    (tmp_path / "out").write_text("a file")
    done = run(config, "--notify", "./no-such-command --flag")
    assert done.returncode == 1
    assert "report json: " in done.stderr
    assert "notify ./no-such-command: no such file" in done.stderr
    (summary,) = history(tmp_path).values()
    assert len(summary["faults"]) == 2


def test_the_notify_command_runs_without_a_shell(tmp_path: Path) -> None:
    """Words of --notify are arguments, whatever a shell would make of them."""
    said = f"{sys.executable} -c 'import sys; print(sys.argv[1:])' $HOME `id` ; touch {tmp_path}/x"
    done = run(prepare(tmp_path), "--notify", said)
    assert done.returncode == 0
    assert "['$HOME', '`id`', ';', 'touch'" in done.stderr
    assert not (tmp_path / "x").exists()
    assert run(tmp_path / "dedupe.toml", "--notify", "'").returncode == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no table [audit]"),
        ("[audit]\nsources = 'x'", "state is missing"),
        ("[audit]\nstate = 'x'", "sources is missing"),
        (
            "[audit]\nsources = 'x'\nstate = 's'\nkeeep = '9d'",
            "unknown key keeep; the nearest is k",
        ),
        ("[audit]\nsources = 'x'\nstate = 's'\nkeep = '90'", "keep: expected an age like 90d"),
        ("[audit]\nsources = 'x'\nstate = 's'\nnotify = [1]", "notify: expected strings"),
        ("[audit]\nsources = 'x'\nstate = 's'\n[audit.reports]\npdf = 'x'", "unknown key pdf"),
        ("[audit]\nsources = 'x'\nstate = 's'\n[check]\nflor = 1", "unknown key flor"),
    ],
)
def test_bad_settings_end_an_audit_before_it_reads(text: str, said: str, tmp_path: Path) -> None:
    """All mistakes are found before anything is read or written."""
    (tmp_path / "dedupe.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_audit(tmp_path / "dedupe.toml")
    assert said in caught.value.message


def test_a_second_audit_names_the_holder_of_the_lock(tmp_path: Path) -> None:
    """The second audit exits with 6 and names the process; the first is not disturbed."""
    hold = "import sys, time, os\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.02)"
    config = prepare(tmp_path)
    first = subprocess.Popen(
        command(config, "--notify", f"{sys.executable} -c '{hold}' {tmp_path}/go"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: history(tmp_path), first)
        second = run(config)
        (tmp_path / "go").touch()
        _, said = first.communicate(timeout=PATIENCE_SECONDS)
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 6
    assert f"another audit is under way: process {first.pid} on " in second.stderr
    assert (first.returncode, said) == (0, "")
    assert len(history(tmp_path)) == 1
    assert run(config).returncode == 0


def test_a_killed_audit_holds_no_lock(tmp_path: Path) -> None:
    """Workers of an audit that was killed in the middle of a layer do not hold its lock."""
    write_endless_layer(tmp_path / "endless")
    config = prepare(tmp_path)
    settings = config.read_text()
    config.write_text(settings.replace('["store"]', '["store", "endless"]\njobs = 2'))
    running = subprocess.Popen(command(config))
    try:
        wait_for(lambda: finished_layers(tmp_path / "state/catalog") == 2, running)
    finally:
        running.kill()
        running.wait()
    config.write_text(settings)
    done = run(config)
    assert (done.returncode, done.stderr) == (0, "")
    (summary,) = history(tmp_path).values()
    assert (summary["layers_read"], summary["layers_reused"]) == (0, 2)


#: a moment is a call that makes or deletes a file for good: the first call of its kind, which is
#: who calls it for what, or the second deletion; a file that others read may not be opened for
#: writing
_KILLED = """
import os, pathlib, signal, sys
known = pathlib.Path(sys.argv[1])
calls = {}
def watch(event, args):
    if event == "open" and isinstance(args[0], (str, os.PathLike)) and args[2] & os.O_ACCMODE:
        name = os.path.basename(os.fspath(args[0]))
        if not (name.startswith(".tmp-") or name in ("lock", "null", "moments")):
            print("written in place:", name, file=sys.stderr)
            os._exit(3)
def kind_of(call):
    frame, callers = sys._getframe(2), []
    while frame and len(callers) < 5:
        callers.append(frame.f_code.co_name)
        frame = frame.f_back
    return " ".join((call.__name__, *callers))
def deadly(call):
    def counted(*args, **kwargs):
        kind = kind_of(call)
        calls[kind] = calls.get(kind, 0) + 1
        moment = f"{kind} {calls[kind]}"
        if moment not in done and calls[kind] <= 1 + (call is unlink):
            text = "".join(f"{each}\\n" for each in (*done, moment))
            known.write_text(text)
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return counted
unlink = os.unlink
for name in ("rename", "replace", "unlink", "rmdir", "fsync"):
    setattr(os, name, deadly(getattr(os, name)))
sys.argv = ["dedupe", *sys.argv[2:]]
import duckdb
from dedupe.__main__ import main
from dedupe.cli import app
# a child per line is a call of its own, without the time for loading the program
for line in sys.stdin:
    child = os.fork()
    if not child:
        done = set(known.read_text().splitlines())
        sys.addaudithook(watch)
        try:
            main()
        except SystemExit as end:
            os._exit(end.code or 0)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def scan_long_ago(catalog: Path, store: Path, monkeypatch: pytest.MonkeyPatch, days: int) -> str:
    """A scan of so many days ago, whose layers have that age."""
    before = {path.name for path in (catalog / "layers").glob("*")} if catalog.exists() else set()
    then = time.time() - days * 86_400
    with monkeypatch.context() as patch:
        patch.setattr("dedupe.scan.scanner.time.time", lambda: then)
        found = scan_only(catalog, store).scan_id
    for folder in ("layers", "entries"):
        for path in (catalog / folder).glob("*.parquet"):
            if folder == "entries" or path.name not in before:
                os.utime(path, (then, then))
    return found


def test_an_audit_killed_at_any_moment_leaves_whole_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before a rename, removal or flush of any kind, it leaves whole scans and can go on."""
    config = prepare(tmp_path, more='keep = "30d"')
    catalog = tmp_path / "state/catalog"
    known: dict[str, dict] = {}
    code = -signal.SIGKILL
    moments = tmp_path / "moments"
    moments.touch()
    words = [sys.executable, "-c", _KILLED, str(moments), "audit", "-q", "--config", str(config)]
    program = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdin is not None
    assert program.stdout is not None
    for turn in range(50):
        # a layer to read, a scan to forget, and rows that no scan needs
        images = [APP, image([file("f", b"3" * (turn + 1))], names=[f"new:{turn}"])]
        # of the same source: the latest scan of another one would stay in the current view
        write_oci_layout(tmp_path / "store", [image([file("o", f"{turn}")], names=["old:1"])])
        scan_long_ago(catalog, tmp_path / "store", monkeypatch, days=40)
        write_oci_layout(tmp_path / "store", images)
        print(file=program.stdin, flush=True)
        code = int(program.stdout.readline())
        kept = scan_ids(catalog)
        for scan, summary in history(tmp_path).items():
            assert known.setdefault(scan, summary) == summary
            assert scan in kept
        assert set(known) <= set(kept)
        session = Session(catalog, kept[-1])
        assert session.rows("totals")
        session.close()
        for report in (tmp_path / "out").glob("*.json"):
            json.loads(report.read_text())
        for report in (tmp_path / "out").glob("*.prom"):
            assert report.read_text().endswith("# EOF\n")
        if code != -signal.SIGKILL:
            break
    program.communicate()
    assert code == 0, "written in place" if code == 3 else code
    reached = moments.read_text()
    for step in ("write_file", "commit", "forget", "_rmtree", "_remove_unneeded", "write_atomic"):
        assert step in reached
    assert len(reached.splitlines()) == turn
    assert expired(catalog, _now()) == scan_ids(catalog)
    assert_whole(catalog, known)
    fresh = scan_only(tmp_path / "fresh", tmp_path / "store")
    newest = history(tmp_path)[scan_ids(catalog)[-1]]
    assert newest["totals"] == Session(tmp_path / "fresh", fresh.scan_id).rows("totals")[0]


def _now():
    from datetime import UTC, datetime

    return datetime.now(UTC).replace(tzinfo=None)


def assert_whole(catalog: Path, known: Mapping[str, dict]) -> None:
    """Check that every scan that is kept answers as it did when it was made."""
    for scan in scan_ids(catalog):
        session = Session(catalog, scan)
        (totals,) = session.rows("totals")
        session.close()
        assert totals["incomplete_images"] == 0
        assert scan not in known or known[scan]["totals"] == totals


def test_retention_keeps_the_rows_of_kept_scans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old scans are deleted with the rows that only they need; other scans answer as before."""
    catalog, store = tmp_path / "state/catalog", tmp_path / "old"
    shared = [file("lib", b"L" * 500)]
    totals = {}
    for days in (100, 80, 25, 20):
        own = [file("own", f"{days}")]
        write_oci_layout(store, [image(shared, own, names=[f"a:{days}"])])
        scan = scan_long_ago(catalog, store, monkeypatch, days)
        with contextlib.closing(Session(catalog, scan)) as session:
            totals[scan] = {"totals": session.rows("totals")[0]}
    config = prepare(tmp_path, more='keep = "30d"')
    assert run(config).returncode == 0
    kept = scan_ids(catalog)
    assert kept[:2] == list(totals)[2:]
    assert len(kept) == 3
    # lib, two layers of the scans of 25 and 20 days ago, and two layers of the audit itself
    assert finished_layers(catalog) == 5
    assert_whole(catalog, totals)
    # the latest scan of each source is kept, whatever its age: the current view needs it
    config.write_text(config.read_text().replace("30d", "0h"))
    assert run(config).returncode == 0
    assert scan_ids(catalog)[0] == kept[1]
    assert len(scan_ids(catalog)) == 2
    assert kept[2] not in scan_ids(catalog)
    # without that source, only the newest scan is needed
    forget_sources(catalog, [str(store)])
    assert run(config).returncode == 0
    assert len(scan_ids(catalog)) == 1


def test_retention_keeps_the_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan that rules compare with is kept, whatever its age."""
    catalog = tmp_path / "state/catalog"
    config = prepare(tmp_path, more='keep = "30d"')
    baseline = scan_long_ago(catalog, tmp_path / "store", monkeypatch, days=90)
    text = config.read_text().replace("[check]", f'[check]\nbaseline = "{baseline}"')
    config.write_text(text)
    assert run(config).returncode == 0
    assert scan_ids(catalog)[0] == baseline
    (summary,) = history(tmp_path).values()
    assert summary["check"]["baseline"] == baseline


def test_rows_are_not_removed_under_a_scan(tmp_path: Path) -> None:
    """Removal waits for a running scan, which may reuse any layer."""
    catalog = tmp_path / "c"
    write_oci_layout(tmp_path / "store", [APP])
    scan = scan_only(catalog, tmp_path / "store").scan_id
    with shared_lock(catalog / LOCK), pytest.raises(LockedError) as caught:
        collect(catalog)
    assert caught.value.exit_code == 6
    forget(catalog, scan)
    long_ago = time.time() - 86_400
    for path in [*(catalog / "layers").iterdir(), *(catalog / "entries").iterdir()]:
        os.utime(path, (long_ago, long_ago))
    left = catalog / "entries" / ("e" * 64 + "-0.parquet")
    left.write_bytes(b"of a run that was killed before the row")
    young = catalog / "entries" / ("f" * 64 + "-0.parquet")
    young.write_bytes(b"the row may come")
    os.utime(left, (long_ago, long_ago))
    assert collect(catalog)[0] == 2
    assert list((catalog / "entries").iterdir()) == [young]


def test_an_exclusive_lock_excludes_all_others(tmp_path: Path) -> None:
    """Exclusive and shared locks exclude each other and end with their block; links are refused."""
    path = tmp_path / "lock"
    with (
        exclusive_lock(path, "x"),
        pytest.raises(LockedError, match=f"process {os.getpid()} on"),
        exclusive_lock(path, "x"),
    ):
        pass
    with (
        shared_lock(path),
        shared_lock(path),
        pytest.raises(LockedError),
        exclusive_lock(path, "x"),
    ):
        pass
    with exclusive_lock(path, "x"):
        pass
    path.write_text("\x1b[31m{}")
    with (
        shared_lock(path),
        pytest.raises(LockedError, match=r"^x: another process holds"),
        exclusive_lock(path, "x"),
    ):
        pass


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A file is replaced in one step; a link in place of the temporary file is not followed."""
    target = tmp_path / "a.prom"
    target.write_text("old")
    write_atomically(target, "new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.prom"]
    (tmp_path / ".tmp-a.prom.part").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic"):
        write_atomically(target, "newer")
    assert not (tmp_path / "victim").exists()
