"""What a real containerd frees is what its records say; every byte of its root has a place."""

import random
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest
from builders import Image, directory, file, hardlink, symlink, tar_of, whiteout
from helpers.containerd import CRI, NEEDS_CONTAINERD, Daemon
from helpers.scanning import codes, only_source, scanned

from dedupe.model.disk import HolderKind, PlaceKind
from dedupe.model.images import FoundSource

pytestmark = NEEDS_CONTAINERD

BASE = tar_of(
    [
        directory("etc"),
        file("etc/a", b"1" * 90_000),
        hardlink("etc/b", "etc/a"),
        symlink("etc/s", "a"),
        file("big", bytes(range(256)) * 400),
    ]
)
UPPER = tar_of([whiteout("etc/a"), file("etc/c", b"2" * 30_000)])
TOP = tar_of([file("top", b"3" * 50_000)])
LARGE = tar_of([file("large", random.Random(1).randbytes(3_000_000))])
BASIC = Image([BASE], names=["docker.io/library/basic:1"])
APP = Image([BASE, UPPER, TOP], names=["docker.io/library/app:1", "docker.io/library/app:2"])
WEB = Image([BASE, UPPER, LARGE], names=["docker.io/library/web:1"])
HALF = Image([BASE, TOP, LARGE], names=["docker.io/library/half:1"])


@pytest.fixture(scope="module")
def full_store() -> Iterator[Daemon]:
    """A store for tests that only read it."""
    yield from started()


@pytest.fixture
def store() -> Iterator[Daemon]:
    """A store for a test that deletes what is in it."""
    yield from started()


def started() -> Iterator[Daemon]:
    """Two namespaces, two snapshotters, a container, a labelled snapshot, and what a client left.

    In the namespace ``other``, the base has no name of its own, and ``app`` is unpacked as full
    trees.
    """
    # the path of a socket has at most 108 bytes
    folder = Path(tempfile.mkdtemp(prefix="ctd"))
    daemon = Daemon(folder, disabled=f'["{CRI}"]')
    try:
        daemon.load(BASIC, APP, WEB)
        daemon.load(WEB, namespace="other")
        daemon.load(APP, namespace="other", snapshotter="native")
        daemon.ctr("containers", "create", APP.names[0], "idle")
        daemon.ctr("snapshots", "prepare", "work", BASIC.chain_ids[0], namespace="other")
        daemon.load_part(HALF, namespace="third")
        daemon.collect()
        yield daemon
    finally:
        daemon.stop()
        shutil.rmtree(folder)


def freed_by(source: FoundSource, chosen: Collection[tuple[HolderKind, str]]) -> int:
    """Bytes of the places of which every holder is chosen."""
    return sum(
        place.allocated_bytes
        for place in source.places
        if place.facts.holders
        and all((holder.kind, holder.name) in chosen for holder in place.facts.holders)
    )


def sizes(source: FoundSource) -> dict[str, int]:
    """Bytes of each place that is not one of the store's own folders and databases."""
    return {
        place.path: place.allocated_bytes
        for place in source.places
        if place.facts.kind is not PlaceKind.METADATA or place.facts.holders
    }


def removals(source: FoundSource, chosen: tuple[HolderKind, str]) -> Sequence[Sequence[str]]:
    """The commands that remove a holder."""
    kind, name = chosen
    if kind is not HolderKind.IMAGE:
        holders = [holder for place in source.places for holder in place.facts.holders]
        return [next(each.release for each in holders if (each.kind, each.name) == chosen)]
    records = {
        record.partition("/")[::2]
        for image in source.images
        if image.image_id == name
        for record in image.namespaced
    }
    return [
        ("ctr", "--namespace", space, "images", "rm", "--sync", record)
        for space, record in sorted(records)
    ]


def test_every_byte_has_a_place_while_containerd_runs(full_store: Daemon, tmp_path: Path) -> None:
    """The rows of a scan add up to what du counts, and say what containerd lists."""
    store = full_store
    outcome, session = scanned(tmp_path / "catalog", store.root)
    assert codes(outcome) == []
    total = "SELECT sum(allocated_bytes) AS bytes FROM scan_disk"
    assert session.ask(total).rows == [(store.disk_usage(),)]
    source = only_source(store.root)
    kinds = {place.facts.kind for place in source.places}
    assert not kinds & {PlaceKind.UNRECOGNISED, PlaceKind.ORPHAN}
    assert {PlaceKind.UPLOAD, PlaceKind.CONTAINER, PlaceKind.HELD, PlaceKind.LAYER} <= kinds
    layers = [place.facts for place in source.places if place.facts.kind is PlaceKind.LAYER]
    unpacked = {(facts.scope, facts.subject) for facts in layers if facts.scope}
    assert unpacked == {
        *(("default/overlayfs", chain) for chain in (*APP.chain_ids, *WEB.chain_ids)),
        *(("other/overlayfs", chain) for chain in WEB.chain_ids),
        *(("other/native", chain) for chain in APP.chain_ids),
    }
    assert {facts.form for facts in layers if facts.scope == "other/native"} == {"full-tree"}
    (lease,) = store.ctr("leases", "ls", "--quiet", namespace="third").stdout.split()
    (upload,) = [place for place in source.places if place.facts.kind is PlaceKind.UPLOAD]
    assert [holder.name for holder in upload.facts.holders] == [lease]
    assert upload.facts.owner is not None
    assert upload.facts.owner.endswith("bytes if complete)")


@pytest.mark.parametrize("seed", range(2))
def test_what_is_deleted_frees_what_its_records_hold(seed: int, store: Daemon) -> None:
    """Images, leases, labels and containers are deleted in any order, one or two at a time."""
    draw = random.Random(seed)
    source = only_source(store.root)
    holders = {
        (holder.kind, holder.name) for place in source.places for holder in place.facts.holders
    }
    assert len(holders) == 6
    left = sorted(holders)
    while left:
        chosen = {left.pop(draw.randrange(len(left))) for _ in range(min(len(left), 2))}
        expected = freed_by(source, chosen)
        for one in chosen:
            for command in removals(source, one):
                store.run(command)
        # what is removed without --sync is freed by the next collection
        store.collect()
        after = only_source(store.root)
        before_sizes, after_sizes = sizes(source), sizes(after)
        assert after_sizes.keys() <= before_sizes.keys()
        assert sum(before_sizes.values()) - sum(after_sizes.values()) == expected, chosen
        assert after.allocated_bytes == store.disk_usage()
        source = after
    assert not any(place.facts.holders for place in source.places)
    store.stop()
    assert only_source(store.root).allocated_bytes == store.disk_usage()


def test_an_image_goes_with_all_its_names_in_all_namespaces(full_store: Daemon) -> None:
    """Blobs are stored once for all namespaces, unpacked layers once in each."""
    source = only_source(full_store.root)
    web = next(image for image in source.images if image.image_id == WEB.image_id)
    assert set(web.namespaced) == {f"{space}/{WEB.names[0]}" for space in ("default", "other")}
    large = [
        place.facts
        for place in source.places
        if place.facts.subject in (WEB.chain_ids[-1], web.layers[-1].digest)
    ]
    assert sorted(facts.scope or "" for facts in large) == [
        "",
        "default/overlayfs",
        "other/overlayfs",
    ]
    holder = (HolderKind.IMAGE, web.image_id)
    assert {(each.kind, each.name) for facts in large for each in facts.holders} == {holder}
    middle = next(
        place.facts
        for place in source.places
        if (place.facts.scope, place.facts.subject) == ("other/overlayfs", WEB.chain_ids[1])
    )
    # app has the same layer, but is unpacked elsewhere in this namespace
    assert {each.name for each in middle.holders} == {web.image_id}
    assert middle.owner == WEB.names[0]
