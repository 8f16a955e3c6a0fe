"""What takes the disk space: rows that add up to what du counts, and the owner of a path."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from builders import Image, file, tar_of, write_oci_layout
from builders.docker import DockerRoot
from builders.samples import APP, OTHER, WEB
from builders.storage import ContainersStorage
from helpers.scanning import scan_only
from here import PROJECT
from typer.testing import CliRunner, Result

from dedupe.cli.app import app
from dedupe.errors import DedupeError
from dedupe.report.disk import runnable

CONTAINER = "c" * 63 + "a"
LOST = "e" * 64


def du(path: Path) -> int:
    """Bytes on disk of a path, by ``du``."""
    done = subprocess.run(["du", "-sx", "-B1", path], check=True, capture_output=True)
    return int(done.stdout.split()[0])


def run(catalog: Path, *words: str) -> Result:
    """A call with this catalog, in this process."""
    return CliRunner().invoke(app, [words[0], "--catalog", str(catalog), *words[1:]])


def rows(catalog: Path, *words: str) -> list[dict[str, Any]]:
    """The rows of ``dedupe disk`` with these words, as JSON."""
    done = run(catalog, "disk", *words, "-f", "json")
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def whole(catalog: Path, *words: str) -> int:
    """The sum of these rows."""
    return sum(row["allocated_bytes"] for row in rows(catalog, *words))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two layouts that share blobs by hard links, a store, and other files."""
    folder = tmp_path_factory.mktemp("disk") / "place"
    write_oci_layout(folder / "one", [APP, WEB], attestation=True, artifact=True)
    write_oci_layout(folder / "group/two", [APP])
    for blob in (folder / "group/two/blobs/sha256").iterdir():
        if (same := folder / "one/blobs/sha256" / blob.name).exists():
            blob.unlink()
            os.link(same, blob)
    store = ContainersStorage(folder / "storage")
    store.add(APP)
    store.add(OTHER)
    store.container(CONTAINER, APP, tar_of([file("new", b"n" * 30_000)]))
    store.layer(LOST, None, tar_of([file("lost", b"l" * 50_000)]))
    store.write()
    (folder / "notes").mkdir()
    (folder / "notes/text").write_bytes(b"t" * 70_000)
    (folder / "notes/more").write_bytes(b"m" * 5_000)
    os.link(folder / "notes/text", folder / "one/again")
    return folder


@pytest.fixture(scope="module")
def catalog(place: Path) -> Path:
    """A catalog of that folder."""
    scan_only(place.parent / "catalog", place)
    return place.parent / "catalog"


@pytest.mark.parametrize("by", ["kind", "owner", "place"])
def test_rows_add_up_to_du(place: Path, catalog: Path, by: str) -> None:
    """In every grouping, with files of no source, and hard links between sources once."""
    assert whole(catalog, "--by", by) == du(place)


def test_a_source_or_folder_alone_adds_up(place: Path, catalog: Path) -> None:
    """Of one source, by path or with --source, and of a folder above sources."""
    assert whole(catalog, str(place)) == du(place)
    assert whole(catalog, str(place / "storage")) == du(place / "storage")
    assert whole(catalog, "--source", str(place / "storage")) == du(place / "storage")
    assert whole(catalog, "--source", str(place)) == du(place)


def test_a_folder_scanned_again_alone_counts_once(place: Path, tmp_path: Path) -> None:
    """Scans of a folder and of one in it have the same files, whichever was first."""
    for order in ((place, place / "notes"), (place / "notes", place)):
        catalog = tmp_path / order[0].name
        for each in order:
            scan_only(catalog, each)
        assert whole(catalog) == du(place)


def test_forms_have_the_same_sum(place: Path, catalog: Path) -> None:
    """The last row as text is the sum, and CSV has the same rows as JSON."""
    text = run(catalog, "disk", "--bytes").stdout
    assert text.splitlines()[-1].split() == [f"{du(place):,}", *["total:", "what", "du", "counts"]]
    lines = list(csv.DictReader(io.StringIO(run(catalog, "disk", "-f", "csv").stdout)))
    assert sum(int(line["allocated_bytes"]) for line in lines) == du(place)
    assert all(len(line) <= 80 + len(str(place)) for line in text.splitlines())
    report = json.loads(run(catalog, "report", "-f", "json").stdout)
    assert [row | {"owner": None} for row in report["disk"]] == [
        dict(sorted(row.items(), key=lambda item: item[0] == "owner")) for row in rows(catalog)
    ]
    assert sum(row["allocated_bytes"] for row in report["disk_owners"]) == du(place)


def test_kinds_and_owners_are_named(place: Path, catalog: Path) -> None:
    """Owners of a shared layer and of a container's; files of no source have none."""
    found = {
        (row["source"], row["kind"], row["owner"]): row for row in rows(catalog, "--by", "owner")
    }
    one, storage = str(place / "one"), str(place / "storage")
    assert found[one, "layer", "docker.io/library/app:1 and 1 more"]["places"] == 1
    assert found[storage, "container", "busy"]["file_bytes"] >= 30_000
    assert found[str(place), "unrecognised", None]["files"] == 1
    assert {"artifact", "attestation", "metadata"} <= {kind for at, kind, _ in found if at == one}
    assert (
        whole(catalog, "--kind", "container")
        == found[storage, "container", "busy"]["allocated_bytes"]
    )


def owner_text(catalog: Path, path: Path | str, folder: Path | None = None) -> str:
    """What is printed about a path, called in this folder."""
    words = ["disk", str(path)]
    here = Path.cwd()
    os.chdir(folder or here)
    try:
        done = run(catalog, *words)
    finally:
        os.chdir(here)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_a_folder_in_a_store_has_its_images_and_commands(place: Path, catalog: Path) -> None:
    """All images that need a layer are named, with the commands that free it."""
    blob = APP.diff_ids[0]
    (row, *_) = [
        row
        for row in rows(catalog, "--by", "place", "--source", str(place / "storage"))
        if row["subject"] == APP.chain_ids[0]
    ]
    tree = place / "storage" / row["path"] / "diff/etc"
    text = owner_text(catalog, tree)
    assert f"part of: {tree.parent.parent}\n" in text
    assert f"chain ID: {APP.chain_ids[0]}\n" in text
    assert f"  image {APP.names[0]}\n" in text
    assert f"podman --root {place / 'storage'} rmi -- {APP.names[0]}\n" in text
    assert blob


def test_a_path_may_be_relative_or_a_link(place: Path, catalog: Path, tmp_path: Path) -> None:
    """A relative path, a link to a folder of the store, and the path itself give one answer."""
    path = place / "storage/overlay" / CONTAINER[::-1]
    text = owner_text(catalog, path)
    assert "used by\n  container busy\n" in text
    (tmp_path / "link").symlink_to(path)
    assert owner_text(catalog, "../storage/overlay/" + path.name, place / "one") == text
    assert owner_text(catalog, tmp_path / "link") == text


def test_a_path_behind_a_link_of_the_store_has_its_owner(tmp_path: Path) -> None:
    """A folder that the store has on another disk is found by both of its paths."""
    store = DockerRoot(tmp_path / "host/docker")
    store.add(APP)
    moved = tmp_path / "host/disk/overlay2"
    moved.parent.mkdir()
    shutil.move(store.root / "overlay2", moved)
    (store.root / "overlay2").symlink_to(moved)
    scan_only(tmp_path / "catalog", tmp_path / "host")
    tree = store.tree(APP.chain_ids[0])
    texts = [
        owner_text(tmp_path / "catalog", path)
        for path in (tree, moved / tree.relative_to(store.root / "overlay2"))
    ]
    assert all(f"  image {APP.names[0]}\n" in text for text in texts)


def test_a_folder_with_several_places_is_listed(place: Path, catalog: Path) -> None:
    """Its rows are listed by owner, and what is in none of them counts elsewhere."""
    text = owner_text(catalog, place / "storage/overlay")
    assert "container layers: busy\n" in text
    text = owner_text(catalog, place / "group")
    assert text.endswith(f"What else is in {place / 'group'} is unrecognised of {place}.\n")


def test_an_unknown_path_is_scanned_first(tmp_path: Path) -> None:
    """With an empty catalog, and beside another source; a second call reads nothing."""
    for image in (APP, OTHER):
        write_oci_layout(tmp_path / image.names[0].rpartition("/")[2], [image])
    for image in (APP, OTHER):
        layout = tmp_path / image.names[0].rpartition("/")[2]
        done = run(tmp_path / "catalog", "disk", str(layout), "--bytes")
        assert "was never scanned: reading it first" in done.stderr
        assert f"{du(layout):,}" in done.stdout.splitlines()[-1]
        assert "never" not in run(tmp_path / "catalog", "disk", str(layout)).stderr


def test_a_damaged_store_still_adds_up(tmp_path: Path) -> None:
    """What could not be read comes first, and no byte is called unreferenced."""
    store = ContainersStorage(tmp_path / "storage")
    store.add(APP)
    store.layer(LOST, None, tar_of([file("lost", b"l" * 50_000)]))
    store.write()
    images = store.root / "overlay-images/images.json"
    images.write_text(images.read_text()[:-9])
    done = run(tmp_path / "catalog", "disk", str(store.root), "--bytes")
    assert done.exit_code == 3
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith(f"INCOMPLETE: the last scan found nothing at {store.root}")
    assert second.startswith(f"INCOMPLETE: {store.root}: not all references could be read")
    assert done.stdout.splitlines()[-1].split()[0] == f"{du(store.root):,}"
    assert "unreferenced  " not in done.stdout


def test_a_path_that_changed_after_its_scan_is_marked(tmp_path: Path) -> None:
    """A folder that was made later may be of an image that no scan has seen."""
    store = ContainersStorage(tmp_path / "storage")
    store.add(APP)
    store.write()
    scan_only(tmp_path / "catalog", store.root)
    store.layer(LOST, None, tar_of([file("lost", b"l" * 50)]))
    text = owner_text(tmp_path / "catalog", store.root / "overlay" / LOST)
    assert text.startswith(f"INCOMPLETE: {store.root}/overlay/{LOST} was changed after the scan")
    text = owner_text(tmp_path / "catalog", store.root / "overlay/other")
    assert text.startswith(f"INCOMPLETE: there is no {store.root}/overlay/other now.\n")


def kept_files(catalog: Path) -> list[Path]:
    """Files of a catalog, without the folders that open sessions may spill into."""
    paths = (path for path in catalog.rglob("*") if path.is_file())
    return sorted(path for path in paths if ".tmp-spill-" not in str(path))


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/nowhere/at/all", 3, "/nowhere/at/all: no such file or directory"),
        ("s3://bucket/prefix", 5, "s3://bucket/prefix: no disk usage of it is known: an object"),
    ],
)
def test_a_path_without_disk_usage_is_one_error(
    catalog: Path, path: str, code: int, message: str
) -> None:
    """One line and its fix; a mistyped path leaves nothing in the catalog."""
    before = kept_files(catalog)
    done = run(catalog, "disk", path)
    assert isinstance(done.exception, DedupeError)
    assert (done.exception.exit_code, done.stdout) == (code, "")
    assert done.exception.message.startswith(message)
    assert kept_files(catalog) == before


def _scan_as_nobody(store: Path, catalog: Path) -> None:
    """Scan a layout with a folder that only root can read."""
    write_oci_layout(store, [APP])
    (store / "closed").mkdir(mode=0o700)
    (store / "closed/file").write_bytes(b"c" * 9_000)
    catalog.mkdir(mode=0o777)
    catalog.chmod(0o777)
    # a process of its own: a fork of this one has none of the threads that it counts on
    done = subprocess.run(
        [
            *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
            *(sys.executable, "-m", "dedupe", "scan", "-q", "--catalog", catalog, store),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "HOME": str(catalog)},
    )
    assert done.returncode == 1, done.stderr


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become another user, by setpriv",
)
def test_a_folder_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """Its row has no bytes, and the sum is a lower bound."""
    # pytest's folders are closed to other users again when another run starts
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        _scan_as_nobody(Path(folder) / "layout", Path(folder) / "catalog")
        shutil.move(Path(folder) / "catalog", tmp_path / "catalog")
    catalog = tmp_path / "catalog"
    (unknown,) = [row for row in rows(catalog) if row["kind"] == "unknown"]
    assert unknown["allocated_bytes"] is None
    assert "permission denied" in unknown["unknown"]
    text = run(catalog, "disk").stdout
    assert "unknown" in text
    assert "≥" in text.splitlines()[-2]
    report = run(catalog, "report").stdout
    assert "On disk: ≥" in report


def test_commands_with_escaped_names_are_not_shown() -> None:
    """No tool knows a name with escaped characters, so the command would be wrong."""
    assert runnable(["docker", "volume", "rm", "a b"]) == "docker volume rm 'a b'"
    assert runnable(["docker", "volume", "rm", "a\\x0a"]) == ""


def test_an_image_of_an_archive_is_its_owner(tmp_path: Path) -> None:
    """A path that is one file, and a source, has its images as holders."""
    (tmp_path / "layer.tar").write_bytes(Image([tar_of([file("a")])]).layers[0])
    scan_only(tmp_path / "catalog", tmp_path / "layer.tar")
    text = owner_text(tmp_path / "catalog", tmp_path / "layer.tar")
    assert "used by\n  image layer.tar\n" in text
    assert f"rm -- {tmp_path / 'layer.tar'}\n" in text


def test_a_folder_with_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    """It is not a store, and the scan has said so."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/file").write_bytes(b"f")
    done = run(tmp_path / "catalog", "disk", str(tmp_path / "plain"))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "nothing that can be read" in done.stderr
