"""What each file and folder of a containerd root is, and what keeps it."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from builders import Image, file, tar_of
from builders.containerd import CONTENT, SNAPSHOTTER, ContainerdRoot, write
from builders.samples import APP, OTHER, WEB
from helpers.scanning import error_codes, only_source

from dedupe.model.disk import FoundPlace, HolderKind, PlaceForm, PlaceKind
from dedupe.model.images import FoundSource, SourceKind
from dedupe.sources.containerd import holds

CHAIN = APP.chain_ids


def places_of(source: FoundSource) -> dict[str, FoundPlace]:
    """The places by path; each exists, and together they are all that is there."""
    root = Path(source.location)
    places = {place.path: place for place in source.places}
    assert len(places) == len(source.places)
    assert all((root / path).exists() for path in places)
    blocks = [path.lstat().st_blocks * 512 for path in (root, *root.rglob("*"))]
    assert sum(place.allocated_bytes for place in places.values()) == sum(blocks)
    return places


def of_kind(source: FoundSource, kind: PlaceKind) -> list[FoundPlace]:
    """The places of one kind."""
    return [place for place in places_of(source).values() if place.facts.kind is kind]


def holders(place: FoundPlace) -> list[tuple[HolderKind, str]]:
    """What keeps a place."""
    return [(holder.kind, holder.name) for holder in place.facts.holders]


def snapshot_of(source: FoundSource, scope: str, key: str) -> FoundPlace:
    """The place of a snapshot."""
    (found,) = [
        place
        for place in places_of(source).values()
        if (place.facts.scope, place.facts.subject) == (scope, key)
    ]
    return found


def lease(
    root: ContainerdRoot,
    lease_id: str,
    namespace: str = "default",
    labels: dict[str, str] | None = None,
    **kept: Any,
) -> None:
    """Record a lease."""
    record: dict[bytes, Any] = {kind.encode(): content for kind, content in kept.items()}
    # 2001-02-03 04:05:06 UTC in the form of Go
    record[b"createdat"] = b"\x01" + (981173106 + 62135596800).to_bytes(8) + b"\0\0\0\0\xff\xff"
    if labels:
        record[b"labels"] = {key.encode(): value.encode() for key, value in labels.items()}
    root.section(namespace, b"leases")[lease_id.encode()] = record


def test_each_namespace_keeps_its_own_copy_of_a_layer(tmp_path: Path) -> None:
    """A snapshot is held by the images of its namespace, a blob by those of all."""
    root = ContainerdRoot(tmp_path)
    for namespace, image in (("a", APP), ("b", APP), ("b", WEB)):
        root.add(image, namespace=namespace)
        if image is APP:
            root.unpack(APP, namespace=namespace)
    root.unpack(WEB, namespace="b", snapshotter="native")
    root.write()
    source = only_source(tmp_path)
    app, web = (HolderKind.IMAGE, APP.image_id), (HolderKind.IMAGE, WEB.image_id)
    for scope, form, chains, holder in (
        ("a/overlayfs", PlaceForm.TREE, CHAIN, app),
        ("b/overlayfs", PlaceForm.TREE, CHAIN, app),
        ("b/native", PlaceForm.FULL_TREE, WEB.chain_ids, web),
    ):
        for chain in chains:
            place = snapshot_of(source, scope, chain)
            assert (place.facts.kind, place.facts.form) == (PlaceKind.LAYER, form)
            assert holders(place) == [holder]
    shared = root.contents.layers[WEB.image_id][0]
    assert shared in root.contents.layers[APP.image_id]
    blob = places_of(source)[f"{CONTENT}/blobs/{shared.replace(':', '/')}"]
    assert set(holders(blob)) == {app, web}
    config = places_of(source)[f"{CONTENT}/blobs/{WEB.image_id.replace(':', '/')}"]
    assert (config.facts.kind, holders(config)) == (PlaceKind.METADATA, [web])
    (image,) = [image for image in source.images if image.image_id == APP.image_id]
    assert set(image.namespaced) == {f"a/{APP.names[0]}", f"b/{APP.names[0]}"}


def test_a_namespace_that_has_no_record_of_a_blob_does_not_keep_it(tmp_path: Path) -> None:
    """A layer that is only labelled, as one that was not pulled, is not kept by the namespace."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="a")
    root.add(WEB, namespace="b")
    shared = root.contents.layers[WEB.image_id][0]
    del root.section("b", b"content")[b"blob"][shared.encode()]
    root.write()
    blob = places_of(only_source(tmp_path))[f"{CONTENT}/blobs/{shared.replace(':', '/')}"]
    assert holders(blob) == [(HolderKind.IMAGE, APP.image_id)]


@pytest.mark.parametrize("expires", ["", "2999-01-01T00:00:00Z", "2001-02-04T00:00:00Z", "soon"])
def test_content_of_a_lease_is_held_until_the_lease_ends(expires: str, tmp_path: Path) -> None:
    """A lease that has ended holds nothing; its times are shown, and the command that ends it."""
    root = ContainerdRoot(tmp_path)
    root.contents.add_image(APP)
    root.record(APP.image_id, "ns")
    root.unpack(APP, namespace="ns")
    labels = {"containerd.io/gc.expire": expires} if expires else {}
    lease(root, "L-1", "ns", labels, content={APP.image_id.encode(): b""})
    root.write()
    source = only_source(tmp_path)
    config = places_of(source)[f"{CONTENT}/blobs/{APP.image_id.replace(':', '/')}"]
    top = snapshot_of(source, "ns/overlayfs", CHAIN[-1])
    if expires.startswith("2001"):
        assert {config.facts.kind, top.facts.kind} == {PlaceKind.ORPHAN}
        assert config.facts.command == (
            *("ctr", "--namespace", "ns", "content", "rm"),
            APP.image_id,
        )
        assert top.facts.command == (
            *("ctr", "--namespace", "ns", "snapshots", "--snapshotter", "overlayfs", "rm"),
            CHAIN[-1],
        )
        return
    assert {config.facts.kind, top.facts.kind} == {PlaceKind.HELD}
    (holder,) = config.facts.holders
    assert (holder.kind, holder.name) == (HolderKind.LEASE, "L-1")
    assert holder.release == ("ctr", "--namespace", "ns", "leases", "rm", "--sync", "L-1")
    ends = ", ends 2999-01-01 00:00 UTC" if expires.startswith("2999") else ""
    owner = f"lease L-1 in namespace ns, made 2001-02-03 04:05 UTC{ends}"
    assert config.facts.owner == top.facts.owner == owner
    assert (holders(top), top.facts.command) == (holders(config), holder.release)


def test_a_flat_lease_of_buildkit_keeps_what_it_names_alone(tmp_path: Path) -> None:
    """Such content keeps nothing by its labels, such a snapshot keeps those below it."""
    root = ContainerdRoot(tmp_path)
    root.contents.add_image(APP)
    root.record(APP.image_id, "buildkit")
    root.unpack(APP, namespace="buildkit")
    record = "k" * 25
    flat = {"containerd.io/gc.flat": "2026-01-01T00:00:00Z"}
    lease(root, record, "buildkit", flat, content={APP.image_id.encode(): b""})
    kept = {b"overlayfs": {CHAIN[1].encode(): b""}}
    lease(root, f"{record}-view", "buildkit", flat, snapshots=kept)
    root.write()
    source = only_source(tmp_path)
    kinds = [snapshot_of(source, "buildkit/overlayfs", chain).facts.kind for chain in CHAIN]
    assert kinds == [PlaceKind.BUILD_CACHE, PlaceKind.BUILD_CACHE, PlaceKind.ORPHAN]
    (holder,) = snapshot_of(source, "buildkit/overlayfs", CHAIN[0]).facts.holders
    assert (holder.kind, holder.name) == (HolderKind.BUILD_CACHE, record)
    assert holder.release == ("buildctl", "prune")


def test_a_container_keeps_its_branch_and_the_layers_below(tmp_path: Path) -> None:
    """Their holder is the container too; with the image deleted it is the only one."""
    root = ContainerdRoot(tmp_path)
    root.add(APP, namespace="a")
    for namespace in ("a", "k8s.io"):
        top = root.unpack(APP, namespace=namespace)
        root.snapshot("busy", top, namespace)
    root.container("busy", APP.names[0], namespace="a")
    labels = {"io.cri-containerd.kind": "container", "io.kubernetes.container.name": "app"}
    root.container("busy", APP.names[0], namespace="k8s.io", labels=labels)
    tasks = tmp_path / "io.containerd.runtime.v2.task/a/busy"
    write(tasks / "work", b"")
    state = tmp_path / "io.containerd.grpc.v1.cri/containers/busy"
    write(state / "status", b"{}")
    write(state / "volumes/v1/data", b"d" * 5000)
    root.write()
    source = only_source(tmp_path)
    found = places_of(source)
    for scope, name, command, images in (
        ("a/overlayfs", "busy", ("ctr", "--namespace", "a", "containers", "rm", "busy"), 1),
        ("k8s.io/overlayfs", "app", ("crictl", "rm", "busy"), 0),
    ):
        upper = snapshot_of(source, scope, "busy")
        assert (upper.facts.kind, upper.facts.owner) == (PlaceKind.CONTAINER, name)
        assert (upper.facts.command, upper.facts.form) == (command, None)
        container, image = (HolderKind.CONTAINER, name), (HolderKind.IMAGE, APP.image_id)
        assert holders(upper) == [container]
        for chain in CHAIN:
            layer = snapshot_of(source, scope, chain)
            assert layer.facts.kind is PlaceKind.LAYER
            assert set(holders(layer)) == {container, *([image] if images else [])}
    task = found["io.containerd.runtime.v2.task/a/busy"]
    assert (task.facts.kind, task.facts.owner) == (PlaceKind.METADATA, "busy")
    volume = found["io.containerd.grpc.v1.cri/containers/busy/volumes/v1"]
    assert (volume.facts.kind, volume.facts.owner) == (PlaceKind.VOLUME, "app")
    assert holders(volume) == [(HolderKind.CONTAINER, "app")]


def test_a_label_keeps_a_snapshot_with_those_below_it(tmp_path: Path) -> None:
    """Its holder is a record, with the command that removes the snapshot."""
    root = ContainerdRoot(tmp_path)
    top = root.unpack(APP)
    root.snapshot("work", top, "default")
    known = root.section("default", b"snapshots")[b"overlayfs"]
    known[b"work"][b"labels"] = {b"containerd.io/gc.root": b"now"}
    root.snapshot("forgotten", top, "default")
    root.write()
    source = only_source(tmp_path)
    remove = ("ctr", "--namespace", "default", "snapshots", "--snapshotter", "overlayfs", "rm")
    for key in ("work", *CHAIN):
        place = snapshot_of(source, "default/overlayfs", key)
        assert place.facts.kind is PlaceKind.HELD
        (holder,) = place.facts.holders
        assert (holder.kind, holder.name) == (HolderKind.RECORD, "work")
        assert holder.release == (*remove, "work")
    forgotten = snapshot_of(source, "default/overlayfs", "forgotten")
    assert forgotten.facts.kind is PlaceKind.ORPHAN
    assert forgotten.facts.command == (*remove, "forgotten")


def test_orphans_are_listed_one_by_one(tmp_path: Path) -> None:
    """A folder or a blob without a record, and a snapshot that was replaced by another."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(OTHER)
    root.unpack(APP)
    root.unpack(APP)
    folder = f"{SNAPSHOTTER}overlayfs/snapshots"
    root.files |= {f"{folder}/99/fs/a": b"a" * 5000, f"{folder}/new-1/fs/a": b"b" * 9000}
    lost = "sha256:" + "0" * 64
    root.contents.blobs[lost] = b"x" * 33
    root.write()
    source = only_source(tmp_path)
    found = places_of(source)
    first, replaced = len(OTHER.layers), len(APP.layers)
    orphans = [*range(1, first + replaced + 1), 99]
    assert {place.path for place in of_kind(source, PlaceKind.ORPHAN)} == {
        *(f"{folder}/{number}" for number in orphans),
        f"{CONTENT}/blobs/{lost.replace(':', '/')}",
    }
    assert found[f"{folder}/1"].facts.command[-1] == OTHER.chain_ids[0]
    # no command names them: containerd knows another snapshot of this key, or none
    assert found[f"{folder}/{first + 1}"].facts.command == ()
    assert found[f"{folder}/99"].facts.command == ()
    assert found[f"{folder}/new-1"].facts.kind is PlaceKind.TEMPORARY
    sizes = [place.file_bytes for place in of_kind(source, PlaceKind.ORPHAN)]
    assert source.orphan_bytes == sum(sizes)


def test_nothing_is_an_orphan_if_references_are_unknown(tmp_path: Path) -> None:
    """Layers of images that were found without their names have these as holders."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(APP)
    root.unpack(OTHER)
    root.write()
    database = tmp_path / "io.containerd.metadata.v1.bolt/meta.db"
    database.write_bytes(b"\0" * database.stat().st_size)
    source = only_source(tmp_path)
    assert source.orphan_bytes is None
    assert of_kind(source, PlaceKind.ORPHAN) == []
    assert holders(snapshot_of(source, "default/overlayfs", CHAIN[0])) == [
        (HolderKind.IMAGE, APP.image_id)
    ]
    other = snapshot_of(source, "default/overlayfs", OTHER.chain_ids[0])
    assert (other.facts.kind, other.facts.command) == (PlaceKind.UNRECOGNISED, ())


def test_records_that_keep_more_than_real_hosts_have_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nothing seems to need is then unknown."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(OTHER)
    root.write()
    monkeypatch.setattr(holds, "_MAX_KEPT", 3)
    source = only_source(tmp_path)
    assert error_codes(source) == ["bolt-too-large"]
    assert source.orphan_bytes is None
    assert of_kind(source, PlaceKind.ORPHAN) == []


def test_snapshots_below_each_other_end(tmp_path: Path) -> None:
    """A snapshot that is below itself is read once."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(APP)
    records = root.snapshots["overlayfs"][b"snapshots"]
    records[f"default/101/{CHAIN[0]}".encode()][b"parent"] = f"default/103/{CHAIN[2]}".encode()
    root.write()
    source = only_source(tmp_path)
    for chain in CHAIN:
        place = snapshot_of(source, "default/overlayfs", chain)
        assert holders(place) == [(HolderKind.IMAGE, APP.image_id)]


def test_a_transfer_has_its_name_its_size_and_the_lease_that_keeps_it(tmp_path: Path) -> None:
    """A transfer without a record has the name that is in its folder."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    backend = "default/7/layer-1"
    root.section("default", b"content")[b"ingests"] = {b"layer-1": {b"ref": backend.encode()}}
    lease(root, "pull", ingests={b"layer-1": b""})
    folder = f"{CONTENT}/ingest/{hashlib.sha256(backend.encode()).hexdigest()}"
    root.files |= {f"{folder}/data": b"d" * 5000, f"{folder}/total": b"20000"}
    root.files[f"{CONTENT}/ingest/abc/ref"] = b"default/8/\x1b[2J"
    root.write()
    found = places_of(only_source(tmp_path))
    known, other = found[folder], found[f"{CONTENT}/ingest/abc"]
    assert {known.facts.kind, other.facts.kind} == {PlaceKind.UPLOAD}
    assert known.facts.owner == "layer-1 (20,000 bytes if complete)"
    assert holders(known) == [(HolderKind.LEASE, "pull")]
    assert known.facts.command[-3:] == ("rm", "--sync", "pull")
    assert (other.facts.owner, other.facts.holders) == ("default/8/\\x1b[2J", ())


def test_folders_of_other_snapshotters_are_measured(tmp_path: Path) -> None:
    """With records that can be read, snapshot by snapshot; else as one folder."""
    root = ContainerdRoot(tmp_path)
    root.add(APP)
    root.unpack(APP, snapshotter="erofs")
    for name in ("devmapper", "btrfs"):
        (tmp_path / f"{SNAPSHOTTER}{name}").mkdir(parents=True)
    write(tmp_path / f"{SNAPSHOTTER}devmapper/pool", b"p" * 5000)
    write(tmp_path / "mine/notes", b"n" * 5000)
    root.write()
    source = only_source(tmp_path)
    place = snapshot_of(source, "default/erofs", CHAIN[0])
    assert (place.facts.kind, holders(place)) == (
        PlaceKind.LAYER,
        [(HolderKind.IMAGE, APP.image_id)],
    )
    found = places_of(source)
    kinds = {
        name: found[path].facts.kind
        for name, path in {
            "devmapper": f"{SNAPSHOTTER}devmapper",
            "btrfs": f"{SNAPSHOTTER}btrfs",
            "mine": "mine",
            "root": "",
        }.items()
    }
    assert kinds == {
        "devmapper": PlaceKind.UNRECOGNISED,
        "btrfs": PlaceKind.METADATA,
        "mine": PlaceKind.UNRECOGNISED,
        "root": PlaceKind.METADATA,
    }


def test_docker_keeps_its_containers_with_leases_of_their_ids(tmp_path: Path) -> None:
    """Below docker's root paths are those below containerd's; the command is docker's."""
    root = ContainerdRoot(tmp_path / "containerd/daemon")
    root.add(APP, namespace="moby")
    top = root.unpack(APP, namespace="moby")
    container = "c" * 64
    init = root.snapshot(f"{container}-init", top, "moby", kind=3)
    root.snapshot(container, init, "moby")
    kept = {b"overlayfs": {container.encode(): b""}}
    lease(root, container, "moby", snapshots=kept)
    record = "b" * 25
    flat = {"containerd.io/gc.flat": "x"}
    top_kept = {b"overlayfs": {CHAIN[-1].encode(): b""}}
    lease(root, record, "moby", flat, snapshots=top_kept)
    config = b'{"ID": "%s", "Name": "/web", "Config": {"Image": "app:1"}}' % container.encode()
    write(tmp_path / "containers" / container / "config.v2.json", config)
    root.write()
    source = only_source(tmp_path)
    assert source.kind is SourceKind.DOCKER_CONTAINERD
    web = (HolderKind.CONTAINER, "web")
    for key in (container, f"{container}-init"):
        place = snapshot_of(source, "moby/overlayfs", key)
        assert (place.facts.kind, holders(place)) == (PlaceKind.CONTAINER, [web])
        assert place.facts.command == ("docker", "rm", "--", "web")
    base = snapshot_of(source, "moby/overlayfs", CHAIN[0])
    assert set(holders(base)) == {
        web,
        (HolderKind.IMAGE, APP.image_id),
        (HolderKind.BUILD_CACHE, record),
    }
    releases = {holder.kind: holder.release for holder in base.facts.holders}
    assert releases[HolderKind.BUILD_CACHE] == ("docker", "builder", "prune")


def test_what_the_store_says_is_shown_in_printable_form(tmp_path: Path) -> None:
    """Names with escapes of a terminal, or that are not UTF-8, are escaped in rows."""
    evil = "evil\x1b[2J"
    root = ContainerdRoot(tmp_path)
    image = Image([tar_of([file("a")])], names=[evil])
    root.add(image, namespace=evil)
    top = root.unpack(image, namespace=evil)
    root.snapshot(evil, top, evil)
    root.container(evil, evil, namespace=evil)
    lease(root, evil, evil, content={image.image_id.encode(): b""})
    write(tmp_path / "io.containerd.runtime.v2.task" / evil / evil / "work", b"")
    (tmp_path / os.fsdecode(b"\xff")).mkdir()
    root.write()
    source = only_source(tmp_path)
    for place in source.places:
        facts = place.facts
        texts = [place.path, facts.owner or "", facts.subject or "", facts.scope or ""]
        texts += facts.command
        for holder in facts.holders:
            texts += [holder.name, *holder.release]
        assert all(text.isprintable() for text in texts), texts
    assert {holder.kind for place in source.places for holder in place.facts.holders} == {
        HolderKind.IMAGE,
        HolderKind.CONTAINER,
        HolderKind.LEASE,
    }
