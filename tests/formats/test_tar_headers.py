"""Headers of tar members: numbers, names and checksums of every dialect."""

import pytest
from builders.tar_blocks import END, base256, header, pax
from helpers.tars import one, read, refusal

from dedupe.formats import tar_headers
from dedupe.formats.tar import (
    looks_like_tar,
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000017\0", 15),
        (b"000017 \0", 15),
        (b"     17 ", 15),
        (b"\0\0\0\00017\0", 15),
        (b"17\0junk\0", 15),
        (b"00000017", 15),
        (b"\0" * 8, 0),
        (b" " * 8, 0),
        (base256(15, 8), 15),
        (base256(2**40, 8), 2**40),
    ],
)
def test_numbers_may_be_padded_in_many_ways(field: bytes, value: int) -> None:
    """Octal numbers may have spaces and NULs around them; none is 0; base-256 is for large ones."""
    assert one(header(uid=field) + END).uid == value


@pytest.mark.parametrize("field", [b"0o17", b"1_7", b"+17", b"-17", b"18", b"x", b"1 7", b"\t17"])
@pytest.mark.parametrize("name", ["mode", "uid", "gid", "mtime"])
def test_a_field_that_is_not_a_number_is_refused(name: str, field: bytes) -> None:
    """Text that only Python's int would accept, and garbage, is refused in every field."""
    assert refusal(header(**{name: field}) + END) == "tar-bad-number"  # type: ignore[arg-type]


def test_bad_sizes_and_device_numbers_are_refused() -> None:
    """A size must be a number even if no body follows; so must numbers of a device."""
    assert refusal(header(size=b"1z") + END) == "tar-bad-number"
    assert refusal(header(size=b"1z", flag=b"5") + END) == "tar-bad-number"
    assert refusal(header(flag=b"3", major=b"z") + END) == "tar-bad-number"
    assert one(header(flag=b"0", major=b"z") + END).devmajor == 0
    assert refusal(header(size=b"\x80" + b"\xff" * 11) + END) == "tar-bad-number"


def test_only_times_may_be_negative() -> None:
    """Times before 1970 are legal; negative sizes and owners are not."""
    assert one(header(mtime=base256(-5, 12)) + END).mtime_ns == -5_000_000_000
    assert refusal(header(size=base256(-512, 12)) + END) == "tar-negative-size"
    assert refusal(header(size=base256(-512, 12), flag=b"x") + END) == "tar-negative-size"
    assert refusal(header(uid=base256(-1, 8)) + END) == "tar-bad-number"
    assert refusal(pax((b"size", b"-1")) + header() + END) == "tar-negative-size"
    assert refusal(pax((b"uid", b"-1")) + header() + END) == "tar-bad-number"


def test_the_cache_of_numbers_is_bounded() -> None:
    """An archive with ever new numbers does not fill the memory."""
    data = b"".join(header(mtime=b"%011o\0" % n) for n in range(20_000)) + END
    assert len(read(data)) == 20_000
    assert len(tar_headers.numbers) <= 8192


def test_signed_and_unsigned_checksums_are_accepted() -> None:
    """Some writers summed bytes above 127 as signed."""
    assert one(header(b"\xff\xfe", signed=True) + END).name == b"\xff\xfe"
    assert one(header(b"\xff\xfe") + END).name == b"\xff\xfe"


def test_the_prefix_field_is_read_by_dialect() -> None:
    """Ustar has folders there, v7 nothing, GNU times, and star a shorter prefix."""
    folders = b"p" * 155
    assert one(header(b"f", prefix=folders) + END).name == folders + b"/f"
    assert one(header(b"f", prefix=folders, magic=b"") + END).name == b"f"
    times = b"00000000001\x0000000000002\0"
    assert one(header(b"f", prefix=times, magic=b"ustar  \0") + END).name == b"f"
    # written by Go before 1.8, and still read by Go
    assert one(header(b"f", prefix=b"some/folder", magic=b"ustar  \0") + END).name == (
        b"some/folder/f"
    )
    star = header(b"f", prefix=b"q" * 131 + b"00000000001 00000000002 ", star=b"tar\0")
    assert one(star + END).name == b"q" * 131 + b"/f"
    assert one(header(b"n" * 100, link=b"l" * 100, flag=b"2") + END).linkname == b"l" * 100


def test_a_header_is_recognised_by_its_checksum() -> None:
    """A block of zeros may be an empty archive, but does not look like a tar."""
    assert looks_like_tar(header())
    assert looks_like_tar(header() + b"more")
    assert not looks_like_tar(header()[:511])
    assert not looks_like_tar(b"g" + header()[1:])
    assert not looks_like_tar(END)
