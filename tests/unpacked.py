"""Layers as stores unpack them: tar-split data, and rows of whatever holds a layer."""

import base64
import gzip
import io
import json
import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from dedupe.formats.tar import TarReader
from dedupe.layers.reader import read_layer
from dedupe.model.entries import EntryColumns, LayerFacts
from dedupe.model.images import BlobRef, LayerRef


def rows_of(ref: LayerRef) -> tuple[list[dict[str, Any]], LayerFacts]:
    """All entries of a layer as dictionaries, and what reading it has shown."""
    rows: list[dict[str, Any]] = []

    def emit(columns: EntryColumns) -> None:
        names = [each.name for each in fields(columns)]
        rows.extend(dict(zip(names, row, strict=True)) for row in columns.rows())

    facts = read_layer(ref, emit, lambda _: None)
    return rows, facts


def rows_of_tar(tar: bytes, folder: Path) -> tuple[list[dict[str, Any]], LayerFacts]:
    """The same of a tar."""
    path = folder / "judge.tar"
    path.write_bytes(tar)
    return rows_of(BlobRef(path))


def split_lines(tar: bytes, *, raw_names: bool = False) -> list[dict[str, Any]]:
    """tar-split's entries of this tar: all that is no content, and which contents it had."""
    lines: list[dict[str, Any]] = []
    done = 0
    for member in TarReader(io.BytesIO(tar), hash_content=False):
        if not member.stored_size:
            continue
        lines.append(_literal(tar[done : member.offset]))
        try:
            name = {"name": member.name.decode()}
        except UnicodeDecodeError:
            raw_names = True
        if raw_names:
            name = {"name_raw": base64.b64encode(member.name).decode()}
        lines.append({"type": 1, **name, "size": member.stored_size, "payload": "AAAAAAAAAAA="})
        done = member.offset + member.stored_size
    lines.append(_literal(tar[done:]))
    return [{**line, "position": number} for number, line in enumerate(lines)]


def split_of(tar: bytes, **how: bool) -> bytes:
    """The file that stores keep."""
    return packed(split_lines(tar, **how))


def packed(lines: list[dict[str, Any]]) -> bytes:
    """Entries as lines of JSON in gzip."""
    return gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def _literal(data: bytes) -> dict[str, Any]:
    return {"type": 2, "payload": base64.b64encode(data).decode()}


def as_nobody(act: Callable[[], Any]) -> Any:
    """What ``act`` returns in a process that is not root."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            answer = pickle.dumps((True, act()))
        except BaseException:
            answer = pickle.dumps((False, traceback.format_exc()))
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        fine, answer = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    assert fine, answer
    return answer
