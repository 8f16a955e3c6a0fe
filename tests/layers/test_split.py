"""Layers made again from tar-split data: the rows of the tar, or a walk that says why not."""

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
from unpacked import packed, rows_of, rows_of_tar, split_lines, split_of

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
#: what the tar's contents are in the folder
BODIES = {
    b"etc/a": b"1" * 700,
    b"up": b"climbs",
    b"x": b"2" * 3,
    b"no\xffutf": b"3" * 513,
    b"slash": b"4" * 30,
}


def store(folder: Path, split: bytes) -> TreeRef:
    """The layer as a store keeps it; owners, times and whiteouts are lost in the folder."""
    tree = os.fsencode(folder / "diff")
    for path, content in BODIES.items():
        target = os.path.join(tree, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(os.fsdecode(target)).write_bytes(content)
    (folder / "tar-split.json.gz").write_bytes(split)
    return TreeRef(folder, ("diff",), split=("tar-split.json.gz",))


@pytest.mark.parametrize("raw_names", [False, True])
def test_rows_of_the_tar(tmp_path: Path, raw_names: bool) -> None:
    """Every field of every entry and the diff ID are those of the tar."""
    rows, facts = rows_of(store(tmp_path, split_of(TAR, raw_names=raw_names)))
    expected, of_tar = rows_of_tar(TAR, tmp_path)
    assert rows == expected
    assert len(rows) == len(MEMBERS)
    assert facts.diff_id == of_tar.diff_id == digest_of(TAR)
    assert (facts.tar_bytes, facts.content_bytes) == (len(TAR), of_tar.content_bytes)
    assert (facts.digest, facts.compressed_bytes, facts.notes) == (None, None, ())


def test_changed_content(tmp_path: Path) -> None:
    """A content of the right size that is another gives another diff ID, which claims refute."""
    ref = store(tmp_path, split_of(TAR))
    (tmp_path / "diff/x").write_bytes(b"777")
    rows, facts = rows_of(ref)
    assert facts.diff_id == digest_of(TAR.replace(b"222", b"777"))
    assert facts.diff_id != digest_of(TAR)
    assert len(rows) == len(MEMBERS)


def missing(tree: Path) -> None:
    (tree / "x").unlink()


def short(tree: Path) -> None:
    (tree / "x").write_bytes(b"2")


def a_link(tree: Path) -> None:
    (tree / "x").unlink()
    (tree / "y").write_bytes(b"2" * 3)
    (tree / "x").symlink_to("y")


def a_link_above(tree: Path) -> None:
    (tree / "etc").rename(tree / "real")
    (tree / "etc").symlink_to("real")


def a_fifo(tree: Path) -> None:
    (tree / "x").unlink()
    os.mkfifo(tree / "x")


@pytest.mark.parametrize("damage", [missing, short, a_link, a_link_above, a_fifo])
def test_contents_gone(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Where a content is not as it was, the folder is walked, and a note says which."""
    ref = store(tmp_path, split_of(TAR))
    damage(tmp_path / "diff")
    rows, facts = rows_of(ref)
    ((code, message),) = [note for note in facts.notes if note[0] != "xattrs-unseen"]
    assert code == "split-unusable"
    assert ("etc/a" if damage is a_link_above else "x") in message
    assert facts.diff_id is None
    assert facts.rows_digest
    assert "up" in {row["path"] for row in rows}


def changed_header(lines: list[dict[str, Any]]) -> bytes:
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
def test_damaged_data(tmp_path: Path, split: bytes) -> None:
    """Damaged tar-split data never costs the layer: its folder is walked, and a note says why."""
    rows, facts = rows_of(store(tmp_path, split))
    codes = [code for code, _ in facts.notes if code != "xattrs-unseen"]
    assert codes == ["split-unusable"]
    assert {row["path"] for row in rows} >= {"etc/a", "up", "x"}
    assert facts.rows_digest
    assert facts.diff_id is None


def test_missing_data(tmp_path: Path) -> None:
    """The same where the file is not there."""
    ref = store(tmp_path, b"")
    (tmp_path / "tar-split.json.gz").unlink()
    _, facts = rows_of(ref)
    assert [code for code, _ in facts.notes if code != "xattrs-unseen"] == ["split-unusable"]
