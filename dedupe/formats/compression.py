"""Decompression by magic number, never by name or media type: both lie in the wild.

gzip goes through isal (more than twice as fast as zlib, and its ``open`` reads concatenated
members and raises on truncation, which a bare ``decompressobj`` does not); zstd through
``backports.zstd``, which is ``compression.zstd`` of Python 3.14 (raises on truncation; skips
skippable frames).
"""

import sys
from typing import IO, BinaryIO, Protocol, cast

from dedupe.errors import LayerError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: bytes of a blob that decide about its compression and its format
MAGIC_BYTES = 512
#: window sizes above 128 MiB are refused by every reader in its default setting
_MAX_WINDOW_LOG = 27


class Readable(Protocol):
    """Bytes in order, as files, decompressors and hashing readers give them."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        ...


def compression_of(head: bytes) -> str | None:
    """``gzip``, ``zstd``, ``xz`` or ``bzip2``; None for anything else, such as a plain tar."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (
        head[1:4] == b"\x2a\x4d\x18" and head[:1] and 0x50 <= head[0] <= 0x5F
    ):
        return "zstd"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bzip2"
    return None


def decompressed(raw: Readable, compression: str | None) -> Readable:
    """The stream that ``raw`` compresses; ``raw`` itself where it does not.

    Its ``read`` raises LayerError on truncated or damaged input.
    """
    if compression is None:
        return raw
    return _Checked(_open(cast(BinaryIO, raw), compression), compression)


def _open(raw: IO[bytes], compression: str) -> Readable:
    match compression:
        case "gzip":
            # imported where needed: isal pulls in more than a plain tar's scan uses
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


class _Checked:
    """One error for the many that the libraries raise on bad input."""

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
        # the libraries have a dozen classes between them: BadGzipFile, IsalError, LZMAError, …
        except Exception as error:
            if isinstance(error, AttributeError | TypeError | NameError | MemoryError):
                raise
            raise LayerError(
                f"damaged {self._compression}: {error}", f"{self._compression}-damaged"
            ) from None
