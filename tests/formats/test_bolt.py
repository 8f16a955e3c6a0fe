"""bbolt files: what was written is read, and anything else is a named error."""

import fcntl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders.bolt import PAGE, BoltWriter, branch_body, fnv1a, leaf_body
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupe.errors import SourceError
from dedupe.formats import bolt
from dedupe.formats.bolt import BoltFile, Bucket
from dedupe.host.store_root import StoreRoot

TREE = {
    b"v1": {
        b"version": b"\x06",
        b"default": {
            b"images": {f"image{number:03}".encode(): {b"a": b"1"} for number in range(99)},
            b"large": {b"x": b"y" * 9000, b"z": b""},
            b"empty": {},
        },
    },
    b"v2": {b"deep": {b"deeper": {b"deepest": {b"k": b"v"}}}},
}


def all_of(bucket: Bucket | None) -> dict[bytes, Any]:
    """Everything in a bucket, as the dictionary that it was written from."""
    assert bucket is not None
    return {key: item if isinstance(item, bytes) else all_of(item) for key, item in bucket}


def read(data: bytes) -> dict[bytes, Any]:
    """Everything in a file."""
    return all_of(BoltFile("test.db", data).bucket())


trees = st.recursive(
    st.binary(max_size=40),
    lambda inner: st.dictionaries(st.binary(min_size=1, max_size=6), inner, max_size=12),
    max_leaves=60,
)


@given(
    tree=st.dictionaries(st.binary(min_size=1, max_size=4), trees, max_size=30),
    fanout=st.integers(1, 8),
    inline=st.booleans(),
    page_size=st.sampled_from([1024, 4096, 16384, 65536]),
)
@settings(max_examples=60, deadline=None)
def test_what_was_written_is_read(
    tree: dict[bytes, Any], fanout: int, inline: bool, page_size: int
) -> None:
    """Any tree, page size, depth of branches, and buckets inline or on pages of their own."""
    assert read(BoltWriter(page_size, fanout, inline).file(tree)) == tree


def test_a_bucket_is_found_by_its_path() -> None:
    """A path that leads to no bucket gives None."""
    file = BoltFile("test.db", BoltWriter().file(TREE))
    large = file.bucket(b"v1", b"default", b"large")
    assert large is not None
    assert large.values() == {b"x": b"y" * 9000, b"z": b""}
    assert file.bucket(b"v1", b"version") is None
    assert file.bucket(b"v3", b"default") is None


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("page_size", [1024, 4096, 65536])
def test_one_sound_meta_page_is_enough(lost: int, page_size: int) -> None:
    """If one meta page is torn the other is used, wherever it is."""
    data = bytearray(BoltWriter(page_size).file(TREE))
    data[lost * page_size + 20] ^= 1
    assert read(bytes(data)) == TREE


def test_the_newest_meta_page_counts() -> None:
    """The tree is that of the higher transaction."""
    writer = BoltWriter()
    old, new = writer.bucket({b"a": b"old"}), writer.bucket({b"a": b"new"})
    for newest in (8, 9):
        metas = {
            newest % 2: writer.meta(newest, new, newest),
            1 - newest % 2: writer.meta(newest - 1, old, newest - 1),
        }
        assert read(b"".join([metas[0], metas[1], *writer.pages])) == {b"a": b"new"}


def with_root(flags: int, count: int, body: bytes, **page: int) -> bytes:
    """A file whose root is this page."""
    writer = BoltWriter()
    root = writer.add(flags, count, body)
    for name, value in page.items():
        patch_page(writer, root, name, value)
    return b"".join([writer.meta(2, root, 2), writer.meta(1, root, 1), *writer.pages])


def patch_page(writer: BoltWriter, number: int, name: str, value: int) -> None:
    """Change a field in the header of a page."""
    names = ("id", "flags", "count", "overflow")
    fields = dict(zip(names, PAGE.unpack_from(writer.pages[number - 2]), strict=True))
    fields[name] = value
    writer.pages[number - 2] = PAGE.pack(*fields.values()) + writer.pages[number - 2][PAGE.size :]


def element(flags: int, position: int, key_size: int, value_size: int) -> bytes:
    """The header of a leaf element."""
    return struct.pack("<IIII", flags, position, key_size, value_size)


def nested(root: int) -> bytes:
    """A leaf with one bucket, whose root is this page."""
    return leaf_body([(1, b"a", struct.pack("<QQ", root, 0))])


INLINE_IN_INLINE = bytes(16) + PAGE.pack(0, 2, 1, 0) + leaf_body([(1, b"k", bytes(32))])

DAMAGED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "zeros": lambda: bytes(8192),
    "text": lambda: b"no bolt file " * 1000,
    "both metas bad": lambda: bytes(8192) + BoltWriter().file(TREE)[8192:],
    "another version": lambda: BoltWriter().file(TREE).replace(b"\xed\2\0\0\0", b"\xed\1\0\0\0"),
    "truncated": lambda: BoltWriter().file(TREE)[:-4097],
    "truncated to the metas": lambda: BoltWriter().file(TREE)[:8192],
    "root is a meta": lambda: BoltWriter().meta(2, 0, 2) + BoltWriter().meta(1, 1, 1),
    "page out of range": lambda: with_root(1, 1, branch_body([(b"a", 1 << 60)])),
    "page says another number": lambda: with_root(2, 0, b"", id=9),
    "freelist in the tree": lambda: with_root(1, 1, branch_body([(b"a", 2)])),
    "branch to itself": lambda: with_root(1, 1, branch_body([(b"a", 3)])),
    "branch to one page twice": lambda: with_root(1, 2, branch_body([(b"a", 3), (b"b", 3)])),
    "bucket in itself": lambda: with_root(2, 1, nested(3)),
    "count beyond the page": lambda: with_root(2, 65535, b""),
    "branch count beyond the page": lambda: with_root(1, 65535, b""),
    "overflow beyond the file": lambda: with_root(2, 0, b"", overflow=0xFFFFFFFF),
    "element beyond the page": lambda: with_root(2, 1, element(0, 16, 1, 0xFFFFFFFF)),
    "element over its head": lambda: with_root(2, 1, element(0, 0, 4, 4)),
    "elements that overlap": lambda: with_root(
        2, 2, element(0, 32, 1, 100) + element(0, 17, 1, 100) + b"a" * 120
    ),
    "a key that is too long": lambda: with_root(2, 1, leaf_body([(0, b"k" * 32769, b"")])),
    "keys that descend": lambda: with_root(2, 2, leaf_body([(0, b"b", b""), (0, b"a", b"")])),
    "keys twice": lambda: with_root(2, 2, leaf_body([(0, b"a", b""), (0, b"a", b"")])),
    "bucket too short": lambda: with_root(2, 1, leaf_body([(1, b"a", bytes(15))])),
    "inline bucket too short": lambda: with_root(2, 1, leaf_body([(1, b"a", bytes(31))])),
    "inline bucket of a branch": lambda: with_root(
        2, 1, leaf_body([(1, b"a", bytes(16) + PAGE.pack(0, 1, 0, 0))])
    ),
    "bucket in an inline bucket": lambda: with_root(2, 1, leaf_body([(1, b"a", INLINE_IN_INLINE)])),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_a_named_error(name: str) -> None:
    """What no bbolt writes is refused with a code, and in bounded time."""
    with pytest.raises(SourceError) as caught:
        read(DAMAGED[name]())
    assert caught.value.code == "bolt-damaged"


def test_a_page_with_two_owners_is_refused() -> None:
    """Otherwise buckets that all lead to one page would multiply at each level."""
    writer = BoltWriter()
    shared = writer.bucket({b"k": b"v"})
    pointer = struct.pack("<QQ", shared, 0)
    root = writer.add(2, 2, leaf_body([(1, b"a", pointer), (1, b"b", pointer)]))
    data = b"".join([writer.meta(2, root, 2), writer.meta(1, root, 1), *writer.pages])
    with pytest.raises(SourceError, match="used more than once"):
        read(data)


def test_pages_that_overlap_are_refused() -> None:
    """The overflow of a page may not hold another page."""
    writer = BoltWriter()
    inner = writer.add(2, 1, leaf_body([(0, b"b", b"v")]))
    big = writer.add(2, 1, leaf_body([(0, b"a", bytes(5000))]))
    assert big == inner + 1
    patch_page(writer, inner, "overflow", 1)
    root = writer.add(1, 2, branch_body([(b"a", big), (b"b", inner)]))
    data = b"".join([writer.meta(2, root, 2), writer.meta(1, root, 1), *writer.pages])
    with pytest.raises(SourceError, match="used more than once"):
        read(data)


@given(
    changes=st.lists(
        st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8
    ),
    cut=st.none() | st.integers(0, 1 << 20),
    sealed=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_flipped_bytes_are_read_or_refused(
    changes: list[tuple[int, int]], cut: int | None, sealed: bool
) -> None:
    """Whatever bytes change, the file is read or refused by its error."""
    data = bytearray(BoltWriter(1024, 4).file(TREE))
    for position, value in changes:
        data[position % len(data)] = value
    if sealed:
        # metas with the right checksum, so that the damaged page is read
        for start in (16, 1024 + 16):
            data[start + 56 : start + 64] = fnv1a(data[start : start + 56]).to_bytes(8, "little")
    if cut is not None:
        del data[cut % len(data) :]
    try:
        read(bytes(data))
    except SourceError as error:
        assert error.code == "bolt-damaged"  # noqa: PT017  # other damage is not an error


def test_a_file_is_not_opened_through_a_link(tmp_path: Path) -> None:
    """A link, an absent file and a file that is too large are named errors."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/meta.db").write_bytes(BoltWriter().file(TREE))
    assert all_of(BoltFile.open(StoreRoot(tmp_path), ("a", "meta.db")).bucket()) == TREE
    (tmp_path / "link.db").symlink_to("a/meta.db")
    with pytest.raises(SourceError) as caught:
        BoltFile.open(StoreRoot(tmp_path), ("link.db",))
    assert caught.value.code == "not-a-regular-file"
    with pytest.raises(SourceError) as caught:
        BoltFile.open(StoreRoot(tmp_path), ("b.db",))
    assert caught.value.code == "blob-missing"
    with (tmp_path / "huge.db").open("wb") as file:
        file.truncate(bolt.MAX_BOLT_BYTES + 1)
    with pytest.raises(SourceError) as caught:
        BoltFile.open(StoreRoot(tmp_path), ("huge.db",))
    assert caught.value.code == "bolt-too-large"


def test_reading_takes_no_lock(tmp_path: Path) -> None:
    """A writer holds the file's exclusive lock while it runs; reading does not wait for it."""
    path = tmp_path / "meta.db"
    path.write_bytes(BoltWriter().file(TREE))
    with path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert all_of(BoltFile.open(StoreRoot(tmp_path), ("meta.db",)).bucket()) == TREE


def test_a_file_that_changes_is_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit during the copy makes another copy; a file that never rests is an error."""
    path = tmp_path / "meta.db"
    copy = bolt._copy
    commits = 0

    def copy_and_commit(descriptor: int, name: str) -> bytearray:
        nonlocal commits
        data = copy(descriptor, name)
        if commits:
            commits -= 1
            left = str(commits).encode()
            path.write_bytes(BoltWriter().file({b"left": left}, transaction=900 - commits))
        return data

    monkeypatch.setattr(bolt, "_copy", copy_and_commit)
    monkeypatch.setattr(bolt, "_PAUSE_SECONDS", 0)
    path.write_bytes(BoltWriter().file(TREE))
    commits = 3
    assert all_of(BoltFile.open(StoreRoot(tmp_path), ("meta.db",)).bucket()) == {b"left": b"0"}
    commits = 800
    with pytest.raises(SourceError) as caught:
        BoltFile.open(StoreRoot(tmp_path), ("meta.db",))
    assert caught.value.code == "bolt-changing"
