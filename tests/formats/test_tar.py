"""The tar reader reads what tarfile and GNU tar wrote, and refuses what unpackers refuse."""

import io
import os
import subprocess
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from builders.tar_blocks import END, header, member, padded, pax
from helpers.tar_archives import archives, written
from helpers.tars import Skipper, Trickle, as_tarfile_says, expected, gnu_tar, one, read, refusal
from here import FIXTURES
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupe.errors import LayerError
from dedupe.formats.tar import (
    EMPTY_HASH,
    Limits,
    Member,
    TarReader,
    looks_like_tar,
    read_members,
)


@given(archives)
def test_members_are_those_of_tarfile(
    archive: tuple[int, list[tuple[tarfile.TarInfo, bytes]]],
) -> None:
    """Every field and content of archives in all three formats is as tarfile reads it."""
    data = written(*archive)
    assert as_tarfile_says(read(data)) == expected(data)


@given(archives)
def test_members_without_hashing_are_the_same(
    archive: tuple[int, list[tuple[tarfile.TarInfo, bytes]]],
) -> None:
    """Without hashing, read or skipped, all fields are the same and there is no content hash."""
    data = written(*archive)
    wanted = [replace(found, content_hash=None) for found in read(data)]
    assert read(data, hash_content=False) == wanted
    assert list(read_members(Skipper(data), hash_content=False)) == wanted


@settings(max_examples=300)
@given(archives, st.data())
def test_changed_bytes_give_members_or_a_layer_error(
    archive: tuple[int, list[tuple[tarfile.TarInfo, bytes]]], data: st.DataObject
) -> None:
    """Whatever the bytes, reading ends, and with no other error than LayerError."""
    damaged = bytearray(written(*archive))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
        block = at - at % 512
        if data.draw(st.booleans()):
            # with the right checksum, the damage reaches the code that reads fields
            damaged[block + 148 : block + 156] = b" " * 8
            total = sum(damaged[block : block + 512])
            damaged[block + 148 : block + 156] = b"%06o\0 " % total
    for found in survivors(bytes(damaged)):
        assert 0 <= found.stored_size <= len(damaged)


def survivors(data: bytes) -> list[Member]:
    """The members before the first error."""
    found: list[Member] = []
    with suppress(LayerError):
        found.extend(read_members(io.BytesIO(data), hash_content=True))
    return found


def small_archive() -> bytes:
    """One member of each kind whose body or headers can be cut."""
    return (
        pax((b"path", b"long"), (b"mtime", b"1.5"))
        + member(b"a", b"x" * 700)
        + member(b"././@LongLink", b"n" * 600 + b"\0", b"L", magic=b"ustar  \0")
        + member(b"b", b"y" * 512)
        + header(b"d/", flag=b"5")
        + pax(
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", b"s"),
            (b"GNU.sparse.realsize", b"5000"),
        )
        + member(b"c", padded(b"1\n4096\n10\n") + b"0123456789")
        + header(
            b"old",
            5,
            b"S",
            magic=b"ustar  \0",
            sparse=b"%011o\0%011o\0" % (2048, 5),
            real=b"%011o\0" % 3000,
            more=b"\1",
        )
        + bytes(512)
        + padded(b"01234")
        + END
    )


def test_truncation_is_an_error_except_between_members() -> None:
    """An archive cut anywhere gives whole members, then an error unless cut between two."""
    whole = small_archive()
    members = read(whole)
    assert [m.name for m in members] == [b"long", b"n" * 600, b"d/", b"s", b"old"]
    ends = {0, len(whole) - 1024, len(whole) - 512, len(whole)}
    at = 0
    for found in members:
        at = found.offset + len(padded(bytes(found.stored_size)))
        ends.add(at)
    cuts = sorted({*range(0, len(whole) + 1, 512), *range(1, len(whole), 97), len(whole) - 1})
    for cut in cuts:
        for stream, hash_content in [
            (io.BytesIO(whole[:cut]), True),
            (io.BytesIO(whole[:cut]), False),
            (Skipper(whole[:cut]), False),
        ]:
            found, code = [], None
            try:
                for seen in read_members(stream, hash_content=hash_content):
                    found.append(replace(seen, content_hash=None))
            except LayerError as error:
                code = error.code
            assert found == [replace(m, content_hash=None) for m in members[: len(found)]]
            if cut in ends:
                assert code is None
                assert len(found) == sum(m.offset + m.stored_size <= cut for m in members)
            else:
                assert code == ("not-a-tar" if cut < 512 else "tar-truncated")


def test_gnu_long_names_belong_to_the_next_member() -> None:
    """L and K members hold a name and a link target longer than the header has room for."""
    data = (
        member(b"././@LongLink", b"n" * 300 + b"\0", b"L", magic=b"ustar  \0")
        + member(b"././@LongLink", b"l" * 400 + b"\0", b"K", magic=b"ustar  \0")
        + header(b"n", flag=b"2", link=b"l")
        + header(b"next")
        + END
    )
    link, after = read(data)
    assert (link.name, link.linkname) == (b"n" * 300, b"l" * 400)
    assert (after.name, after.linkname) == (b"next", b"")


def test_each_type_flag_has_its_kind_and_body() -> None:
    """Regular files have two type flags, as folders of v7 do; links have no body.

    Only after type NUL does a slash at the end of a name make a folder. GNU tar takes type 0 for a
    folder too; Go reads a regular file there, which is what stores unpack.
    """
    data = (
        member(b"nul", b"1", b"\0")
        + member(b"contiguous", b"2", b"7")
        + header(b"v7/", 3, b"\0", magic=b"")
        + member(b"folder/", b"3", b"0")
        + header(b"hard", 700, b"1", link=b"nul")
        + header(b"soft", 700, b"2", link=b"nul")
        + header(b"device", 700, b"3", major=b"0000001\0", minor=b"0000003\0")
        + member(b"volume", b"4" * 600, b"V")
        + member(b"dump/", b"5" * 600, b"D")
        + END
    )
    found = read(data)
    assert [(m.name, m.typeflag, m.size) for m in found] == [
        (b"nul", b"0", 1),
        (b"contiguous", b"0", 1),
        (b"v7/", b"5", 0),
        (b"folder/", b"0", 1),
        (b"hard", b"1", 0),
        (b"soft", b"2", 0),
        (b"device", b"3", 0),
        (b"volume", b"V", 0),
        (b"dump/", b"D", 0),
    ]
    assert all(m.stored_size == m.size for m in found)
    assert all((m.content_hash is None) == (m.typeflag != b"0") for m in found)
    assert (found[6].devmajor, found[6].devminor) == (1, 3)


def test_an_empty_file_has_the_hash_of_nothing() -> None:
    """A regular file without bytes has the BLAKE3 of no bytes."""
    assert one(header() + END).content_hash == EMPTY_HASH == blake3(b"").digest()


@pytest.mark.parametrize("end", [b"", bytes(512), END, bytes(10240)])
def test_an_archive_may_end_without_zero_blocks(end: bytes) -> None:
    """None, one or many zero blocks end an archive; no bytes at all are an empty archive."""
    assert [m.name for m in read(member(b"a", b"1") + end)] == [b"a"]
    assert read(end) == []


def test_a_lone_zero_block_is_refused() -> None:
    """Some readers stop at a single zero block, so members after it would be hidden from them."""
    data = member(b"a", b"1") + bytes(512) + member(b"b", b"2") + END
    assert refusal(data) == "tar-lone-zero-block"
    assert refusal(bytes(512) + member(b"b", b"2") + END) == "tar-lone-zero-block"
    assert refusal(member(b"a", b"1") + bytes(700)) == "tar-truncated"


def test_bytes_after_the_end_are_counted() -> None:
    """What follows the end mark is read to the last byte, and bytes other than zero counted."""
    hidden = member(b"hidden", b"abc")
    data = member(b"a", b"1") + END + hidden + bytes(5 << 20) + b"end"
    for stream in (io.BytesIO(data), Trickle(data, lambda: 100_000)):
        reader = TarReader(stream, hash_content=True)
        assert [m.name for m in reader] == [b"a"]
        assert reader.total_bytes == len(data)
        assert reader.trailing_bytes == len(hidden) - hidden.count(0) + 3
        assert reader.member_count == 1


def test_without_draining_nothing_after_the_end_is_read() -> None:
    """For an index alone, nothing that follows the end mark is read."""
    data = member(b"a", b"1") + END + bytes(8 << 20)
    stream = io.BytesIO(data)
    reader = TarReader(stream, hash_content=False, drain=False)
    assert len(list(reader)) == 1
    assert reader.total_bytes == 2048
    assert stream.tell() <= 1 << 20


@pytest.mark.parametrize("data", [b"x", b"{}" * 2000, b"\x7fELF" + bytes(4096), b"\x1f\x8b" * 900])
def test_a_file_of_another_kind_is_not_a_tar(data: bytes) -> None:
    """A first block that is not a header has another code than a damaged archive."""
    assert refusal(data) == "not-a-tar"
    assert not looks_like_tar(data)


def test_a_damaged_header_is_refused() -> None:
    """A wrong checksum is an error, where tarfile would stop without one."""
    bad = bytearray(member(b"b", b"2"))
    bad[0] += 1
    data = member(b"a", b"1") + bytes(bad) + member(b"c", b"3") + END
    assert refusal(data) == "tar-bad-checksum"
    bad[148:156] = b"garbage!"
    assert refusal(member(b"a", b"1") + bytes(bad) + END) == "tar-bad-checksum"


def test_too_many_members_are_refused() -> None:
    """An archive of more members than allowed is refused when the limit is passed."""
    data = header() * 4 + END
    assert len(read(data, limits=Limits(max_members=4))) == 4
    assert refusal(data, limits=Limits(max_members=3)) == "tar-too-many-members"


@gnu_tar
@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_folders_packed_by_gnu_tar_are_those_of_tarfile(tmp_path: Path, form: str) -> None:
    """A tree that GNU tar packed in each of its formats is read as tarfile reads it."""
    (tmp_path / "d" / ("n" * 60)).mkdir(parents=True)
    (tmp_path / "d" / "file").write_bytes(b"content" * 1000)
    (tmp_path / "d" / "soft").symlink_to("file")
    os.link(tmp_path / "d" / "file", tmp_path / "d" / "hard")
    if form not in ("v7", "ustar"):
        (tmp_path / "d" / ("n" * 60) / ("m" * 200)).write_bytes(b"long")
        (tmp_path / "d" / "far").symlink_to("t" * 200)
    if form != "v7":
        os.mkfifo(tmp_path / "d" / "fifo")
    data = subprocess.run(
        ["tar", "-C", str(tmp_path), f"--format={form}", "-cf", "-", "d"],
        check=True,
        capture_output=True,
    ).stdout
    found = read(data)
    assert len(found) == 5 + 2 * (form not in ("v7", "ustar")) + (form != "v7")
    assert as_tarfile_says(found) == expected(data)


def fixtures() -> list[Path]:
    """Archives that others made."""
    return sorted((FIXTURES / "tar").glob("*.tar"))


@pytest.mark.external
@pytest.mark.skipif(not fixtures(), reason="needs the folder of fixtures beside the project")
@pytest.mark.parametrize("path", fixtures(), ids=lambda path: path.name)
def test_archives_of_gos_tests_are_those_of_tarfile(path: Path) -> None:
    """Archives from Go's tests are read as tarfile reads them, except where it is wrong."""
    data = path.read_bytes()
    wanted = expected(data)
    if path.name == "pax-nil-sparse-data.tar":
        # tarfile takes the stored size, which includes the map, for the size of the file
        content = data[2048:3048]
        wanted = [replace(wanted[0], size=1000, content_hash=blake3(content).digest())]
    assert as_tarfile_says(read(data)) == wanted
