"""The real tools as judges: what umoci unpacks is the merged view that our tables give."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3
from scanning import scanned

from dedupe.model.paths import path_text

PROJECT = Path(__file__).parents[1]


def unpacked(layout: Path, name: str, bundle: Path) -> dict[str, tuple]:
    """What umoci shows of an image: path -> kind, size, mode, owner, link, content."""
    subprocess.run(
        ["umoci", "unpack", "--image", f"{layout}:{name}", str(bundle)],
        check=True,
        capture_output=True,
    )
    root = bundle / "rootfs"
    found: dict[str, tuple] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for entry in (*folders, *files):
            path = os.path.join(folder, entry)
            status = os.lstat(path)
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


def viewed(rows: list[dict]) -> dict[str, tuple]:
    """The same of our merged view."""
    return {
        row["path"]: (
            row["kind"] if row["kind"] in ("file", "directory", "symlink") else "other",
            row["size_bytes"],
            None if row["kind"] == "symlink" else row["mode"],
            row["uid"],
            row["gid"],
            row["link"] if row["kind"] == "symlink" else None,
            row["content_hash"],
        )
        for row in rows
    }


def judged(layout: Path, names: list[str], tmp_path: Path) -> None:
    _, session = scanned(tmp_path / "catalog", layout)
    identity = {name: row["image_id"] for row in session.rows("images") for name in row["names"]}
    rows = session.rows("merged_view")
    for number, name in enumerate(names):
        ours = viewed([row for row in rows if row["image_id"] == identity[name]])
        theirs = unpacked(layout, name, tmp_path / f"bundle{number}")
        # folders that no layer lists are made by the unpacker
        implied = {path for path in theirs.keys() - ours.keys() if theirs[path][0] == "directory"}
        assert {path: entry for path, entry in theirs.items() if path not in implied} == ours
        shutil.rmtree(tmp_path / f"bundle{number}")


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="owners are set by root only")
def test_sample_images_as_umoci_unpacks_them(tmp_path: Path) -> None:
    """Paths, kinds, sizes, modes, owners, links and contents of every sample image."""
    import sys

    store = tmp_path / "store"
    subprocess.run([sys.executable, str(PROJECT / "data/sample.py"), str(store)], check=True)
    index = json.loads((store / "index.json").read_bytes())
    names = [
        entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]
    ]
    assert len(names) == 4
    judged(store, names, tmp_path)


@pytest.mark.estate
@pytest.mark.skipif("DEDUPE_ESTATE" not in os.environ, reason="DEDUPE_ESTATE names no estate")
def test_estate_as_umoci_unpacks_it(tmp_path: Path) -> None:
    """The same of three real images."""
    names = ["localhost/app/web:1.3", "localhost/app/data:2.0", "localhost/app/front:1.0"]
    judged(Path(os.environ["DEDUPE_ESTATE"]) / "oci", names, tmp_path)
