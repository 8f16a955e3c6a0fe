"""What a real containerd has pulled, unpacked and started is what is read."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import (
    Image,
    directory,
    file,
    hardlink,
    opaque,
    symlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from helpers.containerd import CRI, NEEDS_CONTAINERD, Daemon
from helpers.scanning import codes, error_codes, figures, only_source, scanned

from dedupe.formats.bolt import BoltFile
from dedupe.host.store_root import StoreRoot
from dedupe.model.images import FoundSource, TreeRef
from dedupe.sources.containerd.metadata import METADATA, read_metadata

pytestmark = NEEDS_CONTAINERD

BASE = tar_of(
    [
        directory("etc"),
        file("etc/a", b"1" * 400, mode=0o600, uid=7),
        hardlink("etc/b", "etc/a"),
        symlink("etc/s", "a"),
        directory("old"),
        file("old/x", b"5" * 9),
    ]
)
UPPER = tar_of([whiteout("etc/a"), directory("old"), opaque("old"), file("etc/c", b"2" * 300)])
APP = Image([BASE, UPPER, BASE], names=["docker.io/library/app:1"])
WEB = Image([BASE, tar_of([file("web", b"3" * 70)])], names=["docker.io/library/web:2"])


@pytest.fixture
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """A containerd of its own, with CRI if the test asks for it."""
    # the path of a socket has at most 108 bytes
    folder = Path(tempfile.mkdtemp(prefix="ctd"))
    with_cri = getattr(request, "param", None) == "cri"
    started = Daemon(folder, disabled="[]" if with_cri else f'["{CRI}"]')
    try:
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder)


def test_images_of_a_real_containerd_have_the_figures_of_their_layout(
    daemon: Daemon, tmp_path: Path
) -> None:
    """Two namespaces and CRI's three names give the images and entries of the layout, once."""
    daemon.load(APP, WEB)
    daemon.load(APP, namespace="k8s.io")
    digest = re.search(r"sha256:\w+", daemon.ctr("images", "ls", "name==" + APP.names[0]).stdout)
    assert digest is not None
    for name in (f"docker.io/library/app@{digest[0]}", APP.image_id):
        daemon.ctr("images", "tag", APP.names[0], name, namespace="k8s.io")
    daemon.settle()
    write_oci_layout(tmp_path / "layout", [APP, WEB])
    ours, session = scanned(tmp_path / "a", daemon.root)
    theirs, reference = scanned(tmp_path / "b", tmp_path / "layout")
    assert codes(ours) == codes(theirs) == []
    ours_figures, their_figures = figures(session), figures(reference)
    # containerd keeps unpacked layers beside the blobs, once per namespace
    source = only_source(daemon.root)
    blobs_alone = sum(blob.stored_bytes for blob in source.blobs)
    assert ours_figures["totals"][0].pop("stored_bytes") > blobs_alone
    assert their_figures["totals"][0].pop("stored_bytes") == blobs_alone
    # and these are counted once per namespace
    (mine,), (layout,) = ours_figures["totals"], their_figures["totals"]
    again = mine.pop("unshared_bytes")
    assert again == sum(
        row["content_bytes"] for row in session.rows("images") if row["names"][0] == APP.names[0]
    )
    mine["unpacked_bytes"] -= again
    mine["cow_savings_bytes"] += again
    assert layout.pop("unshared_bytes") == 0
    for row in (*ours_figures["images"], *their_figures["images"]):
        del row["exclusive_unpacked"], row["attributed_unpacked"]
    assert ours_figures == their_figures
    entries = "SELECT * FROM entries ORDER BY ALL"
    assert session.ask(entries) == reference.ask(entries)
    assert ours.entries == theirs.entries == 11
    assert source.allocated_bytes == daemon.disk_usage()
    assert all(layer.allocated_bytes for image in source.images for layer in image.layers)
    blobs = daemon.ctr("content", "ls", "--quiet").stdout.split()
    assert sorted(str(blob.digest) for blob in source.blobs) == sorted(blobs)
    assert source.orphan_bytes == 0


@pytest.mark.parametrize("daemon", ["cri"], indirect=True)
def test_the_id_that_cri_adds_is_not_a_name(daemon: Daemon) -> None:
    """CRI names an image by its ID too, which is not listed as a name."""
    if not re.search(r"\bcri .* ok", daemon.ctr("plugins", "ls").stdout):
        pytest.skip("this containerd has no CRI that starts here")
    daemon.load(APP, namespace="k8s.io")
    known: list[str] = []
    for _ in range(100):
        known = daemon.ctr("images", "ls", "--quiet", namespace="k8s.io").stdout.split()
        if len(known) > 1:
            break
        time.sleep(0.1)
    assert sorted(known) == [*APP.names, APP.image_id]
    (image,) = only_source(daemon.root).images
    assert image.names == tuple(APP.names)


def names_in(tree: TreeRef) -> set[str]:
    """Everything below a folder, without overlay's own marks."""
    root = tree.root.joinpath(*tree.parts)
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_without_blobs_layers_are_their_unpacked_folders(snapshotter: str, daemon: Daemon) -> None:
    """Without their blobs, layers are read from the folders that containerd unpacked them to."""
    daemon.load(APP, snapshotter=snapshotter)
    before = only_source(daemon.root)
    for layer in before.images[0].layers:
        assert layer.blob is not None
        daemon.root.joinpath(*layer.blob.parts).unlink(missing_ok=True)
    source = only_source(daemon.root)
    assert source.problems == []
    trees = [layer.tree for layer in source.images[0].layers]
    assert all(trees)
    assert [layer.content for layer in source.images[0].layers] == trees
    listed = [names_in(tree) for tree in trees if tree]
    base = {"etc", "etc/a", "etc/b", "etc/s", "old", "old/x"}
    if snapshotter == "native":
        merged = {"etc", "etc/b", "etc/s", "etc/c", "old"}
        assert listed == [base, merged, base | {"etc/c"}]
    else:
        assert listed == [base, {"etc", "etc/a", "etc/c", "old"}, base]
    assert all(tree.size > 0 for tree in trees if tree)


def test_a_real_container_is_read_in_every_state(daemon: Daemon) -> None:
    """A container that never started, one that runs, and the same once it has ended."""
    if shutil.which("runc") is None:
        pytest.skip("runc is not installed")
    programs = ["/bin/sh", "/bin/sleep", "/bin/rm"]
    linked = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True)
    needed = {path for path in re.findall(r"/\S+", linked.stdout) if not path.endswith(":")}
    layer = tar_of(
        [
            file(path.lstrip("/"), Path(path).read_bytes(), mode=0o755)
            for path in (*programs, *sorted(needed))
        ]
        + [file("doomed", b"6" * 60)]
    )
    image = Image([layer], names=["docker.io/library/sh:1"])
    daemon.load(image)
    daemon.ctr("containers", "create", image.names[0], "idle")
    script = "echo hello > /new; rm /doomed; sleep 1000"
    daemon.ctr("run", "--detach", image.names[0], "busy", "/bin/sh", "-c", script)

    def states() -> dict[str, bool | None]:
        source = only_source(daemon.root)
        assert source.problems == []
        for container in source.containers:
            assert container.image_id == image.image_id
            assert container.image == image.names[0]
        return {container.container_id: container.running for container in source.containers}

    def upper(name: str) -> Path:
        (container,) = (
            container
            for container in only_source(daemon.root).containers
            if container.container_id == name
        )
        assert container.upper is not None
        return container.upper.root.joinpath(*container.upper.parts)

    try:
        for _ in range(100):
            if (upper("busy") / "doomed").exists():
                break
            time.sleep(0.05)
        # containerd keeps the record of an ended task until a client asks for its exit status
        assert states() == {"idle": False, "busy": None}
        assert (upper("busy") / "new").read_text() == "hello\n"
        assert (upper("busy") / "doomed").is_char_device()
        assert list(upper("idle").iterdir()) == []
    finally:
        daemon.ctr("tasks", "kill", "--signal", "SIGKILL", "busy", check=False)
        for _ in range(100):
            if daemon.ctr("tasks", "rm", "busy", check=False).returncode != 1:
                break
            time.sleep(0.05)
    for _ in range(100):
        if states()["busy"] is False:
            break
        time.sleep(0.05)
    assert states() == {"idle": False, "busy": False}


def test_a_live_store_is_read_without_disturbing_the_daemon(daemon: Daemon) -> None:
    """While images come and go, each reading is of one moment, and the daemon never waits."""
    daemon.load(APP, WEB)
    path = daemon.root.joinpath(*METADATA)
    stop = threading.Event()
    failed: list[str] = []
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            for words in (
                ("images", "tag", APP.names[0], "docker.io/library/a:1", "docker.io/library/b:1"),
                ("snapshots", "prepare", "work", APP.chain_ids[0]),
                ("snapshots", "rm", "work"),
                ("images", "rm", "docker.io/library/a:1", "docker.io/library/b:1"),
            ):
                done = daemon.ctr(*words, check=False)
                if done.returncode:
                    failed.append(f"{words}: {done.stderr}")
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    seen: set[frozenset[str]] = set()
    sources: list[FoundSource] = []
    modified = path.stat().st_mtime_ns
    try:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            metadata = read_metadata(BoltFile.open(StoreRoot(daemon.root), METADATA))
            assert metadata.errors == []
            seen.add(frozenset(record.name for record in metadata.images))
            sources.append(only_source(daemon.root))
    finally:
        stop.set()
        writer.join()
    assert failed == []
    assert path.stat().st_mtime_ns > modified
    always = {*APP.names, *WEB.names}
    assert all(
        always <= names <= always | {"docker.io/library/a:1", "docker.io/library/b:1"}
        for names in seen
    )
    assert len(seen) > 1, f"nothing changed in {written} commands"
    assert all(error_codes(source) == [] for source in sources)
    assert all(
        {image.image_id for image in source.images} == {APP.image_id, WEB.image_id}
        for source in sources
    )


def test_a_scan_changes_no_time_of_a_file(daemon: Daemon, tmp_path: Path) -> None:
    """After a scan no file of the store has another time of access or change."""
    daemon.load(APP)
    daemon.stop()
    files = [path for path in daemon.root.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in files:
        os.utime(path, ns=(1, 2))
    outcome, _ = scanned(tmp_path / "catalog", daemon.root)
    assert codes(outcome) == []
    assert {path.name for path in files} >= {"meta.db", "metadata.db"}
    for path in files:
        status = path.stat()
        assert (status.st_atime_ns, status.st_mtime_ns) == (1, 2), path
