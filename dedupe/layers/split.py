"""A layer's tar rebuilt from tar-split data and the folder that it was unpacked to.

tar-split keeps the headers, padding and end of a tar; file contents are taken from the folder. If
the rebuilt tar does not have the diff ID, the folder has changed since it was unpacked.

Source: github.com/vbatts/tar-split, one JSON object per line in gzip: type 2 is bytes of the tar,
type 1 a file's content of a given size.
"""

import binascii
import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, cast

from dedupe.errors import DedupeError, LayerError, SourceError, reason_of
from dedupe.formats.compression import Readable, decompressed
from dedupe.host.files import open_below, size_below
from dedupe.host.trees import TreeFiles, open_folder
from dedupe.layers.entries import clean
from dedupe.model.images import TreeRef
from dedupe.model.paths import path_text

_PIECE = 1 << 20
#: headers and small files are joined into pieces of this size, since each piece costs a call
_JOINED = 256 << 10
#: tar-split data of fewer bytes describes fewer rows than ``batches.BATCH_ROWS``
_LARGE_SPLIT_BYTES = 2 << 20
#: the longest line of a real tar has a header and its extended headers; longer ones are an attack
_MAX_LINE_BYTES = 8 << 20
_BYTES, _FILE = 2, 1
#: how the writer of tar-split data begins a line with bytes of the tar
_BYTES_LINE = b'{"type":2,"payload":"'
#: how it begins a line for the content of a file
_FILE_LINE = b'{"type":1,'


@dataclass(frozen=True, slots=True)
class SplitBody:
    """The content of a file, which is in the folder."""

    path: bytes
    size: int


@dataclass(frozen=True, slots=True)
class SplitPiece:
    """Bytes of a tar without the contents of its files."""

    headers: bytes
    #: where a content was left out: bytes of ``headers`` before it, and its size
    bodies: list[tuple[int, int]]


class SplitTar:
    """The tar as a stream, for a ``with`` statement: it keeps the folder open.

    Reading raises LayerError ``split-unusable`` if a file is missing or has another size.
    """

    def __init__(self, ref: TreeRef, advance: Callable[[int], None]) -> None:
        self._ref = ref
        self._advance = advance
        self._folder = open_folder(ref.root, ref.parts)
        self._files = TreeFiles(self._folder)
        self._pieces = self._contents()
        self._rest = b""

    def __enter__(self) -> "SplitTar":
        return self

    def __exit__(self, *_: object) -> None:
        self._pieces.close()
        self._files.close()
        os.close(self._folder)

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes of the tar; nothing at its end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        data = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(data) :]
        return data

    def check(self) -> None:
        """Check up front that every file exists with the expected size.

        Small layers skip this: they emit nothing until fully read, so a failure can still fall back
        to a walk. Raises LayerError ``split-unusable``.
        """
        try:
            root = self._ref.split_root or self._ref.root
            if size_below(root, self._ref.split or ()) < _LARGE_SPLIT_BYTES:
                return
        except SourceError as error:
            raise unusable(error.message) from error
        for part in parts_of(self._ref):
            if isinstance(part, SplitBody):
                try:
                    found = self._files.status(part.path).st_size
                except OSError as error:
                    raise unusable(f"{path_text(part.path)}: {reason_of(error)}") from error
                _check_size(part, found)

    def _contents(self) -> Generator[bytes, None, None]:
        waiting: list[bytes] = []
        size = 0
        for part in parts_of(self._ref):
            for piece in (part,) if isinstance(part, bytes) else self._body(part):
                waiting.append(piece)
                size += len(piece)
                if size >= _JOINED:
                    yield b"".join(waiting)
                    waiting.clear()
                    size = 0
        if waiting:
            yield b"".join(waiting)

    def _body(self, body: SplitBody) -> Iterator[bytes]:
        try:
            descriptor = self._files.open(body.path)
        except OSError as error:
            raise unusable(f"{path_text(body.path)}: {reason_of(error)}") from error
        try:
            _check_size(body, os.fstat(descriptor).st_size)
            left = body.size
            while left:
                piece = os.read(descriptor, min(left, _PIECE))
                if not piece:
                    raise unusable(f"{path_text(body.path)}: {left} bytes are missing")
                left -= len(piece)
                self._advance(len(piece))
                yield piece
        finally:
            os.close(descriptor)


def _check_size(body: SplitBody, found: int) -> None:
    if found != body.size:
        raise unusable(f"{path_text(body.path)}: expected {body.size} bytes, found {found}")


def parts_of(ref: TreeRef) -> Iterator[bytes | SplitBody]:
    """Bytes and file contents in tar order; raises LayerError ``split-unusable``."""
    with _decompressed(ref) as stream:
        for lines in _lines(stream):
            for entry in _entries(lines):
                part = _part(entry)
                if part:
                    yield part


@contextlib.contextmanager
def _decompressed(ref: TreeRef) -> Iterator[Readable]:
    """The lines of tar-split data; raises LayerError ``split-unusable`` for errors in the body."""
    try:
        descriptor = open_below(ref.split_root or ref.root, ref.split or ())
        with open(descriptor, "rb") as raw:
            yield decompressed(raw, "gzip")
    except (binascii.Error, ValueError) as error:
        raise unusable("a line is not an entry") from error
    except LayerError as error:
        if error.code == "split-unusable":
            raise
        raise unusable(error.message) from error
    except DedupeError as error:
        raise unusable(error.message) from error


def headers_of(ref: TreeRef) -> Iterator[SplitPiece]:
    """The tar without the contents of its files; raises LayerError ``split-unusable``."""
    with _decompressed(ref) as stream:
        for lines in _lines(stream):
            headers: list[bytes] = []
            bodies: list[tuple[int, int]] = []
            size = 0
            for line in lines:
                if line.startswith(_BYTES_LINE):
                    # most of the data are these lines, which a parser of JSON takes long to read
                    start = len(_BYTES_LINE)
                    piece = binascii.a2b_base64(line[start : line.find(b'"', start)])
                    headers.append(piece)
                    size += len(piece)
                    continue
                body = _body_size(line)
                if body is not None:
                    if body:
                        bodies.append((size, body))
                    continue
                # another writer's form of a line, or an empty line
                for part in map(_part, _entries([line])):
                    if isinstance(part, bytes):
                        headers.append(part)
                        size += len(part)
                    elif part is not None:
                        bodies.append((size, part.size))
            yield SplitPiece(b"".join(headers), bodies)


def _body_size(line: bytes) -> int | None:
    """Size of the content that a line stands for; None if the line has another form."""
    if line.startswith(_FILE_LINE):
        # the last key of this name: a file's name may contain anything, but no bare quote
        start = line.rfind(b'"size":') + len(b'"size":')
        digits = line[start : line.find(b",", start)]
        if start >= len(_FILE_LINE) and digits.isdigit():
            return int(digits)
    return None


def _lines(stream: Readable) -> Iterator[list[bytes]]:
    """Lists of lines, each list from one piece of the stream."""
    rest = b""
    while piece := stream.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        yield lines
        if len(rest) > _MAX_LINE_BYTES:
            raise unusable(f"a line of more than {_MAX_LINE_BYTES} bytes")
    yield [rest]


def _entries(lines: list[bytes]) -> list[Any]:
    """The objects of these lines, parsed together: a call per line costs more than the parsing."""
    text = b",".join(line for line in lines if line.strip())
    try:
        entries: list[Any] = json.loads(b"[%b]" % text)
    except (ValueError, RecursionError) as error:
        raise unusable("a line is not an entry") from error
    return entries


def _part(entry: Any) -> bytes | SplitBody | None:
    try:
        kind = entry["type"]
        if kind == _BYTES:
            return binascii.a2b_base64(entry.get("payload") or "")
        size = int(entry.get("size") or 0)
        raw = entry.get("name_raw")
        name = binascii.a2b_base64(raw) if raw else cast(str, entry["name"]).encode()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unusable("a line is not an entry") from error
    if kind != _FILE or size < 0:
        raise unusable(f"an entry of type {kind!r} and size {size}")
    path, _ = clean(name)
    return SplitBody(path, size) if size and path else None


def unusable(why: str) -> LayerError:
    """The error for tar-split data that does not give the tar."""
    return LayerError(f"the tar cannot be rebuilt from tar-split data: {why}", "split-unusable")
