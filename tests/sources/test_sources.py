"""Every kind of source gives the same image, and bad input costs only itself."""

import gzip
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import (
    INDEX,
    Contents,
    Image,
    compress,
    digest_of,
    directory,
    file,
    hardlink,
    json_of,
    tar_of,
    whiteout,
    write_bare_tar,
    write_dir,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)
from helpers.scanning import codes, scan_only, scanned
from here import PROJECT

from dedupe.model.images import SourceKind
from dedupe.sources.discover import Selection
from dedupe.sources.source_types import SOURCE_TYPES

BASE = tar_of([directory("etc"), file("etc/a", b"1" * 400), hardlink("etc/b", "etc/a")])
UPPER = tar_of([whiteout("etc/a"), file("etc/c", b"2" * 300)])
IMAGE = Image([BASE, UPPER, BASE], names=["localhost/app:1"])
GOOD = Image([tar_of([file("good", b"3" * 77)])], names=["localhost/good:1"])

WRITERS: dict[str, Callable[[Path], object]] = {
    "oci-layout": lambda to: write_oci_layout(to, [IMAGE]),
    "nested index": lambda to: write_oci_layout(to, [IMAGE], nested=True),
    "attestation": lambda to: write_oci_layout(to, [IMAGE], attestation=True, artifact=True),
    "containerd names": lambda to: write_oci_layout(to, [IMAGE], annotation="containerd"),
    "zstd": lambda to: write_oci_layout(to, [IMAGE], "zstd-frames"),
    "several gzip members": lambda to: write_oci_layout(to, [IMAGE], "gzip-members"),
    "oci-archive": lambda to: write_oci_archive(to, [IMAGE]),
    "oci-archive in zstd": lambda to: write_oci_archive(to, [IMAGE], outer="zstd"),
    "docker20": lambda to: write_docker_archive(to, [IMAGE]),
    "docker20, link first": lambda to: write_docker_archive(to, [IMAGE], link_first=True),
    "docker20 in gzip": lambda to: write_docker_archive(to, [IMAGE], outer="gzip"),
    "docker20 in xz": lambda to: write_docker_archive(to, [IMAGE], outer="xz"),
    "docker20 in bzip2": lambda to: write_docker_archive(to, [IMAGE], outer="bzip2"),
    "podman": lambda to: write_docker_archive(to, [IMAGE], "podman"),
    "docker25": lambda to: write_docker_archive(to, [IMAGE], "docker25"),
    "containerd export": lambda to: write_docker_archive(to, [IMAGE], "containerd"),
    "dir": lambda to: write_dir(to, IMAGE),
}


def test_kinds_are_listed_once() -> None:
    """Each kind of source has one class, and the JSON schema of reports has the same kinds."""
    kinds = [source_type.kind for source_type in SOURCE_TYPES]
    assert sorted(kinds) == sorted(SourceKind)
    assert [source_type.load().kind for source_type in SOURCE_TYPES] == kinds
    schema = json.loads((PROJECT / "docs/report.schema.json").read_text())
    source = schema["properties"]["sources"]["items"]["properties"]
    assert source["kind"]["enum"] == [kind.value for kind in SourceKind]


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_source_gives_the_same_image(kind: str, tmp_path: Path) -> None:
    """Identity, layers and figures are the same in every format."""
    WRITERS[kind](tmp_path / "store")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    rows = [row for row in session.rows("images") if row["image_id"] == IMAGE.image_id]
    (row,) = rows
    assert (row["content_bytes"], row["live_bytes"], row["shadowed_bytes"]) == (1100, 700, 400)
    assert row["layers"] == 3
    assert row["platform"] == "linux/amd64"
    if kind != "dir":
        assert "localhost/app:1" in row["names"]


def test_a_folder_is_searched_for_all_kinds_of_sources(tmp_path: Path) -> None:
    """The same image in many sources is one image, and its layers are read once."""
    for number, write in enumerate(WRITERS.values()):
        place = tmp_path / "images" / f"deep{number % 3}" / str(number)
        place.mkdir(parents=True)
        write(place / "store")
    (tmp_path / "images" / "notes.txt").write_text("no image")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "images")
    assert codes(outcome) == []
    assert outcome.sources == len(WRITERS)
    assert outcome.layers_read == 2
    (totals,) = session.rows("totals")
    assert (totals["images"], totals["layer_bytes"], totals["unpacked_bytes"]) == (1, 700, 1100)


def test_a_bare_tar_is_an_image_of_one_layer(tmp_path: Path) -> None:
    """It is named after its file, and its image ID is its diff ID."""
    write_bare_tar(tmp_path / "rootfs.tar.gz", BASE, "gzip")
    _, session = scanned(tmp_path / "catalog", tmp_path / "rootfs.tar.gz")
    (row,) = session.rows("images")
    assert row["names"] == ["rootfs.tar.gz"]
    assert row["image_id"] == "bare:" + digest_of(BASE)
    assert row["live_bytes"] == 400


def test_a_second_scan_reuses_all_layers(tmp_path: Path) -> None:
    """Known layers are not read again; --verify reads them all the same."""
    write_oci_layout(tmp_path / "store", [IMAGE])
    first, _ = scanned(tmp_path / "catalog", tmp_path / "store")
    again, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (first.layers_read, again.layers_read, again.layers_reused) == (2, 0, 3)
    assert session.rows("images")[0]["live_bytes"] == 700
    verified, _ = scanned(tmp_path / "catalog", tmp_path / "store", verify=True)
    assert verified.layers_read == 2


def test_images_are_selected_by_name_and_platform(tmp_path: Path) -> None:
    """Images are chosen by a glob of their names and by platform."""
    write_oci_layout(tmp_path / "store", [IMAGE, GOOD])
    chosen, _ = scanned(
        tmp_path / "a", tmp_path / "store", select=Selection(image_globs=("*good*",))
    )
    assert chosen.images == 1
    other, _ = scanned(tmp_path / "b", tmp_path / "store", select=Selection(platform="linux/arm64"))
    assert other.images == 0


def blob(store: Path, data: bytes) -> Path:
    """The file of a blob."""
    return store / "blobs" / "sha256" / digest_of(data)[7:]


def layer_blob(store: Path) -> Path:
    """The blob of GOOD's layer in a layout in which only that is compressed by gzip."""
    found = [
        path for path in (store / "blobs/sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b"
    ]
    assert len(found) == 1
    return found[0]


def spoil_truncate(store: Path) -> None:
    path = layer_blob(store)
    path.write_bytes(path.read_bytes()[:-20])


def spoil_truncate_zstd(store: Path) -> None:
    good = layer_blob(store)
    cut = compress(GOOD.layers[0], "zstd")[:-20]
    replace_layer(store, good, cut)


def spoil_truncate_tar(store: Path) -> None:
    """A sound gzip, its digest right, of a tar that ends inside a member."""
    replace_layer(store, layer_blob(store), compress(GOOD.layers[0][:530], "gzip"))


def spoil_digest(store: Path) -> None:
    layer_blob(store).write_bytes(gzip.compress(tar_of([file("evil", b"9" * 5)]), mtime=0))


def spoil_missing(store: Path) -> None:
    layer_blob(store).unlink()


def spoil_fifo(store: Path) -> None:
    path = layer_blob(store)
    path.unlink()
    os.mkfifo(path)


def spoil_link(store: Path) -> None:
    path = layer_blob(store)
    path.unlink()
    path.symlink_to("/etc/passwd")


def spoil_config(store: Path) -> None:
    blob(store, GOOD.config).write_bytes(GOOD.config + b" ")


def spoil_index_json(store: Path) -> None:
    (store / "index.json").write_bytes(b"{not json")


def spoil_huge_claim(store: Path) -> None:
    index = json.loads((store / "index.json").read_bytes())
    index["manifests"][0]["size"] = 4 << 30
    (store / "index.json").write_text(json.dumps(index))


def spoil_huge_index(store: Path) -> None:
    os.truncate(store / "index.json", 4 << 30)


def spoil_digest_path(store: Path) -> None:
    index = json.loads((store / "index.json").read_bytes())
    index["manifests"][0]["digest"] = "sha256:../../../etc/passwd"
    (store / "index.json").write_text(json.dumps(index))


def spoil_own_index(store: Path) -> None:
    """An index below index.json whose only entry is named by the digest of its own file."""
    name = "0" * 64
    entry = {"mediaType": INDEX, "digest": f"sha256:{name}"}
    (store / "blobs/sha256" / name).write_bytes(json_of({"manifests": [entry]}))
    index = json.loads((store / "index.json").read_bytes())
    index["manifests"] = [entry]
    (store / "index.json").write_bytes(json_of(index))


def spoil_deep_index(store: Path) -> None:
    """Sound indexes in indexes, deeper than any real one."""
    index = json.loads((store / "index.json").read_bytes())
    contents = Contents(entries=index["manifests"])
    for _ in range(12):
        contents.entries = [
            contents.add(json_of({"schemaVersion": 2, "manifests": contents.entries}), INDEX)
        ]
    for digest, data in contents.blobs.items():
        (store / "blobs/sha256" / digest[7:]).write_bytes(data)
    (store / "index.json").write_bytes(contents.index)


def spoil_device(store: Path) -> None:
    path = layer_blob(store)
    path.unlink()
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero, which has no end


def spoil_socket(store: Path) -> None:
    path = layer_blob(store)
    path.unlink()
    # the address of a socket has at most 107 bytes, and the path of a blob is longer
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            listener.bind("s")
        finally:
            os.chdir(here)
    (path.parent / "s").rename(path)


def spoil_folder(store: Path) -> None:
    path = layer_blob(store)
    path.unlink()
    path.mkdir()


def replace_layer(store: Path, old: Path, data: bytes) -> None:
    """Another blob as the only layer, with the right manifest and index."""
    old.unlink()
    index = json.loads((store / "index.json").read_bytes())
    (entry,) = index["manifests"]
    path = store / "blobs/sha256" / entry["digest"][7:]
    manifest = json.loads(path.read_bytes())
    contents = Contents()
    (layer,) = manifest["layers"]
    manifest["layers"] = [layer | contents.add(data, layer["mediaType"])]
    contents.entries = [entry | contents.add(json_of(manifest), entry["mediaType"])]
    for digest, blob in contents.blobs.items():
        (store / "blobs/sha256" / digest[7:]).write_bytes(blob)
    (store / "index.json").write_bytes(contents.index)


def spoil_empty(store: Path) -> None:
    layer_blob(store).write_bytes(b"")


SPOILS = {
    "truncated gzip": (spoil_truncate, {"gzip-truncated"}),
    "truncated zstd": (spoil_truncate_zstd, {"zstd-truncated"}),
    "truncated tar in a sound gzip": (spoil_truncate_tar, {"tar-truncated"}),
    "wrong digest": (spoil_digest, {"digest-mismatch", "diff-id-mismatch"}),
    "missing blob": (spoil_missing, {"blob-missing"}),
    "a FIFO for a blob": (spoil_fifo, {"not-a-regular-file"}),
    "a device for a blob": (spoil_device, {"not-a-regular-file"}),
    "a socket for a blob": (spoil_socket, {"not-a-regular-file"}),
    "a folder for a blob": (spoil_folder, {"not-a-regular-file"}),
    "an index that names itself": (spoil_own_index, {"digest-mismatch"}),
    "an index that is too deep": (spoil_deep_index, {"index-too-deep"}),
    # links are followed inside what was scanned only
    "a link for a blob": (spoil_link, {"link-refused"}),
    "wrong config": (spoil_config, {"digest-mismatch"}),
    "not JSON": (spoil_index_json, {"not-json"}),
    "a claim of 4 GiB": (spoil_huge_claim, {"document-too-large"}),
    "4 GiB of JSON": (spoil_huge_index, {"document-too-large"}),
    "a digest that is a path": (spoil_digest_path, {"bad-digest"}),
    "an empty blob": (spoil_empty, {"digest-mismatch", "diff-id-mismatch"}),
}


@pytest.mark.parametrize("name", SPOILS)
def test_each_bad_store_is_one_error(name: str, tmp_path: Path) -> None:
    """A bad store is one clear error, and the store beside it is scanned as usual."""
    spoil, expected = SPOILS[name]
    if spoil is spoil_device and os.geteuid() != 0:
        pytest.skip("only root makes device nodes")
    write_oci_layout(tmp_path / "images/bad", [GOOD])
    spoil(tmp_path / "images/bad")
    write_oci_layout(tmp_path / "images/good", [IMAGE])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "images")
    found = {problem.code for problem in outcome.problems if problem.severity.value == "error"}
    assert found - {"size-mismatch"} == expected
    assert all(problem.source == str(tmp_path / "images/bad") for problem in outcome.problems)
    rows = {row["image_id"]: row for row in session.rows("images")}
    assert rows[IMAGE.image_id]["live_bytes"] == 700


def test_a_config_with_another_number_of_layers_is_refused(tmp_path: Path) -> None:
    """The error has both numbers."""
    bad = Image([BASE, UPPER], names=["bad"], claimed_diff_ids=[digest_of(BASE)])
    write_oci_layout(tmp_path / "store", [bad, GOOD])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == ["layer-count-mismatch"]
    assert "2 layers" in outcome.problems[0].message
    assert len(session.rows("images")) == 1


def test_content_of_a_wrong_diff_id_says_nothing_about_its_image(tmp_path: Path) -> None:
    """What the layer holds is unknown, and another layer's rows never stand for it."""
    real = tar_of([file("real", b"5" * 50)])
    fake = tar_of([file("fake", b"6" * 60)])
    liar = Image([fake], names=["liar"], claimed_diff_ids=[digest_of(real)])
    write_oci_layout(tmp_path / "liar", [liar])
    write_oci_layout(tmp_path / "honest", [Image([real], names=["honest"])])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "liar")
    assert codes(outcome) == ["diff-id-mismatch"]
    (row,) = session.rows("images")
    assert (row["complete"], row["live_bytes"], row["read_bytes"]) == (False, None, 0)
    assert session.ask("SELECT state, layer, problem FROM scan_image_layers").rows == [
        ("mismatched", None, "diff-id-mismatch")
    ]
    again, session = scanned(tmp_path / "catalog", tmp_path / "honest")
    assert (again.layers_read, session.rows("images")[0]["live_bytes"]) == (1, 50)


@pytest.mark.parametrize("name", ["empty", "text", "absent"])
def test_a_given_file_without_an_image_is_an_error(name: str, tmp_path: Path) -> None:
    """A file that was given and holds no image is an error that says so."""
    path = tmp_path / name
    if name != "absent":
        path.write_bytes(b"" if name == "empty" else b"hello, world\n" * 100)
    outcome = scan_only(tmp_path / "catalog", path)
    assert outcome.scan_id  # so that no older scan answers for the place
    expected = {"empty": "empty-file", "text": "unknown-format", "absent": "no-such-source"}
    assert codes(outcome) == [expected[name]]


@pytest.mark.external
def test_archives_made_by_others_are_read(fixtures_folder: Path, tmp_path: Path) -> None:
    """Archives by docker 25, go-containerregistry and stereoscope are read without error."""
    outcome, _ = scanned(
        tmp_path, fixtures_folder / "docker-archive", fixtures_folder / "oci-archive"
    )
    assert codes(outcome) == []
    assert outcome.sources == 6
