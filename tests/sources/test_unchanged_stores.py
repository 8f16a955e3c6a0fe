"""A scan leaves every file of a store as it was, to the byte and to the nanosecond."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import (
    Image,
    file,
    symlink,
    tar_of,
    write_dir,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)
from builders.registry import RegistryStore
from helpers.scanning import scan_only

BASE = tar_of([file("base", os.urandom(3000)), symlink("link", "base")])
IMAGES = [Image([BASE, tar_of([file("app", b"1" * 10)])], names=["app:1"])]


def write_shared(to: Path) -> None:
    """A layout beside its blobs, with one of them behind a link and one hard link."""
    write_oci_layout(to / "layout", IMAGES)
    (to / "layout/blobs").rename(to / "shared")
    (to / "layout/blobs/sha256").mkdir(parents=True)
    first, second, *_ = sorted((to / "shared/sha256").iterdir())
    (to / "layout/blobs/sha256" / first.name).symlink_to(f"../../../shared/sha256/{first.name}")
    (to / "layout/blobs/sha256" / second.name).hardlink_to(second)


STORES: dict[str, Callable[[Path], object]] = {
    "layout": lambda to: write_oci_layout(to, IMAGES),
    "shared": write_shared,
    "oci-archive": lambda to: write_oci_archive(to, IMAGES, outer="gzip"),
    "docker-archive": lambda to: write_docker_archive(to, IMAGES),
    "dir": lambda to: write_dir(to, IMAGES[0]),
    "registry": lambda to: RegistryStore(to).image("app", IMAGES[0], "1"),
}


def state_of(place: Path) -> dict[str, tuple[object, ...]]:
    """What the file system knows of each file and folder, and the bytes of each file."""
    found = {}
    for path in (place, *sorted(place.rglob("*"))):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (
            *(status.st_mode, status.st_ino, status.st_nlink, status.st_uid, status.st_gid),
            *(status.st_size, status.st_mtime_ns, status.st_ctime_ns, data),
        )
    return found


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("name", STORES)
def test_a_scan_changes_nothing(name: str, damaged: bool, tmp_path: Path) -> None:
    """Neither in a whole store nor in one without its index."""
    STORES[name](tmp_path / "store")
    if damaged:
        for path in tmp_path.joinpath("store").rglob("*"):
            if path.name in ("index.json", "manifest.json", "link"):
                path.write_bytes(b"{")
    before = state_of(tmp_path / "store")
    scan_only(tmp_path / "catalog", tmp_path / "store", verify=True)
    assert state_of(tmp_path / "store") == before
    shutil.rmtree(tmp_path / "catalog")
