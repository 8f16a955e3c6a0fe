"""Commands as users run them: output, exit codes, hostile names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
from builders import Image, file, raw, tar_of, whiteout, write_oci_layout
from helpers.commands import run

IMAGE = Image(
    [tar_of([file("a", b"1" * 100), file("b", b"1" * 100)]), tar_of([whiteout("a")])],
    names=["localhost/app:1"],
    history=[{"created_by": "COPY a b"}, {"created_by": "RUN rm a"}],
)


def test_a_scan_proposes_a_report_that_works(tmp_path: Path) -> None:
    """A scan exits with 0 and proposes the next command; the JSON report has its keys."""
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


def test_each_listing_has_a_table_json_and_csv(tmp_path: Path) -> None:
    """Each listing answers as a table, as JSON and as CSV."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    run(tmp_path / "catalog", "scan", "-q", str(tmp_path / "store"))
    for command in ("images", "layers", "shadowed", "duplicates", "tree"):
        for form in ("table", "json", "csv"):
            done = run(tmp_path / "catalog", command, "--format", form)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.count("\n") >= 2
    done = run(tmp_path / "catalog", "tree")
    assert "localhost/app:1" in done.stdout


def test_each_error_has_its_exit_code(tmp_path: Path) -> None:
    """1 if something was skipped, 2 for usage, 3 if nothing could be read, 5 without a catalog."""
    broken = Image([tar_of([file("x", b"1" * 5000)])], names=["broken"])
    contents = write_oci_layout(tmp_path / "store", [IMAGE, broken], "gzip")
    digest = contents.layers[broken.image_id][0]
    blob = tmp_path / "store/blobs/sha256" / digest[7:]
    blob.write_bytes(blob.read_bytes()[:-9])
    assert run(tmp_path / "none", "report").returncode == 5
    assert run(tmp_path / "c", "scan", str(tmp_path / "store")).returncode == 1
    assert run(tmp_path / "c", "scan").returncode == 2
    assert run(tmp_path / "c", "scan", str(tmp_path / "absent")).returncode == 3
    assert run(tmp_path / "c", "images", "--sort", "nonsense").returncode == 2


def test_hostile_paths_and_steps_stay_text(tmp_path: Path) -> None:
    """Escapes, line breaks and bytes that are not UTF-8 stay text in paths and build steps."""
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


def test_the_next_scan_completes_a_killed_one(tmp_path: Path) -> None:
    """A killed scan leaves a whole catalog; the next scan reads what was missing."""
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


def test_scans_are_listed_forgotten_and_collected(tmp_path: Path) -> None:
    """Scans are listed and forgotten; gc removes layers that only forgotten scans had."""
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


def test_parquet_has_the_types_of_the_query(tmp_path: Path) -> None:
    """Parquet has the types of the query, even without rows, and is not written to a terminal."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    catalog = tmp_path / "c"
    run(catalog, "scan", "-q", str(tmp_path / "store"))
    for command in ("images", "layers", "shadowed", "duplicates"):
        out = tmp_path / f"{command}.parquet"
        assert run(catalog, command, "-f", "parquet", "-o", str(out)).returncode == 0
        frame = pl.read_parquet(out)
        assert frame.height == len(json.loads(run(catalog, command, "-f", "json").stdout))
        assert pl.Null not in frame.dtypes


def test_explain_prints_the_query_of_a_table(tmp_path: Path) -> None:
    """--explain prints the query behind a table."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    run(tmp_path / "c", "scan", "-q", str(tmp_path / "store"))
    shown = run(tmp_path / "c", "images", "--explain").stdout
    assert shown.startswith("-- queries/images.sql\n-- Question:")


def test_forget_source_removes_scans_of_that_source_alone(tmp_path: Path) -> None:
    """Forget --source removes the scans that hold nothing but that source."""
    for name in ("a", "b"):
        write_oci_layout(tmp_path / name, [IMAGE])
    catalog = tmp_path / "c"
    run(catalog, "scan", "-q", str(tmp_path / "a"))
    run(catalog, "scan", "-q", str(tmp_path / "a"), str(tmp_path / "b"))
    done = run(catalog, "catalog", "forget", "--source", str(tmp_path / "a"))
    assert "1 scan forgotten" in done.stderr
    assert len(json.loads(run(catalog, "catalog", "list", "-f", "json").stdout)) == 1


def test_rehash_reads_every_layer_again(tmp_path: Path) -> None:
    """--rehash reads each layer again, known or not, and replaces its rows."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    catalog, store = tmp_path / "c", str(tmp_path / "store")
    run(catalog, "scan", store)
    rows = next((catalog / "entries").iterdir())
    rows.write_bytes(b"damaged")
    assert "0 layers read" in run(catalog, "scan", store).stderr
    assert "2 layers read" in run(catalog, "scan", store, "--rehash").stderr
    assert run(catalog, "images").returncode == 0


def test_exit_code_4_if_no_layer_could_be_read(tmp_path: Path) -> None:
    """If no layer could be read, the exit code is that of layer errors."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    for blob in (tmp_path / "store/blobs/sha256").iterdir():
        if blob.read_bytes()[:2] == b"\x1f\x8b":
            blob.write_bytes(blob.read_bytes()[:-9])
    assert run(tmp_path / "c", "scan", str(tmp_path / "store")).returncode == 4


def test_only_tables_for_a_screen_leave_columns_out(tmp_path: Path) -> None:
    """A table on a screen leaves columns out; --wide and forms for programs have them all."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    run(tmp_path / "c", "scan", "-q", str(tmp_path / "store"))
    narrow, wide = (run(tmp_path / "c", "images", *words).stdout for words in ([], ["--wide"]))
    assert "metadata_only" not in narrow
    assert "metadata_only" in wide
    assert max(map(len, narrow.splitlines())) < 160
