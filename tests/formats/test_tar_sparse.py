"""Sparse files: maps of their segments in all four forms, sound and damaged."""

import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from builders.tar_blocks import END, header, member, padded, pax
from helpers.tars import gnu_tar, one, read, refusal
from hypothesis import given
from hypothesis import strategies as st

from dedupe.errors import LayerError
from dedupe.formats.tar import (
    DEFAULT_LIMITS,
    Limits,
)


def sparse_pax(version: str, segments: list[tuple[int, bytes]], size: int) -> bytes:
    """A sparse file in one of the pax forms, as GNU tar writes it."""
    data = b"".join(text for _, text in segments)
    flat = [number for at, text in segments for number in (at, len(text))]
    count = b"%d" % len(segments)
    if version == "1.0":
        lines = b"".join(b"%d\n" % number for number in [len(segments), *flat])
        return pax(
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", b"real"),
            (b"GNU.sparse.realsize", b"%d" % size),
        ) + member(b"GNUSparseFile.0/real", padded(lines) + data)
    records = [(b"GNU.sparse.size", b"%d" % size), (b"GNU.sparse.numblocks", count)]
    if version == "0.1":
        records += [
            (b"GNU.sparse.name", b"real"),
            (b"GNU.sparse.map", b",".join(b"%d" % n for n in flat)),
        ]
    else:
        for at, text in segments:
            records.append((b"GNU.sparse.offset", b"%d" % at))
            records.append((b"GNU.sparse.numbytes", b"%d" % len(text)))
    return pax(*records) + member(b"real", data)


def sparse_old(segments: list[tuple[int, bytes]], size: int) -> bytes:
    """A sparse file in the oldest form, whose map goes on in blocks after the header."""
    entries = [b"%011o\0%011o\0" % (at, len(text)) for at, text in segments]
    data = b"".join(text for _, text in segments)
    extra = [entries[at : at + 21] for at in range(4, len(entries), 21)]
    blocks = [b"".join(part).ljust(504, b"\0") for part in extra]
    marked = [block + (b"\1" if n + 1 < len(blocks) else b"\0") for n, block in enumerate(blocks)]
    return (
        header(
            b"real",
            len(data),
            b"S",
            magic=b"ustar  \0",
            sparse=b"".join(entries[:4]),
            more=b"\1" if extra else b"\0",
            real=b"%011o\0" % size,
        )
        + b"".join(padded(block) for block in marked)
        + padded(data)
    )


SPARSE_FORMS: dict[str, Callable[[list[tuple[int, bytes]], int], bytes]] = {
    "old": sparse_old,
    "0.0": lambda segments, size: sparse_pax("0.0", segments, size),
    "0.1": lambda segments, size: sparse_pax("0.1", segments, size),
    "1.0": lambda segments, size: sparse_pax("1.0", segments, size),
}


@st.composite
def holed(draw: st.DrawFn) -> tuple[list[tuple[int, bytes]], int]:
    """Segments of a file with holes, and its size."""
    segments = []
    at = 0
    for hole, length in draw(
        st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 600)), max_size=60)
    ):
        at += hole
        segments.append((at, random.Random(at).randbytes(length)))
        at += length
    return segments, at + draw(st.integers(0, 5000))


@pytest.mark.parametrize("form", SPARSE_FORMS)
@given(holed())
def test_sparse_files_are_hashed_with_their_holes(
    form: str, file: tuple[list[tuple[int, bytes]], int]
) -> None:
    """All four forms give the file as it is read, and count the bytes that are stored."""
    segments, size = file
    content = bytearray(size)
    for at, text in segments:
        content[at : at + len(text)] = text
    data = SPARSE_FORMS[form](segments, size) + member(b"after", b"1") + END
    found, after = read(data)
    assert (found.name, found.typeflag, found.size) == (b"real", b"0", size)
    assert found.content_hash == blake3(bytes(content)).digest()
    assert found.zero_bytes is None
    stored = b"".join(text for _, text in segments)
    assert data[found.offset : found.offset + found.stored_size] == stored
    assert after.content_hash == blake3(b"1").digest()
    skipped = read(data, hash_content=False)
    assert skipped == [replace(m, content_hash=None) for m in (found, after)]


@pytest.mark.parametrize("form", SPARSE_FORMS)
def test_holes_count_as_zeros(form: str) -> None:
    """A file with holes has the zeros of its content, in all four forms."""
    segments = [(0, b"x"), (1_000_000, bytes(900)), (2_999_900, b"user")]
    data = SPARSE_FORMS[form](segments, 3_000_000) + END
    (found,) = read(data)
    # blocks of 65,536 bytes: all but the first and the last are zeros
    assert found.zero_bytes == (2_999_900 // 65_536 - 1) * 65_536


@pytest.mark.parametrize("form", SPARSE_FORMS)
@pytest.mark.parametrize(
    ("segments", "size"),
    [
        pytest.param([(100, b"a"), (0, b"b")], 200, id="descends"),
        pytest.param([(0, b"aaa"), (1, b"b")], 200, id="overlaps"),
        pytest.param([(0, b"a"), (150, b"b" * 51)], 200, id="exceeds"),
        pytest.param([(8**11 - 1, b"a")], 200, id="beyond"),
        pytest.param([(0, b"a")], 8**11 - 1, id="limit"),
    ],
)
def test_segments_out_of_order_or_bounds_are_refused(
    form: str, segments: list[tuple[int, bytes]], size: int
) -> None:
    """Segments ascend within the file, and the file is not larger than the limit."""
    data = SPARSE_FORMS[form](segments, size) + END
    assert refusal(data, limits=Limits(max_file_bytes=1 << 30)) == "tar-bad-sparse"


def test_segments_must_sum_to_the_stored_size() -> None:
    """More or fewer stored bytes than the segments have are refused, as in Go."""
    for stored in (b"", b"ab"):
        data = pax((b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"0,1")) + member(b"f", stored)
        assert refusal(data + END) == "tar-bad-sparse"


@pytest.mark.parametrize(
    "records",
    [
        [(b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"0,1,2")],
        [(b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"0,x")],
        [(b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"0,-1")],
        [(b"GNU.sparse.map", b"0,1")],
        [(b"GNU.sparse.size", b"9" * 5000), (b"GNU.sparse.map", b"0,1")],
        [
            (b"GNU.sparse.size", b"9"),
            (b"GNU.sparse.map", b"0,1"),
            (b"GNU.sparse.numblocks", b"2"),
        ],
        [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")],
    ],
)
def test_a_map_with_bad_numbers_is_refused(records: list[tuple[bytes, bytes]]) -> None:
    """Odd counts, signs, missing sizes and missing maps are refused."""
    assert refusal(pax(*records) + member(b"f", b"1") + END) == "tar-bad-sparse"


@pytest.mark.parametrize("text", [b"9" * 1024, b"1\n" * 256, b"x\n", b"5\n0\n1\n", b"9999999\n"])
def test_a_map_in_the_body_ends_with_the_body(text: bytes) -> None:
    """The map of form 1.0 may not be longer than the body, whatever count it has."""
    ahead = pax(
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.realsize", b"9"),
    )
    assert refusal(ahead + member(b"f", padded(text)) + END) == "tar-bad-sparse"


def test_an_endless_map_is_refused() -> None:
    """Neither the text of form 1.0 nor the blocks of the oldest form are read without limit."""
    long_map = b"999999999\n" + b"0\n" * (2 << 20)
    ahead = pax(
        (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")
    )
    assert refusal(ahead + member(b"f", padded(long_map)) + END) == "tar-bad-sparse"
    block = padded((b"%011o\0" % 0 * 42).ljust(504, b"\0") + b"\1")
    start = header(b"f", 0, b"S", magic=b"ustar  \0", more=b"\1", sparse=b"%011o\0" % 0 * 8)
    with pytest.raises(LayerError, match="segments"):
        read(start + block * 13_000)


def test_type_s_of_other_dialects_is_refused() -> None:
    """Type S in another dialect has its map elsewhere."""
    assert refusal(header(b"f", 0, b"S") + END) == "tar-bad-sparse"


def test_an_unknown_sparse_form_is_a_plain_file() -> None:
    """An unknown form has the bytes that are stored, as Go's unpackers write them to disk."""
    data = pax((b"GNU.sparse.major", b"7"), (b"GNU.sparse.size", b"9")) + member(b"f", b"1") + END
    assert one(data).size == 1


def test_holes_beyond_the_limit_are_refused() -> None:
    """Holes beyond the limit, in one file or in all together, are refused before hashing."""
    giant = sparse_pax("0.1", [], 8 * 2**60)
    assert refusal(giant + END) == "tar-bad-sparse"
    half = sparse_pax("0.1", [], DEFAULT_LIMITS.max_file_bytes)
    with pytest.raises(LayerError) as caught:
        read(half + END)
    assert caught.value.code == "tar-bad-sparse"
    assert one(half + END, hash_content=False).size == DEFAULT_LIMITS.max_file_bytes
    small = sparse_pax("0.1", [], 600)
    assert len(read(small * 2 + END, limits=Limits(max_hole_bytes=1200))) == 2
    with pytest.raises(LayerError) as caught:
        read(small * 3 + END, limits=Limits(max_hole_bytes=1200))
    assert caught.value.code == "tar-bad-sparse"


@gnu_tar
@pytest.mark.parametrize(
    "form",
    [
        ["--format=gnu"],
        ["--format=posix", "--sparse-version=0.0"],
        ["--format=posix", "--sparse-version=0.1"],
        ["--format=posix", "--sparse-version=1.0"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("spots", [[], [0], [1 << 20], list(range(0, 8 << 20, 100_000))])
def test_sparse_files_packed_by_gnu_tar_have_their_hash(
    tmp_path: Path, form: list[str], spots: list[int]
) -> None:
    """Files with holes, packed by GNU tar in each form, have the hash of the file itself."""
    target = tmp_path / "holes"
    with target.open("wb") as file:
        for at in spots:
            file.seek(at)
            file.write(b"data at %d" % at)
        file.truncate(9 << 20)
    (tmp_path / "plain").write_bytes(b"plain")
    data = subprocess.run(
        ["tar", "-C", str(tmp_path), "--sparse", *form, "-cf", "-", "holes", "plain"],
        check=True,
        capture_output=True,
    ).stdout
    assert len(data) < 9 << 20, "GNU tar found no holes"
    holes, plain = read(data)
    assert (holes.name, holes.size) == (b"holes", 9 << 20)
    assert holes.content_hash == blake3(target.read_bytes()).digest()
    assert holes.stored_size < len(data)
    assert plain.content_hash == blake3(b"plain").digest()
