"""Tars read by dedupe, by Python's tarfile, and through streams of several kinds."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from blake3 import blake3

from dedupe.errors import LayerError
from dedupe.formats.tar import (
    Member,
    read_members,
)

gnu_tar = pytest.mark.skipif(
    shutil.which("tar") is None
    or b"GNU tar" not in subprocess.run(["tar", "--version"], capture_output=True).stdout,
    reason="needs GNU tar",
)


class Trickle:
    """A stream whose reads return fewer bytes than asked for."""

    def __init__(self, data: bytes, sizes: Callable[[], int]) -> None:
        self._file = io.BytesIO(data)
        self._sizes = sizes

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._sizes()))


class Skipper(io.BytesIO):
    """A stream that can skip, and counts the bytes skipped."""

    skipped = 0

    def skip(self, size: int, /) -> int:
        before = self.tell()
        end = self.getbuffer().nbytes
        self.seek(min(before + size, end))
        self.skipped += self.tell() - before
        return self.tell() - before


def read(data: bytes, **options: Any) -> list[Member]:
    """All members, with hashes of their contents."""
    options = {"hash_content": True, **options}
    return list(read_members(io.BytesIO(data), **options))


def one(data: bytes, **options: Any) -> Member:
    """The only member."""
    (found,) = read(data, **options)
    return found


def refusal(data: bytes, **options: Any) -> str:
    """The code of the error, which is the same when hashing, skipping, and in small reads."""
    codes = set()
    streams: list[tuple[Any, bool]] = [
        (io.BytesIO(data), True),
        (io.BytesIO(data), False),
        (Skipper(data), False),
        (Trickle(data, lambda: 7), True),
    ]
    for stream, hash_content in streams:
        with pytest.raises(LayerError) as caught:
            list(read_members(stream, hash_content=hash_content, **options))
        assert caught.value.message[:1].islower()
        codes.add(caught.value.code)
    (code,) = codes
    return code


def expected(data: bytes) -> list[Member]:
    """The members that tarfile reads, as ours."""
    found = []
    with tarfile.open(
        fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info in archive:
            regular = info.isreg()
            content = archive.extractfile(info).read() if regular else b""  # type: ignore[union-attr]
            seconds = Decimal(info.pax_headers.get("mtime", str(int(info.mtime))))
            prefix = "SCHILY.xattr."
            xattrs = {
                key.removeprefix(prefix).replace("%3D", "=").replace("%25", "%"): value
                for key, value in info.pax_headers.items()
                if key.startswith(prefix)
            }
            device = info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE)
            stored = sum(length for _, length in info.sparse) if info.sparse else len(content)
            found.append(
                Member(
                    encoded(info.name),
                    b"0" if regular else info.type,
                    len(content),
                    stored,
                    info.offset_data,
                    info.mode & 0o7777,
                    info.uid,
                    info.gid,
                    max(min(int(seconds * 1_000_000_000), 2**63 - 1), 1 - 2**63),
                    encoded(info.linkname),
                    info.devmajor if device else 0,
                    info.devminor if device else 0,
                    {encoded(key): encoded(value) for key, value in xattrs.items()} or None,
                    blake3(content).digest() if regular else None,
                )
            )
    return found


def encoded(text: str) -> bytes:
    """The bytes of text that tarfile decoded."""
    return text.encode("utf-8", "surrogateescape")


def as_tarfile_says(members: Iterable[Member]) -> list[Member]:
    """Our members without the slash at the end of a folder's name, which tarfile removes."""
    return [replace(m, name=m.name.rstrip(b"/") if m.typeflag == b"5" else m.name) for m in members]
