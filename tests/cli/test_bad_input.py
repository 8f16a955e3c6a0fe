"""Hostile input on the command line gives one clear error, and the rest is scanned."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import (
    Image,
    directory,
    file,
    json_of,
    raw,
    symlink,
    tar_of,
    v1_ids,
    write_docker_archive,
    write_oci_layout,
)
from helpers.commands import run
from helpers.scanning import codes, scanned

GOOD = Image([tar_of([file("good", b"3" * 77)])], names=["localhost/good:1"])
OTHER = Image([tar_of([file("other", b"4" * 88)])], names=["localhost/other:1"])

#: an unprivileged user, and the command that runs another as this user
UNPRIVILEGED = 65534
AS_USER = ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]


def dedupe(catalog: Path, *words: str, prefix: list[str] | None = None) -> tuple[int, list[str]]:
    """Return the exit code of a command and the errors among its lines on standard error."""
    if prefix:
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "dedupe", *words],
            env={**os.environ, "DEDUPE_CATALOG": str(catalog), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    else:
        done = run(catalog, *words)
    return done.returncode, [
        line for line in done.stderr.splitlines() if line.startswith("dedupe: error:")
    ]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that other users can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="dedupe-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
@pytest.mark.parametrize("place", ["a folder on the way", "the blobs", "one blob"])
def test_missing_permission_is_one_error_and_the_rest_is_scanned(
    place: str, open_folder: Path
) -> None:
    """The error names what cannot be read; the store beside it is catalogued."""
    probe = [*AS_USER, sys.executable, "-c", "import dedupe.cli"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("the interpreter is in a folder that another user cannot reach")
    images = open_folder / "images"
    contents = write_oci_layout(images / "closed", [OTHER])
    write_oci_layout(images / "good", [GOOD])
    (digest,) = contents.layers[OTHER.image_id]
    closed = {
        "a folder on the way": images / "closed",
        "the blobs": images / "closed/blobs",
        "one blob": images / "closed/blobs/sha256" / digest[7:],
    }[place]
    closed.chmod(0)
    catalog = open_folder / "catalog"
    catalog.mkdir()
    os.chown(catalog, UNPRIVILEGED, UNPRIVILEGED)
    code, errors = dedupe(catalog, "scan", str(images), prefix=AS_USER)
    assert code == 1
    (error,) = errors
    assert str(images / "closed") in error
    assert "[permission-denied]" in error
    code, _ = dedupe(catalog, "images", prefix=AS_USER)
    assert code == 0


def test_the_last_of_two_manifests_counts(tmp_path: Path) -> None:
    """The last manifest.json is read, as docker does, and having two is an error."""
    write_docker_archive(tmp_path / "first.tar", [GOOD], "podman")
    write_docker_archive(tmp_path / "both.tar", [OTHER], "podman")
    end = b"\0" * 1024
    joined = b"".join(
        (tmp_path / name).read_bytes().removesuffix(end) for name in ("first.tar", "both.tar")
    )
    (tmp_path / "first.tar").unlink()
    (tmp_path / "both.tar").write_bytes(joined + end)
    code, errors = dedupe(tmp_path / "c", "scan", str(tmp_path))
    assert code == 1
    (error,) = errors
    assert "more than once in the archive: manifest.json, repositories;" in error
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "both.tar")
    assert codes(outcome) == ["duplicate-member"]
    assert [row["image_id"] for row in session.rows("images")] == [OTHER.image_id]


def test_hostile_names_in_a_layer_are_kept_and_flagged(tmp_path: Path) -> None:
    """Names with ``..`` and of 5,000 bytes are kept as they unpack, and flagged as notes."""
    long = b"x" * 5000
    deep = b"/".join([b"y" * 200] * 25)
    layer = tar_of(
        [
            raw(b"../../etc/passwd", content=b"1" * 10),
            raw(b"a/../../b/./c", content=b"2" * 20),
            raw(long, content=b"3" * 40),
            raw(deep, content=b"4" * 80),
            raw(b"z" * 255, content=b"5" * 160),
        ]
    )
    write_oci_layout(tmp_path / "store", [Image([layer], names=["i"])])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.errors) == ([], 0)
    found = {
        row["path"]: (row["size_bytes"], row["flags"], row["raw_name"])
        for row in session.ask("SELECT * FROM entries").dicts()
    }
    assert found == {
        "etc/passwd": (10, "dotdot", b"../../etc/passwd"),
        "b/c": (20, "dotdot", b"a/../../b/./c"),
        long.decode(): (40, "name-too-long", None),
        deep.decode(): (80, "name-too-long", None),
        "z" * 255: (160, None, None),
    }
    flagged = [row for row in session.rows("problems") if row["code"] == "entry-flagged"]
    assert len(flagged) == 4
    assert {row["severity"] for row in flagged} == {"note"}


def test_link_out_of_an_archive_is_refused(tmp_path: Path) -> None:
    """A layer.tar that links out of its archive is refused; the image beside it is catalogued."""
    (v1,) = v1_ids(OTHER)
    listed = [
        {"Config": f"{one.image_id[7:]}.json", "RepoTags": list(one.names), "Layers": [layer]}
        for one, layer in ((OTHER, f"{v1}/layer.tar"), (GOOD, "good.tar"))
    ]
    members = [
        directory(v1),
        symlink(f"{v1}/layer.tar", "../../../etc/passwd"),
        file("good.tar", GOOD.layers[0]),
        *(file(f"{one.image_id[7:]}.json", one.config) for one in (OTHER, GOOD)),
        file("manifest.json", json_of(listed)),
    ]
    (tmp_path / "saved.tar").write_bytes(tar_of(members))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    assert codes(outcome) == ["link-outside"]
    live = {row["name"]: row["live_bytes"] for row in session.rows("images") if row["complete"]}
    assert live == {"localhost/good:1": 77}


def test_v1_layer_that_is_its_own_ancestor_is_one_error(tmp_path: Path) -> None:
    """A cycle of v1 layers is not followed endlessly."""
    (v1,) = v1_ids(OTHER)
    members = [
        file(f"{v1}/json", json_of({"id": v1, "parent": v1})),
        file(f"{v1}/layer.tar", OTHER.layers[0]),
        file("repositories", json_of({"localhost/other": {"1": v1}})),
    ]
    (tmp_path / "old.tar").write_bytes(tar_of(members))
    write_oci_layout(tmp_path / "good", [GOOD])
    outcome, session = scanned(tmp_path / "catalog", tmp_path)
    assert codes(outcome) == ["index-cycle"]
    assert [row["name"] for row in session.rows("images")] == ["localhost/good:1"]


def test_bad_stores_do_not_stop_a_good_one(tmp_path: Path) -> None:
    """Each bad store is an error, the good one has its figures, and the exit code is 1."""
    for number, name in enumerate(("cut", "gone", "text")):
        one = Image([tar_of([file(name, os.urandom(3000))])], names=[name])
        contents = write_oci_layout(tmp_path / "images" / name, [one], "gzip")
        blob = tmp_path / "images" / name / "blobs/sha256" / contents.layers[one.image_id][0][7:]
        if number == 0:
            blob.write_bytes(blob.read_bytes()[:-100])
        elif number == 1:
            blob.unlink()
        else:
            (tmp_path / "images" / name / "index.json").write_text("{")
    write_oci_layout(tmp_path / "images/good", [GOOD])
    code, errors = dedupe(tmp_path / "c", "scan", str(tmp_path / "images"))
    assert code == 1
    found = {error.rpartition("[")[2].rstrip("]") for error in errors}
    assert found >= {"gzip-truncated", "blob-missing", "not-json"}
    done = run(tmp_path / "c", "images", "-f", "json")
    assert done.returncode == 0
    live = {row["name"]: row["live_bytes"] for row in json.loads(done.stdout)}
    assert live["localhost/good:1"] == 77
