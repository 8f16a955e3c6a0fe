"""containerd's store, and docker's in containerd: written by hand, and by containerd itself."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import (
    INDEX,
    Image,
    directory,
    file,
    hardlink,
    json_of,
    tar_of,
    whiteout,
    write_oci_layout,
)
from containerd_store import CONTENT, META, SNAPSHOTTER, ContainerdRoot, varint, write, zigzag
from hypothesis import given, settings
from hypothesis import strategies as st
from scanning import codes, scanned

from dedupe.model.images import FoundSource, LayerState, Problem, Severity, SourceKind, Whiteouts
from dedupe.sources.containerd import metadata
from dedupe.sources.containerd.metadata import signed, unsigned
from dedupe.sources.discover import Selection, discover
from dedupe.store.session import Session

BASE = tar_of([directory("etc"), file("etc/a", b"1" * 400), hardlink("etc/b", "etc/a")])
UPPER = tar_of([whiteout("etc/a"), file("etc/c", b"2" * 300)])
APP = Image([BASE, UPPER, BASE], names=["docker.io/library/app:1"])
WEB = Image([BASE, tar_of([file("web", b"3" * 70)])], names=["docker.io/library/web:2"])
OTHER = Image([tar_of([file("other", b"4" * 7)])], names=["docker.io/library/other:3"])


def found(*paths: Path) -> list[FoundSource | Problem]:
    return list(discover(paths, Selection()))


def only(*paths: Path) -> FoundSource:
    """The one source of these paths."""
    (source,) = found(*paths)
    assert isinstance(source, FoundSource)
    return source


def errors(source: FoundSource) -> list[str]:
    """Codes of what was lost."""
    return sorted(problem.code for problem in source.problems if problem.severity is Severity.ERROR)


def figures(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Everything that is said of images and their entries, but for where they are."""
    rows = {name: session.rows(name) for name in ("images", "totals", "merged_view")}
    for row in rows["images"]:
        del row["sources"]
    return rows


@pytest.mark.parametrize("page_size", [4096, 65536])
def test_same_figures_as_a_layout(page_size: int, tmp_path: Path) -> None:
    """Images, figures, bytes of blobs: those of an image layout of the same images."""
    root = ContainerdRoot(tmp_path / "containerd")
    root.add(APP)
    root.add(WEB, namespace="k8s.io")
    root.write(page_size=page_size, fanout=2)
    write_oci_layout(tmp_path / "layout", [APP, WEB])
    ours, session = scanned(tmp_path / "a", tmp_path / "containerd")
    theirs, reference = scanned(tmp_path / "b", tmp_path / "layout")
    assert codes(ours) == codes(theirs) == []
    assert figures(session) == figures(reference)
    assert only(tmp_path / "containerd").kind is SourceKind.CONTAINERD


def test_names_over_namespaces(tmp_path: Path) -> None:
    """One image for CRI's three names and for the same target in another namespace."""
    root = ContainerdRoot(tmp_path)
    target = root.add(APP, namespace="k8s.io", cri=True)
    root.add(APP, namespace="default")
    root.name("quay.io/copy/app@" + target["digest"], target, "default")
    root.name("localhost:5000/app", target, "default")
    root.write()
    (image,) = only(tmp_path).images
    assert set(image.names) == {
        "docker.io/library/app:1",
        "localhost:5000/app",
        "quay.io/copy/app@" + target["digest"],
    }
    assert image.image_id == APP.image_id


def test_names_are_made_printable(tmp_path: Path) -> None:
    """A name that is no UTF-8 or has a terminal's escapes is shown, not obeyed."""
    root = ContainerdRoot(tmp_path)
    target = root.add(replace(APP, names=[]))
    root.name("evil\x1b[2J:1", target)
    images = root.meta[b"default"][b"images"]
    images[b"\xff\xfe:1"] = images.pop(b"evil\x1b[2J:1")
    root.name("evil\x1b[2J:1", target)
    root.write()
    (image,) = only(tmp_path).images
    assert all(name.isprintable() and name.encode() for name in image.names)
    assert "evil\\x1b[2J:1" in image.names


def test_orphans_and_partial_blobs(tmp_path: Path) -> None:
    """A blob that no image of any namespace needs is an orphan; one being written is no blob."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="k8s.io")
    root.contents.blobs |= (orphan := {"sha256:" + "0" * 64: b"x" * 33})
    root.write()
    source = only(tmp_path)
    assert source.orphan_bytes == 33
    assert source.stored_bytes == sum(len(blob) for blob in root.contents.blobs.values())
    assert len(source.blobs) == len(root.contents.blobs)
    assert orphan.keys() < root.contents.blobs.keys()


def test_orphans_of_both_kinds(tmp_path: Path) -> None:
    """Usage counts orphan blobs as compressed bytes, and orphan snapshots as unpacked bytes."""
    root = ContainerdRoot(tmp_path / "containerd")
    root.add(APP)
    root.contents.blobs["sha256:" + "0" * 64] = b"x" * 33
    root.unpack(OTHER)
    root.files[f"{root.folder()}/layer"] = b"y" * 70
    root.write()
    source = only(tmp_path)
    assert (source.orphan_blob_bytes, source.orphan_unpacked_bytes) == (33, 70)
    _, session = scanned(tmp_path / "catalog", tmp_path / "containerd")
    usage = {
        "groups": session.rows("usage/groups", by="image", globs=[], granularity="unpacked"),
        "layers": session.rows("usage/layers", granularity="unpacked"),
    }
    for name, rows in usage.items():
        (row,) = [row for row in rows if row["kind"] == "unreferenced"]
        assert (row["exclusive_compressed"], row["exclusive_unpacked"]) == (33, 70), name
        assert (row["attributed_compressed"], row["attributed_unpacked"]) == (33, 70), name


@pytest.mark.parametrize("documents", ["none", "manifest", "manifest and config"])
def test_sparse_index(documents: str, tmp_path: Path) -> None:
    """Platforms that were not pulled, or only their documents, are listed and no error."""
    root = ContainerdRoot(tmp_path)
    arm = Image([tar_of([file("arm")])], platform="linux/arm64")
    here = root.contents.add_image(APP) | {"platform": APP.platform_document}
    blobs = dict(root.contents.blobs)
    absent = root.contents.add_image(arm) | {"platform": arm.platform_document}
    kept = {"none": [], "manifest": [absent["digest"]]}.get(
        documents, [absent["digest"], arm.image_id]
    )
    root.contents.blobs = blobs | {digest: root.contents.blobs[digest] for digest in kept}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [here, absent]}
    root.name("docker.io/library/app:1", root.contents.add(json_of(index), INDEX))
    root.write()
    source = only(tmp_path)
    assert source.problems == []
    assert [image.image_id for image in source.images] == [APP.image_id]
    assert [(other.kind, str(other.platform)) for other in source.others] == [
        ("absent", "linux/arm64")
    ]


@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_discarded_blobs(snapshotter: str, tmp_path: Path) -> None:
    """Layers without blobs are the snapshots of their chain IDs, whatever the namespace."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="k8s.io")
    root.unpack(WEB, namespace="k8s.io", snapshotter=snapshotter)
    root.unpack(APP, namespace="other", snapshotter=snapshotter)
    for digest in root.contents.layers[APP.image_id]:
        root.contents.blobs.pop(digest, None)
    root.write()
    source = only(tmp_path)
    assert source.problems == []
    (image,) = source.images
    for position, layer in enumerate(image.layers):
        assert (layer.blob, layer.state) == (None, None)
        tree = layer.tree
        assert tree is not None
        assert tree.root == tmp_path
        held = tmp_path.joinpath(*tree.parts, "layer").read_bytes()
        assert held == str(position).encode()
        if snapshotter == "native":
            assert tree.whiteouts is Whiteouts.NONE
            assert (tree.below is None) == (position == 0)
        else:
            assert (tree.whiteouts, tree.below) == (Whiteouts.KERNEL, None)
        if tree.below is not None:
            below = tmp_path.joinpath(*tree.below, "layer").read_bytes()
            assert below == str(position - 1).encode()


def test_blobs_before_snapshots(tmp_path: Path) -> None:
    """Where both are kept the blob is read, since its digest can be checked."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(APP)
    root.write()
    (image,) = only(tmp_path).images
    assert all(layer.content is layer.blob and layer.tree for layer in image.layers)


def test_unpacked_though_unreadable(tmp_path: Path) -> None:
    """A layer whose blob is encrypted, or no file, is read where it lies unpacked."""
    root = ContainerdRoot(tmp_path)
    secret = replace(APP, encrypted=frozenset({1}))
    root.add(secret)
    root.unpack(secret)
    root.write()
    first, second = root.contents.layers[secret.image_id][:2]
    path = tmp_path / CONTENT / "blobs" / first.replace(":", "/")
    path.unlink()
    path.mkdir()
    source = only(tmp_path)
    assert first != second
    assert errors(source) == ["not-a-regular-file"] * 2
    (image,) = source.images
    assert [layer.state for layer in image.layers] == [None] * 3
    assert all(layer.content is layer.tree for layer in image.layers)


def test_missing_blob_without_a_snapshot(tmp_path: Path) -> None:
    """A layer that is nowhere is an error, once, and its image stays."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.add(OTHER)
    root.unpack(APP, snapshotter="stargz")
    upper = root.contents.layers[APP.image_id][1]
    del root.contents.blobs[upper]
    root.write()
    source = only(tmp_path)
    assert errors(source) == ["blob-missing"]
    assert {problem.code for problem in source.problems} == {
        "blob-missing",
        "unsupported-snapshotter",
    }
    states = {image.image_id: [layer.state for layer in image.layers] for image in source.images}
    assert states == {
        APP.image_id: [None, LayerState.ABSENT, None],
        OTHER.image_id: [None],
    }


def test_containers(tmp_path: Path) -> None:
    """A container has its image, its writable branch, and whether it runs as far as is said."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="k8s.io")
    root.add(WEB, namespace="k8s.io")
    root.unpack(APP, namespace="k8s.io")
    top = f"k8s.io/103/{APP.chain_ids[-1]}"
    pod = {"pod.namespace": "shop", "pod.name": "front-1", "container.name": "app"}
    labels = {f"io.kubernetes.{key}": value for key, value in pod.items()}
    uppers = {}
    for name in ("never", "begun", "runs", "ended"):
        root.snapshot(name, top, "k8s.io")
        uppers[name] = root.folder()
        # CRI gives the image by its ID: which one it is, the snapshot below says
        root.container(name, APP.image_id, namespace="k8s.io", labels=labels)
    root.container("nowhere", WEB.names[0], namespace="k8s.io")
    tasks = tmp_path / "io.containerd.runtime.v2.task" / "k8s.io"
    states = tmp_path / "io.containerd.grpc.v1.cri" / "containers"
    for name in ("begun", "runs", "ended"):
        (tasks / name).mkdir(parents=True)
    running = {"Version": "v1", "CreatedAt": 1, "StartedAt": 2, "FinishedAt": 0}
    write(states / "runs" / "status", json_of(running))
    write(states / "ended" / "status", json_of(running | {"FinishedAt": 3}))
    root.write()
    source = only(tmp_path)
    containers = {container.container_id: container for container in source.containers}
    assert {name: container.running for name, container in containers.items()} == {
        "never": False,
        "begun": None,
        "runs": True,
        "ended": False,
        "nowhere": False,
    }
    for name, upper in uppers.items():
        container = containers[name]
        assert container.name == "shop/front-1/app"
        assert container.image_id == APP.image_id
        assert container.upper is not None
        assert "/".join(container.upper.parts) == upper
    assert containers["nowhere"].upper is None
    assert containers["nowhere"].image_id == WEB.image_id
    assert errors(source) == ["snapshot-missing"]


CID, FORGOTTEN, GRAPH = "c" * 64, "d" * 64, "e" * 64


def docker_root(folder: Path) -> ContainerdRoot:
    """What docker 29 keeps: an image with a name, one without, two containers."""
    root = ContainerdRoot(folder / "containerd" / "daemon")
    root.add(APP, namespace="moby")
    dangling = root.contents.add_image(WEB)
    root.name(f"moby-dangling@{dangling['digest']}", dangling, "moby")
    root.unpack(APP, namespace="moby")
    top = f"moby/103/{APP.chain_ids[-1]}"
    for cid in (CID, FORGOTTEN):
        below = root.snapshot(f"{cid}-init", top, "moby", kind=3)
        root.snapshot(cid, below, "moby")
    # docker has a record in containerd of what runs, whatever keeps its layers
    root.container(CID, "", namespace="moby")
    root.container(GRAPH, "", namespace="moby", snapshotter="")
    root.meta[b"moby"][b"containers"][GRAPH.encode()][b"snapshotKey"] = b""
    config = {
        "ID": CID,
        "Name": "/quirky_name",
        "Driver": "overlayfs",
        "Image": "sha256:" + "9" * 64,
        "Config": {"Image": "app:1"},
        "State": {"Running": True},
    }
    write(folder / "containers" / CID / "config.v2.json", json_of(config))
    write(folder / "containers" / GRAPH / "config.v2.json", json_of(config | {"ID": GRAPH}))
    return root


def test_docker(tmp_path: Path) -> None:
    """Docker's images and containers in containerd, and the names that docker gives them."""
    docker_root(tmp_path / "docker").write()
    source = only(tmp_path)
    assert source.kind is SourceKind.DOCKER_CONTAINERD
    assert source.location == str(tmp_path / "docker/containerd/daemon")
    assert source.problems == []
    names = {image.image_id: image.names for image in source.images}
    assert names == {APP.image_id: ("docker.io/library/app:1",), WEB.image_id: ()}
    containers = {container.container_id: container for container in source.containers}
    assert containers.keys() == {CID, FORGOTTEN}
    known, forgotten = containers[CID], containers[FORGOTTEN]
    assert (known.name, known.image, known.running) == ("quirky_name", "app:1", True)
    assert (forgotten.name, forgotten.image, forgotten.running) == (None, None, None)
    assert known.image_id == forgotten.image_id == APP.image_id
    assert known.upper is not None
    assert forgotten.upper is not None
    assert tmp_path.joinpath("docker", *known.upper.parts, ".keep").exists()
    assert known.upper != forgotten.upper


def test_docker_scanned(tmp_path: Path) -> None:
    """The figures of docker's images in containerd are those of their layout."""
    docker_root(tmp_path / "docker").write()
    _, session = scanned(tmp_path / "catalog", tmp_path / "docker")
    rows = {row["image_id"]: row for row in session.rows("images")}
    assert rows[APP.image_id]["live_bytes"] == 700
    assert rows[WEB.image_id]["live_bytes"] == 470


def test_docker_with_a_graph_driver(tmp_path: Path) -> None:
    """The empty containerd of a docker with a graph driver is no source of its own."""
    (tmp_path / "image/overlay2/imagedb/content/sha256").mkdir(parents=True)
    ContainerdRoot(tmp_path / "containerd/daemon").write()
    kinds = [item.kind for item in found(tmp_path) if isinstance(item, FoundSource)]
    assert SourceKind.DOCKER_CONTAINERD not in kinds
    docker_root(tmp_path).write()
    kinds = [item.kind for item in found(tmp_path) if isinstance(item, FoundSource)]
    assert SourceKind.DOCKER_CONTAINERD in kinds


def test_roots_at_any_depth(tmp_path: Path) -> None:
    """k3s keeps its containerd deep in its own folder; a host may have several."""
    for place in ("rancher/k3s/agent/containerd", "containerd"):
        root = ContainerdRoot(tmp_path / "lib" / place)
        root.add(APP)
        root.write()
    sources = found(tmp_path)
    assert [item.location for item in sources if isinstance(item, FoundSource)] == [
        str(tmp_path / "lib/containerd"),
        str(tmp_path / "lib/rancher/k3s/agent/containerd"),
    ]


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
    "both metas gone": (
        lambda path: path.write_bytes(bytes(8192) + path.read_bytes()[8192:]),
        "bolt-damaged",
    ),
    "a FIFO": (as_fifo, "not-a-regular-file"),
    "a link": (as_link, "not-a-regular-file"),
    "8 GiB": (lambda path: os.truncate(path, 8 << 30), "bolt-too-large"),
}


@pytest.mark.parametrize("name", SPOILT_METADATA)
def test_names_lost(name: str, tmp_path: Path) -> None:
    """Without meta.db the blobs tell the images; that their names are lost is said."""
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
    source = only(tmp_path)
    assert errors(source) == [code]
    (problem,) = source.problems
    assert "without names" in problem.message
    names = {image.image_id: image.names for image in source.images}
    assert names == {APP.image_id: ("kept",), WEB.image_id: ("kept",), OTHER.image_id: ()}


def test_one_namespace_damaged(tmp_path: Path) -> None:
    """Damage in one namespace costs its names; the others keep theirs."""
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
    source = only(tmp_path)
    assert errors(source) == ["bolt-damaged"]
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
    """Snapshots below each other; the container's image cannot be told by them."""
    for key, below in (("x", "default/102/y"), ("y", "default/101/x")):
        root.snapshot(key, below, "default")
    root.container("x", "gone")


def spoil_snapshots(root: ContainerdRoot) -> None:
    root.snapshot("x", "", "default")
    root.snapshots["overlayfs"][b"snapshots"][b"default/1/z"] = b"no bucket"
    root.snapshots["overlayfs"][b"snapshots"][b"junk"] = {b"id": b"\xff" * 20, b"kind": b""}


SPOILT: dict[str, tuple[Callable[[ContainerdRoot], None], list[str]]] = {
    "a digest that is a path": (spoil_digest, ["bad-digest"]),
    "a target that is none": (spoil_target, ["bad-digest"]),
    "a target that is gone": (spoil_missing, ["blob-missing"]),
    "a size below zero": (spoil_size, ["bad-descriptor"]),
    "snapshots in a cycle": (spoil_cycle, []),
    "snapshots that are none": (spoil_snapshots, []),
}


@pytest.mark.parametrize("name", SPOILT)
def test_bad_records_cost_only_themselves(name: str, tmp_path: Path) -> None:
    """One finding for a record that means nothing, and the rest is read."""
    spoil, expected = SPOILT[name]
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    spoil(root)
    root.write()
    source = only(tmp_path)
    assert errors(source) == expected
    assert [image.names for image in source.images] == [("docker.io/library/app:1",)]


def test_too_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database with more records than memory is for is read as far as that."""
    monkeypatch.setattr(metadata, "MAX_RECORDS", 3)
    root = ContainerdRoot(tmp_path)
    target = root.add(APP)
    for number in range(9):
        root.name(f"docker.io/library/more:{number}", target)
        root.snapshot(f"work{number}", "", "default")
    root.write()
    source = only(tmp_path)
    assert set(errors(source)) == {"bolt-too-large"}
    assert [image.image_id for image in source.images] == [APP.image_id]


def test_damaged_snapshots(tmp_path: Path) -> None:
    """A snapshotter's damaged database is one finding; layers are read from their blobs."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(APP)
    root.write()
    cut(tmp_path / f"{SNAPSHOTTER}overlayfs/metadata.db")
    source = only(tmp_path)
    assert errors(source) == ["bolt-damaged"]
    assert all(layer.blob for layer in source.images[0].layers)


@pytest.mark.parametrize("spoil", [as_fifo, as_link, lambda path: path.write_bytes(b"")])
def test_blobs_that_are_none(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    """A FIFO, a link or nothing for a manifest costs its image only, and blocks nothing."""
    root = ContainerdRoot(tmp_path)
    target = root.add(APP)
    root.add(OTHER)
    root.write()
    spoil(tmp_path / CONTENT / "blobs" / target["digest"].replace(":", "/"))
    source = only(tmp_path)
    assert len(errors(source)) == 1
    assert [image.image_id for image in source.images] == [OTHER.image_id]


@given(
    database=st.sampled_from(["meta", "snapshots"]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6),
)
@settings(max_examples=80, deadline=None)
def test_flipped_bytes(database: str, changes: list[tuple[int, int]]) -> None:
    """Whatever the databases say, what is left of the store is read and the rest is a finding."""
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
        source = only(Path(name))
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can scan as somebody else")
def test_unprivileged() -> None:
    """A store that is closed to the user is one error, not one a file."""
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
            source = only(place / "containerd")
        finally:
            os.seteuid(0)
    (problem,) = source.problems
    assert problem.code == "permission-denied"
    assert "root" in problem.message


@given(value=st.integers(-(2**63), 2**63 - 1))
def test_numbers(value: int) -> None:
    """Numbers are Go's varints; bytes that are none give 0."""
    assert signed(zigzag(value)) == value
    assert unsigned(varint(abs(value))) == abs(value)
    assert unsigned(varint(abs(value)).rstrip(bytes(range(128))) or b"\x80") == 0
