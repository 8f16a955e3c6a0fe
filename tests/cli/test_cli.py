"""The command as a user runs it: output, exit codes, hostile names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
from builders import Image, file, raw, tar_of, whiteout, write_oci_layout
from helpers.commands import run
from typer.testing import CliRunner

from dedupe.cli.app import app

IMAGE = Image(
    [tar_of([file("a", b"1" * 100), file("b", b"1" * 100)]), tar_of([whiteout("a")])],
    names=["localhost/app:1"],
    history=[{"created_by": "COPY a b"}, {"created_by": "RUN rm a"}],
)


def test_scan_names_next_commands_and_report_has_figures(tmp_path: Path) -> None:
    """A scan exits with 0 and names commands on standard error; the JSON report has its keys."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    done = run(tmp_path / "catalog", "scan", str(tmp_path / "store"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "dedupe report" in done.stderr
    done = run(tmp_path / "catalog", "report", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["schema_version"] == 1
    assert report["totals"]["dead_bytes"] == 100
    (image,) = report["images"]
    assert image["shadowed"]["deleted"] == 100
    assert image["exclusive"]["unpacked"] == image["attributed"]["unpacked"] == 200
    (shadowed,) = report["shadowed_files"]
    assert (shadowed["added_by"], shadowed["hidden_by"]) == ("COPY a b", "RUN rm a")
    (duplicate,) = report["duplicates"]
    assert (duplicate["copies"], duplicate["paths"]) == (2, ["a", "b"])


def test_every_table_has_three_formats(tmp_path: Path) -> None:
    """Each table can be shown as text, JSON and CSV."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    run(tmp_path / "catalog", "scan", "-q", str(tmp_path / "store"))
    for command in ("images", "layers", "shadowed", "duplicates", "tree"):
        for form in ("table", "json", "csv"):
            words = [command, "--format", form, "--catalog", str(tmp_path / "catalog")]
            done = CliRunner().invoke(app, words)
            assert (done.exit_code, done.stderr) == (0, "")
            assert done.stdout.count("\n") >= 2
    done = run(tmp_path / "catalog", "tree")
    assert (done.returncode, done.stderr) == (0, "")
    assert "localhost/app:1" in done.stdout


def test_exit_code_shows_the_kind_of_failure(tmp_path: Path) -> None:
    """1: something was skipped; 2: usage; 3: nothing could be read; 5: no catalog."""
    broken = Image([tar_of([file("x", b"1" * 5000)])], names=["broken"])
    contents = write_oci_layout(tmp_path / "store", [IMAGE, broken], "gzip")
    digest = contents.layers[broken.image_id][0]
    blob = tmp_path / "store/blobs/sha256" / digest[7:]
    blob.write_bytes(blob.read_bytes()[:-9])
    assert run(tmp_path / "none", "report").returncode == 5
    assert run(tmp_path / "c", "scan", str(tmp_path / "store")).returncode == 1
    assert run(tmp_path / "c", "scan").returncode == 2
    assert run(tmp_path / "c", "scan", str(tmp_path / "absent")).returncode == 3
    unknown = run(tmp_path / "c", "images", "--sort", "nonsense")
    assert unknown.returncode == 2
    # the code that docs/problems.md is indexed by
    assert unknown.stderr.endswith(" [unknown-column]\n")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """Escapes, newlines and invalid UTF-8 in paths and build steps stay text."""
    name = b"evil\x1b[31m\n\xff\xe2\x80\xae"
    image = Image(
        [tar_of([raw(name, content=b"1" * 9)]), tar_of([raw(name, content=b"2" * 9)])],
        names=["=cmd()"],
        history=[{"created_by": "step \x1b]0;title\x07"}, {"created_by": "other"}],
    )
    write_oci_layout(tmp_path / "store", [image])
    run(tmp_path / "c", "scan", "-q", str(tmp_path / "store"))
    for command in (["report"], ["shadowed", "-f", "csv"], ["report", "-f", "json"], ["tree"]):
        done = run(tmp_path / "c", *command)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
    row = json.loads(run(tmp_path / "c", "shadowed", "-f", "json").stdout)[0]
    assert row["path"] == "evil\\x1b[31m\\x0a\\xff\\xe2\\x80\\xae"
    assert "\r\n'=cmd()" in run(tmp_path / "c", "images", "-f", "csv").stdout.replace("\n", "\r\n")


def test_scan_after_a_killed_one_reads_only_what_is_missing(tmp_path: Path) -> None:
    """A scan that was killed leaves an intact catalog, and the next one continues."""
    store = tmp_path / "store"
    big = [
        Image([tar_of([file(f"f{i}", os.urandom(3_000_000))])], names=[f"i{i}"]) for i in range(8)
    ]
    write_oci_layout(store, big)
    started = subprocess.Popen(
        [sys.executable, "-m", "dedupe", "scan", "-q", "--catalog", str(tmp_path / "c"), str(store)]
    )
    layers = tmp_path / "c" / "layers"
    while started.poll() is None and not (layers.is_dir() and list(layers.glob("[!.]*"))):
        pass
    started.kill()
    started.wait()
    kept = len(list(layers.glob("[!.]*.parquet")))
    assert kept >= 1
    done = run(tmp_path / "c", "scan", str(store))
    assert done.returncode == 0
    assert f"{8 - kept} layers read" in done.stderr


def test_query_reads_the_catalog_and_nothing_else(tmp_path: Path) -> None:
    """A SELECT over the tables answers; files outside, COPY, ATTACH and settings are refused."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    catalog = tmp_path / "c"
    run(catalog, "scan", "-q", str(tmp_path / "store"))
    asked = run(catalog, "query", "SELECT count(*) AS n FROM entries", "-f", "json")
    assert json.loads(asked.stdout) == [{"n": 3}]
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for statement in (
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM '{secret}'",
        f"COPY (SELECT 1) TO '{catalog}/out.csv'",
        f"ATTACH '{catalog}/new.db'",
        "SET enable_external_access = true",
        "SELECT 1; DROP TABLE node",
        "nonsense",
    ):
        done = run(catalog, "query", statement)
        assert (done.returncode, done.stdout) == (2, ""), statement
    assert not (catalog / "out.csv").exists()
    assert not (catalog / "new.db").exists()


def test_forgotten_scans_free_their_layers(tmp_path: Path) -> None:
    """Scans can be listed and forgotten; gc removes the layers that only they used."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    other = Image([tar_of([file("z", b"z" * 10)])], names=["other"])
    write_oci_layout(tmp_path / "other", [other])
    catalog = tmp_path / "c"
    run(catalog, "scan", "-q", str(tmp_path / "store"))
    run(catalog, "scan", "-q", str(tmp_path / "other"))
    scans = json.loads(run(catalog, "catalog", "list", "-f", "json").stdout)
    assert [scan["layers_read"] for scan in scans] == [2, 1]
    assert run(catalog, "catalog", "forget", scans[0]["scan"]).returncode == 0
    assert (
        "0 layers removed" in run(catalog, "catalog", "gc").stderr
    )  # layers of a recent scan are kept
    for row in (catalog / "layers").iterdir():
        os.utime(row, (1, 1))
    assert "2 layers removed" in run(catalog, "catalog", "gc").stderr
    assert run(catalog, "images").returncode == 0
    assert len(list((catalog / "layers").iterdir())) == 1
    assert run(catalog, "catalog", "forget", "nonsense").returncode == 5


def test_tables_as_parquet_keep_their_types(tmp_path: Path) -> None:
    """Parquet has the types of the query, even if there are no rows."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    catalog = tmp_path / "c"
    run(catalog, "scan", "-q", str(tmp_path / "store"))
    for command in ("images", "layers", "shadowed", "duplicates"):
        out = tmp_path / f"{command}.parquet"
        assert run(catalog, command, "-f", "parquet", "-o", str(out)).returncode == 0
        frame = pl.read_parquet(out)
        assert frame.height == len(json.loads(run(catalog, command, "-f", "json").stdout))
        assert pl.Null not in frame.dtypes


def test_explain_prints_the_query(tmp_path: Path) -> None:
    """--explain prints the query of a table instead of its rows."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    run(tmp_path / "c", "scan", "-q", str(tmp_path / "store"))
    shown = run(tmp_path / "c", "images", "--explain").stdout
    assert shown.startswith("-- queries/images.sql\n-- Question:")


def test_scans_of_a_vanished_source_are_forgotten(tmp_path: Path) -> None:
    """Forget --source removes the scans that have only that source."""
    for name in ("a", "b"):
        write_oci_layout(tmp_path / name, [IMAGE])
    catalog = tmp_path / "c"
    run(catalog, "scan", "-q", str(tmp_path / "a"))
    run(catalog, "scan", "-q", str(tmp_path / "a"), str(tmp_path / "b"))
    done = run(catalog, "catalog", "forget", "--source", str(tmp_path / "a"))
    assert "1 scan forgotten" in done.stderr
    assert len(json.loads(run(catalog, "catalog", "list", "-f", "json").stdout)) == 1


def test_rehash_replaces_damaged_rows(tmp_path: Path) -> None:
    """--rehash reads every layer again and replaces its rows."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    catalog, store = tmp_path / "c", str(tmp_path / "store")
    run(catalog, "scan", store)
    rows = next((catalog / "entries").iterdir())
    rows.write_bytes(b"damaged")
    assert "0 layers read" in run(catalog, "scan", store).stderr
    assert "2 layers read" in run(catalog, "scan", store, "--rehash").stderr
    assert run(catalog, "images").returncode == 0


def test_exit_code_is_4_if_no_layer_could_be_read(tmp_path: Path) -> None:
    """If no layer could be read, the exit code is that of layer errors."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    for blob in (tmp_path / "store/blobs/sha256").iterdir():
        if blob.read_bytes()[:2] == b"\x1f\x8b":
            blob.write_bytes(blob.read_bytes()[:-9])
    assert run(tmp_path / "c", "scan", str(tmp_path / "store")).returncode == 4


def test_tables_fit_a_screen_unless_all_is_asked_for(tmp_path: Path) -> None:
    """A table in text leaves out columns; --wide shows all."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    run(tmp_path / "c", "scan", "-q", str(tmp_path / "store"))
    narrow, wide = (run(tmp_path / "c", "images", *words).stdout for words in ([], ["--wide"]))
    assert "metadata_only" not in narrow
    assert "metadata_only" in wide
    assert max(map(len, narrow.splitlines())) < 160
