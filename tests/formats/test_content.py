"""Zeros in contents are counted alike however the content is cut, stored or walked."""

import random
from pathlib import Path

import pytest
from blake3 import blake3
from builders import file, tar_of
from helpers.layers import rows_of, rows_of_tar
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedupe.formats.content import ZERO_BLOCK_BYTES, ZEROS_FROM_BYTES, Content
from dedupe.model.images import TreeRef, Whiteouts

BLOCK = ZERO_BLOCK_BYTES


def zeros_in(content: bytes) -> int:
    """Bytes in blocks of zeros, block by block."""
    blocks = (content[at : at + BLOCK] for at in range(0, len(content), BLOCK))
    return sum(len(block) for block in blocks if block.count(0) == len(block))


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Runs of zeros and of other bytes, with ends at blocks and beside them."""
    lengths = st.integers(0, 3).map(lambda blocks: blocks * BLOCK) | st.integers(1, 2 * BLOCK)
    made = bytearray()
    for is_zero in draw(st.lists(st.booleans(), min_size=1, max_size=6)):
        length = draw(lengths)
        made += bytes(length) if is_zero else b"\0x\0"[draw(st.integers(0, 2)) :] + bytes(length)
    return bytes(made)


@settings(max_examples=30, deadline=None)
@given(contents(), st.integers(5_000, 3 * BLOCK), st.integers(-1, 1))
@example(bytes(ZEROS_FROM_BYTES), 1 << 20, 0)
def test_zeros_are_counted_block_by_block(content: bytes, cut: int, more: int) -> None:
    """The size of the pieces does not matter; smaller files are not counted."""
    content += bytes(max(0, ZEROS_FROM_BYTES + more - len(content)))
    read = Content()
    for at in range(0, len(content), cut):
        read.add(memoryview(content)[at : at + cut])
    assert read.digest() == blake3(content).digest()
    counted = len(content) >= ZEROS_FROM_BYTES
    assert read.zero_bytes() == (zeros_in(content) if counted else None)


def test_holes_are_zeros() -> None:
    """A hole of any length counts as the zeros that are read from it."""
    read, size = Content(), 3 * ZEROS_FROM_BYTES + 5
    read.add(memoryview(b"x"))
    read.add_zeros(size)
    assert read.digest() == blake3(b"x" + bytes(size)).digest()
    assert read.zero_bytes() == size + 1 - BLOCK


SOME = random.Random(3).randbytes(70_000)
FILES = {
    "zeros": bytes(ZEROS_FROM_BYTES),
    "end": bytes(3 * ZEROS_FROM_BYTES) + b"user" * 73,
    "noise": random.Random(4).randbytes(ZEROS_FROM_BYTES + 7),
    "mixed": SOME + bytes(ZEROS_FROM_BYTES) + SOME,
    "small": bytes(ZEROS_FROM_BYTES - 1),
    "empty": b"",
}


def counted(rows: list[dict]) -> dict[str, int | None]:
    """Bytes of zeros by path."""
    return {row["path"]: row["zero_bytes"] for row in rows if row["kind"] == "file"}


@pytest.mark.parametrize("offset", [0, 600, 900_000])
def test_a_tar_and_a_folder_give_the_same_numbers(offset: int, tmp_path: Path) -> None:
    """Wherever a file begins in the tar, its zeros are those of the file on disk."""
    wanted = {
        name: zeros_in(content) if len(content) >= ZEROS_FROM_BYTES else None
        for name, content in FILES.items()
    }
    assert wanted["zeros"] == ZEROS_FROM_BYTES
    assert wanted["noise"] == 0
    members = [file(name, content) for name, content in FILES.items()]
    rows, _ = rows_of_tar(tar_of([file("first", SOME[:1] * offset), *members]), tmp_path)
    assert counted(rows) == {"first": None, **wanted}
    folder = tmp_path / "diff"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    walked, _ = rows_of(TreeRef(folder, (), whiteouts=Whiteouts.NONE))
    assert counted(walked) == wanted
