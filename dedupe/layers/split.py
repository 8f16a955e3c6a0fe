"""A layer's tar made again from tar-split data and the folder that it was unpacked to.

tar-split keeps what is no file content, headers, padding and the end, as it was; contents are taken
from the folder. The tar that comes out has the diff ID, or something has changed since.

Source: github.com/vbatts/tar-split, one JSON object a line in gzip: type 2 is bytes of the tar,
type 1 a file's content of a given size.
"""

import binascii
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
_JOINED = 256 << 10
#: data of fewer bytes describes fewer rows than are handed over at a time
_LARGE_SPLIT = 2 << 20
#: a line holds a header with its extended headers at most; longer ones are an attack
_MAX_LINE_BYTES = 8 << 20
_BYTES, _FILE = 2, 1


@dataclass(frozen=True, slots=True)
class _Body:
    """The content of a file, to be taken from the folder."""

    path: bytes
    size: int


class SplitTar:
    """The tar as a stream; ``with`` it, since it holds the folder open.

    Reading raises LayerError ``split-unusable`` where the folder has not what it should.
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
        """Whether every content is there with its size, where rows are handed over on the way.

        Layers whose rows fit one batch fail before any is handed over, and are spared the look.
        Raises LayerError ``split-unusable``.
        """
        try:
            if size_below(self._ref.root, self._ref.split or ()) < _LARGE_SPLIT:
                return
        except SourceError as error:
            raise unusable(error.message) from error
        for part in _parts(self._ref):
            if isinstance(part, _Body):
                try:
                    found = self._files.status(part.path).st_size
                except OSError as error:
                    raise unusable(f"{path_text(part.path)}: {_reason(error)}") from error
                _check_size(part, found)

    def _contents(self) -> Generator[bytes, None, None]:
        # headers and small files by the thousand cost less in large pieces
        waiting: list[bytes] = []
        size = 0
        for part in _parts(self._ref):
            for piece in (part,) if isinstance(part, bytes) else self._body(part):
                waiting.append(piece)
                size += len(piece)
                if size >= _JOINED:
                    yield b"".join(waiting)
                    waiting.clear()
                    size = 0
        if waiting:
            yield b"".join(waiting)

    def _body(self, body: _Body) -> Iterator[bytes]:
        try:
            descriptor = self._files.open(body.path)
        except OSError as error:
            raise unusable(f"{path_text(body.path)}: {_reason(error)}") from error
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


def _check_size(body: _Body, found: int) -> None:
    if found != body.size:
        raise unusable(f"{path_text(body.path)}: expected {body.size} bytes, found {found}")


def _parts(ref: TreeRef) -> Iterator[bytes | _Body]:
    """Bytes and contents in tar order; raises LayerError ``split-unusable``."""
    try:
        descriptor = open_below(ref.root, ref.split or ())
        with open(descriptor, "rb") as raw:
            for lines in _lines(decompressed(raw, "gzip")):
                for entry in _entries(lines):
                    part = _part(entry)
                    if part:
                        yield part
    except LayerError as error:
        if error.code == "split-unusable":
            raise
        raise unusable(error.message) from error
    except DedupeError as error:
        raise unusable(error.message) from error


def _lines(stream: Readable) -> Iterator[list[bytes]]:
    """Lines, some thousand at a time."""
    rest = b""
    while piece := stream.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        yield lines
        if len(rest) > _MAX_LINE_BYTES:
            raise unusable(f"a line of more than {_MAX_LINE_BYTES} bytes")
    yield [rest]


def _entries(lines: list[bytes]) -> list[Any]:
    """Their objects, parsed in one go: a call a line would cost more than the parsing."""
    text = b",".join(line for line in lines if line.strip())
    try:
        entries: list[Any] = json.loads(b"[%b]" % text)
    except (ValueError, RecursionError) as error:
        raise unusable("a line that is no entry") from error
    return entries


def _part(entry: Any) -> bytes | _Body | None:
    try:
        kind = entry["type"]
        if kind == _BYTES:
            return binascii.a2b_base64(entry.get("payload") or "")
        size = int(entry.get("size") or 0)
        raw = entry.get("name_raw")
        name = binascii.a2b_base64(raw) if raw else cast(str, entry["name"]).encode()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unusable("a line that is no entry") from error
    if kind != _FILE or size < 0:
        raise unusable(f"an entry of type {kind!r} and size {size}")
    path, _ = clean(name)
    return _Body(path, size) if size and path else None


def _reason(error: OSError) -> str:
    return reason_of(error)


def unusable(why: str) -> LayerError:
    """What was found wrong, said of the tar-split data."""
    return LayerError(f"tar-split data cannot give the tar back: {why}", "split-unusable")
