"""Streams of tars: read in pieces, skipped, or a range of a file."""

import io
import random
import tarfile
from pathlib import Path

import pytest
from blake3 import blake3
from builders.tar_blocks import END, member
from helpers.tar_archives import archives, written
from helpers.tars import Skipper, Trickle, read
from hypothesis import given
from hypothesis import strategies as st

from dedupe.errors import LayerError
from dedupe.formats.tar import (
    FileRange,
    TarReader,
    read_members,
)


@given(archives, st.integers(0, 999))
def test_members_do_not_depend_on_the_size_of_reads(
    archive: tuple[int, list[tuple[tarfile.TarInfo, bytes]]], seed: int
) -> None:
    """A stream of small reads gives the same members as one that gives all at once."""
    chance = random.Random(seed)
    data = written(*archive)
    trickle = TarReader(Trickle(data, lambda: chance.randint(1, 700)), hash_content=True)
    assert list(trickle) == read(data)
    assert trickle.total_bytes == len(data)


@pytest.mark.parametrize("size", [1, 511, 512, 513, (1 << 20) - 512, 1 << 20, (3 << 20) + 77])
def test_files_across_chunks_have_the_right_hash(size: int) -> None:
    """A file is hashed in pieces or at once, and the members around it have the same offsets."""
    content = random.Random(size).randbytes(size)
    data = member(b"a", b"before") + member(b"b", content) + member(b"c", b"after") + END
    found = read(data)
    assert [m.content_hash for m in found] == [
        blake3(text).digest() for text in (b"before", content, b"after")
    ]
    assert [data[m.offset : m.offset + m.size] for m in found] == [b"before", content, b"after"]


def test_errors_of_the_stream_pass_through() -> None:
    """An error of a decompressor is not turned into another."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise LayerError("damaged gzip", "gzip-damaged")

    with pytest.raises(LayerError, match="damaged gzip"):
        list(read_members(Broken(), hash_content=True))


def test_a_range_of_a_file_is_read_within_its_bounds(tmp_path: Path) -> None:
    """A range of a file is read and skipped within its bounds, from its own position."""
    path = tmp_path / "outer"
    inner = member(b"a", b"x" * 2_000_000) + member(b"b", b"y") + END
    path.write_bytes(b"before" + inner + b"after")
    with path.open("rb") as file:
        whole = TarReader(FileRange(file.fileno(), 6, len(inner)), hash_content=True)
        index = TarReader(FileRange(file.fileno(), 6, len(inner)), hash_content=False)
        assert list(whole) == read(inner)
        assert [(m.name, m.offset) for m in index] == [(m.name, m.offset) for m in read(inner)]
        assert whole.total_bytes == index.total_bytes == len(inner)
        assert file.tell() == 0
        cut = FileRange(file.fileno(), 6, 1_000_000)
        with pytest.raises(LayerError) as caught:
            list(read_members(cut, hash_content=False))
        assert caught.value.code == "tar-truncated"
        assert FileRange(file.fileno(), len(inner) + 6).read() == b"after"
        assert FileRange(file.fileno(), len(inner) + 99).skip(5) == 0


def test_contents_are_skipped_if_the_stream_can() -> None:
    """If the stream can skip, large contents are not read."""
    data = member(b"a", bytes(50 << 20)) + member(b"b", b"1") + END
    stream = Skipper(data)
    found = list(read_members(stream, hash_content=False))
    assert [m.offset for m in found] == [512, 512 + (50 << 20) + 512]
    assert stream.skipped > 49 << 20
    hashed = Skipper(data)
    list(read_members(hashed, hash_content=True))
    assert hashed.skipped == 0
