"""A store's own folders that are links or mounts: followed into what the user named, else said."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import file, tar_of
from builders.containerd import CONTENT, SNAPSHOTTER, ContainerdRoot
from builders.docker import DockerRoot, write
from builders.registry import RegistryStore
from builders.samples import APP, OTHER
from builders.storage import ContainersStorage
from helpers.privileges import as_nobody
from helpers.scanning import error_codes, find_sources, only_source, scanned

from dedupe.host.links import NamedRoots
from dedupe.host.store_root import StoreRoot
from dedupe.model.images import FoundSource, LayerState, Severity
from dedupe.sources.discover import Selection, discover

CONTAINER = "c" * 63 + "a"
V2 = "docker/registry/v2"


def docker(root: Path) -> None:
    """A docker store with a container, a volume and a folder that nothing needs."""
    store = DockerRoot(root)
    store.add(APP, OTHER)
    write(store.container(CONTAINER, APP) / "new", b"n" * 30)
    write(root / "volumes/v/_data/f", b"v" * 70)
    write(store.folder("a" * 64) / "lost", b"l" * 500)


def storage(root: Path) -> None:
    """A store of containers/storage with a container and a layer that nothing needs."""
    store = ContainersStorage(root)
    store.add(APP)
    store.add(OTHER)
    store.container(CONTAINER, APP, tar_of([file("new", b"n" * 30)]))
    store.layer("e" * 64, None, tar_of([file("lost", b"l" * 500)]))
    store.write()


def containerd(root: Path) -> None:
    """A containerd store; OTHER has no blobs of layers, and a blob is of nothing."""
    store = ContainerdRoot(root)
    store.add(APP)
    store.add(OTHER)
    store.unpack(OTHER)
    for digest in OTHER.diff_ids:
        store.contents.blobs.pop(digest, None)
    store.snapshot(CONTAINER, "", "default")
    store.container(CONTAINER, APP.names[0])
    store.contents.blobs["sha256:" + "0" * 64] = b"l" * 500
    store.write()


def registry(root: Path) -> None:
    """A registry with a blob that nothing names."""
    store = RegistryStore(root)
    store.image("app", APP, "1")
    store.image("deep/other", OTHER)
    store.blob(b"l" * 500)


#: store, its own folder, and whether the folder may hold references or layers
FOLDERS: list[tuple[Callable[[Path], None], str, bool]] = [
    (docker, "image", True),
    (docker, "overlay2", True),
    (docker, "containers", False),
    (docker, "volumes", False),
    (storage, "overlay", True),
    (storage, "overlay-images", True),
    (storage, "overlay-layers", True),
    (storage, "overlay-containers", True),
    (containerd, CONTENT, True),
    (containerd, f"{CONTENT}/blobs", True),
    (containerd, "io.containerd.metadata.v1.bolt", True),
    (containerd, f"{SNAPSHOTTER}overlayfs", True),
    (containerd, f"{SNAPSHOTTER}overlayfs/snapshots", True),
    (registry, f"{V2}/repositories", True),
    (registry, f"{V2}/blobs", True),
    (registry, f"{V2}/blobs/sha256", True),
    (registry, f"{V2}/repositories/deep", True),
]
IDS = [f"{write_store.__name__} {folder}" for write_store, folder, _ in FOLDERS]


def move(root: Path, folder: str, to: Path) -> None:
    """Move a folder of a store, and leave a link in its place."""
    to.parent.mkdir(parents=True, exist_ok=True)
    (root / folder).rename(to)
    (root / folder).symlink_to(to)


def facts(source: FoundSource) -> object:
    """What a source has, without the places where it is."""
    return (
        {
            (image.image_id, image.names, tuple(layer.state for layer in image.layers))
            for image in source.images
        },
        {(one.container_id, one.image_id, one.upper is None) for one in source.containers},
        (source.stored_bytes, source.orphan_bytes, error_codes(source)),
        [layer.allocated_bytes for image in source.images for layer in image.layers],
    )


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize(("write_store", "folder", "_"), FOLDERS, ids=IDS)
def test_a_moved_folder_is_read_where_the_user_named_it(
    write_store: Callable[[Path], None], folder: str, _: bool, absolute: bool, tmp_path: Path
) -> None:
    """The figures are those of the store before, from an absolute link and from a relative one."""
    root, other = tmp_path / "store", tmp_path / "disk/moved"
    write_store(root)
    before = only_source(root)
    move(root, folder, other)
    if not absolute:
        (root / folder).unlink()
        (root / folder).symlink_to(os.path.relpath(other, (root / folder).parent))
    (found,) = discover([root], Selection(), [tmp_path / "disk"])
    assert isinstance(found, FoundSource)
    assert facts(found) == facts(before)
    outcome, session = scanned(tmp_path / "catalog", tmp_path)
    assert (outcome.errors, outcome.sources) == (0, 1)
    totals = {row["image_id"]: row["live_bytes"] for row in session.rows("images")}
    assert totals[OTHER.image_id] == 7


@pytest.mark.parametrize(("write_store", "folder", "holds"), FOLDERS, ids=IDS)
def test_a_folder_outside_is_one_error_that_names_it(
    write_store: Callable[[Path], None], folder: str, holds: bool, tmp_path: Path
) -> None:
    """Nothing there is read; what it may refer to is unknown, and its images are not whole."""
    root, other = tmp_path / "store", tmp_path / "disk/moved"
    write_store(root)
    before = only_source(root)
    move(root, folder, other)
    source = only_source(root)
    (problem,) = [each for each in source.problems if each.code == "link-refused"]
    assert folder in problem.message
    assert f"--also {other}" in problem.message
    assert problem.severity is Severity.ERROR
    assert (source.orphan_bytes is None) == holds
    assert source.orphan_bytes in (None, before.orphan_bytes)
    layers = [layer for image in source.images for layer in image.layers]
    assert not any(
        layer.content is not None and layer.state is None and layer.content.root != root
        for layer in layers
    )
    if folder in ("overlay2", "overlay"):
        assert {layer.state for layer in layers} == {LayerState.BROKEN}
        assert all(one.upper is None for one in source.containers)
        assert error_codes(source) == ["link-refused"]
        # the rest of the store is measured
        assert source.allocated_bytes is not None
        assert 0 < source.stored_bytes < before.stored_bytes


def test_a_folder_of_a_registry_is_listed_once(tmp_path: Path) -> None:
    """A link to a folder above it, or to another of the same store, is not followed."""
    registry(tmp_path)
    names = tmp_path / V2 / "repositories"
    (names / "deep/again").symlink_to(names)
    (names / "twice").symlink_to(names / "app")
    source = only_source(tmp_path)
    assert error_codes(source) == ["not-a-regular-file"] * 2
    assert sorted(name.partition("@")[0] for one in source.images for name in one.names) == [
        "app:1",
        "deep/other",
    ]


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    """They are followed a limited number of times."""
    docker(tmp_path / "store")
    (tmp_path / "store/overlay2").rename(tmp_path / "gone")
    (tmp_path / "store/overlay2").symlink_to("other")
    (tmp_path / "store/other").symlink_to("overlay2")
    source = only_source(tmp_path / "store")
    assert source.orphan_bytes is None
    assert {layer.state for image in source.images for layer in image.layers} == {LayerState.BROKEN}


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Mount file systems, and unmount them at the end."""
    mounted: list[Path] = []

    def mount_at(place: Path, *words: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr[-200:]}")
        mounted.append(place)

    yield mount_at
    for place in reversed(mounted):
        subprocess.run(["umount", str(place)], check=True)


def du(*folders: Path) -> int:
    """Disk usage of folders on their own devices."""
    done = subprocess.run(["du", "-scx", "-B1", *folders], check=True, capture_output=True)
    return int(done.stdout.split()[-2])


def test_own_folders_are_measured_on_any_device_and_other_mounts_are_not(
    mount: Callable[..., None], tmp_path: Path
) -> None:
    """A disk at ``overlay2`` is the store's; shared memory and a bound folder are not."""
    root = tmp_path / "store"
    mount(root / "overlay2", "-t", "tmpfs", "tmpfs")
    docker(root)
    shm = root / "containers" / CONTAINER / "mounts/shm"
    mount(shm, "-t", "tmpfs", "tmpfs")
    write(shm / "f", b"s" * 9000)
    write(tmp_path / "home/f", b"h" * 9000)
    before = only_source(root)
    assert before.allocated_bytes == du(root, root / "overlay2")
    assert before.orphan_bytes == 500
    mount(root / "volumes/v/_data", "--bind", str(tmp_path / "home"))
    source = only_source(root)
    (note,) = [each for each in source.problems if each.code == "foreign-mounts"]
    assert note.severity is Severity.NOTE
    assert note.message.startswith("2 mounts are not part of the store")
    assert "1 tmpfs" in note.message
    assert source.orphan_bytes == 500
    assert source.allocated_bytes is not None
    assert source.allocated_bytes < du(root, root / "overlay2")


def test_a_moved_folder_is_measured_once(tmp_path: Path) -> None:
    """Also if the link leads to another folder of the same store."""
    root = tmp_path / "store"
    docker(root)
    allocated = du(root)
    (root / "overlay2").rename(root / "elsewhere")
    (root / "overlay2").symlink_to("elsewhere")
    (source,) = find_sources(root)
    assert isinstance(source, FoundSource)
    assert source.allocated_bytes == allocated


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close a folder to another user")
@pytest.mark.parametrize(("write_store", "folder", "holds"), FOLDERS, ids=IDS)
def test_a_folder_without_permission_hides_what_it_refers_to(
    write_store: Callable[[Path], None], folder: str, holds: bool, tmp_path: Path
) -> None:
    """One error says so; nothing seems to be unneeded because of it."""
    for above in (*tmp_path.parents, tmp_path):
        if above.stat().st_mode & 0o007 == 0:
            above.chmod(0o711)
    root = tmp_path / "store"
    write_store(root)
    (root / folder).chmod(0)

    def look() -> tuple[list[str], int | None, str | None]:
        source = only_source(root)
        return error_codes(source), source.orphan_bytes, source.unseen_references

    errors, orphans, unseen = as_nobody(look)
    assert errors == ["permission-denied"]
    # what is below a folder that could not be read is not counted, so no figure is whole
    assert (orphans, unseen is None) == (None, False)
    assert holds or "cannot be read" in str(unseen)


def test_a_link_to_a_file_is_not_a_moved_folder(tmp_path: Path) -> None:
    """Looking for a folder in its place changes nothing."""
    write(tmp_path / "disk/file", b"f")
    write(tmp_path / "store/other", b"o")
    (tmp_path / "store/link").symlink_to("../disk/file")
    store = StoreRoot(tmp_path / "store", NamedRoots([tmp_path]))
    assert not store.has_folder("link")
    assert store.place(["link"]) == (tmp_path / "store", ("link",))
    assert store.moved_folders() == set()
