"""Layers walked in the folder that they were unpacked to, judged by GNU tar and by overlayfs."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.layers import rows_of, rows_of_tar
from helpers.privileges import as_nobody

from dedupe.errors import LayerError
from dedupe.host import trees
from dedupe.model.images import IdRange, TreeRef, Whiteouts

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="devices, owners and mounts are for root only")


def walked(folder: Path, *parts: str, **fields: Any) -> list[dict[str, Any]]:
    """Rows of a folder."""
    return rows_of(TreeRef(folder, parts, **fields))[0]


def kinds(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Kind by path; an opaque mark has its folder's path with a slash."""
    return {row["path"] + ("/" * (row["kind"] == "opaque")): row["kind"] for row in rows}


def populate(folder: Path) -> None:
    """Make files of every kind, with names that are hard to write."""
    (folder / "b/deep").mkdir(parents=True)
    (folder / "b.d").mkdir(mode=0o1777)
    (folder / "b/deep/file").write_bytes(os.urandom(3 << 20))
    (folder / "empty").touch()
    (folder / "set-uid").write_bytes(b"x")
    (folder / "set-uid").chmod(0o4755)
    os.link(folder / "b/deep/file", folder / "a-link")
    os.link(folder / "empty", folder / "b/empty-too")
    (folder / "s").symlink_to("/etc/passwd")
    (folder / "dangling").symlink_to("no\nwhere")
    os.mkfifo(folder / "pipe", 0o600)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\n\\name")).write_bytes(b"odd")
    for number, name in enumerate(sorted(folder.rglob("*"))):
        os.utime(
            name,
            ns=(5, 1_700_000_000_123_456_789 - number * 86_400_000_000_001),
            follow_symlinks=False,
        )


def judged(folder: Path, scratch: Path) -> list[dict[str, Any]]:
    """Rows of the tar that GNU tar makes of the folder, without its root."""
    options = ["--sort=name", "--format=posix", "--xattrs", "--numeric-owner"]
    command = ["tar", "--create", *options, "--directory", str(folder), "."]
    done = subprocess.run(command, check=True, capture_output=True)
    return [row for row in rows_of_tar(done.stdout, scratch)[0] if row["path"]]


def same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Check that rows are equal but for the numbers of members and the spelling of names."""
    spelling = ("member", "raw_name")
    assert [{k: v for k, v in row.items() if k not in spelling} for row in ours] == [
        {k: v for k, v in row.items() if k not in spelling} for row in theirs
    ]


def test_a_walk_gives_the_rows_of_the_tar(tmp_path: Path) -> None:
    """The walk gives the rows of the tar that GNU tar makes, in its order."""
    folder = tmp_path / "tree"
    folder.mkdir()
    populate(folder)
    os.setxattr(folder / "set-uid", "user.k", b"\0v")
    if ROOT:
        os.chown(folder / "b", 1000, 70_000)
        os.mknod(folder / "null", 0o20666, os.makedev(1, 3))
    rows = walked(folder)
    same(rows, judged(folder, tmp_path))
    assert [row["member"] for row in rows] == list(range(len(rows)))
    links = {row["path"]: row["link"] for row in rows if row["kind"] == "hardlink"}
    assert links == {"b/deep/file": "a-link", "empty": "b/empty-too"}


def test_a_walk_counts_an_inode_once(tmp_path: Path) -> None:
    """Sizes on disk count each inode once, as ``du`` does; a digest identifies the rows."""
    folder = tmp_path / "tree"
    folder.mkdir()
    populate(folder)
    ref = TreeRef(folder, (), whiteouts=Whiteouts.NONE)
    rows, facts = rows_of(ref)
    du = subprocess.run(["du", "-s", "-B1", str(folder)], check=True, capture_output=True)
    assert facts.allocated_bytes == int(du.stdout.split()[0])
    assert facts.content_bytes == (3 << 20) + 1 + 3 == sum(row["size_bytes"] for row in rows)
    assert (facts.entries, facts.files) == (len(rows), 4)
    assert (facts.diff_id, facts.digest, facts.tar_bytes, facts.notes) == (None, None, None, ())
    assert rows_of(ref)[1].rows_digest == facts.rows_digest
    (folder / "b").chmod(0o700)
    assert rows_of(ref)[1].rows_digest != facts.rows_digest


def test_sockets_are_ignored_with_a_row(tmp_path: Path) -> None:
    """A socket in a layer has no listener; a row says that it was there."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "s"))
    (row,) = walked(tmp_path)
    assert (row["kind"], row["flags"]) == ("ignored", "unknown-type")


@pytest.fixture
def overlay() -> Iterator[Path]:
    """A folder with lower, upper and, if the kernel can mount it, their merged view."""
    base = Path(tempfile.mkdtemp(prefix="trees"))
    for name in ("lower", "upper", "work", "merged"):
        (base / name).mkdir()
    yield base
    subprocess.run(["umount", str(base / "merged")], check=False, capture_output=True)
    shutil.rmtree(base)


def mount(base: Path, *options: str) -> Path:
    """Mount the merged view over the lower folder as it is now."""
    words = ",".join((f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work", *options))
    done = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", words, str(base / "merged")],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"overlayfs cannot be mounted here: {done.stderr}")
    return base / "merged"


def fill(lower: Path) -> None:
    """Write the folders and files of the lower layer."""
    for name in ("d", "again", "renamed", "kept"):
        (lower / name).mkdir()
        (lower / name / "x").write_bytes(b"below " + name.encode())
    for name in ("gone", "chmod", "appended", "touched", "two"):
        (lower / name).write_bytes(b"1" * 5000)


@as_root
def test_kernel_whiteouts_are_read_from_the_upper_folder(overlay: Path) -> None:
    """What a container did on overlayfs is read from its upper directory."""
    fill(overlay / "lower")
    view = mount(overlay, "redirect_dir=off", "metacopy=off")
    (view / "gone").unlink()
    shutil.rmtree(view / "d")
    shutil.rmtree(view / "again")
    (view / "again").mkdir()
    (view / "again/y").write_bytes(b"y")
    (view / "chmod").chmod(0o600)
    with (view / "appended").open("ab") as file:
        file.write(b"2")
    (view / "new").write_bytes(b"new")
    os.link(view / "new", view / "new-too")
    (view / ".wh.no-whiteout").write_bytes(b"z")
    os.mknod(view / "null", 0o20666, os.makedev(1, 3))
    rows, facts = rows_of(TreeRef(overlay, ("upper",)))
    assert kinds(rows) == {
        ".wh.no-whiteout": "file",
        "again": "directory",
        "again/": "opaque",
        "again/y": "file",
        "appended": "file",
        "chmod": "file",
        "d": "whiteout",
        "gone": "whiteout",
        "new": "file",
        "new-too": "hardlink",
        "null": "character",
    }
    assert all(row["xattrs"] is None and row["flags"] is None for row in rows)
    assert facts.content_bytes == 5000 + 5001 + 3 + 1 + 1
    du = subprocess.run(
        ["du", "-s", "-B1", str(overlay / "upper")], check=True, capture_output=True
    )
    assert facts.allocated_bytes == int(du.stdout.split()[0])


@as_root
def test_redirects_and_metacopies_are_flagged(overlay: Path) -> None:
    """Renamed folders and files with only a new mode are flagged; their zeros are not content."""
    fill(overlay / "lower")
    view = mount(overlay, "redirect_dir=on", "metacopy=on")
    (view / "renamed").rename(view / "moved")
    (view / "chmod").chmod(0o600)
    rows = {row["path"]: row for row in walked(overlay, "upper")}
    assert {path: (row["kind"], row["flags"]) for path, row in rows.items()} == {
        "chmod": ("file", "overlay-metacopy"),
        "moved": ("directory", "overlay-redirect"),
        "renamed": ("whiteout", None),
    }
    assert (rows["chmod"]["size_bytes"], rows["chmod"]["content_hash"]) == (0, None)
    assert rows["chmod"]["mode"] == 0o600


def test_whiteouts_in_user_xattrs_are_read(tmp_path: Path) -> None:
    """Without root, overlayfs keeps its marks in user xattrs."""
    (tmp_path / "opaque").mkdir()
    (tmp_path / "plain").mkdir()
    for name in ("hides", "says-more"):
        (tmp_path / "opaque" / name).touch()
        os.setxattr(tmp_path / "opaque" / name, "user.overlay.whiteout", b"")
    (tmp_path / "opaque/says-more").write_bytes(b"not empty")
    os.setxattr(tmp_path / "opaque", "user.overlay.opaque", b"y")
    os.setxattr(tmp_path / "plain", "user.overlay.opaque", b"x")
    os.setxattr(tmp_path / "plain", "user.overlay.origin", b"?")
    rows = walked(tmp_path)
    assert kinds(rows) == {
        "opaque": "directory",
        "opaque/": "opaque",
        "opaque/hides": "whiteout",
        "opaque/says-more": "file",
        "plain": "directory",
    }
    assert all(row["xattrs"] is None for row in rows)


def test_whiteouts_of_fuse_overlayfs_are_read(tmp_path: Path) -> None:
    """fuse-overlayfs writes whiteouts by the names that a tar has."""
    (tmp_path / "d").mkdir()
    for name in ("d/.wh..wh..opq", ".wh.gone", "d/kept"):
        (tmp_path / name).touch()
    os.setxattr(tmp_path / "d", "user.fuseoverlayfs.opaque", b"y")
    rows = walked(tmp_path, whiteouts=Whiteouts.AUFS)
    assert kinds(rows) == {
        "gone": "whiteout",
        "d": "directory",
        "d/": "opaque",
        "d/kept": "file",
    }
    assert all(row["xattrs"] is None for row in rows)


def test_a_layer_of_whole_trees_is_their_difference(tmp_path: Path) -> None:
    """It is what is new or changed in the upper tree, and whiteouts for what was deleted."""
    below, above = tmp_path / "below", tmp_path / "above"
    below.mkdir()
    fill(below)
    (below / "d.file").write_bytes(b"1")
    shutil.copytree(below, above)
    for copied in above.rglob("*"):
        shutil.copystat(below / copied.relative_to(above), copied)
    (above / "gone").unlink()
    shutil.rmtree(above / "d")
    shutil.rmtree(above / "again")
    (above / "again").write_bytes(b"a file now")
    (above / "two").unlink()
    (above / "two").mkdir()
    (above / "two/y").write_bytes(b"y")
    (above / "kept/new").write_bytes(b"new")
    (above / "chmod").chmod(0o600)
    (above / ".wh.no-whiteout").write_bytes(b"z")
    rows = walked(tmp_path, "above", whiteouts=Whiteouts.NONE, below=("below",))
    assert [(row["path"], row["kind"]) for row in rows] == [
        (".wh.no-whiteout", "file"),
        ("again", "file"),
        ("chmod", "file"),
        ("d", "whiteout"),
        ("gone", "whiteout"),
        ("kept", "directory"),
        ("kept/new", "file"),
        ("two", "directory"),
        ("two/y", "file"),
    ]


@as_root
def test_ids_shifted_by_a_user_namespace_are_shifted_back(tmp_path: Path) -> None:
    """IDs that a user namespace shifted are those of the image again; others are kept."""
    for name, uid, gid in (("root", 100_000, 200_000), ("www", 100_033, 200_033), ("host", 7, 7)):
        (tmp_path / name).touch()
        os.chown(tmp_path / name, uid, gid)
    rows = walked(
        tmp_path, uids=(IdRange(0, 100_000, 65_536),), gids=(IdRange(0, 200_000, 65_536),)
    )
    assert {row["path"]: (row["uid"], row["gid"]) for row in rows} == {
        "root": (0, 0),
        "www": (33, 33),
        "host": (7, 7),
    }


def test_owners_are_read_from_the_stores_xattr(tmp_path: Path) -> None:
    """Owner, mode and kind that a store could not set are read from its xattr."""
    for name, text in {
        "file": b"0:5:4755:file",
        "null": b"1:2:666:char-1-3",
        "pipe": b"1:2:600:pipe",
        "short": b"3:4:640",
        "junk": b"a:b:c:char-x",
        "huge": b"0:0:644:char-99999999999-1",
    }.items():
        (tmp_path / name).touch(0o600)
        os.setxattr(tmp_path / name, "user.containers.override_stat", text)
    rows = {row["path"]: row for row in walked(tmp_path, whiteouts=Whiteouts.AUFS)}
    mine = (os.getuid(), os.getgid(), 0o600)
    assert {
        path: (row["kind"], row["uid"], row["gid"], row["mode"], row["device"])
        for path, row in rows.items()
    } == {
        "file": ("file", 0, 5, 0o4755, None),
        "null": ("character", 1, 2, 0o666, "1:3"),
        "pipe": ("fifo", 1, 2, 0o600, None),
        "short": ("file", 3, 4, 0o640, None),
        "junk": ("file", *mine, None),
        "huge": ("file", *mine, None),
    }
    assert all(row["xattrs"] is None for row in rows.values())


def test_a_file_that_changes_during_the_walk_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is deleted or grows while it is read is one problem; the rest is read."""
    for name in ("changes", "stays", "vanishes"):
        (tmp_path / name).write_bytes(b"1" * 10)
    really = trees.TreeEntry.open

    def meanwhile(node: trees.TreeEntry) -> int:
        if node.path == b"vanishes":
            (tmp_path / "vanishes").unlink()
        if node.path == b"changes":
            (tmp_path / "changes").write_bytes(b"2" * 15)
        return really(node)

    monkeypatch.setattr(trees.TreeEntry, "open", meanwhile)
    rows, facts = rows_of(TreeRef(tmp_path, (), whiteouts=Whiteouts.NONE))
    assert {row["path"]: row["size_bytes"] for row in rows} == {"changes": 15, "stays": 10}
    assert dict(facts.notes) == {
        "changed-while-read": "changes: changed while it was read",
        "vanished": "vanishes: was deleted while the store was read",
    }


def test_a_file_too_large_to_read_is_refused(tmp_path: Path) -> None:
    """A sparse file that claims more than can be read is refused at once."""
    with (tmp_path / "huge").open("wb") as file:
        try:
            file.truncate(3 << 40)
        except OSError:
            pytest.skip("this file system has no files of 3 TiB")
    with pytest.raises(LayerError) as caught:
        walked(tmp_path)
    assert caught.value.code == "layer-too-large"


def test_folders_nested_too_deep_are_refused(tmp_path: Path) -> None:
    """Folders nested so deep that descriptors would run out are refused."""
    current = os.open(tmp_path, os.O_RDONLY)
    for _ in range(trees.MAX_DEPTH + 5):
        os.mkdir("d", dir_fd=current)
        deeper = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = deeper
    os.close(current)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LayerError) as caught:
        walked(tmp_path)
    assert caught.value.code == "tree-too-deep"
    assert len(os.listdir("/proc/self/fd")) == before
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


@as_root
def test_a_folder_without_permission_fails_the_layer(overlay: Path) -> None:
    """A closed folder fails the layer; hidden trusted xattrs are a note that says what to do."""
    overlay.chmod(0o755)
    upper = overlay / "upper"
    (upper / "open").mkdir()
    os.setxattr(upper / "open", "trusted.overlay.opaque", b"y")
    ref = TreeRef(overlay, ("upper",))
    rows, facts = as_nobody(lambda: rows_of(ref))
    assert kinds(rows) == {"open": "directory"}
    ((code, message),) = facts.notes
    assert code == "xattrs-unseen"
    assert "run as root" in message
    assert kinds(rows_of(ref)[0]) == {"open": "directory", "open/": "opaque"}

    (upper / "closed").mkdir(mode=0o700)

    def fails() -> tuple[str, str]:
        with pytest.raises(LayerError) as caught:
            rows_of(ref)
        return caught.value.code, caught.value.message

    code, message = as_nobody(fails)
    assert code == "permission-denied"
    assert message == "closed: permission denied: run as the store's owner or root"
