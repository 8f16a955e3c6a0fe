"""A damaged containerd store: each damage is one problem, and the rest is read."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from builders import (
    INDEX,
    json_of,
)
from builders.containerd import CONTENT, META, SNAPSHOTTER, ContainerdRoot, varint, zigzag
from builders.samples import APP, OTHER, WEB
from helpers.scanning import error_codes, only_source
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupe.sources.containerd import metadata
from dedupe.sources.containerd.metadata import signed, unsigned


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real").name)


SPOILT_METADATA: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (Path.unlink, "blob-missing"),
    "empty": (lambda path: path.write_bytes(b""), "bolt-damaged"),
    "cut in half": (cut, "bolt-damaged"),
    "both metas zeroed": (
        lambda path: path.write_bytes(bytes(8192) + path.read_bytes()[8192:]),
        "bolt-damaged",
    ),
    "a FIFO": (as_fifo, "not-a-regular-file"),
    "a link": (as_link, "not-a-regular-file"),
    "8 GiB": (lambda path: os.truncate(path, 8 << 30), "bolt-too-large"),
}


@pytest.mark.parametrize("name", SPOILT_METADATA)
def test_without_meta_db_images_are_read_without_names(name: str, tmp_path: Path) -> None:
    """The blobs give the images; that their names are lost is one error."""
    spoil, code = SPOILT_METADATA[name]
    root = ContainerdRoot(tmp_path)
    root.add(OTHER)
    children = [
        root.contents.add_image(image) | {"platform": image.platform_document}
        for image in (APP, WEB)
    ]
    annotations = {"org.opencontainers.image.ref.name": "kept"}
    index = {"schemaVersion": 2, "manifests": children, "annotations": annotations}
    root.name("docker.io/library/app:1", root.contents.add(json_of(index), INDEX))
    root.contents.add(b'{"not": "a manifest"}', "text/plain")
    root.contents.add(b"{" + b"x" * 100, "text/plain")
    lie = json_of({"manifests": [{"digest": root.contents.manifests[OTHER.image_id]}]})
    root.contents.blobs["sha256:" + "1" * 64] = lie
    root.write(fanout=2)
    spoil(tmp_path / META)
    source = only_source(tmp_path)
    assert error_codes(source) == [code]
    (problem,) = source.problems
    assert "without names" in problem.message
    names = {image.image_id: image.names for image in source.images}
    assert names == {APP.image_id: ("kept",), WEB.image_id: ("kept",), OTHER.image_id: ()}


def test_damage_in_one_namespace_costs_only_its_names(tmp_path: Path) -> None:
    """Names in other namespaces are read."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="a")
    root.add(WEB, namespace="b")
    root.write(inline=False)
    path = tmp_path / META
    data = bytearray(path.read_bytes())
    where = data.index(b"docker.io/library/app:1")
    page = where // 4096 * 4096
    data[page : page + 8] = (99).to_bytes(8, "little")
    path.write_bytes(data)
    source = only_source(tmp_path)
    assert error_codes(source) == ["bolt-damaged"]
    names = {image.image_id: image.names for image in source.images}
    assert names == {APP.image_id: (), WEB.image_id: ("docker.io/library/web:2",)}


def spoil_digest(root: ContainerdRoot) -> None:
    target = root.contents.add_image(replace(WEB, names=[]))
    root.name("bad", target | {"digest": "sha256:../../../../etc/passwd"})


def spoil_target(root: ContainerdRoot) -> None:
    root.meta[b"default"][b"images"][b"bad"] = {b"target": b"no bucket"}


def spoil_missing(root: ContainerdRoot) -> None:
    root.name("bad", {"digest": "sha256:" + "5" * 64, "mediaType": INDEX, "size": 5})


def spoil_size(root: ContainerdRoot) -> None:
    root.name("bad", root.contents.add_image(WEB) | {"size": -5})


def spoil_cycle(root: ContainerdRoot) -> None:
    """Snapshots that are each other's parents, so they do not give a container's image."""
    for key, below in (("x", "default/102/y"), ("y", "default/101/x")):
        root.snapshot(key, below, "default")
    root.container("x", "gone")


def spoil_snapshots(root: ContainerdRoot) -> None:
    root.snapshot("x", "", "default")
    root.snapshots["overlayfs"][b"snapshots"][b"default/1/z"] = b"no bucket"
    root.snapshots["overlayfs"][b"snapshots"][b"junk"] = {b"id": b"\xff" * 20, b"kind": b""}


SPOILT: dict[str, tuple[Callable[[ContainerdRoot], None], list[str]]] = {
    "a digest that is a path": (spoil_digest, ["bad-digest"]),
    "a target that is not a bucket": (spoil_target, ["bad-digest"]),
    "a target that is missing": (spoil_missing, ["blob-missing"]),
    "a size below zero": (spoil_size, ["bad-descriptor"]),
    "snapshots in a cycle": (spoil_cycle, []),
    "snapshots that are none": (spoil_snapshots, []),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_bad_record_is_one_error(name: str, tmp_path: Path) -> None:
    """A record without meaning is one error, and the rest is read."""
    spoil, expected = SPOILT[name]
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    spoil(root)
    root.write()
    source = only_source(tmp_path)
    assert error_codes(source) == expected
    assert [image.names for image in source.images] == [("docker.io/library/app:1",)]


def test_records_are_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database with too many records for memory is read up to the limit."""
    monkeypatch.setattr(metadata, "MAX_RECORDS", 3)
    root = ContainerdRoot(tmp_path)
    target = root.add(APP)
    for number in range(9):
        root.name(f"docker.io/library/more:{number}", target)
        root.snapshot(f"work{number}", "", "default")
    root.write()
    source = only_source(tmp_path)
    assert set(error_codes(source)) == {"bolt-too-large"}
    assert [image.image_id for image in source.images] == [APP.image_id]


def test_a_damaged_database_of_snapshots_is_one_error(tmp_path: Path) -> None:
    """Layers are read from their blobs."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(APP)
    root.write()
    cut(tmp_path / f"{SNAPSHOTTER}overlayfs/metadata.db")
    source = only_source(tmp_path)
    assert error_codes(source) == ["bolt-damaged"]
    assert all(layer.blob for layer in source.images[0].layers)


@pytest.mark.parametrize("spoil", [as_fifo, as_link, lambda path: path.write_bytes(b"")])
def test_a_manifest_that_is_not_a_file_costs_only_its_image(
    spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    """A FIFO, a link or an empty manifest is one error, and blocks nothing."""
    root = ContainerdRoot(tmp_path)
    target = root.add(APP)
    root.add(OTHER)
    root.write()
    spoil(tmp_path / CONTENT / "blobs" / target["digest"].replace(":", "/"))
    source = only_source(tmp_path)
    assert len(error_codes(source)) == 1
    assert [image.image_id for image in source.images] == [OTHER.image_id]


@given(
    database=st.sampled_from(["meta", "snapshots"]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6),
)
@settings(max_examples=80, deadline=None)
def test_flipped_bytes_in_databases_are_problems(
    database: str, changes: list[tuple[int, int]]
) -> None:
    """Whatever the databases hold, the rest of the store is read."""
    with tempfile.TemporaryDirectory() as name:
        root = ContainerdRoot(Path(name))
        root.add(APP)
        root.unpack(APP)
        root.snapshot("box", f"default/103/{APP.chain_ids[-1]}", "default")
        root.container("box", APP.names[0])
        root.write(page_size=1024, fanout=3)
        path = Path(name) / (META if database == "meta" else f"{SNAPSHOTTER}overlayfs/metadata.db")
        data = bytearray(path.read_bytes())
        for position, value in changes:
            data[position % len(data)] = value
        path.write_bytes(data)
        source = only_source(Path(name))
    assert {image.image_id for image in source.images} <= {APP.image_id}
    assert {problem.code for problem in source.problems} <= {
        "bad-digest",
        "bad-descriptor",
        "blob-missing",
        "bolt-damaged",
        "document-too-large",
        "schema1",
        "size-mismatch",
        "snapshot-missing",
        "unsupported-snapshotter",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can scan as another user")
def test_a_store_without_permission_is_one_error() -> None:
    """A store that the user may not read is one error, not one per file."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o711)
        root = ContainerdRoot(place / "containerd")
        root.add(APP)
        root.unpack(APP)
        root.write()
        for folder in (place / "containerd").iterdir():
            folder.chmod(0o700)
        os.seteuid(65534)
        try:
            source = only_source(place / "containerd")
        finally:
            os.seteuid(0)
    (problem,) = source.problems
    assert problem.code == "permission-denied"
    assert "root" in problem.message


@given(value=st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_gos_varints(value: int) -> None:
    """Numbers are varints as Go writes them; other bytes give 0."""
    assert signed(zigzag(value)) == value
    assert unsigned(varint(abs(value))) == abs(value)
    assert unsigned(varint(abs(value)).rstrip(bytes(range(128))) or b"\x80") == 0
