"""Extents that files share are counted once, on a real btrfs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dedupe.host.store_root import StoreRoot
from dedupe.sources.disk_usage import OTHER, measure_parts


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    """A small btrfs on a loop device."""
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("mkfs.btrfs is not installed")
    disk, place = tmp_path / "disk", tmp_path / "place"
    place.mkdir()
    with disk.open("wb") as file:
        file.truncate(200 << 20)
    for words in (["mkfs.btrfs", "-q", str(disk)], ["mount", "-o", "loop", str(disk), str(place)]):
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no btrfs on loop devices here: {done.stderr[-200:]}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.tools
def test_reflinks_are_counted_once(btrfs: Path) -> None:
    """A reflinked copy adds nothing, a plain copy its size, a changed one the changed bytes."""
    (btrfs / "one").write_bytes(bytes(range(256)) * 16_384)
    subprocess.run(["sync", "-f", str(btrfs)], check=True)
    alone = measure_parts(StoreRoot(btrfs), {}).of(OTHER).allocated_bytes
    assert alone >= 4 << 20
    subprocess.run(["cp", "--reflink=always", str(btrfs / "one"), str(btrfs / "two")], check=True)
    subprocess.run(["sync", "-f", str(btrfs)], check=True)
    shared = measure_parts(StoreRoot(btrfs), {}).of(OTHER).allocated_bytes
    assert shared - alone < 64 << 10
    subprocess.run(["cp", "--reflink=never", str(btrfs / "one"), str(btrfs / "three")], check=True)
    subprocess.run(["sync", "-f", str(btrfs)], check=True)
    plain = measure_parts(StoreRoot(btrfs), {}).of(OTHER).allocated_bytes
    assert plain - shared >= 4 << 20
    with (btrfs / "two").open("r+b") as file:
        file.write(b"changed" * 10_000)
    subprocess.run(["sync", "-f", str(btrfs)], check=True)
    changed = measure_parts(StoreRoot(btrfs), {}).of(OTHER).allocated_bytes
    assert 64 << 10 <= changed - plain < 1 << 20
    assert measure_parts(StoreRoot(btrfs), {}).of(OTHER).file_bytes == 3 * (4 << 20)
