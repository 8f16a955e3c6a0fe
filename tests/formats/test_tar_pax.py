"""Extended headers: records that override the header of the next member; global ones do not."""

import base64
import io

import pytest
from blake3 import blake3
from builders.tar_blocks import END, header, member, padded, pax, record
from helpers.tars import (
    one,
    read,
    refusal,
)

from dedupe.errors import LayerError
from dedupe.formats.tar import (
    read_members,
)


def test_records_override_the_header_of_one_member() -> None:
    """Name, target, owner, time and size come from the records, for the next member only."""
    data = (
        pax(
            (b"path", b"\xff\xfe new"),
            (b"linkpath", b"target"),
            (b"uid", b"4000000000"),
            (b"gid", b"7"),
            (b"mtime", b"1.25"),
            (b"size", b"600"),
            (b"hdrcharset", b"BINARY"),
            (b"comment", b"ignored"),
        )
        + header(b"old", 0)
        + padded(b"z" * 600)
        + header(b"next")
        + END
    )
    found, after = read(data)
    assert (found.name, found.linkname, found.uid, found.gid, found.mtime_ns, found.size) == (
        b"\xff\xfe new",
        b"target",
        4_000_000_000,
        7,
        1_250_000_000,
        600,
    )
    assert found.content_hash == blake3(b"z" * 600).digest()
    assert (after.name, after.uid, after.mtime_ns) == (b"next", 0, 0)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        (b"0", 0),
        (b"1700000000.123456789", 1_700_000_000_123_456_789),
        (b"1.5", 1_500_000_000),
        (b"1.", 1_000_000_000),
        (b"-1.5", -1_500_000_000),
        (b"-0.000000001", -1),
        (b"1.9999999999", 1_999_999_999),
        (b"9223372036.854775807", 2**63 - 1),
        (b"9223372037", 2**63 - 1),
        (b"-99999999999.5", 1 - 2**63),
    ],
)
def test_decimal_times_are_exact_nanoseconds(text: bytes, nanoseconds: int) -> None:
    """Decimal seconds become nanoseconds without a float between, within 64 bits."""
    assert one(pax((b"mtime", text)) + header() + END).mtime_ns == nanoseconds


@pytest.mark.parametrize("text", [b"x", b".5", b"1.x", b"--1", b"1e9", b"9" * 30, b"9" * 9999])
def test_a_bad_time_is_refused(text: bytes) -> None:
    """A time that is not a decimal number, or exceeds 64 bits of seconds, is refused."""
    assert refusal(pax((b"mtime", text)) + header() + END) == "tar-bad-number"


def test_xattrs_are_exact_bytes() -> None:
    """Values may have any bytes or none; names are unescaped as their writers escaped them."""
    every = bytes(range(256))
    data = (
        pax(
            (b"SCHILY.xattr.user.all", every),
            (b"SCHILY.xattr.user.a%3Db%25", b"gnu"),
            (b"SCHILY.xattr.trusted.overlay.metacopy", b""),
            (b"LIBARCHIVE.xattr.user.b%20c", base64.b64encode(b"bsd!").rstrip(b"=")),
            (b"LIBARCHIVE.xattr.user.all", base64.b64encode(b"other")),
        )
        + header()
        + header()
        + END
    )
    found, after = read(data)
    assert found.xattrs == {
        b"user.all": every,
        b"user.a=b%": b"gnu",
        b"trusted.overlay.metacopy": b"",
        b"user.b c": b"bsd!",
    }
    assert after.xattrs is None


def test_global_records_change_no_member() -> None:
    """A g header, as git archive writes it, is a member of its own.

    In POSIX its records count for all members after it. Go, which docker, podman, containerd and
    umoci use, ignores them: believing a global path would hide files that these tools unpack.
    """
    data = (
        header(b"first")
        + pax((b"comment", b"c0ffee"), (b"mtime", b"5"), (b"uid", b"7"), flag=b"g")
        + header(b"second")
        + pax((b"mtime", b"6"))
        + header(b"third")
        + pax((b"path", b"decoy"), (b"linkpath", b"l"), (b"SCHILY.xattr.user.a", b"b"), flag=b"g")
        + member(b"fourth", b"4" * 600)
        + member(b"fifth", b"5")
        + END
    )
    found = read(data)
    assert [(m.name, m.typeflag, m.size) for m in found] == [
        (b"first", b"0", 0),
        (b"PaxHeaders/f", b"g", 0),
        (b"second", b"0", 0),
        (b"third", b"0", 0),
        (b"decoy", b"g", 0),
        (b"fourth", b"0", 600),
        (b"fifth", b"0", 1),
    ]
    assert [m.mtime_ns // 10**9 for m in found if m.typeflag != b"g"] == [0, 0, 6, 0, 0]
    assert {(m.uid, m.linkname, m.xattrs) for m in found} == {(0, b"", None)}
    (empty,) = read(pax((b"comment", b"empty tree"), flag=b"g") + END)
    assert empty.typeflag == b"g"


@pytest.mark.parametrize(
    "ahead", [pax((b"path", b"decoy"), (b"size", b"1024")), member(b"l", b"decoy\0", b"L")]
)
def test_a_global_header_cancels_the_header_before_it(ahead: bytes) -> None:
    """As in Go, an extended header or long name before a g header is not for the member after."""
    between = pax((b"comment", b"c"), flag=b"g")
    found = read(ahead + between + member(b"real", b"1") + END)
    assert [(m.name, m.size) for m in found if m.typeflag == b"0"] == [(b"real", 1)]
    assert len(read(ahead + between + END)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"x path=a\n",
        b"5 a=b\n",
        b"99 path=a\n",
        b"9 path=a",
        b"7 path\n",
        b"6 =ab\n",
        b"0 path=a\n",
        b"1",
        b"3 \n",
        b"-9 path=a\n",
        record(b"path", b"a\0b"),
        record(b"linkpath", b"\0"),
        record(b"k\0y", b"a"),
        record(b"LIBARCHIVE.xattr.a", b"?"),
        record(b"path", b"a") + b"\0" * 9,
        b"9" * 5000 + b" a=b\n",
        record(b"GNU.sparse.numbytes", b"1"),
        record(b"GNU.sparse.offset", b"1,2"),
    ],
)
def test_damaged_records_are_refused(body: bytes) -> None:
    """Lengths must lead from record to record to the end, and names have no NUL."""
    assert refusal(member(b"x", body, b"x") + header() + END) == "tar-bad-pax"


@pytest.mark.parametrize(
    "records", [[b"size", b"0"], [b"GNU.sparse.map", b"0,1"], [b"GNU.sparse.realsize", b"9"]]
)
def test_a_global_size_is_ignored(records: list[bytes]) -> None:
    """Readers disagree whether a global size counts; it does not here, as in Go."""
    data = pax((records[0], records[1]), flag=b"g") + member(b"a", b"1" * 600) + header(b"b") + END
    assert [(m.name, m.size) for m in read(data)[1:]] == [(b"a", 600), (b"b", 0)]


@pytest.mark.parametrize("flag", [b"x", b"g", b"L", b"K"])
def test_large_extended_headers_are_never_read(flag: bytes) -> None:
    """A header that claims more than 1 MiB is refused before its body is read."""
    claims = header(size=(1 << 20) + 1, flag=flag)
    asked = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().read(512)

    with pytest.raises(LayerError) as caught:
        list(read_members(Watched(claims + bytes(1 << 20)), hash_content=True))
    assert caught.value.code == "tar-pax-too-large"
    assert len(asked) == 1


def test_global_headers_take_no_memory() -> None:
    """Any number of g headers with ever new keys takes no more memory than one of them."""
    many = b"".join(
        pax((b"SCHILY.xattr.k%d" % n, b"v" * 500_000), (b"path", b"p" * 500_000), flag=b"g")
        for n in range(20)
    )
    found = read(many + header(b"a") * 1000 + END)
    assert len(found) == 1020
    assert all(m.xattrs is None and len(m.name) < 20 for m in found)


@pytest.mark.parametrize("ahead", [pax((b"path", b"a")), member(b"l", b"name\0", b"L")])
@pytest.mark.parametrize("end", [b"", bytes(512), END])
def test_an_extended_header_needs_its_member(ahead: bytes, end: bytes) -> None:
    """An archive that ends after an extended header has lost the member that it was for."""
    assert refusal(header(b"first") + ahead + end) == "tar-truncated"
