"""Real tools that show an image: umoci and podman."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from blake3 import blake3
from builders import directory, file, hardlink, opaque, raw, symlink, whiteout

from dedupe.model.paths import path_text

#: layers with edge cases that all the tools show alike
EDGES = [
    [
        directory("d", mode=0o1777, uid=7, gid=8),
        file("d/x", b"1" * 10),
        file("d/e/y", b"2" * 20, mode=0o4755),
        file("turned/into/file", b"3"),
        file("linked", b"4" * 40),
        hardlink("again", "linked"),
        symlink("points", "../nowhere"),
        symlink("to-d", "/d"),
        raw(b"odd\n\xff\\name", content=b"5" * 80),
        file("implied/deep/z", b"6"),
    ],
    [whiteout("d/e"), file("turned/into", b"33"), whiteout("again"), whiteout("never")],
    [
        directory("d"),
        opaque("d"),
        file("d/new", b"7" * 160, uid=9),
        file("points", b"no link now"),
        file("linked", b"4" * 40, mode=0o600),
    ],
]

#: gives the folder of an unpacked image of a layout, within a context
Judge = Callable[[Path, str, Path], AbstractContextManager[Path]]


@contextmanager
def unpacked_by_umoci(layout: Path, name: str, scratch: Path) -> Iterator[Path]:
    """The root of the bundle that umoci unpacks from an image."""
    bundle = scratch / "bundle"
    command = ["umoci", "unpack", "--image", f"{layout}:{name}", str(bundle)]
    subprocess.run(command, check=True, capture_output=True)
    yield bundle / "rootfs"
    shutil.rmtree(bundle)


@contextmanager
def mounted_by_podman(driver: str, layout: Path, name: str, scratch: Path) -> Iterator[Path]:
    """The folder at which podman mounts an image, from a storage of its own."""
    storage = tempfile.mkdtemp(dir=scratch)
    # podman refuses a runroot of more than 50 characters, and pytest's folders are longer
    run = Path(tempfile.gettempdir()) / f"podman-{uuid4().hex}"
    run.mkdir()
    # podman names the image after the layout's folder, and takes only lower-case letters
    link = run / "layout"
    link.symlink_to(layout)
    options = ["--root", storage, "--runroot", str(run), "--storage-driver", driver]

    def podman(*words: str) -> str:
        done = subprocess.run(["podman", *options, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    try:
        identity = podman("pull", "--quiet", f"oci:{link}:{name}").splitlines()[-1]
        yield Path(podman("image", "mount", identity))
        podman("image", "unmount", identity)
        podman("rmi", "--force", identity)
    finally:
        # the overlay driver leaves its folder mounted on itself, and the image if it was unreadable
        subprocess.run(["umount", "-R", f"{storage}/overlay"], check=False, capture_output=True)
        shutil.rmtree(run)
        shutil.rmtree(storage)


JUDGES: dict[str, Judge] = {
    "umoci": unpacked_by_umoci,
    "podman vfs": partial(mounted_by_podman, "vfs"),
    "podman overlay": partial(mounted_by_podman, "overlay"),
}


def tree_below(root: Path) -> dict[str, tuple]:
    """Kind, size, mode, owner, link and content by path, for all that is below a folder."""
    found: dict[str, tuple] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for entry in (*folders, *files):
            path = os.path.join(folder, entry)
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                # overlayfs lists a whiteout in a folder that it does not merge; nothing is there
                continue
            kind, size, link, content = "directory", 0, None, None
            if stat.S_ISLNK(status.st_mode):
                kind, link = "symlink", path_text(os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                kind, size = "file", status.st_size
                content = blake3(Path(os.fsdecode(path)).read_bytes()).digest()
            elif not stat.S_ISDIR(status.st_mode):
                kind = "other"
            mode = None if kind == "symlink" else stat.S_IMODE(status.st_mode)
            name_below = path_text(os.path.relpath(path, os.fsencode(root)))
            found[name_below] = (kind, size, mode, status.st_uid, status.st_gid, link, content)
    return found


def need(judge: str) -> Judge:
    """The judge; skips the test if its tool is not installed or may not set owners."""
    tool = judge.split()[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    if os.geteuid() != 0:
        pytest.skip("owners are set by root only")
    return JUDGES[judge]
