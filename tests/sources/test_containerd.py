"""Images, layers and containers of a containerd store that is written by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import (
    INDEX,
    Image,
    file,
    json_of,
    tar_of,
    write_oci_layout,
)
from builders.containerd import CONTENT, ContainerdRoot, write
from builders.samples import APP, OTHER, WEB
from helpers.scanning import codes, error_codes, figures, find_sources, only_source, scanned

from dedupe.model.images import FoundSource, LayerState, SourceKind, Whiteouts


@pytest.mark.parametrize("page_size", [4096, 65536])
def test_containerd_has_the_figures_of_a_layout(page_size: int, tmp_path: Path) -> None:
    """Images, figures and blobs are those of an image layout of the same images."""
    root = ContainerdRoot(tmp_path / "containerd")
    root.add(APP)
    root.add(WEB, namespace="k8s.io")
    root.write(page_size=page_size, fanout=2)
    write_oci_layout(tmp_path / "layout", [APP, WEB])
    ours, session = scanned(tmp_path / "a", tmp_path / "containerd")
    theirs, reference = scanned(tmp_path / "b", tmp_path / "layout")
    assert codes(ours) == codes(theirs) == []
    assert figures(session) == figures(reference)
    assert only_source(tmp_path / "containerd").kind is SourceKind.CONTAINERD


def test_names_of_one_image_in_all_namespaces_are_one_image(tmp_path: Path) -> None:
    """CRI's three names, and a name in another namespace, are names of one image."""
    root = ContainerdRoot(tmp_path)
    target = root.add(APP, namespace="k8s.io", cri=True)
    root.add(APP, namespace="default")
    root.name("quay.io/copy/app@" + target["digest"], target, "default")
    root.name("localhost:5000/app", target, "default")
    root.write()
    (image,) = only_source(tmp_path).images
    assert set(image.names) == {
        "docker.io/library/app:1",
        "localhost:5000/app",
        "quay.io/copy/app@" + target["digest"],
    }
    assert image.image_id == APP.image_id


def test_names_are_made_printable(tmp_path: Path) -> None:
    """A name that is not UTF-8, or has escapes of a terminal, is shown in printable form."""
    root = ContainerdRoot(tmp_path)
    target = root.add(replace(APP, names=[]))
    root.name("evil\x1b[2J:1", target)
    images = root.meta[b"default"][b"images"]
    images[b"\xff\xfe:1"] = images.pop(b"evil\x1b[2J:1")
    root.name("evil\x1b[2J:1", target)
    root.write()
    (image,) = only_source(tmp_path).images
    assert all(name.isprintable() and name.encode() for name in image.names)
    assert "evil\\x1b[2J:1" in image.names


def test_a_blob_of_no_image_is_an_orphan(tmp_path: Path) -> None:
    """A blob that no namespace needs is an orphan; one that is being written does not count."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="k8s.io")
    root.contents.blobs |= (orphan := {"sha256:" + "0" * 64: b"x" * 33})
    root.write()
    source = only_source(tmp_path)
    assert source.orphan_bytes == 33
    assert source.stored_bytes == sum(len(blob) for blob in root.contents.blobs.values())
    assert len(source.blobs) == len(root.contents.blobs)
    assert orphan.keys() < root.contents.blobs.keys()


def test_usage_counts_orphan_blobs_and_orphan_snapshots(tmp_path: Path) -> None:
    """Usage counts orphan blobs as compressed bytes, and orphan snapshots as unpacked bytes."""
    root = ContainerdRoot(tmp_path / "containerd")
    root.add(APP)
    root.contents.blobs["sha256:" + "0" * 64] = b"x" * 33
    root.unpack(OTHER)
    root.files[f"{root.folder()}/layer"] = b"y" * 70
    root.write()
    source = only_source(tmp_path)
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
def test_platforms_that_were_not_pulled_are_not_errors(documents: str, tmp_path: Path) -> None:
    """Platforms that were not pulled, or only their documents, are listed as absent."""
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
    source = only_source(tmp_path)
    assert source.problems == []
    assert [image.image_id for image in source.images] == [APP.image_id]
    assert [(other.kind, str(other.platform)) for other in source.others] == [
        ("absent", "linux/arm64")
    ]


@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_layers_without_blobs_are_read_from_snapshots(snapshotter: str, tmp_path: Path) -> None:
    """A layer without a blob is the snapshot of its chain ID, in any namespace."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="k8s.io")
    root.unpack(WEB, namespace="k8s.io", snapshotter=snapshotter)
    root.unpack(APP, namespace="other", snapshotter=snapshotter)
    for digest in root.contents.layers[APP.image_id]:
        root.contents.blobs.pop(digest, None)
    root.write()
    source = only_source(tmp_path)
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


def test_a_blob_is_read_rather_than_a_snapshot(tmp_path: Path) -> None:
    """If both are kept the blob is read, since its digest can be checked."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(APP)
    root.write()
    (image,) = only_source(tmp_path).images
    assert all(layer.content is layer.blob and layer.tree for layer in image.layers)


def test_a_layer_with_an_unreadable_blob_is_read_from_its_snapshot(tmp_path: Path) -> None:
    """The blob is encrypted, or not a file."""
    root = ContainerdRoot(tmp_path)
    secret = replace(APP, encrypted=frozenset({1}))
    root.add(secret)
    root.unpack(secret)
    root.write()
    first, second = root.contents.layers[secret.image_id][:2]
    path = tmp_path / CONTENT / "blobs" / first.replace(":", "/")
    path.unlink()
    path.mkdir()
    source = only_source(tmp_path)
    assert first != second
    assert error_codes(source) == ["not-a-regular-file"] * 2
    (image,) = source.images
    assert [layer.state for layer in image.layers] == [None] * 3
    assert all(layer.content is layer.tree for layer in image.layers)


def test_a_layer_without_blob_and_snapshot_is_one_error(tmp_path: Path) -> None:
    """The layer is absent, and its image is kept."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.add(OTHER)
    root.unpack(APP, snapshotter="stargz")
    upper = root.contents.layers[APP.image_id][1]
    del root.contents.blobs[upper]
    root.write()
    source = only_source(tmp_path)
    assert error_codes(source) == ["blob-missing"]
    assert {problem.code for problem in source.problems} == {
        "blob-missing",
        "unsupported-snapshotter",
    }
    states = {image.image_id: [layer.state for layer in image.layers] for image in source.images}
    assert states == {
        APP.image_id: [None, LayerState.ABSENT, None],
        OTHER.image_id: [None],
    }


def test_a_container_has_its_image_state_and_upper_folder(tmp_path: Path) -> None:
    """Whether it runs is null if the store does not say so."""
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
        # CRI gives the ID of the config, and the parent snapshot gives the image
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
    source = only_source(tmp_path)
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
    assert error_codes(source) == ["snapshot-missing"]


def test_roots_at_any_depth(tmp_path: Path) -> None:
    """k3s has its containerd deep in its own folder; a host may have several."""
    for place in ("rancher/k3s/agent/containerd", "containerd"):
        root = ContainerdRoot(tmp_path / "lib" / place)
        root.add(APP)
        root.write()
    sources = find_sources(tmp_path)
    assert [item.location for item in sources if isinstance(item, FoundSource)] == [
        str(tmp_path / "lib/containerd"),
        str(tmp_path / "lib/rancher/k3s/agent/containerd"),
    ]


def lease(root: ContainerdRoot, **held: Any) -> None:
    """Record a lease."""
    root.section("default", b"leases")[b"one"] = {
        kind.encode(): content for kind, content in held.items()
    }


def test_what_a_lease_or_a_label_holds_is_not_an_orphan(tmp_path: Path) -> None:
    """Also what that refers to by labels, and snapshots below it."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    sizes = {"leased": 10, "referred": 200, "rooted": 3000, "lost": 40_000}
    digests = {name: f"sha256:{number:064}" for number, name in enumerate(sizes)}
    for name, size in sizes.items():
        root.contents.blobs[digests[name]] = b"x" * size
    blobs = {digest.encode(): {b"size": b"\x02"} for digest in digests.values()}
    refers = {b"containerd.io/gc.ref.content.l.0": digests["referred"].encode()}
    blobs[digests["leased"].encode()] |= {b"labels": refers}
    blobs[digests["rooted"].encode()] |= {b"labels": {b"containerd.io/gc.root": b"now"}}
    root.section("default", b"content")[b"blob"] = blobs
    below = ""
    for key, size in (("base", 10), ("leased", 200), ("lost", 3000)):
        below = root.snapshot(key, below if key == "leased" else "", "default", kind=3)
        root.files[f"{root.folder()}/f"] = b"y" * size
    lease(
        root,
        content={digests["leased"].encode(): b""},
        snapshots={b"overlayfs": {b"leased": b""}},
    )
    root.write()
    source = only_source(tmp_path)
    assert error_codes(source) == []
    assert (source.orphan_blob_bytes, source.orphan_unpacked_bytes) == (40_000, 3000)


def test_layers_below_a_container_stay_if_its_image_was_deleted(tmp_path: Path) -> None:
    """The snapshots of a container hold those below them."""
    root = ContainerdRoot(tmp_path)
    root.unpack(APP)
    root.snapshot("busy", f"default/{100 + len(APP.layers)}/{APP.chain_ids[-1]}", "default")
    root.container("busy", APP.names[0])
    root.write()
    assert only_source(tmp_path).orphan_bytes == 0
