"""A quick scan: what it opens, what it leaves open, and what a full scan makes of it."""

import json
import subprocess
from pathlib import Path

import polars as pl
import pytest
from builders import directory, file, image, tar_of, whiteout, write_oci_layout
from builders.docker import DockerRoot, write
from builders.storage import ContainersStorage
from builders.tar_split import packed, split_lines
from helpers.commands import run
from helpers.scanning import codes, figures, scan_only, scanned

from dedupe.host import trees
from dedupe.host.store_root import StoreRoot
from dedupe.layers.listing import list_layer
from dedupe.model.entries import EntryColumns
from dedupe.model.images import TreeRef
from dedupe.sources import subtree_usage
from dedupe.sources.disk_usage import measure_parts
from dedupe.store.session import Session

BASE = (directory("etc"), file("etc/os", b"o" * 400), file("etc/gone", b"g" * 30))
TOP = (file("etc/os", b"n" * 400), whiteout("etc/gone"), file("opt/lib", b"l" * 900))
APP = image(BASE, TOP, names="r/app:1")
TWIN = image(BASE, (file("x", b"x" * 50),), TOP, names="r/twin:1")


def podman(root: Path) -> ContainersStorage:
    """A store of podman with two images and a container."""
    store = ContainersStorage(root)
    store.add(APP)
    store.add(TWIN)
    store.container("c" * 64, APP, tar_of([file("etc/os", b"w" * 400)]))
    store.write()
    return store


def listed_keys(session: Session) -> list[str]:
    """Keys of rows of a quick scan that answer in this session."""
    tables = ("scan_image_layers", "scan_containers")
    asked = " UNION ALL ".join(f"SELECT layer FROM {table}" for table in tables)
    return [
        key for (key,) in session.ask(asked).rows if key is not None and key.startswith("listed:")
    ]


@pytest.mark.parametrize("split", [True, False])
def test_no_file_of_a_layer_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: bool
) -> None:
    """With tar-split data, not even a folder of the layer is."""
    store = podman(tmp_path / "store")
    name = APP.chain_ids[1].partition(":")[2]
    opened: list[str] = []
    real = trees._open

    def watched(path: str | bytes, flags: int, folder: int | None) -> int:
        descriptor = real(path, flags, folder)
        opened.append("folder" if flags & trees._FOLDER == trees._FOLDER else str(path))
        return descriptor

    monkeypatch.setattr(trees, "_open", watched)
    data = ("overlay-layers", f"{name}.tar-split.gz") if split else None
    columns: list[EntryColumns] = []
    facts = list_layer(TreeRef(store.root, ("overlay", name, "diff"), data), columns.append)
    assert (facts.content_bytes, facts.diff_id, facts.is_listed) == (1300, None, True)
    known = dict(zip(columns[0].path, columns[0].content_hash, strict=True))
    assert known["etc/os"] is known["opt/lib"] is None
    root = str(store.root)
    assert [each for each in opened if each not in ("folder", root)] == []
    assert bool(opened) is not split


def test_a_full_scan_replaces_a_quick_one(tmp_path: Path) -> None:
    """Nothing of the quick scan answers after it, and every figure is that of a full scan alone."""
    store = podman(tmp_path / "store")
    outcome, quick = scanned(tmp_path / "catalog", store.root, quick=True)
    assert (outcome.exit_code, outcome.incomplete_images) == (0, 0)
    assert len(listed_keys(quick)) == 6
    session = scanned(tmp_path / "catalog", store.root)[1]
    alone = scanned(tmp_path / "alone", store.root)[1]
    assert listed_keys(session) == []
    assert figures(session) == figures(alone)
    assert session.rows("containers") == alone.rows("containers")
    assert session.rows("sources")[0]["listed_layers"] == 0


def test_a_quick_scan_reuses_verified_layers(tmp_path: Path) -> None:
    """After a full scan it knows the contents of all that did not change."""
    store = podman(tmp_path / "store")
    full = figures(scanned(tmp_path / "catalog", store.root)[1])
    outcome, session = scanned(tmp_path / "catalog", store.root, quick=True)
    assert (outcome.layers_reused, figures(session)) == (5, full)


def test_two_stores_with_one_image_share_what_was_listed(tmp_path: Path) -> None:
    """The config names the same layers, so sizes are those of a full scan of both."""
    podman(tmp_path / "stores/podman")
    DockerRoot(tmp_path / "stores/docker").add(APP)
    quick = scanned(tmp_path / "quick", tmp_path / "stores", quick=True)[1]
    full = scanned(tmp_path / "full", tmp_path / "stores")[1]
    keys = ("layer_bytes", "unpacked_bytes", "naive_bytes", "position_loss_bytes", "live_bytes")
    for key in keys:
        assert quick.rows("totals")[0][key] == full.rows("totals")[0][key]


def test_blobs_are_not_opened(tmp_path: Path) -> None:
    """Sizes of blobs are known, what layers hold is not, and even damage is not seen."""
    contents = write_oci_layout(tmp_path / "layout", [APP, TWIN])
    blob = tmp_path / "layout/blobs/sha256" / contents.layers[APP.image_id][0].partition(":")[2]
    full = scanned(tmp_path / "full", tmp_path / "layout")[1]
    blob.write_bytes(b"!" * blob.stat().st_size)
    outcome, session = scanned(tmp_path / "quick", tmp_path / "layout", quick=True)
    assert (outcome.exit_code, codes(outcome)) == (0, ["not-opened"])
    assert {row["code"] for row in session.rows("incomplete")} == {"not-opened"}
    assert {row["content_bytes"] for row in session.rows("images")} == {None}
    for name in ("compressed_bytes", "stored_bytes", "orphan_bytes"):
        assert session.rows("totals")[0][name] == full.rows("totals")[0][name]
    freed, expected = (
        each.rows("what_if/freed", images=[APP.image_id])[0] for each in (session, full)
    )
    assert freed == expected
    assert freed["granularity"] == "compressed"


def test_damaged_tar_split_data_is_not_used(tmp_path: Path) -> None:
    """A content that does not fit its header makes the headers after it wrong: walk the folder."""
    store = podman(tmp_path / "store")
    stored = [
        *zip(APP.chain_ids, APP.layers, strict=True),
        *zip(TWIN.chain_ids, TWIN.layers, strict=True),
    ]
    for chain, tar in stored:
        lines = split_lines(tar)
        for line in lines:
            if line["type"] == 1:
                line["size"] += 512
        name = chain.partition(":")[2]
        write(store.root / f"overlay-layers/{name}.tar-split.gz", packed(lines))
    outcome, session = scanned(tmp_path / "catalog", store.root, quick=True)
    assert codes(outcome).count("split-unusable") == 3
    full = scanned(tmp_path / "full", store.root)[1]
    sizes = {row["image_id"]: row["live_bytes"] for row in full.rows("images")}
    assert {row["image_id"]: row["live_bytes"] for row in session.rows("images")} == sizes


def test_commands_say_what_was_not_compared(tmp_path: Path) -> None:
    """At the top, and in the row; a rule about contents cannot be judged."""
    store = podman(tmp_path / "store")
    catalog = tmp_path / "catalog"
    scan_only(catalog, store.root, quick=True)
    shadowed = run(catalog, "shadowed").stdout
    assert "INCOMPLETE: " in shadowed
    assert "not compared" in shadowed
    report = json.loads(run(catalog, "report", "-f", "json").stdout)
    assert report["totals"]["duplicate_content_bytes"] is None
    assert "quick scan" in report["incomplete"]["sentences"][0]
    checked = run(catalog, "check", "--fail", "highest-duplicate-percent=1")
    assert "cannot judge" in checked.stdout
    assert "a quick scan did not read the contents" in checked.stdout


def test_quick_refuses_to_verify(tmp_path: Path) -> None:
    """There is nothing to compare with a digest."""
    done = run(tmp_path / "catalog", "scan", "--quick", "--verify", str(tmp_path))
    assert (done.returncode, "--quick reads no layer" in done.stderr) == (2, True)


@pytest.mark.parametrize("alone", [0, 4_000])
def test_parallel_walks_count_every_inode_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: int
) -> None:
    """Names of one file in several parts count for the part with the first of them."""
    monkeypatch.setattr(subtree_usage, "_ALONE_FILES", alone - 1)
    for part in "abc":
        write(tmp_path / f"store/{part}/deep/file", part.encode() * 9_000)
        (tmp_path / f"store/{part}/linked").mkdir()
    write(tmp_path / "store/c/linked/z", b"z" * 5_000)
    (tmp_path / "store/b/linked/y").hardlink_to(tmp_path / "store/c/linked/z")
    (tmp_path / "outside").hardlink_to(tmp_path / "store/c/linked/z")
    usage = measure_parts(StoreRoot(tmp_path / "store"), {part: part for part in "abc"})
    measured = subprocess.run(
        ["du", "-sx", "--block-size=1", tmp_path / "store"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert usage.allocated_bytes == int(measured.stdout.split()[0])
    assert [usage.of(part).file_bytes for part in "abc"] == [9_000, 14_000, 9_000]
    assert [len(usage.places[part].links) for part in "abc"] == [0, 1, 0]


def test_rows_that_are_not_of_a_tar_have_a_digest(tmp_path: Path) -> None:
    """Listed layers and walked folders have one; the diff ID of a tar determines its rows."""
    root = podman(tmp_path / "store").root
    for name, quick, has_tar in (
        ("listed", True, False),
        ("rebuilt", False, True),
        ("walked", False, False),
    ):
        if name == "walked":
            for split in root.rglob("*.tar-split.gz"):
                split.unlink()
        scan_only(tmp_path / name, root, quick=quick)
        files = list(tmp_path.glob(f"{name}/layers/*.parquet"))
        rows = pl.read_parquet(files, columns=["diff_id", "rows_digest"]).rows()
        assert rows
        for diff_id, digest in rows:
            assert (diff_id is not None, digest is None) == (has_tar, has_tar), name
