"""Layers read by tar-split data: the rows of the tar, or a walk with a note that says why not."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import (
    digest_of,
    directory,
    file,
    global_header,
    hardlink,
    opaque,
    raw,
    symlink,
    tar_of,
    whiteout,
)
from builders.tar_split import packed, split_lines, split_of
from helpers.layers import rows_of, rows_of_tar

from dedupe.model.images import TreeRef

MEMBERS = [
    directory("etc", mtime=7),
    file("etc/a", b"1" * 700, uid=7, gid=8, mode=0o640, mtime=5, nanos=3),
    hardlink("etc/b", "etc/a"),
    symlink("etc/s", "/nowhere"),
    whiteout("gone"),
    directory("old"),
    opaque("old"),
    file("./etc/../up", b"climbs"),
    file("x", b"2" * 3, xattrs=(("user.k", b"v"),)),
    raw(b"no\xffutf", content=b"3" * 513),
    file("empty"),
    global_header(path=b"decoy"),
    raw(b"slash/", content=b"4" * 30),
    raw(b"v7/", b"\0"),
]
TAR = tar_of(MEMBERS)
#: contents of the tar's files in the folder
BODIES = {
    b"etc/a": b"1" * 700,
    b"up": b"climbs",
    b"x": b"2" * 3,
    b"no\xffutf": b"3" * 513,
    b"slash": b"4" * 30,
}


def store(folder: Path, split: bytes) -> TreeRef:
    """A layer as a store keeps it; the folder has lost owners, times and whiteouts."""
    tree = os.fsencode(folder / "diff")
    for path, content in BODIES.items():
        target = os.path.join(tree, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(os.fsdecode(target)).write_bytes(content)
    (folder / "tar-split.json.gz").write_bytes(split)
    return TreeRef(folder, ("diff",), split=("tar-split.json.gz",))


@pytest.mark.parametrize("raw_names", [False, True])
def test_tar_split_data_gives_the_rows_of_the_tar(tmp_path: Path, raw_names: bool) -> None:
    """Every field of every entry, and the diff ID, are those of the tar."""
    rows, facts = rows_of(store(tmp_path, split_of(TAR, raw_names=raw_names)))
    expected, of_tar = rows_of_tar(TAR, tmp_path)
    assert rows == expected
    assert len(rows) == len(MEMBERS)
    assert facts.diff_id == of_tar.diff_id == digest_of(TAR)
    assert (facts.tar_bytes, facts.content_bytes) == (len(TAR), of_tar.content_bytes)
    assert (facts.digest, facts.compressed_bytes, facts.notes) == (None, None, ())


def test_changed_content_gives_another_diff_id(tmp_path: Path) -> None:
    """Other content of the right size gives another diff ID, which is not the claimed one."""
    ref = store(tmp_path, split_of(TAR))
    (tmp_path / "diff/x").write_bytes(b"777")
    rows, facts = rows_of(ref)
    assert facts.diff_id == digest_of(TAR.replace(b"222", b"777"))
    assert facts.diff_id != digest_of(TAR)
    assert len(rows) == len(MEMBERS)


def remove_file(tree: Path) -> None:
    """The file is deleted."""
    (tree / "x").unlink()


def shorten_file(tree: Path) -> None:
    """The file lost its last byte."""
    (tree / "x").write_bytes(b"2")


def replace_by_link(tree: Path) -> None:
    """The file is a link to a copy of it."""
    (tree / "x").unlink()
    (tree / "y").write_bytes(b"2" * 3)
    (tree / "x").symlink_to("y")


def link_folder_above(tree: Path) -> None:
    """The folder above the file is a link."""
    (tree / "etc").rename(tree / "real")
    (tree / "etc").symlink_to("real")


def replace_by_fifo(tree: Path) -> None:
    """The file is a FIFO."""
    (tree / "x").unlink()
    os.mkfifo(tree / "x")


@pytest.mark.parametrize(
    "damage", [remove_file, shorten_file, replace_by_link, link_folder_above, replace_by_fifo]
)
def test_a_missing_content_falls_back_to_the_walk(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """If a content is not as it was, the folder is walked, and a note names it."""
    ref = store(tmp_path, split_of(TAR))
    damage(tmp_path / "diff")
    rows, facts = rows_of(ref)
    ((code, message),) = [note for note in facts.notes if note[0] != "xattrs-unseen"]
    assert code == "split-unusable"
    assert ("etc/a" if damage is link_folder_above else "x") in message
    assert facts.diff_id is None
    assert facts.rows_digest
    assert "up" in {row["path"] for row in rows}


def changed_header(lines: list[dict[str, Any]]) -> bytes:
    """tar-split data in which the first header has other bytes."""
    head = lines[0]
    return packed([{**head, "payload": "AAAA" + head["payload"][4:]}, *lines[1:]])


@pytest.mark.parametrize(
    "split",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no gzip at all", id="no gzip"),
        pytest.param(split_of(TAR)[:-20], id="truncated"),
        pytest.param(packed([{"type": 3}]), id="unknown type"),
        pytest.param(packed([{"type": 1, "name": "x", "size": -3}]), id="negative size"),
        pytest.param(packed([{"type": 1, "name": "x", "size": 1 << 70}]), id="endless size"),
        pytest.param(packed([{"type": 2, "payload": "!"}]), id="no base64"),
        pytest.param(packed([{"type": 2, "payload": 5}]), id="no text"),
        pytest.param(packed([{"type": 1, "size": 1}]), id="no name"),
        pytest.param(packed([{"type": 1, "name": "\ud800", "size": 1}]), id="surrogate"),
        pytest.param(packed([{"type": 1, "name": "../../x", "size": 4}]), id="outside"),
        pytest.param(packed([{"type": 2, "payload": "A" * (9 << 20)}]), id="endless line"),
        pytest.param(packed(split_lines(TAR)[:-1]), id="no end"),
        pytest.param(packed(split_lines(TAR)[:2]), id="half"),
        pytest.param(changed_header(split_lines(TAR)), id="checksum"),
    ],
)
def test_damaged_tar_split_data_falls_back_to_the_walk(tmp_path: Path, split: bytes) -> None:
    """Damaged data never costs the layer: its folder is walked, and a note says why."""
    rows, facts = rows_of(store(tmp_path, split))
    codes = [code for code, _ in facts.notes if code != "xattrs-unseen"]
    assert codes == ["split-unusable"]
    assert {row["path"] for row in rows} >= {"etc/a", "up", "x"}
    assert facts.rows_digest
    assert facts.diff_id is None


def test_missing_tar_split_data_falls_back_to_the_walk(tmp_path: Path) -> None:
    """Without the file of tar-split data the folder is walked, and a note says why."""
    ref = store(tmp_path, b"")
    (tmp_path / "tar-split.json.gz").unlink()
    _, facts = rows_of(ref)
    assert [code for code, _ in facts.notes if code != "xattrs-unseen"] == ["split-unusable"]
