"""Decompression by magic bytes, never by file name or media type: real stores have wrong ones.

gzip is read by isal: more than twice as fast as zlib, and its ``open`` reads concatenated members
and raises an error on truncation, which a bare ``decompressobj`` does not. zstd is read by
``backports.zstd``, which is ``compression.zstd`` of Python 3.14: it raises an error on truncation
and passes over skippable frames.
"""

import sys
from typing import IO, BinaryIO, Protocol, cast

from dedupe.errors import LayerError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: bytes at the start of a blob by which its compression and its format are recognised
MAGIC_BYTES = 512
#: 128 MiB, zstd's own default limit (ZSTD_WINDOWLOG_LIMIT_DEFAULT), since a window is in memory
_MAX_WINDOW_LOG = 27

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
#: A skippable frame of zstd (RFC 8878, 3.1.2) begins with 0x50 to 0x5f and then these bytes.
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_XZ = b"\xfd7zXZ\x00"
_BZIP2 = b"BZh"
#: from byte 4: the start of a block, or the end of a stream without blocks
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")


class Readable(Protocol):
    """A stream of bytes: a file, a decompressor, or a reader that computes a digest."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; empty at the end."""
        ...


def compression_of(head: bytes) -> str | None:
    """Return ``gzip``, ``zstd``, ``xz`` or ``bzip2``; None for anything else, such as a tar."""
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD) or (head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        return "zstd"
    if head.startswith(_XZ):
        return "xz"
    if head.startswith(_BZIP2) and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    return None


def decompressed(raw: Readable, compression: str | None) -> Readable:
    """Return the decompressed stream of ``raw``, or ``raw`` itself without a compression.

    Its ``read`` raises LayerError on truncated or damaged input: ``gzip-truncated``,
    ``gzip-damaged``, and the like for the other kinds.
    Raises LayerError ``unknown-compression`` for any other kind.
    """
    if compression is None:
        return raw
    return _CheckedStream(_open(cast(BinaryIO, raw), compression), compression)


def _open(raw: IO[bytes], compression: str) -> Readable:
    match compression:
        case "gzip":
            # imported here because isal imports much that the scan of a plain tar does not need
            from isal import igzip

            return cast(Readable, igzip.open(raw, "rb"))  # type: ignore[no-untyped-call]  # isal has no types
        case "zstd":
            return cast(
                Readable,
                zstd.open(
                    raw, "rb", options={zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
                ),
            )
        case "xz":
            import lzma

            return lzma.open(raw, "rb")
        case "bzip2":
            import bz2

            return bz2.open(raw, "rb")
        case _:
            raise LayerError(f"unknown compression {compression}", "unknown-compression")


class _CheckedStream:
    """A decompressor that raises LayerError for all that its library raises on bad input."""

    def __init__(self, stream: Readable, compression: str) -> None:
        self._stream = stream
        self._compression = compression

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._stream.read(size)
        except EOFError:
            raise LayerError(
                f"truncated {self._compression}: the stream ends before its end mark",
                f"{self._compression}-truncated",
            ) from None
        except LayerError:
            raise
        # the four libraries raise a dozen classes: BadGzipFile, IsalError, LZMAError, …
        except Exception as error:
            if isinstance(error, AttributeError | TypeError | NameError | MemoryError):
                raise
            raise LayerError(
                f"damaged {self._compression}: {error}", f"{self._compression}-damaged"
            ) from None
