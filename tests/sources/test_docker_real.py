"""What a real dockerd has loaded, built and started is what is read."""

import hashlib
import json
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
    write_docker_archive,
    write_oci_layout,
)
from helpers.dockerd import Daemon
from helpers.privileges import as_nobody
from helpers.scanning import codes, error_codes, find_sources, only_source, scanned

from dedupe.model.images import FoundSource, Severity

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(os.geteuid() != 0, reason="dockerd runs as root only"),
    pytest.mark.skipif(
        not (shutil.which("dockerd") and shutil.which("docker")),
        reason="docker is not installed",
    ),
]

BASE = tar_of(
    [
        directory("etc"),
        file("etc/a", b"1" * 400, mode=0o600, uid=7),
        # docker sets the metadata in the header of the link
        hardlink("etc/b", "etc/a", mode=0o600, uid=7),
        symlink("etc/s", "a"),
        directory("old"),
        file("old/x", b"5" * 9),
        file("k", b"4" * 3000, xattrs=(("user.k", b"v"),), nanos=17),
    ]
)
UPPER = tar_of([whiteout("etc/a"), directory("old"), opaque("old"), file("etc/c", b"2" * 300)])
APP = Image([BASE, UPPER], names=["app:1", "localhost:5000/x/app:2"])
WEB = Image([BASE, tar_of([file("web", b"3" * 70)])], names=["web:2"])
ENTRIES = "SELECT * FROM entries ORDER BY ALL"


@pytest.fixture(params=["overlay2", "vfs"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """A dockerd of its own, for each driver."""
    # the path of a socket has at most 108 bytes
    folder = Path(tempfile.mkdtemp(prefix="dkr"))
    started = Daemon(folder, request.param)
    try:
        yield started
    finally:
        for container in started.docker("ps", "--quiet", check=False).stdout.split():
            started.docker("kill", container, check=False)
        started.stop()
        shutil.rmtree(folder)


def du(*paths: Path) -> int:
    """Bytes on disk of these paths, by ``du``."""
    done = subprocess.run(["du", "-scx", "-B1", *paths], check=True, capture_output=True)
    return int(done.stdout.split()[-2])


def test_images_of_a_real_docker_have_the_figures_of_their_layout(
    daemon: Daemon, tmp_path: Path
) -> None:
    """Diff IDs, entries, hashes and figures are the layout's; sizes are docker's."""
    daemon.load(APP, WEB)
    write_oci_layout(tmp_path / "layout", [APP, WEB])
    ours, session = scanned(tmp_path / "a", daemon.root)
    theirs, reference = scanned(tmp_path / "b", tmp_path / "layout")
    assert codes(ours) == codes(theirs) == []
    assert session.ask(ENTRIES).rows == reference.ask(ENTRIES).rows
    assert ours.entries == theirs.entries == 12
    assert session.ask("SELECT DISTINCT verified FROM layers").rows == [("rebuild",)]
    assert session.rows("merged_view") == reference.rows("merged_view")
    source = only_source(daemon.root)
    assert {one.image_id: set(one.names) for one in source.images} == {
        APP.image_id: set(APP.names),
        WEB.image_id: set(WEB.names),
    }
    (mine,) = session.rows("totals")
    (layout,) = reference.rows("totals")
    # vfs keeps the files of all lower layers in each layer
    for name, sign in (("unpacked_bytes", -1), ("cow_savings_bytes", 1)):
        mine[name] += sign * mine["unshared_bytes"]
    assert (mine.pop("unshared_bytes") > 0) == (daemon.driver == "vfs")
    unlike = ("sources", "stored_bytes", "compressed_bytes", "unshared_bytes")
    assert {key: value for key, value in mine.items() if key not in unlike} == {
        key: value for key, value in layout.items() if key not in unlike
    }
    for one in (APP, WEB):
        size = int(daemon.docker("inspect", "--format", "{{.Size}}", one.image_id).stdout)
        content = session.ask(
            f"SELECT sum(content_bytes) FROM scan_image_layers JOIN layers USING (layer) "
            f"WHERE image_id = '{one.image_id}'"
        ).rows[0][0]
        # overlay2 counts 1 for every hard link
        assert content <= size <= content + 2


def test_a_walk_gives_the_entries_of_tar_split_data(daemon: Daemon, tmp_path: Path) -> None:
    """Without tar-split data the folders give the same entries, except for what folders lose."""
    daemon.load(APP, WEB)
    daemon.stop()
    _, session = scanned(tmp_path / "a", daemon.root)
    for split in daemon.root.rglob("tar-split.json.gz"):
        split.unlink()
    outcome, walked = scanned(tmp_path / "b", daemon.root)
    assert codes(outcome) == ["split-unusable"] * 3
    kept = "path, kind, size_bytes, mode, uid, gid, link, xattrs, content_hash"
    marks = "kind NOT IN ('whiteout', 'opaque')"
    text = (
        f"SELECT DISTINCT position, {kept} FROM scan_image_layers JOIN entries USING (layer) "
        f"WHERE {marks} AND image_id = '{APP.image_id}' ORDER BY ALL"
    )
    ours, theirs = walked.ask(text).rows, session.ask(text).rows
    # a layer's folder has all parent folders, whether its tar lists them or not
    implied = [row for row in ours if row not in theirs]
    assert [row[1:3] for row in implied] == [("etc", "directory")]
    assert [row for row in ours if row not in implied] == theirs
    hidden = (
        "SELECT path, kind FROM scan_image_layers JOIN entries USING (layer) WHERE "
        f"NOT ({marks}) AND image_id = '{APP.image_id}' ORDER BY ALL"
    )
    # a store of whole trees has lost opaque marks, but not what they hid
    expected = {
        "overlay2": [("etc/a", "whiteout"), ("old", "opaque")],
        "vfs": [("etc/a", "whiteout"), ("old/x", "whiteout")],
    }
    assert walked.ask(hidden).rows == expected[daemon.driver]


@pytest.fixture
def busy(daemon: Daemon) -> tuple[Daemon, Image]:
    """A container that wrote, deleted, renamed and changed modes, and still runs."""
    if shutil.which("runc") is None:
        pytest.skip("runc is not installed")
    programs = [f"/bin/{name}" for name in ("sh", "sleep", "rm", "chmod", "mv")]
    linked = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True)
    needed = {path for path in re.findall(r"/\S+", linked.stdout) if not path.endswith(":")}
    image = Image(
        [
            tar_of(
                [
                    file(path.lstrip("/"), Path(path).read_bytes(), mode=0o755)
                    for path in (*programs, *sorted(needed))
                ]
                + [directory("d"), file("d/x", b"6" * 60), file("doomed", b"6" * 60)]
                + [file("appended", b"1" * 9), file("chmod", b"1" * 9000)]
            )
        ],
        names=["sh:1"],
    )
    daemon.load(image)
    daemon.docker("create", "--name", "idle", "--network", "none", image.names[0], "/bin/sh")
    script = (
        "echo hi > /new; rm /doomed; chmod 600 /chmod; echo x >> /appended; mv /d /e; "
        "echo > /ready; sleep 1000"
    )
    words = ("--detach", "--name", "busy", "--network", "none", image.names[0], "/bin/sh", "-c")
    started = daemon.docker("run", *words, script, check=False)
    if started.returncode:
        pytest.skip(f"containers cannot be started here: {started.stderr}")
    for _ in range(100):
        if "/ready" in daemon.docker("diff", "busy").stdout:
            break
        time.sleep(0.1)
    return daemon, image


def test_changes_of_a_running_container_are_dockers_diff(
    busy: tuple[Daemon, Image], tmp_path: Path
) -> None:
    """Changes are those of ``docker diff``; name, image, state and disk usage are docker's."""
    daemon, image = busy
    outcome, session = scanned(tmp_path / "catalog", daemon.root)
    # a running container has a merged view and shared memory, which are not the store's
    assert codes(outcome) in ([], ["foreign-mounts"])
    assert bool(codes(outcome)) == (daemon.driver == "overlay2")
    source = only_source(daemon.root)
    containers = {container.name: container for container in source.containers}
    assert {
        name: (container.running, container.image, container.image_id)
        for name, container in containers.items()
    } == {"idle": (False, "sh:1", image.image_id), "busy": (True, "sh:1", image.image_id)}
    rows = session.ask(
        "SELECT name, path, kind, size_bytes FROM scan_containers JOIN entries USING (layer) "
        "WHERE kind <> 'directory' ORDER BY ALL"
    ).rows
    assert rows == [
        ("busy", "appended", "file", 11),
        ("busy", "chmod", "file", 9000),
        ("busy", "d", "whiteout", 0),
        ("busy", "doomed", "whiteout", 0),
        ("busy", "e/x", "file", 60),
        ("busy", "new", "file", 3),
        ("busy", "ready", "file", 1),
    ]
    diff = daemon.docker("diff", "busy").stdout.split("\n")
    assert {path for name, path, _, _ in rows} == {
        line[3:] for line in diff if line and line[3:] != "e"
    }
    sizes = daemon.docker("inspect", "--size", "--format", "{{.SizeRw}}", "busy").stdout
    assert sum(size for *_, size in rows) == int(sizes)
    assert source.allocated_bytes == du(daemon.root)
    assert outcome.errors == 0


def test_images_of_the_old_builder_share_their_layers(daemon: Daemon, tmp_path: Path) -> None:
    """Intermediate images of the old builder have no names, and all share their layers."""
    daemon.load(APP)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM app:1\nCOPY Dockerfile /one\nCOPY Dockerfile /two\n")
    daemon.docker("build", "--tag", "built:1", str(context))
    source = only_source(daemon.root)
    assert error_codes(source) == []
    named = {name: one for one in source.images for name in one.names}
    listed = daemon.docker("images", "--all", "--quiet", "--no-trunc").stdout.split()
    assert {one.image_id for one in source.images} == set(listed)
    assert len(source.images) == 3
    assert len(named["built:1"].layers) == 4
    assert [layer.created_by is not None for layer in named["built:1"].layers][2:] == [True, True]
    outcome, session = scanned(tmp_path / "catalog", daemon.root)
    assert outcome.errors == 0
    assert session.ask("SELECT count(*) FROM layers WHERE verified = 'rebuild'").rows == [(4,)]


@pytest.mark.parametrize("daemon", ["overlay2"], indirect=True)
def test_what_the_build_cache_holds_is_not_an_orphan(daemon: Daemon) -> None:
    """After the image was deleted, its layers stay until the cache is pruned."""
    daemon.load(APP)
    before = only_source(daemon.root)
    text = b"FROM scratch AS one\nCOPY f /one\nFROM scratch\nCOPY --from=one /one /two\nCOPY f /f\n"
    context = tar_of([file("Dockerfile", text), file("f", b"f" * 300_000)])
    built = daemon.build_with_buildkit("built:1", context)
    if "built:1" not in built:
        pytest.skip(f"no BuildKit in this docker: {built[-200:]}")
    daemon.docker("rmi", "built:1")
    source = only_source(daemon.root)
    (note,) = source.problems
    assert (note.code, note.severity) == ("build-cache", Severity.NOTE)
    assert (source.orphan_bytes, source.unseen_references) == (0, None)
    freed = json.loads(daemon.post("build/prune?all=1"))["SpaceReclaimed"]
    after = only_source(daemon.root)
    assert (after.problems, after.orphan_bytes) == ([], 0)
    assert after.stored_bytes == before.stored_bytes
    # docker's records of layers, and tar-split data, are more than docker counts
    assert 0 <= source.stored_bytes - after.stored_bytes - freed < 5000


def hashes_of(root: Path) -> dict[str, str]:
    """SHA-256 of every file, by path."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("daemon", ["overlay2"], indirect=True)
def test_a_scan_changes_no_time_of_a_file(daemon: Daemon, tmp_path: Path) -> None:
    """On a strictatime mount no time of a file or folder changes; a read-only mount is enough."""
    daemon.load(APP, WEB)
    daemon.stop()
    disk, place = tmp_path / "disk", tmp_path / "mount"
    disk.write_bytes(b"")
    os.truncate(disk, 64 << 20)
    place.mkdir()
    for command in (
        ["mkfs.ext4", "-q", str(disk)],
        ["mount", "-o", "loop,strictatime", str(disk), str(place)],
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no loop devices here: {done.stderr}")
    try:
        subprocess.run(["cp", "-a", str(daemon.root), str(place / "docker")], check=True)
        before_hashes = hashes_of(place)
        # with relatime a second read would not change the time of access
        for path in place.rglob("*"):
            if not path.is_symlink():
                os.utime(path, ns=(1, path.stat().st_mtime_ns))
        # list everything before the comparison, since listing changes times of access
        names = sorted(str(path) for path in place.rglob("*"))
        for path in names:
            if not Path(path).is_symlink():
                os.utime(path, ns=(1, Path(path).stat().st_mtime_ns))

        def times() -> dict[str, tuple[int, int, int]]:
            return {
                path: (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
                for path in names
                for status in (os.lstat(path),)
            }

        before = times()
        outcome, _ = scanned(tmp_path / "catalog", place / "docker")
        assert codes(outcome) == []
        assert times() == before
        assert hashes_of(place) == before_hashes
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        outcome, _ = scanned(tmp_path / "another", place / "docker")
        assert (codes(outcome), outcome.layers_read) == ([], 3)
    finally:
        subprocess.run(["umount", str(place)], check=False)


def test_a_live_store_is_read_without_disturbing_the_daemon(daemon: Daemon) -> None:
    """While images come and go, the store is read again and again, and the daemon never waits."""
    daemon.load(APP)
    archive = daemon.folder / "web.tar"
    write_docker_archive(archive, [WEB])
    stop = threading.Event()
    failed: list[str] = []

    def write() -> None:
        while not stop.is_set():
            for words in (("load", "--input", str(archive)), ("rmi", "web:2")):
                done = daemon.docker(*words, check=False)
                if done.returncode:
                    failed.append(f"{words}: {done.stderr}")

    writer = threading.Thread(target=write)
    writer.start()
    sources: list[FoundSource] = []
    try:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            sources.append(only_source(daemon.root))
    finally:
        stop.set()
        writer.join()
    assert failed == []
    images = [{one.image_id for one in source.images} for source in sources]
    assert all({APP.image_id} <= each <= {APP.image_id, WEB.image_id} for each in images)
    assert len({frozenset(each) for each in images}) == 2, f"{len(images)} readings saw no change"
    for source in sources:
        (app,) = [one for one in source.images if one.image_id == APP.image_id]
        assert all(layer.tree for layer in app.layers)
        gone = {each.code for each in source.problems if each.severity is Severity.ERROR}
        # what a record names may be deleted between the reading of both
        assert gone <= {"blob-missing", "bad-document", "layer-missing"}


@pytest.mark.parametrize("daemon", ["overlay2"], indirect=True)
def test_a_store_without_permission_is_one_error(daemon: Daemon) -> None:
    """A root that is closed to other users is one error."""
    daemon.load(APP)
    daemon.folder.chmod(0o755)
    (problem,) = as_nobody(lambda: find_sources(daemon.root))
    assert (problem.code, problem.subject) == ("permission-denied", str(daemon.root))
