"""Writable layers of containers: judged by the oracle and by podman's containers."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import oracle
import pytest
from builders import Image, Layer, directory, file, tar_of, write_bare_tar, write_oci_layout
from helpers.examples import examples
from helpers.scanning import Silence, codes, scanned
from helpers.strategies import layers as random_layers
from helpers.strategies import stacks
from here import PROJECT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedupe.model.images import BlobRef, FoundContainer, FoundSource, TreeRef
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog
from dedupe.store.session import Session


@st.composite
def branches(draw: st.DrawFn) -> tuple[tuple[Layer, ...], Layer]:
    """Layers of an image, and what a container may have above them."""
    below = draw(stacks())
    upper = {
        member.path: member
        for member in draw(random_layers(below))
        if member.kind in "fdwo" and not (member.kind == "o" and not member.path)
    }
    return below, tuple(upper.values())


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(branch=branches())
def test_random_containers_are_the_oracles(branch: tuple[tuple[Layer, ...], Layer]) -> None:
    """Every figure of a container is the oracle's, and the container counts nowhere else."""
    below, upper = branch
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        image = Image([tar_of(layer) for layer in below], names=["one"])
        write_oci_layout(place / "store", [image], "none")
        # one more folder, so that the container's layer is not a layer of the image
        write_bare_tar(place / "upper.tar", tar_of([*upper, directory("only/here")]))
        (source,) = discover([place / "store"], Selection())
        assert isinstance(source, FoundSource)
        blob = BlobRef(place / "upper.tar", (), 0, (place / "upper.tar").stat().st_size)
        without = scan_sources([source], Catalog(place / "a"), Silence(), workers=1)
        assert without.errors == 0
        source.containers = [
            # a tar in place of the folder: both are read into the same rows
            FoundContainer("c" * 64, "box", image.image_id, "one", blob)  # type: ignore[arg-type]
        ]
        scan_sources([source], Catalog(place / "b"), Silence(), workers=1)
        session, bare = Session(place / "b"), Session(place / "a")
        (row,) = session.rows("containers")
        expected = oracle.container(below, upper)
        assert {name: row[name] for name in expected} == expected
        for query in ("images", "layers", "shadowed_files", "duplicates"):
            assert session.rows(query) == bare.rows(query)
        session.close()
        bare.close()


def test_what_overlay_keeps_elsewhere_is_noted_for_its_container(tmp_path: Path) -> None:
    """Files without their content and renamed folders have one note each, with the first path."""
    image = Image([tar_of([file("a", b"1" * 10), directory("d"), file("d/x", b"2")])], names=["i"])
    write_oci_layout(tmp_path / "store", [image], "none")
    upper = tmp_path / "upper"
    for name in ("moved", "new"):
        (upper / name).mkdir(parents=True)
    for name in ("a", "b"):
        (upper / name).write_bytes(b"")
        os.setxattr(upper / name, "user.overlay.metacopy", b"")
    os.setxattr(upper / "moved", "user.overlay.redirect", b"/d")
    (source,) = discover([tmp_path / "store"], Selection())
    assert isinstance(source, FoundSource)
    branch = TreeRef(tmp_path, ("upper",))
    for name, label in (("1", "box"), ("2", None)):
        source.containers.append(
            FoundContainer(name * 64, label, image.image_id, "i", branch)  # type: ignore[arg-type]
        )
    scan_sources([source], Catalog(tmp_path / "catalog"), Silence(), workers=1)
    rows = [
        (row["code"], row["subject"][0], row["message"].partition(" (")[0])
        for row in Session(tmp_path / "catalog").rows("problems")
        if row["code"].startswith("overlay-")
    ]
    only = "overlay keeps only the new metadata of 2 files, the first is a: they count as 0 bytes, "
    moved = "overlay shows what the image has below a former name of 1 entries, the first is moved"
    assert [row[:2] for row in rows] == [
        ("overlay-metacopy", "1"),
        ("overlay-redirect", "1"),
        ("overlay-metacopy", "2"),
        ("overlay-redirect", "2"),
    ]
    assert rows[0][2].startswith("box: " + only)
    assert rows[1][2].startswith("box: " + moved)
    assert rows[2][2].startswith("2" * 64 + ": " + only)


@pytest.fixture
def podman(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Podman with folders of its own, whose store has one image of two layers."""
    driver = getattr(request, "param", "overlay")
    if shutil.which("podman") is None or shutil.which("skopeo") is None:
        pytest.skip("podman and skopeo are not installed")
    # podman refuses a longer path
    run = Path(tempfile.mkdtemp(prefix="run-"))
    root = tmp_path / "root"
    members = [
        directory("srv"),
        *(file(f"srv/f{number}", bytes([number]) * 1000, mode=0o644) for number in range(8)),
    ]
    image = Image([tar_of(members), tar_of([file("top", b"t" * 70)])], names=["localhost/app:1"])
    write_oci_layout(tmp_path / "layout", [image])
    copied = subprocess.run(
        [
            "skopeo",
            "--insecure-policy",
            "copy",
            "-q",
            f"oci:{tmp_path / 'layout'}:localhost/app:1",
            f"containers-storage:[{driver}@{root}+{run}]localhost/app:1",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if copied.returncode:
        pytest.skip(f"no {driver} storage here: {copied.stderr[-200:]}")
    yield ["podman", "--root", str(root), "--runroot", str(run), "--storage-driver", driver]
    subprocess.run(["umount", "-R", str(root / "overlay")], check=False, capture_output=True)
    shutil.rmtree(run, ignore_errors=True)


@pytest.mark.tools
def test_changes_of_a_podman_container_are_classified(podman: list[str], tmp_path: Path) -> None:
    """Files that were written, appended to, renamed, deleted or only got a mode are counted so."""

    def do(*words: str) -> str:
        done = subprocess.run([*podman, *words], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    made = do("create", "--name", "box", "localhost/app:1", "/none")
    place = Path(do("mount", "box")) / "srv"
    (place / "new").write_bytes(b"n" * 500)
    (place / "f0").chmod(0o600)
    with (place / "f1").open("ab") as grown:
        grown.write(b"more")
    (place / "f2").unlink()
    (place / "f3").rename(place / "moved")
    do("umount", "box")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "root")
    assert codes(outcome) == []
    (row,) = session.rows("containers")
    assert (row["name"], row["image"], row["ro_branches"]) == ("box", "localhost/app:1", 2)
    assert row["container_id"] == made
    assert not row["running"]
    # only a new mode: without metacopy the whole file was copied
    kept = row["metadata_only_bytes"]
    assert kept in (0, 1000)
    assert row["copied_up_bytes"] == 1004 + kept
    assert row["new_bytes"] == 500 + 1000
    assert (row["hidden_bytes"], row["deletions"]) == (2000, 2)
    assert row["container_cow_savings_bytes"] == 8070
    copied = {each["path"]: each for each in session.rows("copied_up")}
    assert {path: each["metadata_only"] for path, each in copied.items()} == {
        "srv/f0": True,
        "srv/f1": False,
    }
    assert copied["srv/f0"]["changed_fields"] == ["mode"]
    assert copied["srv/f0"]["position"] == 0


@pytest.mark.tools
@pytest.mark.parametrize("podman", ["overlay", "vfs"], indirect=True)
def test_containers_storage_has_the_figures_of_its_layout(
    podman: list[str], tmp_path: Path
) -> None:
    """Images, layers, entries and figures are those of the layout that was copied in."""
    _, layout = scanned(tmp_path / "a", tmp_path / "layout")
    outcome, store = scanned(tmp_path / "b", tmp_path / "root")
    assert codes(outcome) == []
    entries = "SELECT * FROM entries ORDER BY ALL"
    assert store.ask(entries).rows == layout.ask(entries).rows
    layers = "SELECT diff_id, content_bytes, entries, files, tar_bytes FROM layers ORDER BY ALL"
    assert store.ask(layers).rows == layout.ask(layers).rows
    assert {row[0] for row in store.ask("SELECT verified FROM layers").rows} == {"rebuild"}
    (source,) = store.rows("sources")
    du = subprocess.run(["du", "-sxB1", str(tmp_path / "root")], check=True, capture_output=True)
    assert source["allocated_bytes"] == pytest.approx(int(du.stdout.split()[0]), rel=0.01)
    for one, other in zip(store.rows("images"), layout.rows("images"), strict=True):
        same = set(one) - {"sources", "exclusive_compressed", "attributed_compressed"}
        if "vfs" in podman:
            # each layer has the files of those below it too
            same -= {"exclusive_unpacked", "attributed_unpacked"}
            assert one["exclusive_unpacked"] >= other["exclusive_unpacked"]
        assert {name: one[name] for name in same} == {name: other[name] for name in same}


SPOILS = {
    "damaged images.json": ("bad JSON", "overlay-images/images.json", {"not-json"}),
    # that its images have no layers follows from it
    "damaged layers.json": ("bad JSON", "overlay-layers/layers.json", {"not-json"}),
    "a layer that was deleted": ("drop", "overlay-layers/layers.json", {"layer-missing"}),
    "an incomplete layer": ("incomplete", "overlay-layers/layers.json", {"layer-incomplete"}),
    "a layer's own ancestor": ("cycle", "overlay-layers/layers.json", {"layer-cycle"}),
    "an ID that is a path": ("path", "overlay-layers/layers.json", {"bad-record", "layer-missing"}),
}


@pytest.mark.tools
@pytest.mark.parametrize("name", SPOILS)
def test_a_damaged_record_is_reported_once(name: str, podman: list[str], tmp_path: Path) -> None:
    """Each damage is one problem, and the sound store beside it is read."""
    how, where, expected = SPOILS[name]
    target = tmp_path / "root" / where
    records = json.loads(target.read_bytes())
    match how:
        case "bad JSON":
            target.write_text("[{")
        case "drop":
            target.write_text(json.dumps(records[1:]))
        case "incomplete":
            records[0]["flags"] = {"incomplete": True}
            target.write_text(json.dumps(records))
        case "cycle":
            records[0]["parent"] = records[1]["id"]
            target.write_text(json.dumps(records))
        case "path":
            records[0]["id"] = "../../../etc"
            target.write_text(json.dumps(records))
    write_oci_layout(tmp_path / "good", [Image([tar_of([file("a", b"a")])], names=["good:1"])])
    outcome, session = scanned(tmp_path / "c", tmp_path / "root", tmp_path / "good")
    assert {problem.code for problem in outcome.problems} == expected
    assert "good:1" in [name for row in session.rows("images") for name in row["names"]]


@pytest.mark.tools
def test_layers_of_another_root_complete_an_image(podman: list[str], tmp_path: Path) -> None:
    """An image with layers in another root is complete if that root is scanned too."""
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "root/overlay-images", other / "overlay-images")
    alone, _ = scanned(tmp_path / "a", other)
    assert codes(alone) == ["layer-missing"]
    both, session = scanned(tmp_path / "b", other, tmp_path / "root")
    assert codes(both) == []
    (row,) = session.rows("images")
    assert row["complete"]
    assert len(row["sources"]) == 2


@pytest.mark.tools
def test_a_changed_file_makes_the_folder_walked(podman: list[str], tmp_path: Path) -> None:
    """If tar-split data no longer fits its folder, the folder is walked, and proves no diff ID."""
    (changed,) = (tmp_path / "root/overlay").glob("*/diff/srv/f5")
    changed.write_bytes(b"longer than it was" * 100)
    outcome, session = scanned(tmp_path / "c", tmp_path / "root")
    assert "split-unusable" in codes(outcome)
    proofs = dict(session.ask("SELECT verified, count(*) FROM layers GROUP BY ALL").rows)
    assert proofs == {"none": 1, "rebuild": 1}
    (row,) = session.rows("images")
    assert row["content_bytes"] == 7 * 1000 + 1800 + 70


@pytest.mark.tools
@pytest.mark.parametrize("podman", ["vfs"], indirect=True)
def test_a_container_on_a_whole_tree_counts_the_difference(
    podman: list[str], tmp_path: Path
) -> None:
    """If a container has a copy of the whole tree, only what differs counts as its own."""
    subprocess.run([*podman, "create", "--name", "box", "localhost/app:1", "/none"], check=True)
    place = subprocess.run(
        [*podman, "mount", "box"], check=True, capture_output=True, text=True
    ).stdout.strip()
    (Path(place) / "srv/new").write_bytes(b"n" * 500)
    (Path(place) / "srv/f2").unlink()
    _, session = scanned(tmp_path / "catalog", tmp_path / "root")
    (row,) = session.rows("containers")
    assert (row["upper_bytes"], row["copied_up_bytes"], row["hidden_bytes"]) == (500, 0, 1000)


@pytest.mark.tools
def test_a_live_store_is_scanned_without_disturbing_podman(
    podman: list[str], tmp_path: Path
) -> None:
    """While images come and go, no scan fails and no podman command waits for one."""
    image = Image(
        [tar_of([file(f"f{number}", bytes([number]) * 3000) for number in range(50)])],
        names=["localhost/guest:1"],
    )
    write_oci_layout(tmp_path / "guest", [image])
    root, run = podman[2], podman[4]
    ended = time.monotonic() + float(os.environ.get("DEDUPE_LIVE_SECONDS", "8"))
    failed: list[str] = []

    def come_and_go() -> None:
        while time.monotonic() < ended:
            for words in (
                [
                    *("skopeo", "--insecure-policy", "copy", "-q"),
                    f"oci:{tmp_path / 'guest'}:localhost/guest:1",
                    f"containers-storage:[overlay@{root}+{run}]localhost/guest:1",
                ],
                [*podman, "rmi", "localhost/guest:1"],
            ):
                done = subprocess.run(words, check=False, capture_output=True, text=True)
                failed.extend([done.stderr] if done.returncode else [])

    worker = threading.Thread(target=come_and_go)
    worker.start()
    scans = 0
    while worker.is_alive():
        outcome, session = scanned(tmp_path / f"c{scans}", tmp_path / "root")
        assert "internal-error" not in codes(outcome)
        names = [name for row in session.rows("images") for name in row["names"]]
        assert "localhost/app:1" in names
        scans += 1
    worker.join()
    assert failed == []
    assert scans > 1
    outcome, _ = scanned(tmp_path / "last", tmp_path / "root")
    assert codes(outcome) == []


@pytest.mark.tools
def test_a_store_of_another_user_is_one_error(podman: list[str], tmp_path: Path) -> None:
    """A store without permission is one error with advice, and not listed as empty."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become another user, by setpriv")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    (tmp_path / "root").chmod(0o755)
    for folder in ("overlay", "overlay-images", "overlay-layers"):
        (tmp_path / "root" / folder).chmod(0o700)
    catalog = tmp_path / "open"
    catalog.mkdir(mode=0o777)
    catalog.chmod(0o777)
    done = subprocess.run(
        [
            *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
            *(sys.executable, "-m", "dedupe", "scan", "-q", "--catalog", str(catalog)),
            str(tmp_path / "root"),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "HOME": str(catalog)},
    )
    assert done.returncode == 3
    assert "permission denied" in done.stderr
    assert "root" in done.stderr
    assert done.stderr.count("permission-denied") == 1


@pytest.mark.estate
@pytest.mark.skipif("DEDUPE_ESTATE" not in os.environ, reason="DEDUPE_ESTATE names no estate")
def test_real_images_in_place_have_the_figures_of_their_layout(tmp_path: Path) -> None:
    """Entries and figures of 14 images of buildah are those of their layout."""
    estate = Path(os.environ["DEDUPE_ESTATE"])
    _, layout = scanned(tmp_path / "a", estate / "oci")
    outcome, store = scanned(tmp_path / "b", estate / "storage")
    assert codes(outcome) == []
    entries = "SELECT * FROM entries ORDER BY ALL"
    assert store.ask(entries).rows == layout.ask(entries).rows
    (ours,), (theirs,) = store.rows("totals"), layout.rows("totals")
    # buildah leaves untagged images, and does not keep blobs
    assert ours["cache_images"] > theirs["cache_images"]
    for name in set(ours) - {"cache_images", "stored_bytes", "compressed_bytes"}:
        assert ours[name] == theirs[name], name


def edit_layers(root: Path, number: int, **fields: object) -> str:
    """Change a layer's record; returns its ID."""
    records = root / "overlay-layers/layers.json"
    layers = json.loads(records.read_bytes())
    layers[number].update(fields)
    records.write_text(json.dumps(layers))
    return str(layers[number]["id"])


@pytest.mark.tools
def test_partial_pulls_are_walked_and_composefs_is_not_read(
    podman: list[str], tmp_path: Path
) -> None:
    """A layer pulled file by file is walked with a note; one in composefs is not read."""
    root = tmp_path / "root"
    partial = edit_layers(root, 0, **{"toc-digest": "sha256:" + "0" * 64})
    (root / f"overlay-layers/{partial}.tar-split.gz").unlink()
    outcome, session = scanned(tmp_path / "a", root)
    assert codes(outcome) == ["partial-pull"]
    proofs = dict(session.ask("SELECT verified, count(*) FROM layers GROUP BY ALL").rows)
    assert proofs == {"none": 1, "rebuild": 1}
    assert session.rows("images")[0]["content_bytes"] == 8070
    (root / "overlay" / partial / "composefs-data").mkdir()
    outcome, session = scanned(tmp_path / "b", root)
    assert codes(outcome) == ["unsupported-layer"]
    (row,) = session.rows("images")
    assert (row["complete"], row["content_bytes"], row["read_bytes"]) == (False, None, 70)


@pytest.mark.tools
def test_owners_are_shifted_back_to_those_of_the_image(podman: list[str], tmp_path: Path) -> None:
    """Owners on disk are those of a user namespace; rows have those of the image."""
    if os.geteuid() != 0:
        pytest.skip("owners are set by root only")
    root = tmp_path / "root"
    ranges = [{"container_id": 0, "host_id": 100_000, "size": 65_536}]
    shifted = edit_layers(root, 0, uidmap=ranges, gidmap=ranges)
    tree = root / "overlay" / shifted / "diff"
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 100_007, 100_008)
    (root / f"overlay-layers/{shifted}.tar-split.gz").unlink()
    _, session = scanned(tmp_path / "c", root)
    owners = "SELECT DISTINCT uid, gid FROM entries WHERE starts_with(path, 'srv/')"
    assert session.ask(owners).rows == [(7, 8)]


@pytest.mark.tools
def test_a_layer_of_many_stores_is_read_once(podman: list[str], tmp_path: Path) -> None:
    """A layout, an archive and an unpacked store of the same images give one set of rows."""
    subprocess.run(
        [
            *("skopeo", "--insecure-policy", "copy", "-q", f"oci:{tmp_path / 'layout'}"),
            f"docker-archive:{tmp_path / 'archive.tar'}:localhost/app:1",
        ],
        check=False,
        capture_output=True,
    )
    places = [tmp_path / "layout", tmp_path / "root"]
    places += [path for path in (tmp_path / "archive.tar",) if path.exists()]
    outcome, session = scanned(tmp_path / "c", *places)
    assert codes(outcome) == []
    assert outcome.layers_read == 2
    assert outcome.layers_reused == 2 * (len(places) - 1)
    (row,) = session.rows("images")
    assert len(row["sources"]) == len(places) > 1
    again, _ = scanned(tmp_path / "c", tmp_path / "root")
    assert (again.layers_read, again.layers_reused) == (0, 2)
