"""Blobs under every compression."""

import bz2
import lzma
import zlib

from backports import zstd


def compress(data: bytes, how: str = "gzip") -> bytes:
    """The compressed data, with the same bytes each time.

    Kinds: gzip, zstd, xz, bzip2, none; "gzip-members" is several members, "zstd-frames" several
    frames with skippable frames before, between and after them.
    """
    match how:
        case "none":
            return data
        case "gzip":
            packer = zlib.compressobj(6, zlib.DEFLATED, 31)
            return packer.compress(data) + packer.flush()
        case "gzip-members":
            return b"".join(compress(part, "gzip") for part in _parts(data))
        case "zstd":
            return zstd.compress(data)
        case "zstd-frames":
            skips = [(0x184D2A50 + n).to_bytes(4, "little") + b"\4\0\0\0skip" for n in (0, 7, 15)]
            frames = [zstd.compress(part) + skips[n % 3] for n, part in enumerate(_parts(data))]
            return skips[2] + b"".join(frames)
        case "xz":
            return lzma.compress(data)
        case "bzip2":
            return bz2.compress(data)
    raise ValueError(f"unknown compression: {how}")


def _parts(data: bytes, count: int = 3) -> list[bytes]:
    step = max(1, -(-len(data) // count))
    return [data[at : at + step] for at in range(0, len(data), step)] or [b""]
