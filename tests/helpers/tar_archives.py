"""Random archives for Hypothesis, written by Python's tarfile."""

import io
import tarfile

from hypothesis import strategies as st

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


names = st.lists(
    st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=90),
    min_size=1,
    max_size=4,
).map("/".join)


ascii_names = st.lists(
    st.text("abcdefgh.-_ =%", min_size=1, max_size=40), min_size=1, max_size=4
).map("/".join)


times = st.integers(0, 8**11 - 1)


any_times = st.one_of(
    times,
    st.integers(-(10**9), 10**10),
    st.decimals(-(10**9), 10**10, places=9, allow_nan=False).map(lambda d: f"{d:f}"),
)


values = st.binary(max_size=40)


@st.composite
def infos(draw: st.DrawFn, dialect: int) -> tuple[tarfile.TarInfo, bytes]:
    """A member that the format can hold, and its content."""
    info = tarfile.TarInfo(draw(ascii_names if dialect == tarfile.USTAR_FORMAT else names))
    info.type = draw(st.sampled_from([b"0", b"0", b"0", b"1", b"2", b"3", b"4", b"5", b"6"]))
    info.mode = draw(st.integers(0, 0o7777))
    top = 8**7 - 1 if dialect == tarfile.USTAR_FORMAT else 2**32
    info.uid, info.gid = draw(st.tuples(st.integers(0, top), st.integers(0, top)))
    data = b""
    if info.type == b"0":
        data = draw(st.binary(max_size=8)) * draw(st.sampled_from([0, 1, 63, 64, 65, 1000]))
        info.size = len(data)
    if info.type in (b"1", b"2"):
        info.linkname = draw(ascii_names if dialect == tarfile.USTAR_FORMAT else names)
    if info.type in (b"3", b"4"):
        info.devmajor, info.devminor = draw(st.tuples(st.integers(0, 999), st.integers(0, 8**6)))
    if dialect == tarfile.PAX_FORMAT:
        time = draw(any_times)
        info.pax_headers = {
            "SCHILY.xattr.user." + key: value.decode("utf-8", "surrogateescape")
            for key, value in draw(
                st.dictionaries(st.text("abc%.", min_size=1, max_size=5), values, max_size=3)
            ).items()
        }
        if isinstance(time, str):
            info.pax_headers["mtime"] = time
        else:
            info.mtime = time
    elif dialect == tarfile.GNU_FORMAT:
        info.mtime = draw(st.integers(-(2**40), 2**40))
    else:
        info.mtime = draw(times)
    return info, data


archives = st.sampled_from(FORMATS).flatmap(
    lambda dialect: st.tuples(st.just(dialect), st.lists(infos(dialect), max_size=6))
)


def written(dialect: int, members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """The archive of these members that tarfile writes."""
    file = io.BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=dialect, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info, data in members:
            try:
                archive.addfile(info, io.BytesIO(data))
            except ValueError:
                # a name that ustar has no room for
                continue
    return file.getvalue()
